"""The quantity `fit`: a law of the whole family of networks, at each seed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from prunebench_plugins.forms import prunebench_forms
from prunebench_plugins.quantities import prunebench_quantities
from reference.cells import cell, frame, suite_of

from prunebench import Coefficient, FunctionalForm
from prunebench.checks.evaluate import evaluate
from prunebench.checks.outcomes import Outcome
from prunebench.checks.words import told
from prunebench.scaling.points import points_of
from prunebench.scaling.studies.against import pruning_against_unpruned
from prunebench.tables import quantities_of

FORMS = {form.name: form for form in prunebench_forms()}
QUANTITIES = {quantity.name: quantity.with_forms(FORMS.__getitem__) for quantity in prunebench_quantities()}
TRUTH = {"error_up": 0.85, "gamma": 0.6, "p": 2e-3, "phi": 0.9, "psi": 1.7}
MEMBERS = list(itertools.product((8, 14), (0.5, 1.0, 2.0)))
DENSITIES = [f"{0.8**k:.12g}" for k in range(0, 40, 3)]


def law(density: float, unpruned: float, depth: float, width: float) -> float:
    """Rosenfeld's Eq. 2, as printed: the modulus of a complex number."""
    m = depth ** TRUTH["phi"] * width ** TRUTH["psi"] * density
    ratio = (TRUTH["error_up"] / unpruned) ** (1 / TRUTH["gamma"])
    return float(unpruned * abs((m - 1j * TRUTH["p"] * ratio) / (m - 1j * TRUTH["p"])) ** TRUTH["gamma"])


def rows(seeds: int = 2) -> list[dict[str, Any]]:
    """Return the cells of a family that follows the law, its seeds with unpruned errors of their own."""
    table = []
    for (depth, width), density, seed in itertools.product(MEMBERS, DENSITIES, range(seeds)):
        unpruned = 0.06 + 0.02 / (depth * width) + 0.001 * seed
        whole = density == "1"
        error = unpruned if whole else law(float(density), unpruned, depth, width)
        more = {"architecture": name(depth, width)}
        table.append(cell("none" if whole else "imp", density, seed, 100 * (1 - error), **more))
    return table


def name(depth: int, width: float) -> str:
    return f"net-{depth}-{width}"


def outcome(table: list[dict[str, Any]], quantities: Any = QUANTITIES, **check: Any) -> Outcome:
    scales = [
        [
            name(depth, width),
            "cifar10",
            "r",
            "test",
            "net",
            {"depth": depth, "width": width, "prunable": 1000},
        ]
        for depth, width in MEMBERS
    ]
    own = {
        "name": "law",
        "of": {"method": "imp"},
        "where": {"architecture": name(14, 1.0)},
        "range": "all",
        "expect": "same",
        "margin": 0.01,
        **check,
    }
    labels = {field: table[0].get(field, "") for field in ("dataset", "recipe", "split")}
    for row in scales:
        row[1:4] = [labels["dataset"], labels["recipe"], labels["split"]]
    return evaluate({**suite_of(own), "scales": scales}, frame(table), None, quantities).outcomes[0]


@pytest.mark.parametrize("of", ["gamma", "error_up", "phi", "psi"])
def test_a_coefficient_of_the_family_is_that_of_its_law(of: str) -> None:
    said = outcome(rows(), quantity=f"fit:{of}", against=TRUTH[of])
    assert said.verdict == "holds"
    assert said.effect == pytest.approx(0, abs=1e-5)
    assert said.n == 2


def test_a_law_that_is_followed_has_no_error() -> None:
    """But that it is not quite the unpruned error at density 1; another law's is larger."""
    assert outcome(rows(), quantity="fit:sigma", against=0.0).effect == pytest.approx(0, abs=1e-3)
    other = {"name": "fit:sigma", "form": "rosenfeld-lower", "alone": True}
    assert (outcome(rows(), quantity=other, against=0.0).effect or 0) > 0.02


@pytest.mark.parametrize("name", ["rosenfeld-lower", "unpruned-pinned"])
def test_forms_without_a_plateau_are_fitted_above_it(name: str) -> None:
    """Eq. 8 is the law there, but for what is left of the plateau; σ is that of `pruning_against_unpruned`."""
    asked = {"name": "fit:sigma", "form": name, "region": "above-plateau", "alone": True}
    said = outcome(rows(1), quantity=asked, against=0.0)
    whole = 0.06 + 0.02 / 14
    kept = [float(one) for one in DENSITIES]
    errors = [whole, *(law(density, whole, 14, 1.0) for density in kept[1:])]
    points = points_of({"density": kept, "error": errors, "error_unpruned": [whole] * len(kept)})
    told = pruning_against_unpruned(points, FORMS)[0]
    wanted = told.pruning_sigma if name == "rosenfeld-lower" else told.unpruned_sigma
    assert said.effect == pytest.approx(wanted, rel=1e-3)
    assert told.pruning_sigma < 0.01 < told.unpruned_sigma


def test_a_seed_of_which_no_density_lies_in_the_region_has_no_number() -> None:
    """Two densities show no plateau, and no form is fitted to them."""
    few = [row for row in rows() if float(row["density"]) > 0.3]
    asked = {"name": "fit:sigma", "form": "rosenfeld-lower", "region": "above-plateau", "alone": True}
    said = outcome(few, quantity=asked, against=0.0)
    assert said.verdict != "holds"
    assert said.effect is None
    assert "have no number" in said.notes[-1]


def test_one_network_alone_has_the_family_s_gamma() -> None:
    """By Eq. 1, whatever its size."""
    said = outcome(rows(), quantity={"name": "fit:gamma", "alone": True}, against=TRUTH["gamma"])
    assert said.effect == pytest.approx(0, abs=1e-4)


def test_a_missing_cell_of_a_relative_is_needed_and_named() -> None:
    """It is of another setting than the check's."""
    table = rows()
    there = next(
        row for row in table if row["architecture"] == name(8, 0.5) and row["density"] == DENSITIES[3]
    )
    there |= {"status": "missing", "correct": None, "accuracy": None}
    said = outcome(table, quantity="fit:gamma", against=TRUTH["gamma"])
    assert (said.verdict, said.absent) == ("not run", (there["key"],))
    assert said.cells == len(table)
    alone = outcome(table, quantity={"name": "fit:gamma", "alone": True}, against=TRUTH["gamma"])
    assert (alone.verdict, alone.cells) == ("holds", 2 * len(DENSITIES))


def test_a_form_of_a_plugin_is_looked_up_in_its_host() -> None:
    """The error where nothing is pruned is what that of our own says: a constant, fitted by relative squares."""

    class Host:
        def get(self, kind: str, name: str) -> Any:
            assert (kind, name) == ("forms", "flat")
            return flat

    def constant(points: Any, *, level: float) -> Any:
        return np.full(len(points), level)

    flat = FunctionalForm("flat", constant, (Coefficient("level", 0.001, 1, (0.1, 1)),))
    asked = {"name": "fit:level", "form": "flat", "alone": True}
    said = outcome(rows(), quantity=asked, against=0.0, quantities=quantities_of(None, Host))
    errors = [
        np.array(
            [
                1 - one["accuracy"] / 100
                for one in rows()
                if one["architecture"] == name(14, 1.0) and one["seed"] == seed
            ]
        )
        for seed in range(2)
    ]
    assert said.effect == pytest.approx(np.mean([(1 / e).sum() / (1 / e**2).sum() for e in errors]), rel=1e-4)


def test_what_a_form_does_not_say_is_told() -> None:
    said = outcome(rows(), quantity={"name": "fit:knee", "alone": True}, against=1.0)
    assert said.verdict == "not run"
    assert "'knee' is nothing that the form 'rosenfeld-network' says" in said.reason


def test_a_family_is_fitted_once_a_seed_whatever_is_asked_of_it_and_in_whichever_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two quantities, each in two settings; unpruned errors that no other test has."""
    import prunebench.scaling.fit as fitting

    own, fits = fitting.fit, []

    def counted(form: Any, points: Any, **options: Any) -> Any:
        fits.append(form.name)
        return own(form, points, **options)

    monkeypatch.setattr(fitting, "fit", counted)
    table = [{**row, "accuracy": row["accuracy"] - 0.01} for row in rows()]
    where = {"architecture": [name(14, 1.0), name(8, 0.5)]}
    said = [outcome(table, quantity=f"fit:{of}", against=TRUTH[of], where=where) for of in ("gamma", "psi")]
    assert [len(one.parts) for one in said] == [2, 2]
    assert len(fits) == 2


def test_a_check_of_a_law_says_the_quantity_its_value_and_the_family() -> None:
    """The value, as it is compared with a number, and not the difference; no network stands for the family."""
    said = outcome(rows(), quantity="fit:gamma", against=0.5, expect="not-above")
    assert told(said).startswith("fit:gamma of imp not above 0.5 over all")
    assert f"(the family of {name(14, 1.0)}, mnist, short): fit:gamma 0.6, at least 0.6" in told(said)
    assert told(said).endswith("claimed: not above 0.5, where less than 0.01 does not matter")
    assert said.effect == pytest.approx(0.1, abs=1e-5)


def test_sides_of_one_method_are_told_by_what_their_quantities_differ_in() -> None:
    """And many settings by their number; each network is its own where one side is of it alone."""
    alone = {"method": "imp", "quantity": {"name": "fit:gamma", "alone": True}}
    said = outcome(
        rows(),
        quantity={"name": "fit:gamma", "within": {"width": [0.5, 2.0]}},
        where={},
        of=alone,
        against={"method": "imp"},
        compare="ratio",
    )
    assert (said.of, said.against) == ("fit:gamma (alone) of imp", "fit:gamma (within width 0.5 – 2) of imp")
    assert told(said).startswith(f"{said.of} the same as {said.against} over all")
    assert f"({len(MEMBERS)} settings): holds at {len(MEMBERS)}" in told(said)
    assert said.setting.split("; ")[0] == f"{name(8, 0.5)}, mnist, short"
