"""Families in a plan: which networks and methods a law is drawn of without being asked."""

from __future__ import annotations

from typing import Any

from little_suites import LAW, plan

from prunebench.inventory.family import examples_of_plan, families_of

SUITE = """
schema = 1
name = "family"
version = "1"

[[matrix]]
name = "main"
architecture = [{name = "lenet-300-100", width = 0.02}, {name = "lenet-300-100", width = 0.04}]
dataset = [{name = "digits", examples = 360}, "digits"]
recipe = {name = "digits", epochs = 1}
methods = ["random", "magnitude"]
densities = [0.5, 0.2, 0.1]
seeds = 2

[[matrix]]
name = "alone"
architecture = "digits-mlp"
dataset = "digits"
recipe = {name = "digits", epochs = 1}
methods = ["random"]
densities = [0.5, 0.2, 0.1]
seeds = 1
"""


def test_a_family_is_of_one_method_on_networks_of_any_size_and_data(project: Any) -> None:
    """Four networks of two widths and two amounts of data; one network alone is no family."""
    made = families_of(plan(project, SUITE))
    assert [family.title for family in made] == [
        "lenet-300-100 on digits, random",
        "lenet-300-100 on digits, magnitude",
    ]
    for family in made:
        assert len({cell.key for cell in family.cells}) == len(family.cells) == 2 * 2 * 3 * 2
        assert {cell.labels["method"] for cell in family.cells} == {family.method}


def test_too_few_networks_or_densities_are_no_family(project: Any) -> None:
    assert families_of(plan(project, SUITE.replace(', "digits"]', "]"))) == []
    assert families_of(plan(project, SUITE.replace("[0.5, 0.2, 0.1]", "[0.5, 0.2]"))) == []


def test_of_two_recipes_there_are_two_families_that_say_so(project: Any) -> None:
    first = SUITE.partition('[[matrix]]\nname = "alone"')[0]
    second = first.partition("[[matrix]]")[2].replace("epochs = 1", "epochs = 2").replace('"main"', '"other"')
    titles = [family.title for family in families_of(plan(project, f"{first}[[matrix]]{second}"))]
    assert len(set(titles)) == len(titles) == 4
    assert all("epochs=" in title for title in titles)


def test_how_many_examples_there_are_is_asked_only_where_nothing_says_it(project: Any) -> None:
    """A part says it itself, less the tenth that is held out; the plan has it where a check reads it."""
    asked: list[str] = []

    def whole(dataset: str) -> float:
        asked.append(dataset)
        return 1000.0

    examples = examples_of_plan(plan(project, SUITE), whole)
    assert (examples("digits[examples=360]", "test"), examples("digits[examples=360]", "val")) == (360, 324)
    assert asked == []
    assert (examples("digits", "test"), examples("digits[examples=0.25]", "val")) == (1000, 225)
    assert asked == ["digits", "digits"]
    known = examples_of_plan(plan(project, SUITE + LAW), whole)
    assert (known("digits", "test"), len(asked)) == (1442, 2)
