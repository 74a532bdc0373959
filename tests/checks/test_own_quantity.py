"""A quantity of one's own, in one file, as docs/plugins.md shows it: asked for by a suite that names the file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from prunebench import Curves
from prunebench.checks.quantities import numbers
from prunebench.errors import SuiteError
from prunebench.host import Host
from prunebench.suite import load_suite

DOCS = Path(__file__).parents[2] / "docs" / "plugins.md"

SUITE = """
schema = 1
name = "mine"
version = "1"

[[matrix]]
name = "main"
architecture = "lenet-300-100"
dataset = "mnist"
recipe = "pai-lenet"
methods = ["snip", "random"]
sparsities = [0.5, 0.9]
seeds = 2

[[check]]
name = "snip-loses-less"
quantity = {name = "area-lost", beyond = 0.5}
of = {method = "random"}
against = {method = "snip"}
range = "all"
expect = "above"
margin = 0.01
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The documented plugin file."""
    section = DOCS.read_text(encoding="utf-8").split("## prunebench_quantities")[1]
    path = tmp_path / "mine.py"
    path.write_text(re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0], encoding="utf-8")
    return path


def test_a_documented_quantity_is_asked_for_by_a_check(mine: Path) -> None:
    """The suite loads with the file, and is told that it may be lacking one without it."""
    path = mine.with_name("mine.toml")
    path.write_text(SUITE, encoding="utf-8")
    (check,) = load_suite(path, Host.load(plugins=[mine], third_party=False)).checks
    assert check.quantity.model_dump() == {"name": "area-lost", "beyond": 0.5}
    with pytest.raises(
        SuiteError, match=r"found 'area-lost', which is no quantity; .*plugins = \[\"mine.py\"\]"
    ):
        load_suite(path, Host.load(third_party=False))


def test_its_numbers_are_those_of_the_formula(mine: Path) -> None:
    """Two seeds that lose 1 and 3 points at both sparsities, 0.4 apart."""
    quantity = Host.load(plugins=[mine], third_party=False).get("quantity", "area-lost")
    accuracy = np.array([[97.0, 95.0], [97.0, 95.0]])
    curves = Curves(
        sparsities=np.array([0.9, 0.5]),
        steps=np.full(2, np.nan),
        seeds=(0, 1),
        accuracy=accuracy,
        diverged=np.zeros((2, 2)),
        planned=np.ones((2, 2), dtype=bool),
        dense=np.full(2, 98.0),
        margin=0.5,
        weights=np.ones((1, 2)),
    )
    np.testing.assert_allclose(numbers(quantity, curves, {}), [0.4, 1.2])
    np.testing.assert_allclose(numbers(quantity, curves, {"beyond": 0.6}), [0.0, 0.0])


def test_the_field_of_a_measure_may_have_a_default(tmp_path: Path) -> None:
    """It is the one that is read where a check gives none, so the suite has to have its measure."""
    (tmp_path / "mine.py").write_text(
        "import prunebench\n\n\n"
        "def early(curves, *, of='layer-sparsity.early'):\n    return curves.measures[of].mean(axis=0)\n\n\n"
        "@prunebench.hookimpl\ndef prunebench_quantities():\n"
        "    return [prunebench.Quantity('early', early, 'seeds', field='of')]\n"
    )
    path, host = tmp_path / "mine.toml", Host.load(plugins=[tmp_path / "mine.py"], third_party=False)
    suite = SUITE.replace('{name = "area-lost", beyond = 0.5}', '"early"')
    path.write_text(suite)
    with pytest.raises(SuiteError, match="found 'layer-sparsity', which is no measure of this suite"):
        load_suite(path, host)
    path.write_text(suite.replace("seeds = 2", 'seeds = 2\nmeasures = ["layer-sparsity"]'))
    assert load_suite(path, host).checks[0].quantity == "early"
