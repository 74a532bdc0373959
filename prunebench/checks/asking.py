"""One check after the other: its settings, its ranges, its comparisons, and what they are together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from prunebench.checks.asked import name_of
from prunebench.checks.comparison import Comparison
from prunebench.checks.compounds import Kind, combine, judged
from prunebench.checks.enough import seeds_of_compound, seeds_of_one
from prunebench.checks.grammar import Check, Range
from prunebench.checks.judge import ALPHA, judge
from prunebench.checks.lanes import Table
from prunebench.checks.outcomes import Outcome, Verdict
from prunebench.checks.quantified import asked_by
from prunebench.checks.sentences import compound_reason, enough, reason
from prunebench.checks.sides import Setting, Side, settings_of, sides_told
from prunebench.checks.spans import Meant, Spans, percent, words
from prunebench.errors import ComponentError, PrunebenchError, UsageError

__all__ = ["Asking"]


_Found = tuple[Setting, list[Side], list[Side]]
"""A setting, and what both sides are there."""


class Asking:
    """One table, and what its checks ask of it."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        table: Table,
        spans: Spans,
        quantities: Callable[[str], Any],
    ) -> None:
        self._checks, self._table, self._spans, self._quantities = checks, table, spans, quantities
        self.outcome = cache(self._outcome)

    def _outcome(self, name: str) -> Outcome:
        check = self._checks[name]
        if check.group:
            return self._group(check)
        for _, asked, _ in asked_by(check):
            try:
                self._quantities(name_of(asked))
            except (KeyError, UsageError):
                return _unjudged(_about(check), f"the quantity '{name_of(asked)}' is not installed here")
            except PrunebenchError as error:  # its plugin does not load
                return _unjudged(_about(check), f"the quantity '{name_of(asked)}' cannot be had: {error}")
        assert check.range is not None
        try:
            settings = list(settings_of(check, self._table, self._quantities))
        except ComponentError as error:  # of a quantity that cannot say what it reads
            return _unjudged(_about(check), str(error))
        beside = tuple(self._over(check, one, settings) for one in check.beside)
        return replace(self._over(check, check.range, settings), beside=beside)

    def _group(self, check: Check) -> Outcome:
        key = "all" if check.all_ is not None else "any"
        names = check.all_ or check.any_ or []
        about = Outcome(check=check.name, claim=check.claim, verdict="undecided", expect=key, quantity="")
        parts = [self.outcome(name) for name in names]
        return _compound(about, parts, "every" if key == "all" else "some", names, "checks")

    def _over(self, check: Check, within: Range, settings: Sequence[_Found]) -> Outcome:
        """Return the outcome over a range, in all settings."""
        about = replace(_about(check), range=words(within))
        parts = [self._in_setting(about, check, within, *one) for one in settings]
        if not parts:
            itself = any(settings_of(check, self._table, self._quantities, itself=True))
            said = "both sides are the same cells" if itself else "no setting has the cells of both sides"
            return replace(about, verdict="not run", reason=said)
        if len(parts) == 1:
            return parts[0]
        kind: Kind = "some" if check.settings == "some" else "every"
        ranges = {part.range for part in parts}
        together = replace(about, setting="; ".join(part.setting for part in parts))
        if len(ranges) == 1:
            together = replace(together, range=ranges.pop())
        return _compound(together, parts, kind, [part.setting for part in parts], "settings")

    def _in_setting(
        self,
        about: Outcome,
        check: Check,
        within: Range,
        setting: Setting,
        of: Sequence[Side],
        against: Sequence[Side],
    ) -> Outcome:
        grid = _grid([*of, *against])
        meant = self._spans.meant(within, grid, setting.family, setting.find)
        margin = of[0].pick.lane.curves.margin if check.margin is None else check.margin
        shown = words(within, meant.densities)
        whole = all(side.kin for side in (*of, *against))  # of no network of its own
        where = f"the family of {setting.words}" if whole else setting.words
        about = replace(about, setting=where, range=shown, margin=float(margin))
        if not meant.densities:
            return _nowhere(about, meant)
        if check.over == "mean":
            return _compared(about, Comparison(check, of, against, meant.densities, meant.baselines))
        parts = [
            _compared(replace(about, range=percent(d)), Comparison(check, of, against, (d,), meant.baselines))
            for d in meant.densities
        ]
        kind: Kind = "every" if check.over == "everywhere" else "some"
        return _compound(about, parts, kind, [part.range for part in parts], "sparsities")


def _about(check: Check) -> Outcome:
    """Return what is known of a check before anything is compared."""
    by = check.by if check.by is not None else 1.0 if check.compare == "ratio" else 0.0
    of, against = sides_told(check.of, check.against, check.quantity)
    return Outcome(
        check=check.name,
        claim=check.claim,
        verdict="undecided",
        expect=str(check.expect),
        quantity=check.quantity if isinstance(check.quantity, str) else check.quantity.name,
        compare=check.compare,
        over=check.over,
        margin=check.margin,
        of=of,
        against=against,
        by=float(by),
    )


def _grid(sides: Sequence[Side]) -> list[str]:
    """Return the densities that all pruned cells of a check have, sparsities rising."""
    picks = [pick for side in sides for pick in side.picks]
    pruned = [pick for pick in picks if not pick.unpruned] or picks
    common = set.intersection(*(set(pick.places) for pick in pruned))
    return sorted(common, key=float, reverse=True)


def _nowhere(about: Outcome, meant: Meant) -> Outcome:
    """Return the outcome of a check whose range has no sparsity here, or is not known."""
    about = _with_cells(about, dict(meant.baselines))
    said = meant.unknown or "no sparsity of the range is in this setting"
    return replace(about, verdict="not run" if about.missing else "undecided", reason=said)


def _with_cells(about: Outcome, there: Mapping[str, bool]) -> Outcome:
    """Return an outcome with the cells that it needs."""
    absent = tuple(key for key, is_there in there.items() if not is_there)
    return replace(about, keys=tuple(there), cells=len(there), absent=absent, missing=len(absent))


def _unjudged(about: Outcome, error: str) -> Outcome:
    """Return the outcome of a check that cannot be judged, for this reason."""
    return replace(about, verdict="not run", reason=error.splitlines()[0], error=error)


def _compared(about: Outcome, comparison: Comparison) -> Outcome:
    """Return the outcome of one comparison; where a quantity fails, of that alone."""
    about = _with_cells(about, comparison.cells)
    try:
        return _by_numbers(about, comparison)
    except ComponentError as error:  # where cells are missing too, it may be for want of them
        return _told(about) if about.missing else _unjudged(about, str(error))


def _by_numbers(about: Outcome, comparison: Comparison) -> Outcome:
    """Return the outcome of one comparison, by the quantity's numbers. Raises: ComponentError."""
    seeds = comparison.seeds
    about = replace(about, n=len(seeds), seeds=seeds, differences=comparison.differences)
    about = replace(about, notes=tuple(_notes(comparison)))
    evidence = comparison.evidence
    if evidence is None:
        alone = comparison.alone
        return _told(replace(about, effect=None if alone is None else alone + about.by))
    margin = float(about.margin or 0.0)
    decision = judge(evidence, about.expect, margin)
    lost = comparison.lost
    verdict: Verdict = "undecided" if lost else decision.verdict
    return _told(
        replace(
            about,
            verdict=verdict,
            evidence=None if lost else evidence,
            effect=evidence.effect + about.by,
            lower=evidence.lower(ALPHA),
            upper=evidence.upper(ALPHA),
            p_holds=None if lost else decision.p_holds,
            p_fails=None if lost else decision.p_fails,
        )
    )


def _notes(comparison: Comparison) -> Sequence[str]:
    """Return what a reader has to know of runs that diverged, and of numbers that are not there."""
    notes = []
    if comparison.inference != "counts":
        notes = [
            f"{diverged} of {runs} runs of {name} diverged and count with the accuracy of a guess: "
            "bounds do not describe such a mixture"
            for name, diverged, runs in comparison.diverged
            if diverged
        ]
    lost = comparison.lost
    if lost:
        notes.append(f"{lost} of {len(comparison.planned)} seeds have no number, though their runs are there")
    return notes


def _told(outcome: Outcome) -> Outcome:
    """Return an outcome with its reason; what lacks cells has not run, and is no evidence."""
    if outcome.missing:
        outcome = replace(outcome, verdict="not run", p_holds=None, p_fails=None, evidence=None)
    elif outcome.verdict == "undecided":
        outcome = replace(outcome, seeds_needed=seeds_of_one(outcome))
    said = reason(outcome)
    return replace(outcome, told=said, reason=said + enough(outcome))


def _compound(
    about: Outcome, parts: Sequence[Outcome], kind: Kind, names: Sequence[str], what: str
) -> Outcome:
    """Return the outcome of several: what is open or not contradicted is undecided in a check.

    A check that lacks cells has not run unless it fails already. Of settings and sparsities the numbers of
    the one that decides stand with the whole.
    """
    combined = combine([judged(part) for part in parts], kind)
    known: dict[str, Verdict] = {"holds": "holds", "fails": "fails", "not run": "not run"}
    verdict = known.get(combined.verdict, "undecided")
    if verdict != "fails" and any(part.verdict == "not run" for part in parts):
        verdict = "not run"
    keys = {key: None for part in parts for key in part.keys}
    absent = {key: None for part in parts for key in part.absent}
    outcome = replace(
        about,
        verdict=verdict,
        p_holds=combined.p_holds,
        p_fails=combined.p_fails,
        seeds_needed=seeds_of_compound(parts, kind) if verdict == "undecided" else None,
        kind=kind,
        keys=tuple(keys),
        cells=len(keys),
        absent=tuple(absent),
        missing=len(absent),
        parts=tuple(parts),
        error="" if verdict in ("holds", "fails") else next((p.error for p in parts if p.error), ""),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )
    said = compound_reason(outcome, parts, names, what)
    if about.single:
        decides = _decides(parts, kind, verdict)
        outcome = replace(
            outcome,
            margin=decides.margin,
            effect=decides.effect,
            lower=decides.lower,
            upper=decides.upper,
            n=decides.n,
            seeds=decides.seeds,
            differences=decides.differences,
        )
        at = "decided at" if verdict in ("holds", "fails") else "depends on"
        said += f"; {at} {names[list(parts).index(decides)]}: {decides.told or decides.reason}"
    return replace(outcome, told=said, reason=said + enough(outcome))


def _decides(parts: Sequence[Outcome], kind: Kind, verdict: Verdict) -> Outcome:
    """Return the part by which the whole is what it is: for "every" the one that holds the least surely."""
    by_failing = verdict == "fails"

    def p(part: Outcome) -> float:
        said = judged(part)
        return said.p_fails if by_failing else said.p_holds

    return (max if (kind == "every") != by_failing else min)(parts, key=p)
