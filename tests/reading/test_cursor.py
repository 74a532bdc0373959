"""A cursor: key paths as the file spells them, problems noted once each."""

from __future__ import annotations

import pytest

from prunebench.errors import SuiteError
from prunebench.reading import Cursor, Problems
from prunebench.reading.tables import Table

CONTENT = {"matrix": [{"recipe": "short", "methods": ["snip", {"method": "grasp"}]}], "lr": 1}


class Recipe(Table):
    epochs: int
    momentum: float = 0.0


@pytest.fixture
def here() -> Cursor:
    return Cursor(Problems("s.toml", CONTENT))


def test_a_problem_has_file_key_path_and_message(here: Cursor) -> None:
    """Going further in spells the key path as TOML has it."""
    here.at("matrix", 0, "methods", 1, "method").problem("is bad")
    (here / "matrix" / 0).problem("is bad too")
    here.problem("is bad as a whole")
    assert here.problems.lines == [
        "s.toml: matrix[0].methods[1].method: is bad",
        "s.toml: matrix[0]: is bad too",
        "s.toml: is bad as a whole",
    ]
    with pytest.raises(SuiteError, match=r"^s.toml: matrix\[0\].methods\[1\].method: is bad\ns.toml"):
        here.problems.raise_all()


def test_an_index_into_a_single_value_is_left_out(here: Cursor) -> None:
    """`recipe = "short"` stands for a list of one: the file has no recipe[0]."""
    assert here.at("matrix", 0, "recipe", 0).path == "matrix[0].recipe"
    assert here.at("matrix", 0, "methods", 0).path == "matrix[0].methods[0]"


def test_a_problem_is_told_once_and_counted_each_time(here: Cursor) -> None:
    """Who asks whether something went wrong learns it, whether or not it was told before."""
    for _ in range(2):
        before = here.noted
        (here / "lr").problem("is bad")
        assert here.noted == before + 1
    assert here.problems.lines == ["s.toml: lr: is bad"]


def test_one_problem_of_several_members_names_the_first(here: Cursor) -> None:
    """A table that stands for several says in which of them something is wrong."""
    for member in ("matrix 'a'", "matrix 'b'", "matrix 'c'"):
        here.of(member, CONTENT).at("lr").problem("is bad")
    here.of("matrix 'b'", CONTENT).at("schema").problem("is missing")
    assert here.problems.lines == [
        "s.toml: lr: is bad (matrix 'a' and 2 more)",
        "s.toml: schema: is missing (matrix 'b')",
    ]


def test_a_key_may_stand_elsewhere_in_the_file(here: Cursor) -> None:
    """What overrides give is read as part of the recipe, and told of where it stands."""
    place = here.at("matrix", 0, "recipe").moved({"lr": here / "lr"})
    assert [(place / key).path for key in ("lr", "epochs")] == ["lr", "matrix[0].recipe"]
    assert [place.spelled(key).location for key in ("lr", "epochs")] == [("lr",), place.location]


def test_a_settled_value_has_no_further_problems(here: Cursor) -> None:
    """Nor has the list that it is directly in."""
    here.problems.settle(("matrix", 0, "methods", 1))
    here.at("matrix", 0, "methods", 1).problem("is bad")
    here.at("matrix", 0, "methods").problem("is bad")
    assert not here.problems
    here.at("matrix", 0, "recipe").problem("is bad")
    assert here.problems


def test_nobody_is_told_of_problems_aside(here: Cursor) -> None:
    """What is only tried leaves nothing behind."""
    here.aside().problem("is bad")
    assert (here.noted, here.problems.lines) == (0, [])


def test_a_table_becomes_a_model_or_problems(here: Cursor) -> None:
    """Each key that is wrong has a line with what was found and what is allowed."""
    assert here.validate(Recipe, {"epochs": 2}) == Recipe(epochs=2)
    assert here.validate(Recipe, {"lr": "0.1", "momentum": True}) is None
    assert here.problems.lines == [
        "s.toml: epochs: is missing",
        "s.toml: momentum: found true; allowed: a number",
        "s.toml: lr: is no key here; allowed: epochs, momentum",
    ]
