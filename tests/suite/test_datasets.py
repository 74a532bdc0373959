"""Data sets with parameters in a suite: one canonical spelling, labels, filters, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prunebench.suite import Cell, Suite

Text = Callable[..., str]
Cells = Callable[..., list[Cell]]


@pytest.fixture
def cells(suite: Text, load: Callable[[str], Suite], host: Any) -> Cells:
    """The cells of a suite of one matrix, with keys changed."""
    return lambda **keys: list(load(suite(**keys)).cells)


def test_a_data_set_is_spelled_by_name_and_what_differs_from_its_defaults(cells: Cells) -> None:
    """In the order of its parameters, whatever the order in the file; defaults that are written count not."""
    tables = ['{name = "folder", size = 32, path = "flowers"}', '{name = "folder", path = "flowers"}']
    for table, wanted in zip(tables, ["folder[path=flowers,size=32]", "folder[path=flowers]"], strict=True):
        assert {c.dataset for c in cells(dataset=table)} == {wanted}
    assert {c.dataset for c in cells(dataset='{name = "folder", size = 64}')} == {"folder"}
    assert {c.dataset for c in cells(dataset='{name = "mnist"}')} == {"mnist"}


def test_labels_are_the_table_or_the_name_chosen_for_it(cells: Cells) -> None:
    """Tables show `as`; without it, name and parameters as they are written. Names of cells follow."""
    found = cells(
        dataset='["mnist", {name = "folder", path = "a", as = "flowers"}, {name = "folder", path = "b"}]'
    )
    assert list(dict.fromkeys(c.labels["dataset"] for c in found)) == ["mnist", "flowers", "folder[path=b]"]
    names = ["resnet20-mnist-none-d1-s0", "resnet20-flowers-none-d1-s0", "resnet20-folder-none-d1-s0"]
    assert [c.name for c in found if c.density == "1"] == names


def test_only_and_exclude_name_data_sets_by_label_or_name(cells: Cells) -> None:
    """A label names one of them, the name all that were made of it."""
    dataset = '["mnist", {name = "folder", path = "a", as = "flowers"}, {name = "folder", path = "b"}]'

    def left(**keys: str) -> set[str]:
        return {c.labels["dataset"] for c in cells(dataset=dataset, **keys)}

    assert left(only='[{dataset = "flowers"}]') == {"flowers"}
    assert left(only='[{dataset = "folder"}]') == {"flowers", "folder[path=b]"}
    assert left(exclude='[{dataset = "folder[path=b]"}]') == {"mnist", "flowers"}


CHECK = '[[check]]\nname = "c"\nof = {method = "snip"}\nagainst = 1\nexpect = "above"\nrange = "all"\n'


def test_the_settings_of_a_check_are_named_by_label(load: Callable[[str], Suite], suite: Text) -> None:
    """`where` knows the data sets' labels."""
    dataset = '["mnist", {name = "folder", path = "a", as = "flowers"}]'
    load(suite(dataset=dataset, more=CHECK + 'where = {dataset = "flowers"}'))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            '{name = "folder", pth = "x"}',
            "matrix[0].dataset.pth: is no parameter of data set 'folder'; did you mean 'path'? "
            "allowed: examples, path, size",
        ),
        (
            '{name = "folder", size = "big"}',
            "matrix[0].dataset.size: found 'big'; allowed: a whole number (the default is 64)",
        ),
        (
            '{name = "foldr"}',
            "matrix[0].dataset.name: found 'foldr', which is no data set; did you mean 'folder'? "
            "allowed: cifar10, folder, mnist",
        ),
        (
            '["folder", {name = "folder", size = 64}]',
            "matrix[0].dataset[1]: 'folder[size=64]' is matrix[0].dataset[0] 'folder' again",
        ),
        (
            '[{name = "folder", path = "a", as = "x"}, {name = "folder", path = "b", as = "x"}]',
            "matrix[0].dataset[1]: the label 'x' is matrix[0].dataset[0]'s too; allowed: another one, with as = …",
        ),
    ],
)
def test_bad_data_sets_are_refused_with_what_is_allowed(
    problems: Callable[[str], list[str]], suite: Text, value: str, message: str
) -> None:
    """A line each: the key, what was found, the nearest name, what is allowed."""
    assert problems(suite(dataset=value)) == [f"s.toml: {message}"]


def test_a_label_stands_for_one_data_set_in_all_matrices(
    problems: Callable[[str], list[str]], suite: Text
) -> None:
    """In a table two data sets of one label would be one row."""
    other = suite("", name='"other"', dataset='{name = "folder", path = "b", as = "x"}')
    found = problems(suite(dataset='{name = "folder", path = "a", as = "x"}', more=other))
    assert any("the label 'x' stands for something else in" in line for line in found)
