"""What became of checks and claims: plain values that tables, pages and exit codes are made of.

docs/checks.md says what the verdicts mean and how they are reached.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

__all__ = ["SCHEMA", "ClaimVerdict", "ClaimWord", "Outcome", "Verdict", "Verdicts"]

SCHEMA = 1
"""Of what `plain` returns: it rises when a field goes or changes its meaning; new ones may come."""

Verdict = Literal["holds", "fails", "undecided", "not run"]
ClaimWord = Literal["holds", "fails", "not contradicted", "open", "not run"]


class _Plain:
    """A dataclass that JSON writes as an object of its fields."""

    def plain(self) -> dict[str, Any]:
        """Return the value as JSON has it: null for what is not known, "inf" and "-inf" for infinite."""
        public = [each.name for each in fields(self) if each.metadata.get("plain", True)]  # type: ignore[arg-type]
        return {name: _plain(getattr(self, name)) for name in public}


@dataclass(frozen=True, kw_only=True)
class Outcome(_Plain):
    """What the seeds say of a check, of one of its parts, or of it over another range.

    D is what the check speaks of: x − y − by, or x / y − by. Numbers are None where they are not known: of
    one seed there is no bound, of a compound of other checks no effect. What is said of a part that decides
    for its compound (the seeds, the effect, the bounds) stands with the compound as well; `reason` says which
    part that is.
    """

    check: str
    """The name of the check."""
    claim: str | None = None
    """The id of the claim that it belongs to."""
    verdict: Verdict
    expect: str = ""
    """What is claimed of D: "above", "same", "not-above", "not-same"; "all" or "any" of other checks."""
    quantity: str = "accuracy"
    compare: Literal["difference", "ratio"] = "difference"
    over: str = "mean"
    margin: float | None = None
    """The difference that does not matter."""
    setting: str = ""
    """In words: "lenet-300-100, mnist"; several are joined by "; "."""
    range: str = ""
    """In words: "matching (20 % … 73.8 %)"."""
    of: str = ""
    """What is compared, as tables show it: "snip + shuffle", "best of snip, grasp"."""
    against: str = ""
    """The same, or a number."""
    effect: float | None = None
    """The mean over seeds of x − y, or the ratio of the means."""
    by: float = 0.0
    """What the effect is set against: D is the effect less this."""
    lower: float | None = None
    upper: float | None = None
    """One-sided 95 % bounds of D: each of them by itself is right in 95 %."""
    p_holds: float | None = None
    """The p value against holding: small where it can be trusted that the check holds."""
    p_fails: float | None = None
    n: int = 0
    """The seeds that are counted."""
    seeds: tuple[int, ...] = ()
    differences: tuple[float, ...] = ()
    """D at each of these seeds; empty where there is no such number (borders of mean curves)."""
    seeds_needed: int | None = None
    """How many seeds would decide it with 80 % power, at this effect and spread, where it is undecided."""
    cells: int = 0
    """How many cells it needs."""
    missing: int = 0
    """How many of those are no results yet."""
    keys: tuple[str, ...] = ()
    """The keys of the cells that it needs."""
    absent: tuple[str, ...] = ()
    """The keys of those that are no results yet."""
    reason: str = ""
    """A sentence for people."""
    error: str = ""
    """Why it cannot be judged, and where that arose: a quantity fails, or is not installed. Else empty."""
    notes: tuple[str, ...] = ()
    """What a reader has to know besides, such as runs that diverged."""
    beside: tuple[Outcome, ...] = ()
    """The outcomes over further ranges, which decide nothing."""
    parts: tuple[Outcome, ...] = ()
    """What a compound is made of: settings, sparsities, other checks."""

    evidence: Any = field(default=None, repr=False, compare=False, metadata={"plain": False})
    """What is known of D (`checks.evidence.Evidence`), of one comparison."""
    kind: Literal["every", "some", "most"] | None = field(
        default=None, repr=False, compare=False, metadata={"plain": False}
    )
    """How the parts of a compound are one."""
    told: str = field(default="", repr=False, compare=False, metadata={"plain": False})
    """The reason, but for how many seeds would decide it."""

    @property
    def single(self) -> bool:
        """True if it is a check of numbers, and not of other checks."""
        return self.expect not in ("all", "any")

    def plain(self) -> dict[str, Any]:
        """Return the outcome as JSON has it.

        A part that needs all cells of the whole does not name them again: each network of a family may rest
        on every other.
        """
        plain = super().plain()
        for part in plain["parts"]:
            if part["cells"] == self.cells:
                _unname(part)
        return plain


@dataclass(frozen=True, kw_only=True)
class ClaimVerdict(_Plain):
    """What the checks of a claim say of it."""

    id: str
    says: str
    source: str
    kind: Literal["every", "some", "most"]
    verdict: ClaimWord
    holds: int = 0
    fails: int = 0
    undecided: int = 0
    not_run: int = 0
    failing: tuple[str, ...] = ()
    """The names of the checks that fail."""
    outcomes: tuple[Outcome, ...] = ()
    own: bool = False
    """True if it is a check that names no claim, and so is one by itself."""

    @property
    def checks(self) -> int:
        """How many checks it has."""
        return len(self.outcomes)

    @property
    def evidence(self) -> str:
        """Return "holds 3, fails 0, undecided 1 of 4", with "not run" where there is something of that."""
        lacking = f", not run {self.not_run}" if self.not_run else ""
        return f"holds {self.holds}, fails {self.fails}, undecided {self.undecided}{lacking} of {self.checks}"

    def plain(self) -> dict[str, Any]:
        """Return the verdict as JSON has it, its checks by name."""
        return {**super().plain(), "outcomes": [outcome.check for outcome in self.outcomes]}


@dataclass(frozen=True, kw_only=True)
class Verdicts(_Plain):
    """All that is said of a suite's checks, in the suite's order."""

    outcomes: tuple[Outcome, ...] = ()
    claims: tuple[ClaimVerdict, ...] = ()
    """Those of the suite, then the checks that belong to none, each a claim of its own."""
    chance: float = 0.0
    """So many failures of checks chance explains at most: 5 % of those that were judged."""

    @property
    def failures(self) -> int:
        """How many checks of numbers fail."""
        return sum(outcome.single and outcome.verdict == "fails" for outcome in self.outcomes)

    @property
    def judged(self) -> int:
        """How many checks of numbers were judged: all of their cells are there."""
        return sum(outcome.single and outcome.verdict != "not run" for outcome in self.outcomes)

    def outcome(self, check: str) -> Outcome:
        """Return the outcome of a check. Raises: KeyError for another name."""
        for outcome in self.outcomes:
            if outcome.check == check:
                return outcome
        raise KeyError(check)

    def of(self, checks: Collection[str], claims: Collection[str] = ()) -> Verdicts:
        """Return these checks alone, with the claims that have one of them, or are named.

        Claims are judged by all of their checks, as they were; what is counted is counted of these checks.
        """
        few = replace(
            self,
            outcomes=tuple(one for one in self.outcomes if one.check in checks),
            claims=tuple(
                claim
                for claim in self.claims
                if claim.id in claims or any(one.check in checks for one in claim.outcomes)
            ),
        )
        share = self.chance / self.judged if self.judged else 0.0
        return replace(few, chance=round(share * few.judged, 10))

    def plain(self, *, keys: bool = True) -> dict[str, Any]:
        """Return everything as JSON has it, with the number of its schema; keys: False names no cells."""
        counted = {"failures": self.failures, "judged": self.judged}
        plain = {"schema": SCHEMA, **super().plain(), **counted}
        if not keys:
            for one in plain["outcomes"]:
                _unname_all(one)
        return plain


def _unname(outcome: dict[str, Any]) -> None:
    """Leave the cells of an outcome, as JSON has it, unnamed."""
    for name in ("keys", "absent"):
        outcome.pop(name, None)


def _unname_all(outcome: dict[str, Any]) -> None:
    """The same of all that is within it too."""
    _unname(outcome)
    for one in (*outcome["beside"], *outcome["parts"]):
        _unname_all(one)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; floats with ten digits, so that no machine's last bits show."""
    if value is None or isinstance(value, str | int):  # most values are; asking what they are not costs more
        return value
    if isinstance(value, _Plain):
        return value.plain()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return float(f"{value:.10g}") if math.isfinite(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    return value
