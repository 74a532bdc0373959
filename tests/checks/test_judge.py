"""The table of verdicts: every row and border of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from prunebench.checks.compounds import combine
from prunebench.checks.evidence import Paired
from prunebench.checks.judge import Judged, judge

DELTA = 0.5
SD, N = 0.2, 5
UNIT = np.array([-1.2, -0.4, 0.1, 0.5, 1.0])
UNIT = (UNIT - UNIT.mean()) / UNIT.std(ddof=1)
HALF = stats.t.ppf(0.95, N - 1) * SD / np.sqrt(N)  # bounds are so far from the mean
WIDE = stats.t.ppf(0.975, N - 1) * SD / np.sqrt(N)


def at(mean: float) -> Paired:
    """Return five seeds with this mean and the spread SD."""
    return Paired(mean + SD * UNIT)


def verdict(mean: float, expect: str, margin: float = DELTA) -> str:
    return judge(at(mean), expect, margin).verdict


CASES = [
    (HALF + 0.01, "above", 0.3, "holds"),  # lower just above 0, upper above δ
    (HALF - 0.01, "above", 0.3, "undecided"),
    (DELTA - HALF - 0.01, "above", DELTA, "fails"),  # upper just below δ
    (DELTA - HALF + 0.01, "above", DELTA, "holds"),
    (HALF + 0.01, "above", 3 * HALF, "fails"),  # above 0 for sure, and below what matters
    (DELTA - HALF - 0.01, "same", DELTA, "holds"),
    (HALF - DELTA + 0.01, "same", DELTA, "holds"),
    (HALF - DELTA - 0.01, "same", DELTA, "fails"),
    (WIDE + 0.01, "same", 0.2, "fails"),  # above 0 with 97.5 %
    (WIDE - 0.01, "same", 0.2, "undecided"),  # above 0 with 95 % alone
    (-WIDE - 0.01, "same", 0.2, "fails"),
    (-WIDE + 0.01, "same", 0.2, "undecided"),
]


@pytest.mark.parametrize(("mean", "expect", "margin", "is_"), CASES)
def test_bounds_decide(mean: float, expect: str, margin: float, is_: str) -> None:
    """Just on either side of each border of the table; the negation says the opposite."""
    assert verdict(mean, expect, margin) == is_
    opposite = {"holds": "fails", "fails": "holds"}.get(is_, is_)
    assert verdict(mean, f"not-{expect}", margin) == opposite


def test_p_values_are_those_of_the_borders() -> None:
    """Of D ≤ 0 and D ≥ δ; of the same, the larger of its two, and twice the smaller of D being 0."""
    one = at(0.3)
    up = stats.ttest_1samp(one.differences, 0.0, alternative="greater").pvalue
    down = stats.ttest_1samp(one.differences, DELTA, alternative="less").pvalue
    assert judge(one, "above", DELTA)[1:] == pytest.approx((up, down))
    assert judge(one, "not-above", DELTA)[1:] == pytest.approx((down, up))
    assert judge(one, "same", DELTA)[1:] == pytest.approx((down, 2 * up))
    assert judge(one, "not-same", DELTA)[1:] == pytest.approx((2 * up, down))


@pytest.mark.parametrize(
    ("value", "expect", "margin", "is_"),
    [
        (0.6, "above", DELTA, "holds"),
        (DELTA, "above", DELTA, "holds"),
        (0.4, "above", DELTA, "fails"),
        (0.0, "above", 0.0, "fails"),
        (1e-3, "above", 0.0, "holds"),
        (-0.4, "same", DELTA, "holds"),
        (DELTA, "same", DELTA, "fails"),
        (0.0, "same", 0.0, "holds"),
        (-0.1, "same", 0.0, "fails"),
    ],
)
def test_what_every_seed_says_alike_is_decided_by_its_value(
    value: float, expect: str, margin: float, is_: str
) -> None:
    found = judge(Paired(np.full(3, value)), expect, margin)
    assert found.verdict == is_
    assert (found.p_holds, found.p_fails) == ((0.0, 1.0) if is_ == "holds" else (1.0, 0.0))
    assert judge(Paired(np.full(3, value)), f"not-{expect}", margin).verdict != is_


@dataclass
class Part:
    """Outcomes by their first letters, with the p value that decides them."""

    letters: str
    p: float = 0.001

    def judged(self) -> list[Judged]:
        made = {
            "h": Judged("holds", self.p, 1.0),
            "f": Judged("fails", 1.0, self.p),
            "u": Judged("undecided", 0.5, 0.5),
            "n": Judged("not run", 1.0, 1.0),
        }
        return [made[letter] for letter in self.letters]


@pytest.mark.parametrize(
    ("letters", "kind", "is_"),
    [
        ("hhh", "every", "holds"),
        ("hhu", "every", "not contradicted"),
        ("huu", "every", "open"),
        ("hhf", "every", "fails"),
        ("hhn", "every", "not contradicted"),
        ("hfn", "every", "fails"),
        ("fff", "some", "fails"),
        ("ffu", "some", "open"),
        ("hff", "some", "holds"),
        ("hfn", "some", "open"),
        ("hhf", "most", "holds"),
        ("hff", "most", "fails"),
        ("hf", "most", "open"),
        ("hhu", "most", "holds"),
        ("hhn", "most", "open"),
        ("hun", "every", "open"),
        ("un", "every", "open"),
        ("ffn", "every", "fails"),
        ("ffn", "most", "fails"),
        ("nn", "every", "not run"),
        ("nn", "some", "not run"),
        ("n", "most", "not run"),
        ("", "every", "open"),
    ],
)
def test_a_claim_is_what_its_checks_are_together(letters: str, kind: str, is_: str) -> None:
    assert combine(Part(letters).judged(), kind).verdict == is_


def test_one_failure_among_many_is_adjusted_by_holm() -> None:
    """p = 0.02 of one of three is 0.06 after Holm: no failure, and no holding either."""
    assert combine(Part("f" + "h" * 2, p=0.02).judged(), "every").verdict == "open"
    assert combine(Part("f" + "h" * 1, p=0.02).judged(), "every").verdict == "fails"
    assert combine(Part("h" + "f" * 2, p=0.02).judged(), "some").verdict == "open"
    assert combine(Part("h" + "f" * 1, p=0.02).judged(), "some").verdict == "holds"


def test_p_values_of_compounds() -> None:
    """Every: the largest of holding, the smallest adjusted of failing; some: the other way around."""
    parts = [Judged("holds", 0.01, 0.9), Judged("holds", 0.04, 0.02), Judged("undecided", 0.2, 0.3)]
    assert combine(parts, "every")[1:] == pytest.approx((0.2, 0.06))
    assert combine(parts, "some")[1:] == pytest.approx((0.03, 0.9))
