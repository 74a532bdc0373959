"""Checks and claims, judged from the table of cells: what docs/checks.md explains."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from prunebench.baselines import Baselines
from prunebench.checks.asked import field_of, name_of
from prunebench.checks.claims import Claim
from prunebench.checks.compounds import Kind, combine
from prunebench.checks.curves import Floats
from prunebench.checks.evidence import Paired
from prunebench.checks.frozen import thawed_checks
from prunebench.checks.gather import steps_of
from prunebench.checks.grammar import Check, Range
from prunebench.checks.judge import ALPHA, Judged, judge
from prunebench.checks.lanes import Table
from prunebench.checks.outcomes import ClaimVerdict, Outcome, Verdict, Verdicts
from prunebench.checks.quantified import asked_by
from prunebench.checks.quantities import QuantityLike, numbers
from prunebench.checks.sides import Setting, Side, settings_of, side_name
from prunebench.checks.spans import Meant, Spans, words

__all__ = ["evaluate"]

Quantities = Callable[[str], Any] | Mapping[str, Any]


def evaluate(
    suite: Mapping[str, Any],
    cells: pd.DataFrame,
    measures: pd.DataFrame | None = None,
    quantities: Quantities | None = None,
    *,
    only: Collection[str] | None = None,
) -> Verdicts:
    """Return the verdicts of a suite's checks and claims.

    Args:
        suite: a plan's `suite`: its checks, claims, steps, margins, baselines.
        cells: the table of cells (`analysis.table`).
        measures: the table of their measures (`analysis.measures`); None where there are none.
        quantities: the component of a quantity's name: a mapping, or a function.
        only: names of checks; patterns with * and ? too. Others are not judged, unless these are about them,
            and claims are judged from those that are.

    Raises: pydantic.ValidationError for a suite whose checks are none; ComponentError where a quantity fails.
    """
    checks, claims = thawed_checks(suite)
    get = quantities.__getitem__ if isinstance(quantities, Mapping) else quantities
    if get is None:
        raise TypeError("evaluate needs the quantities that checks name")
    evaluation = _Evaluation(suite, cells, measures, get, checks)
    outcomes = [evaluation.outcome(name) for name in _wanted(checks, only)]
    judged = sum(one.single and one.verdict != "not run" for one in outcomes)
    return Verdicts(
        outcomes=tuple(outcomes), claims=tuple(_claims(claims, outcomes)), chance=round(ALPHA * judged, 10)
    )


def _wanted(checks: Sequence[Check], only: Collection[str] | None) -> list[str]:
    names = [check.name for check in checks]
    return names if only is None else [n for n in names if any(fnmatchcase(n, one) for one in only)]


def _claims(claims: Iterable[Claim], outcomes: Sequence[Outcome]) -> Iterable[ClaimVerdict]:
    for claim in claims:
        mine = [outcome for outcome in outcomes if outcome.claim == claim.id]
        yield _claim_verdict(claim.id, claim.says, claim.source, claim.kind, mine)
    for outcome in outcomes:
        if outcome.claim is None:
            yield replace(_claim_verdict(outcome.check, outcome.check, "", "every", [outcome]), own=True)


def _claim_verdict(id: str, says: str, source: str, kind: Kind, mine: Sequence[Outcome]) -> ClaimVerdict:
    counts = {
        word: sum(one.verdict == word for one in mine) for word in ("holds", "fails", "undecided", "not run")
    }
    return ClaimVerdict(
        id=id,
        says=says,
        source=source,
        kind=kind,
        verdict=combine([_judged(one) for one in mine], kind).verdict,
        holds=counts["holds"],
        fails=counts["fails"],
        undecided=counts["undecided"],
        not_run=counts["not run"],
        failing=tuple(one.check for one in mine if one.verdict == "fails"),
        outcomes=tuple(mine),
    )


def _judged(outcome: Outcome) -> Judged:
    """Return what a compound needs of an outcome; what is not known is no evidence."""
    known = [1.0 if p is None else p for p in (outcome.p_holds, outcome.p_fails)]
    return Judged(outcome.verdict, *known)


class _Evaluation:
    """One table, and what its checks ask of it."""

    def __init__(
        self,
        suite: Mapping[str, Any],
        cells: pd.DataFrame,
        measures: pd.DataFrame | None,
        quantities: Callable[[str], Any],
        checks: Sequence[Check],
    ) -> None:
        self._checks = {check.name: check for check in checks}
        self._quantities = quantities
        own = (suite.get("leaderboard") or {}).get("margin")
        margins = suite.get("margin", suite.get("margins")) if own is None else own
        baselines = Baselines.of(suite.get("baselines"))
        self._table = Table(
            cells,
            measures,
            fields=set(self._fields(checks)),
            margins=margins,
            dense=baselines.none,
            step=steps_of(suite),
        )
        self._spans = Spans(cells, baselines, margins)
        self.outcome = cache(self._outcome)

    def _fields(self, checks: Iterable[Check]) -> Iterable[str]:
        for check in checks:
            for _, asked, _ in asked_by(check) if not check.group else ():
                field = field_of(asked, self._quantities(name_of(asked)))
                if field is not None:
                    yield ".".join(part for part in field if part)

    def _outcome(self, name: str) -> Outcome:
        check = self._checks[name]
        if check.group:
            key = "all" if check.all_ is not None else "any"
            parts = [self.outcome(one) for one in (check.all_ or check.any_ or [])]
            empty = Outcome(check=name, claim=check.claim, verdict="undecided", expect=key)
            return _compound(empty, parts, "every" if key == "all" else "some")
        assert check.range is not None
        beside = tuple(self._over(check, one) for one in check.beside)
        return replace(self._over(check, check.range), beside=beside)

    def _over(self, check: Check, within: Range) -> Outcome:
        """Return the outcome over a range."""
        about = Outcome(
            check=check.name,
            claim=check.claim,
            verdict="undecided",
            expect=str(check.expect),
            quantity=check.quantity if isinstance(check.quantity, str) else check.quantity.name,
            compare=check.compare,
            over=check.over,
            margin=check.margin,
            of=side_name(check.of),
            against=side_name(check.against),
            by=_by(check),
            range=words(within, ()),
        )
        settings = [
            self._in_setting(about, check, within, *found)
            for found in settings_of(check, self._table, self._quantities)
        ]
        if not settings:
            return replace(about, verdict="not run", reason="no setting has the cells of both sides")
        if len(settings) == 1:
            return settings[0]
        return _compound(about, settings, "some" if check.settings == "some" else "every")

    def _in_setting(
        self,
        about: Outcome,
        check: Check,
        within: Range,
        setting: Setting,
        of: list[Side],
        against: list[Side],
    ) -> Outcome:
        grid = _grid([*of, *against])
        meant = self._spans.meant(within, grid, setting.family, setting.find)
        margin = of[0].pick.lane.curves.margin if check.margin is None else check.margin
        about = replace(
            about, setting=setting.words, range=words(within, meant.densities), margin=float(margin)
        )
        if not meant.densities:
            return _nowhere(about, meant, _Leaf(check, about, of, against, tuple(grid), ()))
        if check.over == "mean":
            return _Leaf(check, about, of, against, meant.densities, meant.baselines).outcome()
        parts = [
            _Leaf(
                check, replace(about, range=words([0.0], [d])), of, against, (d,), meant.baselines
            ).outcome()
            for d in meant.densities
        ]
        return _compound(about, parts, "every" if check.over == "everywhere" else "some")


def _by(check: Check) -> float:
    if check.by is not None:
        return float(check.by)
    return 1.0 if check.compare == "ratio" else 0.0


def _grid(sides: Sequence[Side]) -> list[str]:
    """Return the densities that all pruned cells of a check have, sparsities rising."""
    picks = [pick for side in sides for pick in side.picks]
    pruned = [pick for pick in picks if not pick.unpruned] or picks
    common = set.intersection(*(set(pick.places) for pick in pruned))
    return sorted(common, key=float, reverse=True)


def _nowhere(about: Outcome, meant: Meant, leaf: _Leaf) -> Outcome:
    """Return the outcome of a check whose range has no sparsity here, or is not known."""
    lacking = [key for key, there in meant.baselines if not there]
    keys = tuple(dict.fromkeys([*leaf.keys, *(key for key, _ in meant.baselines)]))
    reason = meant.unknown or "no sparsity of the range is in this setting"
    return replace(
        about,
        verdict="not run" if lacking else "undecided",
        reason=reason,
        keys=keys,
        cells=len(keys),
        missing=len(set(lacking)),
    )


class _Leaf:
    """One comparison: sides, densities and seeds are known."""

    def __init__(
        self,
        check: Check,
        about: Outcome,
        of: Sequence[Side],
        against: Sequence[Side],
        densities: tuple[str, ...],
        baselines: Sequence[tuple[str, bool]],
    ) -> None:
        self.check, self.about, self.of, self.against = check, about, of, against
        self.densities, self._baselines = densities, baselines
        sides = [*of, *against]
        self.quantity: QuantityLike = sides[0].quantity
        self.seeds = _seeds([pick for side in sides for pick in side.picks], densities)
        there = {key: is_there for side in sides for key, is_there in self._cells(side)}
        there |= dict(baselines)
        there.pop("", None)
        self.keys = tuple(there)
        self.missing = sum(not is_there for is_there in there.values())

    def _cells(self, side: Side) -> Iterable[tuple[str, bool]]:
        for pick in side.picks:
            lane = pick.lane
            rows = pick.indices(self.densities)
            columns = [lane.curves.seeds.index(seed) for seed in self.seeds]
            there = lane.measured.get(side.measure, lane.there & False) if side.measure else lane.there
            block = np.ix_(rows, columns)
            yield from zip(lane.keys[block].ravel(), there[block].ravel(), strict=True)

    def numbers(self, side: Side) -> Floats:
        columns = [side.pick.lane.curves.seeds.index(seed) for seed in self.seeds]
        others = {
            key: pick.curves(self.densities, [pick.lane.curves.seeds.index(seed) for seed in self.seeds])
            for key, pick in side.others.items()
        }
        curves = side.pick.curves(self.densities, columns)
        return numbers(side.quantity, curves, {**side.parameters, **others})

    def outcome(self) -> Outcome:
        about = replace(self.about, keys=self.keys, cells=len(self.keys), missing=self.missing)
        if self.quantity.inference != "seeds" or self.check.compare == "ratio":
            return _told(about)
        x = self.numbers(self.of[0])
        y = self.numbers(self.against[0]) if self.against else np.full_like(x, float(self.check.against))  # type: ignore[arg-type]
        there = ~(np.isnan(x) | np.isnan(y))
        differences = (x - y)[there] - about.by
        seeds = tuple(seed for seed, is_there in zip(self.seeds, there, strict=True) if is_there)
        about = replace(about, n=len(seeds), seeds=seeds, differences=tuple(map(float, differences)))
        if len(seeds) < 2:
            return _told(replace(about, effect=float(differences[0] + about.by) if seeds else None))
        evidence = Paired(differences, scale=float(np.abs([x[there], y[there]]).max()))
        judged = judge(evidence, about.expect, float(about.margin or 0.0))
        return _told(
            replace(
                about,
                verdict=judged.verdict,
                effect=evidence.effect + about.by,
                lower=evidence.lower(ALPHA),
                upper=evidence.upper(ALPHA),
                p_holds=judged.p_holds,
                p_fails=judged.p_fails,
            )
        )


def _seeds(picks: Sequence[Any], densities: Sequence[str]) -> tuple[int, ...]:
    """Return the seeds at which everything is planned."""
    common: dict[int, None] | None = None
    for pick in picks:
        curves = pick.lane.curves
        planned = curves.planned[pick.indices(densities)].all(axis=0)
        mine = dict.fromkeys(seed for seed, is_there in zip(curves.seeds, planned, strict=True) if is_there)
        common = mine if common is None else {seed: None for seed in common if seed in mine}
    return tuple(common or ())


def _told(outcome: Outcome) -> Outcome:
    """Return an outcome with its reason; what lacks cells has not run."""
    if outcome.missing:
        reason = f"{outcome.missing} of {outcome.cells} cells are missing"
        return replace(outcome, verdict="not run", p_holds=None, p_fails=None, reason=reason)
    return outcome


def _compound(about: Outcome, parts: Sequence[Outcome], kind: Kind) -> Outcome:
    """Return the outcome of several: what is open or not contradicted is undecided in a check."""
    combined = combine([_judged(part) for part in parts], kind)
    verdicts: dict[str, Verdict] = {"holds": "holds", "fails": "fails", "not run": "not run"}
    keys = {key: None for part in parts for key in part.keys}
    return replace(
        about,
        verdict=verdicts.get(combined.verdict, "undecided"),
        p_holds=combined.p_holds,
        p_fails=combined.p_fails,
        keys=tuple(keys),
        cells=len(keys),
        missing=sum(part.missing for part in parts),
        parts=tuple(parts),
    )
