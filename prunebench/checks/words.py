"""An outcome in words, for reports that have a line for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prunebench.checks.outcomes import Outcome

__all__ = ["few", "lacks", "told"]


def told(outcome: Outcome) -> str:
    """Return what is claimed, of what and where, and what was found.

    >>> told(Outcome(check="a", verdict="not run", of="snip", against="random", expect="above", range="95 %",
    ...              setting="resnet20, cifar10", reason="2 of 6 cells are missing"))
    'snip above random over 95 % (resnet20, cifar10): 2 of 6 cells are missing'
    """
    reason = outcome.reason or outcome.verdict
    if not (outcome.single and outcome.of):
        return reason
    where = f" over {outcome.range}" if outcome.range else ""
    where += f" ({outcome.setting})" if outcome.setting else ""
    return f"{outcome.of} {outcome.expect} {outcome.against}{where}: {reason}"


def few(names: Sequence[str], shown: int = 3) -> str:
    """Return the first of several names, and how many more there are.

    >>> few(["a", "b"]), few(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def lacks(outcome: Outcome, cells: Mapping[str, str]) -> str:
    """Return which cells are missing, the first of them by name; `cells`: from key to name.

    >>> lacks(Outcome(check="a", verdict="not run", absent=("1", "2")), {"1": "snip-s0", "2": "snip-s1"})
    ' (missing: snip-s0, snip-s1)'
    """
    names = [cells[key] for key in outcome.absent if key in cells]
    return f" (missing: {few(names)})" if names else ""
