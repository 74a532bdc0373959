"""A quantity of one's own, in one file, as docs/plugins.md shows it: asked for by a suite that names the file."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prunebench import Curves, Quantity
from prunebench.checks.quantities import numbers
from prunebench.errors import ComponentError, PluginError, SuiteError
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
    """Two seeds that lose 1 and 3 points at both sparsities, 0.4 apart; one sparsity has no area."""
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
    np.testing.assert_allclose(numbers(quantity, curves, {"beyond": 0.6}), [np.nan, np.nan])


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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('axis="x"', "axis = 'x' is no keyword-only parameter of the function, nor what a curve can be read along; "
         "allowed: along, of, score_at, sparsity, to"),
        ('axis="Sparsity"', "axis = 'Sparsity' .*did you mean 'sparsity'"),
        ('selections="to"', "selections must be a tuple of parameters' names, found 'to'"),
        ('selections=("zz",)', "selections has 'zz', which is no keyword-only parameter of the function; allowed: "),
        ("selections=(1,)", "selections has 1, which is no keyword-only parameter"),
        ('field="off"', "field = 'off' is no keyword-only parameter of the function; did you mean 'of'"),
        ('field="of", fields="of"', "field and fields are both given; allowed: one of them"),
        ("tests=mean", "tests are of mean curves: inference must be 'curve', found 'seeds'"),
        ('points="yes"', "points must be True or False, found 'yes'"),
    ],
)  # fmt: skip
def test_a_quantity_that_says_what_its_function_does_not_is_refused(
    fields: str, message: str, tmp_path: Path
) -> None:
    """When it is registered, in a sentence."""
    text = (
        "import prunebench\n"
        "def mean(curves, *, of='x.y', along='sparsity', to=None):\n    return curves.accuracy.mean(axis=0)\n"
        "@prunebench.hookimpl\ndef prunebench_quantities():\n"
        "    return [prunebench.Quantity('mine', mean, 'seeds', {})]\n"
    )
    path = tmp_path / "mine.py"
    path.write_text(
        text.format('axis="along", field="of", selections=("to",), points=True'), encoding="utf-8"
    )
    Host.load(plugins=[path], third_party=False)
    path.write_text(text.format(fields), encoding="utf-8")
    with pytest.raises(PluginError, match=f"quantity 'mine': {message}"):
        Host.load(plugins=[path], third_party=False)


CURVES = Curves(
    sparsities=np.array([0.5]),
    steps=np.full(1, np.nan),
    seeds=(0, 1),
    accuracy=np.array([[97.0, 95.0]]),
    diverged=np.zeros((1, 2)),
    planned=np.ones((1, 2), dtype=bool),
    dense=np.full(2, 98.0),
    margin=0.5,
    weights=np.ones((1, 2)),
)


def _fails(curves: Curves) -> object:
    return {}["absent"]


def _leaves(curves: Curves) -> object:
    sys.exit("left")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_fails, r"^quantity 'mine' failed: KeyError: 'absent'\n  at .*test_own_quantity.py:\d+: return {}"),
        (_leaves, r"^quantity 'mine' failed: SystemExit: left\n  at .*test_own_quantity.py:\d+: sys.exit"),
        (lambda curves: curves.accuracy[0] * 1j, "^quantity 'mine' must return numbers, found complex numbers$"),
        (lambda curves: [1j, 2.0], "^quantity 'mine' must return numbers, found complex numbers$"),
        (lambda curves: ["1.5", "2"], "^quantity 'mine' must return numbers, found list$"),
        (lambda curves: [[1.0], [1.0, 2.0]], "^quantity 'mine' must return numbers, found list$"),
    ],
)  # fmt: skip
def test_a_quantity_that_fails_is_told_by_its_name(function: Any, message: str) -> None:
    """With the line in which it failed, as other components; what is no real number is none of its answers."""
    with pytest.raises(ComponentError, match=message):
        numbers(Quantity("mine", function, "seeds"), CURVES, {})
