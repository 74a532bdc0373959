"""Laws on points that they were not fitted to, networks drawn again, points needed, noise, dips."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scaling_families import LAW, family, noisy

from prunebench.errors import FitError
from prunebench.host import Host
from prunebench.scaling.fit import Fit, fit
from prunebench.scaling.fit.resampling import bootstrap
from prunebench.scaling.points import Points, points_of
from prunebench.scaling.studies.against import pruning_against_unpruned
from prunebench.scaling.studies.baseline import interpolated
from prunebench.scaling.studies.noise import dips, seed_noise, unpruned_noise
from prunebench.scaling.studies.trials import (
    Needed,
    each_network,
    enough,
    extrapolated,
    leave_one_network_out,
    points_needed,
)

FORMS = Host.builtin_forms()


@cache
def points() -> Points:
    return noisy(family(levels=25), 0.03, 0)


@cache
def made() -> Fit:
    return fit(FORMS["rosenfeld"], points(), starts=2)


def joined(parts: list[Points]) -> Points:
    """Points below each other, each part a seed."""
    names = ("density", "error", "error_unpruned", "depth", "width", "examples", "network")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Points(**columns, seed=np.repeat(np.arange(len(parts)), len(parts[0])))


def test_each_network_has_the_slope_and_plateau_of_its_family() -> None:
    """Eq. 1 on each alone; p is the family's, divided by depth^phi · width^psi. One with two points has no fit."""
    whole = family([8, 20], [1 / 8, 1], [1], 45)
    few = (whole.depth == 20) & (whole.width == 1) & (whole.density < 0.8)
    made = each_network(FORMS["rosenfeld-network"], whole.rows(~few), starts=3)
    assert len(made) == 3
    for network, law in made.items():
        row = int(np.flatnonzero(whole.network == network)[0])
        p = LAW["p"] * whole.depth[row] ** -LAW["phi"] * whole.width[row] ** -LAW["psi"]
        assert law.parameters == pytest.approx(
            {**{k: LAW[k] for k in ("error_up", "gamma")}, "p": p}, rel=1e-5
        )


def test_each_network_is_predicted_by_a_fit_to_all_others() -> None:
    """As fits of our own from many starts do; better than interpolation between the others."""
    out = leave_one_network_out(made(), points())
    for network in (0, 11):
        own = points().network == network
        other = fit(FORMS["rosenfeld"], points().rows(~own), starts=3)
        np.testing.assert_allclose(out.predicted[own], other.predict(points().rows(own))[0], rtol=1e-4)
    relative = out.predicted / points().error - 1
    assert (out.mu, out.sigma) == pytest.approx((relative.mean(), relative.std()))
    assert out.sigma == pytest.approx(0.03, abs=0.004)
    assert out.baseline_sigma > 1.5 * out.sigma


def test_a_law_extrapolates_from_small_networks_to_large_ones() -> None:
    """To those of at least twice the width, which interpolation cannot do."""
    small = (points().width <= 0.5) & (points().depth <= 20)
    law, out = extrapolated(FORMS["rosenfeld"], points(), small, starts=3)
    assert (law.points, len(out.rows)) == (int(small.sum()), int((~small).sum()))
    assert abs(out.mu) < 0.03
    assert out.sigma < 0.05 < out.baseline_sigma
    with pytest.raises(FitError, match="every point takes part"):
        extrapolated(FORMS["rosenfeld"], points(), np.ones(len(points()), dtype=bool))


def test_a_bootstrap_over_networks_agrees_with_the_covariance_over_networks() -> None:
    """With 10 % on whole networks both hold the truth, at widths that differ by less than half."""
    shift = 1 + 0.1 * np.random.default_rng(4).standard_normal(points().networks())
    whole = points().changed(error=np.minimum(points().error * shift[points().network], 1))
    law = fit(FORMS["rosenfeld"], whole, starts=2)
    again = bootstrap(law, whole, resamples=60)
    assert again.bootstrap is not None
    assert law.bootstrap is None

    def width(ends: tuple[float, float]) -> float:
        return ends[1] - ends[0]

    assert law.clusters == points().networks()
    assert width(again.bootstrap["psi"]) == pytest.approx(width(law.intervals["psi"]), rel=0.5)
    assert all(low <= LAW[name] <= high for name, (low, high) in again.bootstrap.items())
    assert bootstrap(law, whole, resamples=60) == again


def test_a_bootstrap_of_one_network_is_refused() -> None:
    one = points().rows(points().network == 0)
    law = fit(FORMS["rosenfeld-network"], one, starts=2)
    with pytest.raises(FitError, match="two or more are needed"):
        bootstrap(law, one)


def test_more_networks_make_fits_agree() -> None:
    """The spread of the fit's quality falls with their number; sizes that there are not are refused."""
    curve = points_needed(made(), points(), [3, 12], repeats=5)
    assert [one.size for one in curve] == [3, 12]
    assert curve[1].mu_spread < curve[0].mu_spread
    assert curve[1].sigma == pytest.approx(0.03, abs=0.003)
    single = points_needed(made(), points(), [200], of="points", repeats=4)
    assert single[0].failed == 0
    with pytest.raises(FitError, match="allowed: 1 to 24, the networks"):
        points_needed(made(), points(), [25])


def test_enough_is_the_size_from_which_on_the_spread_stays_small() -> None:
    """A small spread that is lost again at a larger size does not count, nor does one with failed fits."""

    def row(size: int, spread: float, failed: int = 0) -> Needed:
        return Needed(size, 0.0, 0.03, spread, spread / 2, failed)

    assert enough([row(5, 0.005), row(10, 0.02), row(20, 0.008), row(40, 0.001)]) == 20
    assert enough([row(5, 0.005, failed=1), row(10, 0.005)]) == 10
    assert enough([row(5, 0.5)]) is None


def test_interpolation_along_one_axis_is_a_line_in_a_log_log_plot() -> None:
    """Against numpy's, at the points and between; seeds at one density are averaged by their logs."""
    one = family([20], [1], [1], 20)
    at = one.changed(density=0.9 * one.density).rows(np.arange(19))
    wanted = np.exp(np.interp(-np.log(at.density), -np.log(one.density), np.log(one.error)))
    np.testing.assert_allclose(interpolated(one, at), wanted, rtol=1e-9)
    two = joined([one.changed(error=one.error * 1.1), one.changed(error=one.error / 1.1)])
    np.testing.assert_allclose(interpolated(two, at), wanted, rtol=1e-9)


def test_seed_noise_is_the_spread_between_seeds() -> None:
    """5 % in, 5 % out; nothing is told of single seeds."""
    assert seed_noise(points()) is None
    noise = seed_noise(joined([noisy(family(), 0.05, seed) for seed in range(3)]))
    assert noise is not None
    assert noise.sd == pytest.approx(0.05, rel=0.05)
    assert (noise.places, noise.freedom) == (720, 1440)


def test_dips_bias_a_fit_by_what_filling_them_changes() -> None:
    """Where errors fall 8 % below the unpruned one µ is above 0, and the filled curve gives the truth."""
    one = family([20], [1], [1], 40)
    flat = (one.density < 1) & (one.error < 1.02 * one.error_unpruned)
    dipped = one.changed(error=np.where(flat, 0.92 * one.error, one.error))
    law = fit(FORMS["rosenfeld-network"], dipped, starts=3)
    told = dips(law, dipped, starts=3)
    assert told.share == pytest.approx(flat.mean(), abs=0.05)
    assert told.deepest == pytest.approx(-0.08, abs=0.01)
    assert told.bias > 0.01
    assert told.parameters["gamma"] == pytest.approx(LAW["gamma"], rel=0.01)
    assert abs(law.parameters["gamma"] - LAW["gamma"]) > abs(told.parameters["gamma"] - LAW["gamma"])


def test_the_form_of_unpruned_networks_does_not_fit_pruned_ones() -> None:
    """Fig. 19 of Rosenfeld et al. 2021: on curves of the law Eq. 8 is nearly exact, Eq. 6 is off."""
    rows = pruning_against_unpruned(family([20], [0.5, 1], [1], 40), FORMS, starts=3)
    assert len(rows) == 2
    assert all(row.pruning_sigma < 0.5 * row.unpruned_sigma for row in rows)
    with pytest.raises(FitError, match="no network has four densities above its plateau"):
        pruning_against_unpruned(family([20], [1], [1], 3), FORMS)


def test_unpruned_noise_is_the_spread_of_unpruned_errors_between_seeds() -> None:
    """Once a network and seed, however many densities: 0.09 and 0.11 are off their mean by a tenth each."""
    one = {"depth": [8.0] * 3, "error": [0.3, 0.2, 0.3], "density": [0.1, 0.2, 0.1]}
    both = points_of({**one, "error_unpruned": [0.09, 0.09, 0.11], "seed": [0, 0, 1]})
    assert unpruned_noise(both) == pytest.approx(0.1 * np.sqrt(2))
    assert unpruned_noise(both.rows(both.seed == 0)) is None
