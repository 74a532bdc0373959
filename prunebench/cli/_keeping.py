"""What `run` and `work` say where an earlier command lets them keep the weights of pruned networks."""

from __future__ import annotations

from prunebench.store import Store

__all__ = ["keeping"]


def keeping(store: Store, plan: str, *, asked: bool) -> list[str]:
    """Return the line that says that a plan's states are kept, and why, where this command was not asked to.

    The word outlives the command that gave it, so that whoever helps keeps them too.
    """
    if asked or not store.keeps_states(plan):
        return []
    return [
        "weights of pruned networks are kept, as an earlier command on this plan was told to "
        "(--keep-states); `prunebench gc --states --yes` ends that"
    ]
