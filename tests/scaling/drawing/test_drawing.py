"""What is drawn of a law: means over seeds, where its power law lies, which networks are small, what cannot be."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scaling_families import LAW, family, law, noisy

from prunebench.host import Host
from prunebench.scaling.drawing import Study, last_below, means, studied
from prunebench.scaling.fit import fit
from prunebench.scaling.law import Law, with_size
from prunebench.scaling.points import Points, points_of
from prunebench.scaling.points.families import law_of_scales

FORMS = Host.builtin_forms()


@cache
def study() -> Study:
    return studied(family(levels=25), FORMS)


def of_form(name: str, points: Points) -> Study:
    return Study(Law(fit(FORMS[name], points, starts=2), with_size(points)[0]), FORMS)


def test_the_law_is_that_which_the_networks_can_determine() -> None:
    one, two = [20], [1]
    assert law_of_scales(family()) == "rosenfeld"
    assert law_of_scales(family(depths=one)) == "rosenfeld-width"
    assert law_of_scales(family(widths=two)) == "rosenfeld-depth"
    assert law_of_scales(family(one, two)) == "rosenfeld-data"
    assert law_of_scales(family(one, two, [1])) == "rosenfeld-network"
    assert law_of_scales(points_of({"density": [0.5, 1.0], "error": [0.2, 0.1]})) == "rosenfeld-network"


def test_means_are_those_of_the_seeds_of_a_network_at_a_density() -> None:
    columns = {
        "density": [1, 1, 0.5, 0.5, 0.5, 1],
        "error": [0.1, 0.2, 0.3, 0.4, 0.2, 0.7],
        "error_unpruned": [0.1, 0.2, 0.1, 0.2, 0.3, 0.7],
        "width": [1, 1, 1, 1, 1, 2],
        "seed": [0, 1, 0, 1, 2, 0],
        "prunable": [10, 10, 10, 10, 10, 40],
    }
    mine = means(points_of(columns))
    assert list(zip(mine.width, mine.density, strict=True)) == [(1, 1), (1, 0.5), (2, 1)]
    assert mine.error == pytest.approx([0.15, 0.3, 0.7])
    assert mine.error_unpruned == pytest.approx([0.15, 0.2, 0.7])
    for name, values in {"low": [0.1, 0.2, 0.7], "high": [0.2, 0.4, 0.7], "seeds": [2, 3, 1]}.items():
        assert mine.extra[name] == pytest.approx(values)
    assert mine.extra["prunable"].tolist() == [10, 10, 40]


def test_the_power_law_lies_between_its_transitions() -> None:
    """Halfway between them, on a logarithmic scale, the error is error_up · (p / m)^gamma; at either end, where
    power law and plateau meet, it is 2^(gamma / 2) from both."""
    made = study()
    rows = made.law.networks
    leaves, reaches = made.transitions(rows)
    m = rows.depth ** LAW["phi"] * rows.width ** LAW["psi"]
    assert reaches * m == pytest.approx(np.full(len(rows), LAW["p"]), rel=1e-4)
    assert leaves / reaches == pytest.approx(
        (LAW["error_up"] / rows.error_unpruned) ** (1 / LAW["gamma"]), rel=1e-4
    )
    middle = np.sqrt(leaves * reaches)
    errors = law(rows.changed(density=middle))
    assert errors == pytest.approx(LAW["error_up"] * (reaches / middle) ** LAW["gamma"], rel=0.02)
    corner = 2 ** (LAW["gamma"] / 2)
    assert law(rows.changed(density=leaves)) == pytest.approx(rows.error_unpruned * corner, rel=0.01)
    assert law(rows.changed(density=reaches)) == pytest.approx(
        np.full(len(rows), LAW["error_up"] / corner), rel=0.01
    )


def test_a_density_is_found_from_which_on_the_error_stays_below() -> None:
    """Straight between densities on logarithmic scales; a dip before it does not count."""
    points = points_of({"density": [1, 0.5, 0.25, 0.125], "error": [0.1, 0.3, 0.2, 0.8]})
    assert last_below(points, 0.4) == pytest.approx(0.125 * 2**0.5)
    assert last_below(points, 0.15) == pytest.approx(0.5 * 2 ** (np.log(2) / np.log(3)), rel=1e-2)
    assert last_below(points, 0.05) is None
    assert last_below(points, 0.9) is None


def test_small_networks_are_those_of_the_paper_where_they_are_there() -> None:
    """Widths 1/8 and 1/4, depths 14 and 20, on all data, asked of those that are larger; else the lower half."""
    whole = family([8, 14, 20, 50], [1 / 16, 1 / 8, 1 / 4, 1], [1, 4], 12)
    small = means(whole).rows(of_form("rosenfeld", whole).small)
    assert {*zip(small.depth, small.width, small.examples, strict=True)} == {
        (depth, width, 50_000) for depth in (14, 20) for width in (1 / 8, 1 / 4)
    }
    points, _, _ = of_form("rosenfeld", whole).extrapolated
    assert (points.depth.min(), points.width.min()) == (14, 1 / 8)
    other = family([20], [1 / 16, 1 / 8, 1 / 2, 1, 2, 4], [1], 12)
    chosen = means(other).rows(of_form("rosenfeld-width", other).small)
    assert set(chosen.width) == {1 / 16, 1 / 8, 1 / 2}
    assert of_form("rosenfeld-width", family([20], [1, 2], [1], 12)).small is None


def test_a_law_of_small_networks_says_the_errors_of_large_ones() -> None:
    points, small, made = study().extrapolated
    assert set(points.examples) == {50_000}
    assert made.points == small.sum()
    assert made.form.function(points, **made.parameters) == pytest.approx(points.error, rel=1e-4)


def test_fits_to_all_networks_do_not_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of the curve every choice is the whole family, as noisy as its points."""
    monkeypatch.setattr("prunebench.scaling.drawing.study.DRAWS", 3)
    noise = Study(Law(study().law.fit, noisy(family([8, 20], [1 / 8, 1], [1, 4], 12), 0.03, 0)), FORMS)
    last = noise.needed[-1]
    assert last.size == 8
    assert (last.mu_spread, last.sigma_spread) == pytest.approx((0, 0), abs=1e-6)
    assert last.sigma == pytest.approx(0.03, abs=0.006)


def test_the_fewest_weights_are_those_of_brute_force() -> None:
    points = family([8, 20], [1 / 8, 1 / 2, 1], [1], 25)
    size = np.round(1000 * points.depth * (points.width + points.width**2))
    made = studied(points.changed(prunable=size), FORMS)
    answers = made.fewest([0.12, 0.3, 0.6, 0.01])
    assert [one.error for one in answers] == [0.12, 0.3, 0.6]
    for one in answers:
        best = []
        for row in range(len(made.law.networks)):
            network = made.law.networks.rows(np.array([row]))
            counts = np.arange(1, int(network.extra["prunable"][0]) + 1)
            many = network.rows(np.zeros(len(counts), dtype=int)).changed(density=counts / counts[-1])
            good = counts[law(many) <= one.error]
            best += [int(good[0])] if len(good) else []
        assert one.kept == pytest.approx(min(best), abs=1)
        assert one.analytic_kept >= one.kept


def test_networks_that_differ_in_something_else_are_not_drawn() -> None:
    """Frantar's law has sizes that are neither depth nor width: one curve of them would be a mixture."""
    rows = {
        "density": np.tile([1, 0.5, 0.25], 6),
        "nonzero": np.repeat([1.0, 2, 4, 8, 16, 32], 3),
        "examples": np.repeat([100.0, 200.0], 9),
        "error": 1 + np.random.default_rng(0).random(18),
    }
    made = Study(Law(study().law.fit, points_of(rows)), FORMS)
    assert made.undrawn == ""
    law = replace(study().law.fit, form=FORMS["frantar"])
    other = Study(Law(law, points_of(rows)), FORMS)
    assert "differ in nonzero" in other.undrawn
