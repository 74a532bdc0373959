"""What a frozen plan was made with, beside the plan: so that a worker needs no suite (imports no torch)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from prunebench._version import __version__
from prunebench.errors import StoreError
from prunebench.plan.frozen import thawed
from prunebench.plan.job import JOB_VERSIONS
from prunebench.plan.plan import Plan
from prunebench.plan.uncollected import uncollected
from prunebench.store import Store

__all__ = ["Making", "read_to_work"]


class Making(BaseModel):
    """The versions that a plan was made with, and which plugins were loaded. It is no part of the plan."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plugins: tuple[str, ...] = ()
    """Plugin files: those that the suite names, and those that were given."""
    third_party: bool = True
    load: tuple[str, ...] | None = None
    """Plugins of other distributions that were loaded; None: all, where `third_party` says so."""
    prunebench: str = __version__
    jobs: dict[str, int] = JOB_VERSIONS
    """The version of each kind of job."""

    def to_text(self) -> str:
        """Return it as text in ASCII: paths may hold bytes that are not UTF-8."""
        return json.dumps(self.__dict__)

    @property
    def other(self) -> str:
        """What of it is another version's than this prunebench; empty where nothing is."""
        if self.prunebench != __version__:
            return f"prunebench {self.prunebench}, and this is {__version__}"
        kinds = [kind for kind, version in JOB_VERSIONS.items() if self.jobs.get(kind) != version]
        return f"another version of prunebench, whose {kinds[0]} jobs compute something else" if kinds else ""


def read_to_work(path: Path, store: Store) -> tuple[Plan, Making]:
    """Return a frozen plan of `store`, and what it was made with.

    Raises: Missing; Damaged, once the file has been set aside; StoreError for a plan of another version of
    prunebench: its jobs would be done differently here, under the same keys.
    """

    def parse(content: bytes) -> tuple[Plan | None, Making | None]:
        value = orjson.loads(content)
        making = _making(value)
        return (None if making is None or making.other else thawed(value, whole=False)), making

    with uncollected():
        plan, making = store.read_plan(path, parse) or (None, None)
    if plan is None or making is None:
        by = "another version of prunebench" if making is None else making.other
        raise StoreError(
            f"{path} was frozen by {by}: `prunebench run SUITE` with this version freezes it anew"
        )
    return plan, making


def _making(value: Any) -> Making | None:
    """Return what a plan's content says of its making; None where it says nothing. Raises: ValueError."""
    text = value.get("making") if isinstance(value, dict) else None
    if text is None:
        return None
    try:
        return Making(**json.loads(text))
    except (ValidationError, TypeError) as error:
        raise ValueError(f"not a frozen plan: what it was made with ({type(error).__name__})") from None
