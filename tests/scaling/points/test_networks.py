"""Which network a point is of: all that a law reads beside the density tells networks apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scaling_families import family, noisy

from prunebench.host import Host
from prunebench.scaling.fit import fit
from prunebench.scaling.points import Points, points_of
from prunebench.scaling.studies.baseline import interpolated
from prunebench.scaling.studies.noise import seed_noise
from prunebench.scaling.studies.trials import leave_one_network_out

FORMS = Host.builtin_forms()
READS = ("density", "nonzero", "examples")


def grid(**more: np.ndarray) -> dict[str, np.ndarray]:
    """Four sizes on three amounts of data at four densities each: 12 networks, no depth or width."""
    size, data, density = (
        a.reshape(-1) for a in np.meshgrid([1.0, 3, 9, 27], [1e3, 1e4, 1e5], [1, 0.5, 0.25, 0.1])
    )
    error = 0.3 * size**-0.2 + 2 * data**-0.3 + 0.05 / density**0.5
    return {"density": density, "examples": data, "size": size, "error": np.minimum(error, 1), **more}


def test_sizes_that_a_form_reads_tell_networks_apart() -> None:
    """As they are, or by their ratio to the density where each network has fewer weights the further it is pruned."""
    columns = grid()
    size, density = columns.pop("size"), columns["density"]
    for nonzero in (size, np.round(1e6 * size * density)):
        points = points_of({**columns, "nonzero": nonzero}, READS)
        assert points.networks() == 12
        for network in range(12):
            own = points.network == network
            assert len(np.unique(size[own])) == len(np.unique(points.examples[own])) == 1


def test_a_fit_tells_networks_apart_by_what_its_form_reads() -> None:
    """Whoever numbered them; of the count that stands beside depth and width nothing is split."""
    columns = grid()
    points = points_of({**columns, "nonzero": columns["size"]})
    assert points.networks() == 3
    assert points.told_apart(READS).networks() == 12
    many = family()
    weights = np.round(1e5 * many.depth * many.width**2 * many.density)
    assert many.changed(nonzero=weights).told_apart(READS).networks() == many.networks()


def test_seeds_of_one_network_are_one_network_each_with_its_own_unpruned_error() -> None:
    """Without depth or width; of two networks that differ in their unpruned errors these tell them apart."""
    density = np.tile([1.0, 0.5, 0.1], 3)
    unpruned = np.repeat([0.1, 0.11, 0.12], 3)
    columns = {"density": density, "error": unpruned / density**0.2, "error_unpruned": unpruned}
    assert points_of({**columns, "seed": np.repeat([0, 1, 2], 3)}).networks() == 1
    assert points_of(columns).networks() == 3


def test_seeds_differ_only_where_there_are_seeds() -> None:
    """Sizes at one density are no seeds, nor are rows of which nobody says that they are."""
    columns = grid()
    assert seed_noise(points_of({**columns, "nonzero": columns["size"]}, READS)) is None
    again = noisy(family([20], [1], [1]), 0.05, 0)
    both = {name: np.concatenate([again.column(name)] * 2) for name in ("density", "error_unpruned", "width")}
    both["error"] = np.concatenate([again.error, 1.1 * again.error])
    assert seed_noise(points_of(both)) is None
    noise = seed_noise(points_of({**both, "seed": np.repeat([0, 1], len(again))}))
    assert noise is not None
    assert noise.sd == pytest.approx(0.1 / 2.1 * np.sqrt(2), rel=1e-6)


def test_interpolation_sees_what_the_law_reads() -> None:
    """Between sizes 1 and 9, at one density and data, size 3 lies on the straight line of the logs."""
    size = np.array([1.0, 9.0])
    known = points_of({"density": [0.5, 0.5], "error": size**-0.3, "nonzero": size}, READS)
    at = points_of({"density": [0.5], "error": [np.nan], "nonzero": [3.0]}, READS)
    np.testing.assert_allclose(interpolated(known, at, READS[:2]), 3**-0.3, rtol=1e-9)


def test_networks_of_a_law_of_sizes_can_be_left_out() -> None:
    columns = grid()
    size, data, density = columns.pop("size"), columns["examples"], columns["density"]
    loss = (0.6 * density**0.7 + 1.5) * size**-0.25 + 0.7 * data**-0.2 + 0.65
    points = points_of({**columns, "error": loss, "nonzero": size}, READS)
    made = fit(FORMS["frantar"], points, starts=4)
    assert made.networks == 12
    assert leave_one_network_out(made, replace(points, network=0 * points.network)).sigma < 0.01


def test_networks_may_be_said() -> None:
    points: Points = points_of(
        {"density": [1.0, 1.0], "error": [0.1, 0.2], "network": [7, 3], "width": [1, 1]}
    )
    assert list(points.network) == [7, 3]
