"""Numbers that are none: told beside everything else that is wrong with a file."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("old", "new", "path", "found"),
    [
        ("sparsities = [0.5]", "sparsities = [0.5, nan]", "matrix[0].sparsities[1]", "nan"),
        ("sparsities = [0.5]", "sparsities = {keep = inf, count = 2}", "matrix[0].sparsities.keep", "inf"),
        ('recipe = "short"', 'recipe = {name = "short", lr = nan}', "matrix[0].recipe.lr", "nan"),
        ('methods = ["snip"]', 'methods = ["snip"]\nfind = [{lr = -inf}]', "matrix[0].find[0].lr", "-inf"),
        ('methods = ["snip"]', 'methods = ["snip"]\nscore_at = [{epoch = nan}]', "matrix[0].score_at[0].epoch", "nan"),
    ],
)  # fmt: skip
def test_a_number_that_is_not_finite_hides_no_other_problem(
    old: str, new: str, path: str, found: str, problems: Callable[[str], list[str]]
) -> None:
    """It is told once, and so is a method that does not exist."""
    text = SUITE.replace(old, new).replace('"snip"]', '"snap"]')
    assert new.replace("snip", "snap") in text
    lines = problems(text)
    assert len(lines) == 2, lines
    assert any(f"{path}: found {found}; allowed: a finite number" in line for line in lines)
    assert any("methods[0]: found 'snap', which is no method" in line for line in lines)


SUITE = """
schema = 1
name = "one"
version = "1"

[[matrix]]
name = "main"
architecture = "resnet20"
dataset = "mnist"
recipe = "short"
methods = ["snip"]
sparsities = [0.5]
seeds = 1
"""
