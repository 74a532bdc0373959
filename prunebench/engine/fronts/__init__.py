"""Engines: where the cells of a run are made.

`local` is pytest in this process, or its workers. Every other engine is a front: a module of its own with a
function `front(options)` that returns a `Front`, the name of its extra, and the options that only it takes
(`prunebench.cli._engines`). A front starts workers elsewhere and waits; what they make comes to the store. A
`Watch` of that tells how far the run is, prints a line a cell, and says when it is over.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from prunebench.errors import UsageError, nearest

if TYPE_CHECKING:
    from prunebench.engine.devices.slots import Workforce
    from prunebench.engine.fronts.watch import Watch
    from prunebench.engine.session import Session
    from prunebench.plan import PlannedCell
    from prunebench.store import Store

__all__ = ["ENGINES", "HANDED_OVER", "Assignment", "Engine", "Front", "front_of"]

HANDED_OVER = 3
"""Exit code of a run whose cells others are to make, with nobody waiting for them: they are not there yet."""


@dataclass(frozen=True)
class Engine:
    """What is known of an engine before anything of it is imported."""

    does: str
    """Where it makes cells, in a few words."""
    module: str = ""
    """The module that has its `front`; "" for the engine that is none."""
    package: str = ""
    """What it needs beside prunebench, as it is imported: the extra of the engine's name installs it."""


ENGINES = {
    "local": Engine("on this machine"),
    "slurm": Engine("in pilots under Slurm", "prunebench.engine.on_slurm", "submitit"),
    "ray": Engine("as tasks of Ray", "prunebench.engine.on_ray", "ray"),
}
"""Every engine, by its name."""


@dataclass(frozen=True)
class Assignment:
    """What a front is to get done."""

    session: Session
    """The request made ready; its plan is frozen in the store, at `session.frozen`."""
    store: Store
    cells: Sequence[PlannedCell]
    """The cells to make: those of the selection that were not done when the run began."""
    since: str
    """The run's id in the store: a job that has failed since it began is not tried again."""
    given_up: Mapping[str, str]
    """Errors of jobs, by key, that are not tried again in this run."""
    workers: int | None
    """How many workers were asked for; None where that was not said."""
    first_failure: bool
    """True if the run ends at the first failed cell; `Watch.over` says so then."""


class Front(Protocol):
    """Starts workers elsewhere, and waits for them."""

    def workforce(self) -> Workforce:
        """Return how many workers there will be, and what they will have, as far as that is known before
        anything starts: what time a run takes is estimated by it."""

    def ready(self, session: Session, cells: Sequence[PlannedCell]) -> AbstractContextManager[None]:
        """Make sure that these cells can be made there, and be ready to meanwhile; nothing is changed yet.

        Raises: UsageError, with what is wrong and what to do.
        """

    def run(self, assignment: Assignment, watch: Watch) -> None:
        """Get the cells made, while `ready`: return once `watch.over` is true, with nothing left running.

        `watch.look()` is called again and again meanwhile. What keeps the run from going on is raised.

        Raises: PrunebenchError; Stopped, once all that was started has been told to end.
        """


def front_of(name: str, options: Mapping[str, Any]) -> Front | None:
    """Return the front of an engine with its options, None for `local`; starts and writes nothing.

    Raises: UsageError for an engine that there is not, whose extra is not installed, or whose options are not
    allowed.
    """
    if name not in ENGINES:
        raise UsageError(f"--engine: no engine '{name}'{nearest(name, ENGINES)}")
    engine = ENGINES[name]
    if not engine.module:
        return None
    if importlib.util.find_spec(engine.package) is None:
        raise UsageError(
            f"--engine {name} needs {engine.package}, which is not installed: "
            f'pip install "prunebench[{name}]" installs it'
        )
    front: Front = importlib.import_module(engine.module).front(options)
    return front
