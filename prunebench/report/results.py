"""A suite's results as pandas tables: everything that is printed, drawn or compared is made from these.

docs/results.md describes every table and column.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from prunebench.analysis import SETTING, VARIANT, across, measures, profile, summarize_measures, table
from prunebench.analysis import courses as courses_of
from prunebench.analysis.statistics import AT_SPARSITY
from prunebench.baselines import Baselines
from prunebench.errors import PrunebenchError, UsageError, nearest
from prunebench.report.chosen import Chosen
from prunebench.report.standings import LONG, Board, Standing, board, settled

if TYPE_CHECKING:
    from prunebench.checks.outcomes import Verdicts
    from prunebench.scaling.drawing import FamilyPoints

__all__ = ["CHECKS", "CLAIMS", "COSTS", "COST_FORMS", "SHRUNK", "Results", "verdicts_of"]

COSTS: Mapping[str, str] = {
    "macs": "multiply-accumulates of everything that the method takes, as if it were run alone",
    "scoring_macs": "those of its scoring, with all weights",
    "scoring_rounds": "how often weights are scored",
    "scoring_passes": "scoring in forward passes of one example",
    "scoring_seconds": "seconds that scoring and making masks took, as the record or this store's logs say",
    "kept": "weights kept",
    "prunable": "weights that could be removed",
    "train_seconds": "seconds that training the evaluated network took",
    "effective_density": "density without the kept weights that lie on no path from input to output",
    "flops_dense": "FLOPs of a forward pass of one example with all weights",
    "flops_sparse": "the same with the kept weights alone",
    "training_flops_dense": "FLOPs of everything that the method takes, with all weights",
    "training_flops_sparse": "the same with the weights that are there alone",
    "scoring_flops": "FLOPs of its scoring, with all weights",
    "relative_dense": "training_flops_dense over those of training the unpruned network once",
    "relative_sparse": "training_flops_sparse over the same",
}
"""What each column of costs holds; NaN where it is not known."""

SHRUNK: Mapping[str, str] = {
    "parameters_masked": "parameters of the masked network",
    "parameters_shrunk": "parameters of the really smaller network",
    "flops_masked": "FLOPs of a forward pass of one example by the masked network",
    "flops_shrunk": "the same by the really smaller network",
    "seconds_masked": "measured seconds of a forward pass of one example by the masked network",
    "seconds_shrunk": "the same by the really smaller network",
}
"""Further columns of costs, which are there where a suite measures `shrunk`."""

COST_FORMS: Mapping[str, str] = {
    **dict.fromkeys((*COSTS, *SHRUNK), "amount"),
    **dict.fromkeys(("scoring_rounds", "scoring_passes", "kept", "prunable"), "count"),
    **dict.fromkeys(("scoring_seconds", "train_seconds", "seconds_masked", "seconds_shrunk"), "seconds"),
    **dict.fromkeys(("relative_dense", "relative_sparse"), "factor"),
    "effective_density": "share",
}
"""How each column of costs is written (`numbers.FORMS`)."""

CHECKS = (
    "check",
    "claim",
    "verdict",
    "expect",
    "quantity",
    "compare",
    "setting",
    "range",
    "of",
    "against",
    "effect",
    "by",
    "margin",
    "lower",
    "upper",
    "p_holds",
    "p_fails",
    "n",
    "seeds_needed",
    "cells",
    "missing",
    "reason",
)
"""The columns of checks: the fields of an outcome."""

CLAIMS = ("id", "says", "source", "kind", "verdict", "holds", "fails", "undecided", "not_run", "failing")
"""The columns of claims: the fields of a claim's verdict."""

Table = pd.DataFrame | Callable[[], pd.DataFrame] | None

_CELL = (*SETTING, *VARIANT, *AT_SPARSITY, "seed", "key")


class Results:
    """What a suite's cells came to, as tables that are computed when they are first asked for.

    Tables are shared: copy one before you change it.
    """

    def __init__(
        self,
        suite: Mapping[str, Any],
        cells: pd.DataFrame | None = None,
        measures: Table = None,
        costs: pd.DataFrame | None = None,
        quantities: Mapping[str, Any] | Callable[[str], Any] | None = None,
        courses: Table = None,
        trust: Mapping[tuple[str, ...], str] | None = None,
        laws: Callable[[], Sequence[FamilyPoints]] | None = None,
    ) -> None:
        """Make results of plain tables.

        Args:
            suite: what a plan says of its suite (`Plan.suite`): name, version, baselines, margins, checks, ….
            cells: a row a planned cell (`prunebench.analysis.table`).
            measures: a row a cell, measure and number in it (`prunebench.analysis.measures`); or a function
                that makes this table when it is first wanted.
            costs: a row a cell: its labels, and any of the columns of COSTS.
            quantities: what checks compare, by name.
            courses: the share of weights at each step of training (`prunebench.analysis.courses`); or what
                makes this table.
            trust: of a published leaderboard, rows that were run again: "rerun" or "differs" by setting,
                method, ablations and density. All others are "claimed". None: one's own results.
            laws: makes the points of each family of networks, to which scaling laws are fitted.
        """
        self.suite: Mapping[str, Any] = {**suite, "margin": _margin(suite)}
        self._whole = table([]) if cells is None else cells
        self._measures, self._courses, self._laws = measures, courses, laws
        self._costs = _costs(costs)
        self.quantities = quantities if quantities is not None else {}
        self.trust = trust
        self._chosen: Chosen | None = None

    def choose(self, cells: Iterable[tuple[Mapping[str, str], str]]) -> None:
        """Show the rows of these cells alone from here on, which are told by their labels and density.

        What a row says stays: its seeds, differences, ranges and places are those of all cells, and checks
        are judged by all. Call it before a table is asked for.
        """
        self._chosen = Chosen.of(cells)
        for name in ("cells", "costs", "measures", "courses"):
            self.__dict__.pop(name, None)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """A row a planned cell (`prunebench.analysis.table`)."""
        return self._whole if self._chosen is None else self._chosen.cells(self._whole)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """A row a cell: what it costs, the columns of COSTS, and of SHRUNK where any is known."""
        return self._costs if self._chosen is None else self._chosen.cells(self._costs)

    @cached_property
    def measures(self) -> pd.DataFrame:
        """A row a cell, measure and number in its value."""
        return self._measured if self._chosen is None else self._chosen.cells(self._measured)

    @cached_property
    def _measured(self) -> pd.DataFrame:
        return _no_measures() if self._measures is None else _made(self._measures)

    @cached_property
    def courses(self) -> pd.DataFrame:
        """A row a cell and step of its training: the share of weights that are there."""
        every = courses_of([]) if self._courses is None else _made(self._courses)
        return every if self._chosen is None else self._chosen.cells(every)

    @cached_property
    def laws(self) -> Sequence[FamilyPoints]:
        """The points of each family of networks and method that a scaling law is fitted to."""
        return () if self._laws is None else self._laws()

    @property
    def name(self) -> str:
        """The suite's name."""
        return str(self.suite.get("name", ""))

    @cached_property
    def baselines(self) -> Baselines:
        """Which methods stand for magnitude after training, random pruning, and no pruning."""
        return Baselines.of(self.suite.get("baselines"))

    @cached_property
    def board(self) -> Board:
        """The standings, with what they were computed from."""
        return board(self._whole, self.suite)

    @cached_property
    def standings(self) -> list[Standing]:
        """Each setting's labels, ranges, rows and remarks, in the suite's order; those that were chosen."""
        return self.board.standings if self._chosen is None else self._chosen.standings(self.board.standings)

    @cached_property
    def settings(self) -> pd.DataFrame:
        """A row a setting: its labels, margin, ranges and borders, numerics, baselines that were lent."""
        return pd.DataFrame([_setting(standing) for standing in self.standings])

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A row a setting, method and sparsity or range: what its seeds say together, its place."""
        rows = [standing.rows for standing in self.standings]
        if rows:
            whole = pd.concat(rows, ignore_index=True)
            return whole if self.trust is None else whole.assign(trust=_trusted(whole, self.trust))
        return pd.DataFrame(columns=list(LONG)).astype({"sparsity": "float64"})

    @property
    def comparisons(self) -> pd.DataFrame:
        """A row a pair of methods, setting and sparsity or range: the difference paired by seed."""
        every = self.board.comparisons
        return every if self._chosen is None else self._chosen.pairs(every)

    @cached_property
    def across(self) -> pd.DataFrame:
        """A row a range and method: what it is across settings beside magnitude after training.

        Empty where a suite has fewer than three settings (`analysis.across`).
        """
        every = self.across_settings((self.baselines.after_training, ""))
        return every if self._chosen is None else self._chosen.methods(every)

    def across_settings(self, baseline: tuple[str, str]) -> pd.DataFrame:
        """Return what every method is across settings beside a baseline: a method with its ablations."""
        return settled(across(self.board.over, baseline=baseline, margins=self._margins))

    @cached_property
    def profile(self) -> pd.DataFrame:
        """A row a range, method and step of its performance profile over settings."""
        return profile(self.board.over, margins=self._margins)

    @property
    def _margins(self) -> Mapping[tuple[str, ...], float]:
        return {names: ranges.margin for names, ranges in self.board.ranges.items()}

    @cached_property
    def reported(self) -> pd.DataFrame:
        """A row a number that others report: ours beside it, the difference, and whether they agree."""
        from prunebench.report.replication import replication

        there = self.suite.get("reported") or ()
        judged = verdicts_of(self)[0].outcomes if there else ()
        frame = replication(there, self.standings, self.board.cells, judged)
        return frame if self._chosen is None else self._chosen.methods(frame)

    def measured(self, measure: str, fields: Sequence[str] = ("*",)) -> pd.DataFrame:
        """Return what the seeds say together of a measure's numbers: a row a setting, method, sparsity,
        field.

        `fields` are patterns of the places of numbers, such as "layers.*.sparsity". Columns: measure, field,
        then those of `analysis.summarize`.

        Raises: UsageError for a measure that these results do not have, and for fields of it that match none.
        """
        of_measure = self.measures[self.measures["measure"] == measure]
        if of_measure.empty:
            none = "no [[matrix]] of this suite has measures"
            raise UsageError(
                f"no results of the measure '{measure}'{nearest(measure, self.measures['measure'], none)}"
            )
        places = of_measure["field"].unique()
        for field in fields:
            if not any(fnmatchcase(place, field) for place in places):
                raise UsageError(f"no field of {measure} is like '{field}'{nearest(field, places)}")
        return summarize_measures(self.measures, measure=measure, fields=fields)

    @cached_property
    def verdicts(self) -> Verdicts:
        """What became of every check and claim of the suite (`checks.outcomes.Verdicts`)."""
        return self._evaluated(self.suite)

    def judged(self, checks: Sequence[Mapping[str, Any]]) -> Verdicts:
        """Return the verdicts on checks that are not the suite's own, as a frozen plan would have them."""
        return self._evaluated({**self.suite, "checks": list(checks), "claims": []})

    def _evaluated(self, suite: Mapping[str, Any]) -> Verdicts:
        from prunebench.checks.outcomes import Verdicts

        if not suite.get("checks"):
            return Verdicts()
        evaluate = importlib.import_module(
            "prunebench.checks.evaluate"
        ).evaluate  # it reads points of recipes
        judged: Verdicts = evaluate(suite, self._whole, self._measured, self.quantities)
        return judged

    @cached_property
    def checks(self) -> pd.DataFrame:
        """A row a check of the suite: its verdict and what that rests on."""
        rows = [{name: getattr(one, name) for name in CHECKS} for one in self.verdicts.outcomes]
        return pd.DataFrame(rows, columns=list(CHECKS))

    @cached_property
    def claims(self) -> pd.DataFrame:
        """A row a claim of the suite, and a check that belongs to none: its verdict, and how many checks."""
        rows = [{name: getattr(one, name) for name in CLAIMS} for one in self.verdicts.claims]
        return pd.DataFrame(rows, columns=list(CLAIMS))


def verdicts_of(results: Results) -> tuple[Verdicts, str]:
    """Return what became of the suite's checks, or none and why they cannot be judged."""
    from prunebench.checks.outcomes import Verdicts

    if not results.suite.get("checks"):
        return Verdicts(), ""
    try:
        return results.verdicts, ""
    except PrunebenchError as error:
        return Verdicts(), f"The checks cannot be judged: {error}."


def _trusted(rows: pd.DataFrame, trust: Mapping[tuple[str, ...], str]) -> list[str]:
    """Return of each row whether it is claimed, or what a rerun came to; "" over ranges of sparsity."""
    keys = rows[[*SETTING, *VARIANT, "density"]].astype(str).itertuples(index=False, name=None)
    return [
        trust.get(key, "claimed") if at == "sparsity" else ""
        for key, at in zip(keys, rows["at"], strict=True)
    ]


def _margin(suite: Mapping[str, Any]) -> Any:
    """Return the margin that the suite's leaderboard sets, else those that its data sets declare."""
    own = (suite.get("leaderboard") or {}).get("margin")
    return own if own is not None else suite.get("margin", suite.get("margins"))


def _made(table: pd.DataFrame | Callable[[], pd.DataFrame]) -> pd.DataFrame:
    return table if isinstance(table, pd.DataFrame) else table()


def _no_measures() -> pd.DataFrame:
    return measures([])


def _costs(frame: pd.DataFrame | None) -> pd.DataFrame:
    """Return the table of costs with every column, NaN where nothing is known; those of SHRUNK if any is."""
    frame = pd.DataFrame(columns=list(_CELL)) if frame is None else frame
    lacking = [name for name in COSTS if name not in frame]
    frame = frame.assign(**dict.fromkeys(lacking))
    names = [*COSTS, *(name for name in SHRUNK if name in frame and frame[name].notna().any())]
    numbers = {name: pd.to_numeric(frame[name]).astype("float64") for name in names}
    return frame.assign(**numbers)[[*_CELL, *names]]


def _setting(standing: Standing) -> dict[str, Any]:
    ranges = standing.ranges
    borders = {border.baseline: border for border in ranges.borders}
    names: Sequence[tuple[str, str]] = (
        ("random", standing.baselines.random),
        ("after_training", standing.baselines.after_training),
    )
    return {
        **standing.labels,
        "margin": ranges.margin,
        **{name: ranges.points(name) for name in ("trivial", "matching", "extreme", "all")},
        "ranges_unknown": ranges.unknown or "",
        **{f"{role}_lost_from": getattr(borders.get(name), "lost_from", None) for role, name in names},
        "numerics": standing.numerics,
        "lent": standing.lent,
        "seeds_needed": {name: each.needed for name, each in standing.seeds_needed.items()},
    }
