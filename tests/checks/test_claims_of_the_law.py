"""Claims about a law of a family, in families in which they are true, false, and open."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prunebench_plugins.forms import prunebench_forms
from prunebench_plugins.quantities import prunebench_quantities
from reference.cells import cell, frame, suite_of

from prunebench.checks.evaluate import evaluate
from prunebench.checks.outcomes import Outcome

FORMS = {form.name: form for form in prunebench_forms()}
QUANTITIES = {quantity.name: quantity.with_forms(FORMS.__getitem__) for quantity in prunebench_quantities()}
TRUTH = {"error_up": 0.85, "gamma": 0.6, "p": 2e-3, "phi": 0.9, "psi": 1.7}
MEMBERS = list(itertools.product((8, 14, 26), (0.5, 1.0, 2.0)))
DENSITIES = [f"{0.8**k:.12g}" for k in range(0, 40, 3)]
SEEDS = 3

Change = Callable[[int, float, float, int], float]
"""By what factor an error is off the law, by depth, width, density and seed."""


def unpruned(depth: float, width: float) -> float:
    return 0.06 + 0.02 / (depth * width)


def law(density: float, depth: float, width: float) -> float:
    """Rosenfeld's Eq. 2, as printed: the modulus of a complex number."""
    m = depth ** TRUTH["phi"] * width ** TRUTH["psi"] * density
    whole = unpruned(depth, width)
    ratio = (TRUTH["error_up"] / whole) ** (1 / TRUTH["gamma"])
    return float(whole * abs((m - 1j * TRUTH["p"] * ratio) / (m - 1j * TRUTH["p"])) ** TRUTH["gamma"])


def weights(depth: float, width: float) -> int:
    return round(1000 * depth * width**2 + 500 * width)


def outcome(change: Change, *, noise: float = 0.005, **check: Any) -> Outcome:
    """Return the verdict on a check of a family whose errors are so far off the law."""
    rng = np.random.default_rng(7)
    rows = []
    for (depth, width), density, seed in itertools.product(MEMBERS, DENSITIES, range(SEEDS)):
        method = "none" if density == "1" else "imp"
        error = unpruned(depth, width) if density == "1" else law(float(density), depth, width)
        error = min(error * change(depth, width, float(density), seed), 0.95)
        error *= 1 + noise * rng.standard_normal()
        rows.append(cell(method, density, seed, 100 * (1 - error), architecture=f"net-{depth}-{width}"))
    labels = [rows[0].get(field, "") for field in ("dataset", "recipe", "split")]
    scales = [
        [
            f"net-{one[0]}-{one[1]}",
            *labels,
            "net",
            {"depth": one[0], "width": one[1], "prunable": weights(*one)},
        ]
        for one in MEMBERS
    ]
    own = {"name": "law", "of": {"method": "imp"}, "where": {"architecture": "net-14-1.0"}, "range": "all"}
    suite = {**suite_of({**own, "expect": "not-above", **check}), "scales": scales}
    return evaluate(suite, frame(rows), None, QUANTITIES).outcomes[0]


def exact(depth: int, width: float, density: float, seed: int) -> float:
    return 1.0


def apart(*shares: float) -> Change:
    """Networks differ at equal m: every second one by a share, which differs from seed to seed."""

    def change(depth: int, width: float, density: float, seed: int) -> float:
        odd = MEMBERS.index((depth, width)) % 2
        return 1 + shares[seed] * odd * (density < 1)

    return change


@pytest.mark.parametrize(
    ("change", "verdict"),
    [(exact, "holds"), (apart(0.3, 0.3, 0.32), "fails"), (apart(0.0, 0.1, 0.25), "undecided")],
)
def test_networks_of_equal_m_have_equal_errors(change: Change, verdict: str) -> None:
    said = outcome(change, quantity="fit:invariance", against=0.06, margin=0.01)
    assert said.verdict == verdict


def test_how_far_networks_of_equal_m_are_apart_is_told() -> None:
    """Five of nine lie at one place and four a fifth above it: a deviation of log(1.2) · sqrt(20 / 72)."""
    said = outcome(apart(0.2, 0.2, 0.2), quantity="fit:invariance", against=0.0, margin=0.01)
    assert said.effect == pytest.approx(np.log(1.2) * np.sqrt(20 / 72), abs=0.01)


SMALL = {"depth": [8, 14], "width": [0.5, 1.0]}


def off_when_large(*shares: float) -> Change:
    """Larger networks than the small four are off the law that these follow."""

    def change(depth: int, width: float, density: float, seed: int) -> float:
        return 1.0 if (depth <= 14 and width <= 1) or density == 1 else 1 + shares[seed]

    return change


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (exact, "holds"),
        (off_when_large(0.2, 0.2, 0.21), "fails"),
        (off_when_large(0.0, 0.07, 0.2), "undecided"),
    ],
)
def test_small_networks_tell_the_errors_of_large_ones(change: Change, verdict: str) -> None:
    asked = {"name": "fit:mu", "within": SMALL, "judged": {"depth": [8, 26], "width": [0.5, 2.0]}}
    assert outcome(change, quantity=asked, against=0.0, expect="same", margin=0.07).verdict == verdict


def test_networks_that_are_neither_fitted_nor_judged_take_no_part() -> None:
    """They are off by a fifth, and their cells are not needed."""

    def change(depth: int, width: float, density: float, seed: int) -> float:
        return 1.2 if depth < 14 and density < 1 else 1.0

    asked = {
        "name": "fit:mu",
        "within": {"depth": [14, 26], "width": [0.5, 1.0]},
        "judged": {"depth": [14, 26]},
    }
    said = outcome(change, quantity=asked, against=0.0, expect="same", margin=0.02)
    assert said.effect == pytest.approx(0, abs=0.01)
    assert said.cells == 6 * len(DENSITIES) * SEEDS


def one_is_better(*shares: float) -> Change:
    """A network in the middle is better than any law of depth and width can say."""

    def change(depth: int, width: float, density: float, seed: int) -> float:
        return 1 - shares[seed] * ((depth, width) == (14, 1.0)) * (density < 0.9)

    return change


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (exact, "holds"),
        (one_is_better(0.6, 0.6, 0.62), "fails"),
        (one_is_better(0.0, 0.0, 0.6), "undecided"),
    ],
)
def test_the_smallest_network_by_the_law_is_that_of_brute_force(change: Change, verdict: str) -> None:
    asked = {"name": "fit:fewest", "errors": [0.1, 0.2, 0.3]}
    said = outcome(change, quantity=asked, against=0.25, margin=0.05)
    assert said.verdict == verdict, said.differences


def scattered(*shares: float) -> Change:
    rng = np.random.default_rng(1)

    def change(depth: int, width: float, density: float, seed: int) -> float:
        return float(np.exp(shares[seed] * rng.standard_normal()))

    return change


@pytest.mark.parametrize(
    ("shares", "points", "verdict"),
    [((0, 0, 0), 40, "holds"), ((0.3, 0.3, 0.3), 30, "fails"), ((0, 0.05, 0.3), 20, "undecided")],
)
def test_few_points_suffice_where_fits_to_them_agree(
    shares: tuple[float, ...], points: int, verdict: str
) -> None:
    asked = {"name": "fit:spread", "points": points}
    said = outcome(scattered(*shares), quantity=asked, against=0.02, margin=0.005)
    assert said.verdict == verdict, said.differences


def of_unpruned(*shares: float) -> Change:
    """Errors go from the law of pruning to Eq. 6, of unpruned networks made to meet the unpruned error.

    It is unpruned + (knee / density)^gamma, less that at density 1. The share, of the logarithm, is a seed's.
    """

    def change(depth: int, width: float, density: float, seed: int) -> float:
        m = depth ** TRUTH["phi"] * width ** TRUTH["psi"]
        rise = (0.3 * TRUTH["p"] / m) ** TRUTH["gamma"] * (density ** -TRUTH["gamma"] - 1)
        return float(((unpruned(depth, width) + rise) / law(density, depth, width)) ** shares[seed])

    return change


@pytest.mark.parametrize(
    ("change", "noise", "verdict"),
    [
        (exact, 0.03, "holds"),
        (of_unpruned(1, 1, 1), 0.005, "fails"),
        (of_unpruned(0, 0.5, 1), 0.005, "undecided"),
    ],
)
def test_the_form_of_pruning_is_compared_above_the_plateau(
    change: Change, noise: float, verdict: str
) -> None:
    """Neither form has a plateau: over all densities both are off by a tenth and more."""
    asked = {"name": "fit:sigma", "region": "above-plateau", "alone": True}
    of, against = (
        {"method": "imp", "quantity": {**asked, "form": form}}
        for form in ("unpruned-pinned", "rosenfeld-lower")
    )
    said = outcome(
        change, noise=noise, quantity="fit:sigma", of=of, against=against, expect="above", margin=0.005
    )
    assert said.verdict == verdict, said.differences


def dipped(*depths: float) -> Change:
    """In the middle of their low-error plateaus networks are better than the unpruned ones."""

    def change(depth: int, width: float, density: float, seed: int) -> float:
        return 1 - depths[seed] * (0.05 < density < 0.9)

    return change


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (exact, "holds"),
        (dipped(0.02, 0.03, 0.04), "holds"),
        (dipped(0.2, 0.2, 0.21), "fails"),
        (dipped(0.0, 0.05, 0.3), "undecided"),
    ],
)
def test_dips_below_the_unpruned_error_add_a_point_at_most_two(change: Change, verdict: str) -> None:
    said = outcome(change, quantity="fit:dips", against=0.01, expect="same", margin=0.01)
    assert said.verdict == verdict, said.differences


def test_dips_add_to_predicted_less_measured() -> None:
    """mu is the mean of predicted / measured − 1: where measured errors dip the law predicts too much."""
    said = outcome(dipped(0.1, 0.1, 0.1), noise=0.0, quantity="fit:dips", against=0.0, margin=0.01)
    assert 0.005 < (said.effect or 0) < (1 / 0.9 - 1) * 4 / 14  # four of fourteen densities dip by a tenth
