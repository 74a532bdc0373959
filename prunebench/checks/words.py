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
    >>> told(Outcome(check="a", verdict="not run", of="imp", against="0.1", expect="not-above", reason="none",
    ...              quantity="fit:sigma", setting="a; b; c; d"))
    'fit:sigma of imp not above 0.1 (4 settings): none'
    """
    reason = outcome.reason or outcome.verdict
    if not (outcome.single and outcome.of):
        return reason
    where = f" over {outcome.range}" if outcome.range else ""
    settings = outcome.setting.split("; ")
    where += (
        f" ({f'{len(settings)} settings' if settings[_FEW:] else outcome.setting})" if settings[0] else ""
    )
    if outcome.quantity in ("", "accuracy"):
        return f"{outcome.of} {outcome.expect} {outcome.against}{where}: {reason}"
    of = outcome.of if outcome.of.startswith(outcome.quantity) else f"{outcome.quantity} of {outcome.of}"
    return f"{of} {_EXPECTED[outcome.expect]} {outcome.against}{where}: {reason}"


_FEW = 3
"""So many settings are named."""

_EXPECTED = {"above": "above", "same": "the same as", "not-above": "not above", "not-same": "not the same as"}


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
