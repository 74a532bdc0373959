"""What `fit` tells beside a law: other forms, each network, parts of the family, fewer points, larger networks."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Place, make_place
from .law_family import FAMILY, TRUTH, write_family
from .test_mistakes import refused


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Place:
    """A file of points that follow the law exactly, and of one small network with a slope of its own."""
    place = make_place(tmp_path_factory.mktemp("studies"))
    write_family(place, 36)
    return place


@pytest.fixture(scope="module")
def made(folder: Place) -> dict[str, Any]:
    """Everything that can be told beside the fit."""
    return folder.json(
        *("fit", "family.csv", "--starts", "4", "--form", "rosenfeld", "--form", "unpruned-pinned"),
        *("--each-network", "--partial", "--points-needed", "--against-unpruned"),
        *("--extrapolate-from", "width=0.25:0.5", "--extrapolate-from", "depth=8:14"),
    )["beside"]


def test_forms_stand_side_by_side_with_interpolation(made: dict[str, Any]) -> None:
    """What cannot be fitted says why; networks left out are what interpolation is compared on."""
    ours, other = made["forms"]
    assert (ours["form"], ours["coefficients"], ours["why"]) == ("rosenfeld", 5, "")
    assert abs(ours["left_out"]["sigma"]) < 1e-5 < ours["left_out"]["interpolation"]["sigma"]
    assert (other["form"], other["fit"], other["left_out"]) == ("unpruned-pinned", None, None)
    assert "is of one depth" in other["why"]


def test_each_network_alone_has_the_family_s_slope(made: dict[str, Any]) -> None:
    """Its p is that of the family over l^phi w^psi."""
    rows = made["each_network"]
    assert len(rows) == len(FAMILY)
    for row in rows:
        shrunk = row["depth"] ** TRUTH["phi"] * row["width"] ** TRUTH["psi"]
        wanted = {"error_up": TRUTH["error_up"], "gamma": TRUTH["gamma"], "p": TRUTH["p"] / shrunk}
        assert row["parameters"] == pytest.approx(wanted, rel=1e-3)


def test_partial_fits_agree_with_the_law(made: dict[str, Any]) -> None:
    """One for each place of the other two scales: 3 × 2, 3 × 2, and of two parts of the data 3 × 3."""
    by_scale = {row["scale"]: row for row in made["partial"]}
    assert [row["scale"] for row in made["partial"]] == ["depth"] * 6 + ["width"] * 6 + ["examples"] * 9
    assert by_scale["depth"]["parameters"]["phi"] == pytest.approx(TRUTH["phi"], rel=1e-4)
    assert by_scale["width"]["parameters"]["psi"] == pytest.approx(TRUTH["psi"], rel=1e-4)
    assert by_scale["examples"]["parameters"]["gamma"] == pytest.approx(TRUTH["gamma"], rel=1e-4)
    assert {name: row["networks"] for name, row in by_scale.items()} == {
        "depth": 3,
        "width": 3,
        "examples": 2,
    }
    assert "depth" not in by_scale["depth"]


def test_small_networks_tell_larger_ones(made: dict[str, Any]) -> None:
    """Of three depths, three widths and two parts of the data 4 × 2 are small, the other 10 are larger."""
    told = made["extrapolation"]
    assert (told["fit"]["networks"], told["larger"]["networks"]) == (8, 10)
    assert abs(told["larger"]["mu"]) < 1e-5 < told["larger"]["interpolation"]["sigma"]


def test_few_points_suffice_without_noise(made: dict[str, Any]) -> None:
    curves = made["points_needed"]
    assert [row["size"] for row in curves["networks"]["curve"]] == [3, 5, 8, 10, 15]
    assert curves["points"]["curve"][-1]["sigma_spread"] < 1e-4
    assert curves["points"]["enough"] is not None


def test_the_form_of_unpruned_networks_fits_worse(made: dict[str, Any]) -> None:
    rows = made["against_unpruned"]
    assert rows
    assert all(row["pruning_sigma"] < row["unpruned_sigma"] for row in rows)


def test_the_tables_are_told(folder: Place) -> None:
    text = folder.call(
        *("fit", "family.csv", "--starts", "2", "--fix", "error_up=0.8", "--fix", "gamma=0.5"),
        *("--partial", "--extrapolate-from", "examples=50000"),
    ).stdout
    assert "partial fits, of networks that differ in one scale alone:" in text
    assert "extrapolation: not done: no network is larger than those that the law is to be fitted to" in text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("with=0.1:0.5", "networks do not differ in 'with'; did you mean 'width'?"),
        ("width=0.5:0.1", "width is '0.5:0.1'; the lower end goes first: 0.1:0.5"),
        ("width=small", "width is 'small'; allowed: a number above 0, or LOW:HIGH"),
        ("width", "found 'width'; allowed: SCALE=LOW:HIGH"),
    ],
)
def test_networks_that_cannot_be_are_refused(folder: Place, args: str, said: str) -> None:
    assert said in refused(folder, "fit", "family.csv", "--extrapolate-from", args)
