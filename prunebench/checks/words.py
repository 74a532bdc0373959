"""An outcome in words, for reports that have a line for it."""

from __future__ import annotations

from prunebench.checks.outcomes import Outcome

__all__ = ["told"]


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
