"""What a user asked for: shared by the command line, pytest, and every process that works for one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunebench.plan.uncollected import uncollected
from prunebench.training.kernels import Kernels

if TYPE_CHECKING:
    from prunebench.host.registry import Host
    from prunebench.suite import Suite

__all__ = ["Request"]


@dataclass(frozen=True)
class Request:
    """What a user asked for. Plain values: it travels to workers as text."""

    suite: str
    store: str
    data: str
    plugins: tuple[str, ...] = ()
    third_party: bool = True
    load: tuple[str, ...] | None = None
    """Third-party plugins to load, by entry point or distribution; None loads all."""
    scorers: tuple[str, ...] = ()
    seeds: int | None = None
    limit: int | None = None
    """Of a smoke run: so many examples at most are trained on, and evaluated on."""
    sparsities: tuple[str, ...] = ()
    """Of the plan's cells only those of these sparsities, as tables print them; empty: all."""
    device: str = "cpu"
    threads: int = 1
    kernels: Kernels = "dense"
    """Which kernels compute masked linear layers: a choice of the numerics class."""
    keep_states: bool = False
    job_timeout: float | None = None
    """Seconds after which a job that gives no sign of life has failed; None: never."""
    memory_limit: int | str | None = "auto"
    """Bytes that a worker may take; "auto": its share of a memory that runs out; None: no limit."""

    def with_suite_plugins(self) -> Request:
        """Return the request with the plugin files that the suite names, before the others.

        A file that is named twice is loaded once.

        Raises: SuiteError for a file that is not there, or a suite that cannot be read.
        """
        from prunebench.suite.load import plugin_files

        named = map(str, plugin_files(self.suite))
        return replace(self, plugins=tuple(dict.fromkeys([*named, *self.plugins])))

    def host(self) -> Host:
        """Load the plugins; those that the suite names are among them after `with_suite_plugins` alone."""
        from prunebench.host.registry import Host

        return Host.load(
            plugins=[Path(p) for p in self.plugins],
            third_party=self.third_party,
            only=None if self.load is None else list(self.load),
        )

    @uncollected()
    def read_suite(self, host: Host) -> Suite:
        """Read and validate the suite, with the scorers, seeds and limit that were asked for."""
        from prunebench.suite import load_suite, with_limit, with_methods, with_seeds

        suite = load_suite(self.suite, host)
        if self.scorers:
            suite = with_methods(suite, list(self.scorers), host)
        if self.seeds is not None:
            suite = with_seeds(suite, self.seeds, host)
        if self.limit is not None:  # last: it is of the cells as they are then
            suite = with_limit(suite, self.limit)
        return suite

    def to_json(self) -> str:
        """Return the request as text, in ASCII: paths may hold bytes that are not UTF-8."""
        return json.dumps(self.__dict__)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Return the request that `to_json` wrote."""
        value: dict[str, Any] = {
            name: tuple(item) if isinstance(item, list) else item for name, item in json.loads(text).items()
        }
        return cls(**value)
