"""How sure fits and predictions are: coefficients known only together, networks that err as a whole."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scaling_families import LAW, family, noisy

from prunebench.host import Host
from prunebench.scaling.fit import Fit, fit
from prunebench.scaling.fit.directions import together
from prunebench.scaling.fit.resampling import bootstrap
from prunebench.scaling.fit.stored import fit_of
from prunebench.scaling.points import Points

FORMS = Host.builtin_forms()


@cache
def grown_together() -> Points:
    """Depth a multiple of width in every network: phi and psi are determined only together."""
    points = family([8, 20, 50], [1], [1])
    return noisy(points.changed(width=points.depth / 20), 0.03, 0)


@cache
def open_fit() -> Fit:
    return fit(FORMS["rosenfeld"], grown_together(), starts=3)


def test_a_prediction_is_as_sure_as_the_directions_that_it_depends_on() -> None:
    """Where one of two exponents is given the law is the same, and so is the interval of every point."""
    given = fit(FORMS["rosenfeld"], grown_together(), starts=3, fixed={"phi": 0.9})
    assert np.isinf(open_fit().standard_errors["psi"])
    for ours, other in zip(
        open_fit().predict(grown_together()), given.predict(grown_together()), strict=True
    ):
        np.testing.assert_allclose(ours, other, rtol=5e-3)
    assert np.abs(open_fit().covariance).max() < 10


def test_what_depends_on_an_undetermined_direction_may_be_anything() -> None:
    """A network off the line on which the points lie: the law says nothing of it; at 1 % off it does not either."""
    for factor in (4, 1.01):
        off = grown_together().changed(width=factor * grown_together().width)
        _, low, high = open_fit().predict(off)
        assert low.max() < 1e-9
        assert high.min() == 1


def test_an_open_fit_predicts_the_same_after_json() -> None:
    again = fit_of(open_fit().to_json(), FORMS)
    assert again == open_fit()
    np.testing.assert_array_equal(again.predict(grown_together()), open_fit().predict(grown_together()))


def whole_networks(seed: int) -> Points:
    """16 networks that are each off as a whole, by about 6 %, in waves along the density; and 2 % of each point."""
    points = family([8, 14, 20, 50], [1 / 8, 1 / 4, 1, 2], [1], 36)
    rng = np.random.default_rng(seed)
    order = np.round(np.log(points.density) / np.log(0.8))
    phase, size = rng.uniform(0, 2 * np.pi, points.networks()), rng.standard_normal((2, points.networks()))
    waves = size[0][points.network] * np.sin(order / 6 + phase[points.network]) + size[1][points.network] / 2
    scatter = 1 + 0.06 * waves + 0.02 * rng.standard_normal(len(points))
    return points.changed(error=np.minimum(points.error * scatter, 1))


def covering(trials: int, *, whole: bool) -> dict[str, int]:
    """In how many trials each interval covers; with every point a network of its own unless these are whole."""
    covered = dict.fromkeys(LAW, 0)
    for seed in range(trials):
        points = whole_networks(seed)
        points = points if whole else replace(points, network=np.arange(len(points)))
        made = fit(FORMS["rosenfeld"], points, starts=1)
        assert made.clusters == (16 if whole else 0)
        for name, (low, high) in made.intervals.items():
            covered[name] += low <= LAW[name] <= high
    return covered


def test_intervals_of_networks_that_err_as_a_whole_cover_as_often_as_they_say() -> None:
    """At least nine in ten of 30 trials, where those of independent points cover phi in four of ten."""
    assert min(covering(30, whole=True).values()) >= 27
    assert covering(15, whole=False)["phi"] <= 9


def test_whether_points_go_together_is_said() -> None:
    """With how many networks count; and of one network that its intervals are too narrow."""
    made = fit(FORMS["rosenfeld"], whole_networks(0), starts=1)
    assert made.together > 0.5
    assert any("intervals count its 16 networks, not its points" in note.text for note in made.notes)
    one = whole_networks(0).rows(whole_networks(0).network == 3)
    alone = fit(FORMS["rosenfeld-network"], one, starts=2)
    assert any("too narrow" in note.text for note in alone.notes)
    assert fit(FORMS["rosenfeld"], noisy(family(), 0.03, 1), starts=1).notes == ()


def test_independent_points_are_hardly_ever_taken_for_networks_that_err_as_a_whole() -> None:
    """In none of 200 cases of pure noise, and in every case of networks 5 % off."""
    points = family()
    rng = np.random.default_rng(0)
    assert not any(together(points, rng.standard_normal(len(points)))[1] for _ in range(200))
    for _ in range(10):
        shift = 0.05 * rng.standard_normal(points.networks())[points.network]
        assert together(points, shift + 0.05 * rng.standard_normal(len(points)))[1]


def test_seeds_that_err_together_are_noticed_whatever_the_other_seeds_do() -> None:
    """Each seed of a network is off by its own 3 %, as one with its own unpruned error is; points by 3 % too."""
    one = family(levels=20)
    seeds = [0, 1, 2]
    points = one.rows(np.tile(np.arange(len(one)), 3))
    points = replace(points, seed=np.repeat(seeds, len(one)))
    rng = np.random.default_rng(0)
    shift = 0.03 * rng.standard_normal((3, one.networks()))[points.seed, points.network]
    correlation, real = together(points, shift + 0.03 * rng.standard_normal(len(points)))
    assert real
    assert correlation == pytest.approx(0.5, abs=0.1)


def test_an_interval_is_as_wide_as_measurements_scatter_at_its_density() -> None:
    """2 % above density 0.1 and 12 % below: 95 % of new measurements are in it on either side."""

    def scattered(seed: int) -> Points:
        points = family(parts=[1])
        rng = np.random.default_rng(seed)
        share = np.where(points.density > 0.1, 0.02, 0.12)
        return points.changed(
            error=np.minimum(points.error * np.exp(share * rng.standard_normal(len(points))), 1)
        )

    made = fit(FORMS["rosenfeld"], scattered(0), starts=2)
    new = [scattered(seed) for seed in range(1, 21)]
    _, low, high = made.predict(new[0])
    for dense in (True, False):
        rows = new[0].density > 0.2 if dense else new[0].density < 0.05
        hits = np.mean([((low <= one.error) & (one.error <= high))[rows].mean() for one in new])
        assert 0.92 <= hits <= 0.98, (dense, hits)


@pytest.mark.slow
def test_a_bootstrap_over_networks_covers_as_often_as_it_says() -> None:
    """With 8 % noise relative squares are off by more than percentiles of fits show that are all off alike."""
    covered = dict.fromkeys(("error_up", "gamma", "p", "psi"), 0)
    whole = family([1], 2.0 ** np.linspace(-4, 2, 16), [1], 37)
    whole = whole.rows(np.arange(len(whole)) % 37 % 2 == 0)
    for seed in range(40):
        points = noisy(whole, 0.08, seed)
        made = bootstrap(fit(FORMS["rosenfeld-width"], points, starts=1), points, resamples=100, seed=seed)
        for name, (low, high) in (made.bootstrap or {}).items():
            covered[name] += low <= LAW[name] <= high
    assert min(covered.values()) >= 34, covered


def test_a_bootstrap_over_few_networks_is_said_to_be_rough() -> None:
    """Six for four coefficients."""
    few = family([20], 2.0 ** np.arange(-3, 3), [1], 25)
    few = noisy(few, 0.03, 0)
    made = bootstrap(fit(FORMS["rosenfeld-width"], few, starts=1), few, resamples=40)
    assert any("6 networks only, for 4 coefficients" in note.text for note in made.notes)
