"""Files of fits that were cut, edited or are another's: a sentence with the field, never an answer."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from scaling_families import family

from prunebench.errors import FitError
from prunebench.host import Host
from prunebench.scaling.fit import fit
from prunebench.scaling.fit.stored import fit_of
from prunebench.scaling.law import Family, Law, forms_in, law_of, unpruned_fit, with_size

FORMS = Host.builtin_forms()


@cache
def stored() -> str:
    """A law with everything that a file may have."""
    points = family([8, 20], [0.5, 1, 2], [1], levels=6)
    points = points.changed(prunable=np.round(1000 * points.depth * points.width**2))
    sized, proxy = with_size(points)
    unpruned, why = unpruned_fit(sized, FORMS, starts=4)
    assert unpruned is not None, why
    own = Family("cifar-resnet", {"bias": False}, ("depth", "width"), (3, 32, 32), 10)
    made = fit(FORMS["rosenfeld"], points, fixed={"error_up": 0.9}, starts=4)
    return json.dumps(Law(made, sized, unpruned, own, "a family", proxy, ("nothing",)).plain())


def told(text: str) -> str:
    """What is said of a file that cannot be read."""
    with pytest.raises(FitError) as error:
        law_of(text, "law.json", FORMS)
    said = str(error.value)
    assert said.startswith("law.json: ")
    return said.removeprefix("law.json: ")


def with_value(value: Any, *path: Any) -> str:
    """The stored law with another value somewhere."""
    law = json.loads(stored())
    place = law
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(law)


def test_a_law_is_the_same_after_json() -> None:
    again = law_of(stored(), "law.json", FORMS)
    assert json.dumps(again.plain()) == stored()
    assert forms_in(stored()) == ["rosenfeld", "unpruned-size"]


def paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands; of long lists the first place alone."""
    inner = (
        value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    )
    for key, one in inner:
        yield (*above, key)
        yield from paths(one, (*above, key))


def without(*path: Any) -> str:
    """The stored law without something."""
    law = json.loads(stored())
    place = law
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return json.dumps(law)


MAY_LACK = (
    ["family", "prunable"],
    ["family", "parameters"],
    ["columns"],
    ["fit", "notes", 0],
    ["unpruned", "notes", 0],
)
"""Tables of which a part may be missing."""


def test_no_field_may_be_of_another_type_or_missing() -> None:
    """Each in turn: replaced by a table of a list, which nothing is, and left out."""
    for path in paths(json.loads(stored())):
        above, key = [*path[:-1]], path[-1]
        if path[:2] != ("family", "parameters"):
            assert told(with_value({"x": [[]]}, *path)), path
        if isinstance(key, str) and above not in MAY_LACK:
            assert told(without(*path)), path


def test_a_file_that_was_cut_is_refused() -> None:
    for end in (0, 1, 30, 1000, len(stored()) - 1):
        assert "not JSON" in told(stored()[:end])
    assert "not JSON" in told('{"kind": "scaling-fit", "schema": 1, "fit": ' + "[" * 100_000)
    assert forms_in("[" * 100_000) == []
    assert "found no fit" in told("[]")
    assert "schema 2 is not known here; allowed: 1" in told(with_value(2, "schema"))


EDITED: list[tuple[Any, tuple[Any, ...], str]] = [
    (-1.0, ("fit", "parameters", "gamma"), "field 'fit.parameters.gamma': found -1; allowed: 0.001 to 20"),
    (0.0, ("fit", "parameters", "p"), "field 'fit.parameters.p': found 0; allowed: 1e-12 to 1e+12"),
    (None, ("fit", "parameters", "gamma"), "field 'fit.parameters.gamma': found null; allowed: a valid number"),
    ("x", ("fit", "freedom"), "field 'fit.freedom': found 'x'; allowed: a valid integer"),
    (True, ("fit", "starts"), "field 'fit.starts': found True; allowed: a valid integer"),
    (None, ("fit", "spread"), "field 'fit.spread': found null; allowed: a valid number"),
    (float("nan"), ("fit", "mu"), "field 'fit.mu': found nan; allowed: a finite number"),
    (-0.1, ("fit", "sigma"), "field 'fit.sigma': allowed: 0 and above"),
    (1.2, ("fit", "reached"), "field 'fit.reached': allowed: a share, 0 to 1"),
    ([[0.1]] * 3, ("fit", "factor"), "field 'fit.factor': allowed: a row for each free coefficient"),
    ([[0.1]], ("fit", "undetermined"), "field 'fit.undetermined': allowed: rows of a number for each free"),
    ([[0.5, 0.1], [0.1, 0.1]], ("fit", "spreads"), "field 'fit.spreads': allowed: densities, rising"),
    ([], ("fit", "spreads"), "field 'fit.spreads': allowed: densities, rising"),
    ({}, ("fit", "ranges"), "field 'fit.ranges.density': is missing"),
    (3.0, ("fit", "parameters", "psy"), "'fit.parameters.psy': is nothing of form 'rosenfeld'; did you mean 'psi'"),
    ({"error_up": 0.8}, ("fit", "fixed"), "field 'fit.fixed.error_up': found 0.8, and 0.9 in"),
    ([3.0, 2.0], ("fit", "intervals", "psi"), "field 'fit.intervals': allowed: a lower and an upper end"),
    ("rosenfelt", ("fit", "form"), "there is no form 'rosenfelt'; did you mean 'rosenfeld'"),
    ("frantar", ("fit", "form"), "field 'fit.parameters.a': is missing"),
    ("rosenfeld-network", ("fit", "form"), "field 'fit.parameters.phi': is nothing of form 'rosenfeld-network'"),
    (-1.0, ("unpruned", "parameters", "beta"), "field 'unpruned.parameters.beta': found -1; allowed: 0.001 to 10"),
    ([], ("columns",), "field 'columns': found []; allowed: an object"),
    ([0.5], ("columns", "density"), "column 'error' has 36 rows, 'density' has 1"),
    (1.5, ("columns", "error_unpruned", 3), "column 'error_unpruned', row 4: found 1.5; allowed: a fraction"),
    (None, ("columns", "depth", 3), "column 'depth', row 4: found null; allowed: a number"),
    (1e300, ("columns", "network", 3), "column 'network', row 4: found 1e+300; allowed: a whole number"),
    (10**400, ("fit", "clusters"), "field 'fit.clusters': allowed: 0, or 2 to the networks"),
    (0, ("columns", "density", 3), "column 'density', row 4: found 0; allowed: the share"),
    (-9, ("columns", "prunable", 3), "column 'prunable', row 4: found -9; allowed: a whole number of weights"),
    (0, ("columns", "prunable", 3), "column 'prunable', row 4: found 0; allowed: a whole number of weights"),
    (None, ("columns", "network", 0), "column 'network', row 1: found null; allowed: a number"),
    (0.5, ("columns", "network", 0), "column 'network', row 1: found 0.5; allowed: a whole number"),
    (None, ("columns", "error", 0), "column 'error', row 1: found null; allowed: a number"),
    (["tall"], ("family", "scales"), "field 'family.scales[0]': found 'tall'; allowed: 'depth' or 'width'"),
    (0, ("family", "classes"), "field 'family.classes': found 0; allowed: greater than or equal to 1"),
    ([3], ("family", "input"), "field 'family.input': found [3]; allowed: "),
    ("bias", ("family", "prunable", "of"), "field 'family.prunable.of': found 'bias'; allowed: 'weights' or 'conv"),
    (["weights"], ("family", "prunable", "of"), "field 'family.prunable.of': found ['weights']; allowed: 'weights'"),
    (1, ("family", "x"), "field 'family.x' is none of a fit"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "path", "said"), EDITED, ids=[" ".join(map(str, p)) for _, p, _ in EDITED])
def test_what_was_edited_is_named(value: Any, path: tuple[Any, ...], said: str) -> None:
    assert said in told(with_value(value, *path))


def without_a_row(law: dict[str, Any]) -> None:
    for name, values in law["columns"].items():
        law["columns"][name] = values[:-1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_a_row, "columns have 35 rows; field 'fit.points' says 36"),
        (lambda law: law["columns"].pop("error_unpruned"), "column 'error_unpruned' is missing"),
        (lambda law: law["fit"].pop("mu"), "field 'fit.mu' is missing"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(change: Callable[[Any], Any], said: str) -> None:
    law = copy.deepcopy(json.loads(stored()))
    change(law)
    assert said in told(json.dumps(law))


def test_a_fit_alone_is_read_by_the_same_rules() -> None:
    text = json.dumps(json.loads(stored())["fit"])
    assert fit_of(text, FORMS).fixed == {"error_up": 0.9}
    with pytest.raises(FitError, match="field 'mu': found 'x'; allowed: a valid number"):
        fit_of(json.dumps({**json.loads(text), "mu": "x"}), FORMS)
