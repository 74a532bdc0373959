"""The plan that `status` and `leaderboard` speak of: the last run's, without torch, or else a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from prunebench.cli._options import request_of
from prunebench.plan import Plan
from prunebench.store import Store

__all__ = ["Source", "source"]

_PLANNING = ("scorer", "plugin", "no_plugins", "load")


class Source(NamedTuple):
    """A plan, where it came from, and the store to read."""

    plan: Plan
    store: Store
    frozen: Path | None
    """The last run's plan; None where it was made just now."""

    @property
    def told(self) -> str:
        """Where the plan came from, in words."""
        if self.frozen:
            return "as last run"
        if any(found.file.startswith("plans/") for found in self.store.damaged):
            return "planned anew: the last run's plan is damaged"
        return "planned now: not run in this store yet as it stands"


def source(suite: str, options: dict[str, Any]) -> Source:
    """Return the newest frozen plan of the suite as it stands, or plan it.

    The frozen plan is taken where the suite's content is the same and no option asks for another plan.
    """
    from prunebench.engine.frozen import newest_frozen

    request = request_of(suite, options)
    store = Store.open(request.store, create=False, write=False, absent_ok=True, mend=True)
    if not any(options.get(name) for name in _PLANNING):
        found = newest_frozen(suite, store, seeds=options.get("seeds"))
        if found is not None:
            return Source(found[0], store, found[1])
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._output import problems
    from prunebench.engine.session import Session
    from prunebench.errors import PrunebenchError

    try:
        session = Session.prepare(request)
    except PrunebenchError:
        say_damaged(store)  # a damaged plan may be why it has to be planned
        raise
    problems(session.host)
    last = (path for path in store.plans(session.plan.suite["name"]) if path.stem == session.plan.name)
    return Source(session.plan, store, next(last, None))
