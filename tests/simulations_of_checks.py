"""Experiments in which the truth is known, and what checks and claims say of them.

`python tests/simulations_of_checks.py` prints the tables of docs/checks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from prunebench_plugins.quantities import prunebench_quantities

from prunebench.analysis import SETTING
from prunebench.checks.comparison import Comparison
from prunebench.checks.compounds import combine
from prunebench.checks.evaluate import evaluate
from prunebench.checks.evidence import ALPHA, Evidence, Paired
from prunebench.checks.grammar import Check
from prunebench.checks.judge import judge
from prunebench.checks.lanes import Table
from prunebench.checks.outcomes import Outcome
from prunebench.checks.sides import settings_of

__all__ = [
    "BESTS",
    "CLAIMS",
    "CURVES",
    "FLAT",
    "SCENARIOS",
    "SEEDS",
    "SHARES",
    "SKEWED",
    "Claimed",
    "Found",
    "Scenario",
    "claimed",
    "of_the_same",
]

Floats = npt.NDArray[np.float64]

QUANTITIES = {quantity.name: quantity for quantity in prunebench_quantities()}
SEEDS = (3, 5, 10)
MEAN, LUCK, DELTA = 80.0, 0.5, 4.0


@dataclass(frozen=True)
class Scenario:
    """Methods m0, m1, … of one setting: the true mean of each over the mean of all, and its spread."""

    says: str
    means: Sequence[Sequence[float]]
    """(methods, places)"""
    spreads: Sequence[float]
    check: dict[str, Any] = field(default_factory=dict)
    """What the check asks besides `of` and `against` and so on; without `of`: m0 above m1."""
    truth: float | Callable[[int], float] = 0.0
    """The true difference, or ratio; of what depends on it, by the number of seeds."""
    missing: float = 0.0
    diverging: float = 0.0
    """The chance that a run of m0 diverges."""
    steps: bool = False
    """Places are pruning steps, 100 apart, and not sparsities; the last method is scored at its own point."""

    @property
    def quantity(self) -> str:
        """The name of what is compared."""
        asked = self.check.get("quantity", "accuracy")
        return str(asked["name"] if isinstance(asked, dict) else asked)

    @property
    def margin(self) -> float:
        """The margin that is asked about: such that a claim can hold, and not always does."""
        return {"crossing": 60.0, "range-end": 0.15, "diverged": 0.15}.get(
            self.quantity, 0.1 if self.check.get("compare") == "ratio" else DELTA
        )

    def table(self, seeds: int, trials: int) -> pd.DataFrame:
        """Return `trials` settings as one table of cells."""
        rng = np.random.default_rng([7, seeds, trials, len(self.says)])
        means = np.array(self.means, dtype=float)
        methods, places = means.shape
        shape = (trials, methods, places, seeds)
        luck = rng.normal(0, LUCK, (trials, 1, 1, seeds))
        noise = rng.normal(0, 1, shape) * np.array(self.spreads)[:, None, None]
        values = MEAN + luck + means[:, :, None] + noise
        collapsed = np.array(self.spreads) == 0
        values[:, collapsed] = MEAN + means[collapsed][:, :, None]
        status = np.full(shape, "finished", dtype=object)
        status[:, 0][rng.random(shape[:1] + shape[2:]) < self.diverging] = "diverged"
        status[rng.random(shape) < self.missing] = "missing"
        return self._frame(values, status)

    def _frame(self, values: Floats, status: npt.NDArray[np.object_]) -> pd.DataFrame:
        trial, method, place, seed = (index.ravel() for index in np.indices(values.shape))
        last = self.steps & (method == values.shape[1] - 1)
        keep = ~(last & (place > 0))
        density = np.array([f"{0.8 ** (i + 1):.12g}" for i in range(values.shape[2])], dtype=object)
        at = "0.5" if self.steps else density[place]
        point = np.array([f"step {100 * i}" for i in range(values.shape[2])], dtype=object)
        unpruned = (method == values.shape[1] - 1) & (self.quantity == "range-end")
        frame = pd.DataFrame({name: pd.Series("", index=range(len(trial)), dtype=object) for name in SETTING})
        frame = frame.assign(
            matrix="main",
            architecture=np.array([f"net{i}" for i in range(values.shape[0])], dtype=object)[trial],
            method=np.where(
                unpruned, "none", np.array([f"m{i}" for i in range(values.shape[1])], dtype=object)[method]
            ),
            ablations="",
            density=np.where(unpruned, "1", at),
            seed=seed,
            key=np.ravel_multi_index((trial, method, place, seed), values.shape).astype(str).astype(object),
            status=status.ravel(),
            accuracy=np.where(status == "finished", values, np.nan).ravel(),
            classes=10,
        )
        if self.steps:
            frame["score_at"] = np.where(last, "", point[place])
        frame["sparsity"] = (1 - frame["density"].astype(float)).round(12)
        return frame[keep & ~(unpruned & (place > 0))].reset_index(drop=True)

    def asked(self, expect: str, seeds: int, truth: float = 0.0) -> dict[str, Any]:
        """Return the check, with a `by` such that D is truly `truth`."""
        own = self.truth(seeds) if callable(self.truth) else self.truth
        plain: dict[str, Any] = {
            "name": "c",
            "of": {"method": "m0"},
            "against": {"method": "m1"},
            "range": "all",
        }
        return {**plain, **self.check, "expect": expect, "margin": self.margin, "by": own - truth}

    @property
    def borders(self) -> list[tuple[str, float, float]]:
        """Claims, true D with which they just do not hold, and margins: wide, and too narrow to matter."""
        wide, narrow = self.margin, self.margin / 40
        return [
            ("above", 0.0, wide),
            ("above", 0.0, narrow),
            ("not-same", 0.0, narrow),
            ("not-above", wide, wide),
            ("not-above", narrow, narrow),
            ("same", wide, wide),
            ("same", -wide, wide),
        ]

    def outcomes(self, expect: str, seeds: int, trials: int, truth: float = 0.0) -> list[Outcome]:
        """Return the outcome of each trial."""
        suite = {"name": "s", "checks": [self.asked(expect, seeds, truth)]}
        return list(evaluate(suite, self.table(seeds, trials), None, QUANTITIES).outcomes[0].parts)

    def comparisons(self, seeds: int, trials: int) -> Iterator[Comparison]:
        """Yield the comparison of each trial, with a D that is truly 0."""
        check = Check.model_validate(self.asked("above", seeds))
        table = Table(self.table(seeds, trials), None)
        for _, of, against in settings_of(check, table, QUANTITIES.__getitem__):
            densities = sorted(of[0].pick.places, key=float, reverse=True)
            yield Comparison(check, of, against, tuple(densities))


@dataclass(frozen=True)
class Shifted:
    """Evidence of D less a number: the same seeds, asked of another border."""

    of: Evidence
    less: float

    @property
    def effect(self) -> float:
        return self.of.effect - self.less

    @property
    def sd(self) -> float:
        return self.of.sd

    @property
    def without_spread(self) -> bool:
        return self.of.without_spread

    @property
    def p_other(self) -> float:
        return self.of.p_other

    def p_at_most(self, x: float) -> float:
        return self.of.p_at_most(x + self.less)

    def p_at_least(self, x: float) -> float:
        return self.of.p_at_least(x + self.less)

    def lower(self, alpha: float) -> float:
        return self.of.lower(alpha) - self.less

    def upper(self, alpha: float) -> float:
        return self.of.upper(alpha) - self.less


@dataclass(frozen=True)
class Found:
    """What was said of many trials."""

    lower: float
    """The share of lower bounds that are right, of trials that have one."""
    upper: float
    held: dict[str, float]
    """The share of trials in which each claim holds that is just not true."""
    bounded: int
    """How many trials have bounds."""
    whole: int
    """In how many trials every cell is there."""

    @classmethod
    def of(cls, scenario: Scenario, seeds: int, trials: int) -> Found:
        """Return what checks say of a scenario: bounds, and each claim at its border."""
        said = list(scenario.comparisons(seeds, trials))
        known = [(one.evidence, all(one.cells.values())) for one in said]
        bounds = [(e.lower(ALPHA), e.upper(ALPHA)) for e, _ in known if e is not None]
        held = {
            f"{expect} at {truth:g} with δ = {margin:g}": float(
                np.mean(
                    [
                        whole and e is not None and _holds(Shifted(e, -truth), expect, margin)
                        for e, whole in known
                    ]
                )
            )
            for expect, truth, margin in scenario.borders
        }
        return cls(
            lower=float(np.mean([lower <= _NEAR for lower, _ in bounds])),
            upper=float(np.mean([upper >= -_NEAR for _, upper in bounds])),
            held=held,
            bounded=len(bounds),
            whole=sum(whole for _, whole in known),
        )


_NEAR = 1e-9


def _holds(evidence: Evidence, expect: str, margin: float) -> bool:
    return judge(evidence, expect, margin).verdict == "holds"


LEVEL = [[0.0], [0.0]]
SCENARIOS = {
    "equal": Scenario("equal spreads", LEVEL, (1.0, 1.0)),
    "unequal": Scenario("spreads 0.1 and 4", LEVEL, (0.1, 4.0)),
    "collapsed": Scenario("one method collapsed", LEVEL, (1.0, 0.0)),
    "missing": Scenario("20 % of cells missing", LEVEL, (1.0, 1.0), missing=0.2),
    "range": Scenario("the mean over four sparsities", [[0.0, -1.0, -2.0, -5.0]] * 2, (1.0, 2.0)),
    "ratio": Scenario("a ratio of 1.25", [[0.0], [-16.0]], (1.0, 3.0), {"compare": "ratio"}, truth=1.25),
}
BESTS = {
    "best-alike": Scenario(
        "against the best of three alike",
        [[0.0]] * 4,
        (1.0, 1.0, 1.0, 1.0),
        {"against": {"best": ["m1", "m2", "m3"]}},
    ),
    "best-ahead": Scenario(
        "against the best of three, far ahead",
        [[0.0], [0.0], [-9.0], [-9.0]],
        (1.0, 1.0, 1.0, 1.0),
        {"against": {"best": ["m1", "m2", "m3"]}},
    ),
    "best-noisy": Scenario(
        "against the best of three, one noisy",
        [[0.0]] * 4,
        (1.0, 0.2, 0.2, 4.0),
        {"against": {"best": ["m1", "m2", "m3"]}},
    ),
    "best-of": Scenario(
        "the best of three alike",
        [[0.0]] * 4,
        (1.0, 1.0, 1.0, 1.0),
        {"of": {"best": ["m0", "m1", "m2"]}, "against": {"method": "m3"}},
    ),
    "gap": Scenario(
        "from the best to the worst of three",
        [[0.0], [-3.0], [-1.0]],
        (1.0, 1.0, 1.0),
        {"of": {"gap": ["m0", "m1", "m2"]}, "against": 3.0},
    ),
}
STEPS = {"name": "crossing", "along": "score_at", "reaches": {"method": "m1"}}
RISING = [[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0], [0.0] * 6]
CROSSING: dict[str, Any] = {"quantity": STEPS, "against": 0.0, "range": [0.5]}
CURVES = {
    "crossing": Scenario("a crossing between two steps", RISING, (0.2, 0.2), CROSSING, 250.0, steps=True),
    "range-end": Scenario(
        "the end of a range, a point from its border",
        [[0.0, 0.0, 0.0, -1.5, -1.5, -3.0], [0.0] * 6],
        (0.5, 0.5),
        {"quantity": "range-end", "against": 0.0},
        truth=round(1 - 0.8**3, 12),
    ),
    "range-end-close": Scenario(
        "the end of a range, 0.1 from its border",
        [[0.0, 0.0, -0.4, -0.6, -1.5, -3.0], [0.0] * 6],
        (0.5, 0.5),
        {"quantity": "range-end", "against": 0.0},
        truth=round(1 - 0.8**3, 12),
    ),
}
SLOW = [-2.5, -0.6, -0.6, -0.55, -0.2, 0.5]
"""Ahead of "less 0.5": below it by 2, 0.1, 0.1 and 0.05, then above by 0.3: reached at 314."""
LATE = {"truth": 300 + 100 * 0.05 / 0.35, "steps": True}


def _ends(says: str, drops: Sequence[float], spreads: Sequence[float], places: int) -> Scenario:
    """Return a scenario of a curve that falls so far, and of a range that ends after so many places."""
    curve = [[-drop for drop in drops], [0.0] * len(drops)]
    truth = round(1 - 0.8**places, 12)
    return Scenario(says, curve, spreads, {"quantity": "range-end", "against": 0.0}, truth)


FLAT = {
    "end-just-lost": _ends("a range's end, twice just lost", (0, 0, 0.52, 0.55, 2, 3), (0.15, 0.15), 2),
    "end-noisy": _ends("a range's end, flat and noisy", (0.4, 0.4, 0.52, 0.6, 2, 3), (0.5, 0.5), 2),
    "end-last": _ends("a range's end, the last alone lost", (0.3, 0.3, 0.4, 0.9), (0.5, 0.5), 3),
    "end-slow": _ends("a range's end, a slow fall", (0.1, 0.2, 0.3, 0.4, 0.6, 0.8), (0.3, 0.3), 4),
    "end-unequal": _ends(
        "a range's end, flat, spreads 0.05 and 1", (0.3, 0.4, 0.52, 0.55, 2), (1.0, 0.05), 2
    ),
    "end-dip": _ends("a range's end after a lost one alone", (0, 0.6, 0.3, 0.6, 0.7, 2), (0.2, 0.2), 3),
    "end-none": _ends("a range's end, nothing lost", (0.0, 0.3, 0.4, 0.45), (0.3, 0.3), 4),
    "ends": Scenario(
        "the difference of two ranges' ends, both flat",
        [[0.0, -0.2, -0.4, -0.52, -0.55, -2.0], [0.0, -0.51, -0.53, -0.6, -2.0, -3.0], [0.0] * 6],
        (0.15, 0.4, 0.15),
        {"quantity": "range-end"},
        round(0.8 - 0.8**3, 12),
    ),
    "crossing-slow": Scenario(
        "a crossing after a flat piece", [SLOW, [0.0] * 6], (0.15, 0.15), CROSSING, **LATE
    ),
    "crossing-unequal": Scenario(
        "a crossing after a flat piece, spreads 0.05 and 0.5",
        [SLOW, [0.0] * 6],
        (0.5, 0.05),
        CROSSING,
        **LATE,
    ),
    "crossing-once": Scenario(
        "a crossing that is hardly one",
        [[-2.0, -0.7, -0.55, -0.45, -0.45, -0.4], [0.0] * 6],
        (0.2, 0.2),
        CROSSING,
        250.0,
        steps=True,
    ),
}
"""Curves that are flat near a border, where luck moves the end of the sample's range, or its crossing, far."""
SHARES = {
    "share": Scenario(
        "a share of 20 % that diverges",
        LEVEL,
        (1.0, 1.0),
        {"quantity": "diverged", "against": 0.0},
        0.2,
        0.0,
        0.2,
    ),
    "share-half": Scenario(
        "half that diverges", LEVEL, (1.0, 1.0), {"quantity": "diverged", "against": 0.0}, 0.5, 0.0, 0.5
    ),
    "share-difference": Scenario(
        "30 % against none", LEVEL, (1.0, 1.0), {"quantity": "diverged"}, 0.3, 0.0, 0.3
    ),
}


def _distance(seeds: int) -> float:
    """Return how far normal numbers are from the median of so many, on average."""
    draws = np.random.default_rng(seeds).normal(size=(400_000, seeds))
    return float(np.abs(draws - np.median(draws, axis=1, keepdims=True)).mean())


SKEWED = {
    "crossing-noisy": Scenario(
        "a crossing, noise half as large as a step", RISING, (0.4, 0.4), CROSSING, 250.0, steps=True
    ),
    "spread": Scenario("a spread, against one as large", LEVEL, (1.0, 1.0), {"quantity": "spread"}),
    "spread-unequal": Scenario(
        "a spread, against half of it",
        LEVEL,
        (1.0, 0.25),
        {"quantity": "spread"},
        truth=lambda seeds: _distance(seeds) * float(np.hypot(1.0, LUCK) - np.hypot(0.25, LUCK)),
    ),
}
DIVERGING = {
    "diverging": Scenario(
        "accuracy, runs of one diverge with 20 %", LEVEL, (1.0, 1.0), truth=0.2 * (10.0 - MEAN), diverging=0.2
    )
}


@dataclass(frozen=True)
class Claimed:
    """A claim of checks with these true D, in units of their spread."""

    says: str
    kind: str
    truths: Sequence[float]
    wrong: str
    """The verdict that would be an error."""
    common: float = 0.0
    """How much of the checks' luck is the same, as where all are against one method."""

    @property
    def margin(self) -> float:
        """δ: wide where D just matters, narrow where it is just nothing."""
        return DELTA if self.wrong == "fails" else DELTA / 40


FAR = 40.0
CLAIMS = {
    "every-holds": Claimed("every: one of eight is just not true", "every", [0.0] + [FAR] * 7, "holds"),
    "every-fails": Claimed("every: all eight are just true", "every", [DELTA] * 8, "fails"),
    "every-fails-common": Claimed("every: the same, against one method", "every", [DELTA] * 8, "fails", 0.7),
    "some-holds": Claimed("some: all eight are just not true", "some", [0.0] * 8, "holds"),
    "some-holds-common": Claimed("some: the same, against one method", "some", [0.0] * 8, "holds", 0.7),
    "some-fails": Claimed("some: one of eight is just true", "some", [DELTA] + [-FAR] * 7, "fails"),
    "most-holds": Claimed(
        "most: half are true, one more is just not", "most", [FAR] * 4 + [0.0] + [-FAR] * 3, "holds"
    ),
    "most-all": Claimed("most: all eight are just not true", "most", [0.0] * 8, "holds"),
    "most-half": Claimed("most: half are true, half just not", "most", [FAR] * 4 + [0.0] * 4, "holds"),
}


def claimed(claim: Claimed, seeds: int, trials: int) -> float:
    """Return in which share of trials a claim errs."""
    rng = np.random.default_rng([11, seeds, trials, len(claim.says)])
    truths = np.array(claim.truths)
    shared = rng.normal(0, claim.common, (trials, 1, seeds))
    own = rng.normal(0, np.sqrt(1 - claim.common**2), (trials, len(truths), seeds))
    values = truths[:, None] + shared + own
    said = (
        combine([judge(Paired(one), "above", claim.margin) for one in each], claim.kind) for each in values
    )
    return float(np.mean([one.verdict == claim.wrong for one in said]))


def of_the_same(part: float, seeds: int, trials: int) -> tuple[float, float]:
    """Return in which share of trials "same" holds, and fails, where D is this part of δ and of its spread."""
    values = np.random.default_rng([13, seeds, trials]).normal(part, 1.0, (trials, seeds))
    said = [judge(Paired(one), "same", 1.0).verdict for one in values]
    return said.count("holds") / trials, said.count("fails") / trials


def main(trials: int = 2000) -> None:
    """Print the tables of docs/checks.md."""
    print(
        "| what is compared | seeds | lower bound right | upper bound right | holds at its border, at most |"
    )
    print("|---|--:|--:|--:|--:|")
    for scenario in (
        *SCENARIOS.values(),
        *BESTS.values(),
        *CURVES.values(),
        *FLAT.values(),
        *SHARES.values(),
        *SKEWED.values(),
        *DIVERGING.values(),
    ):
        for seeds in SEEDS:
            found = Found.of(scenario, seeds, trials)
            print(
                f"| {scenario.says} | {seeds} | {100 * found.lower:.1f} % | {100 * found.upper:.1f} % "
                f"| {100 * max(found.held.values()):.1f} % |",
                flush=True,
            )
    print("\n| D | " + " | ".join(f"{seeds} seeds" for seeds in (*SEEDS, 30)) + " |")
    print("|---|" + "--:|" * (len(SEEDS) + 1))
    for part in (0.0, 0.5, 0.9, 1.0):
        rates = (of_the_same(part, seeds, trials) for seeds in (*SEEDS, 30))
        said = " | ".join(f"{100 * holds:.1f} %, {100 * fails:.1f} %" for holds, fails in rates)
        print(f"| {part:g} δ | {said} |", flush=True)
    print("\n| claim | " + " | ".join(f"{seeds} seeds" for seeds in SEEDS) + " |")
    print("|---|" + "--:|" * len(SEEDS))
    for claim in CLAIMS.values():
        rates = " | ".join(f"{100 * claimed(claim, seeds, trials):.1f} %" for seeds in SEEDS)
        print(f"| {claim.says}: it {claim.wrong} | {rates} |", flush=True)


if __name__ == "__main__":
    main()
