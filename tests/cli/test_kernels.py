"""`--kernels sparse`: what kept weights alone compute says so, and is never mixed with the rest in silence."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from prunebench.store import Store
from prunebench.training.kernels import sparse

from .conftest import Place

pytestmark = pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="sparse kernels are MKL's")

SUITE = """
schema = 1
name = "kernels"
version = "1"

[[matrix]]
name = "main"
architecture = "digits-mlp"
dataset = "digits"
recipe = {name = "digits", epochs = 1}
methods = ["random", "snip"]
sparsities = [0.9]
seeds = 1
"""


@pytest.fixture
def suite(place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    """A suite of two pruned cells and a dense one; layers of 64 inputs are large enough."""
    monkeypatch.setattr(sparse, "WEIGHTS", 1000)
    return place.write("kernels.toml", SUITE)


def classes(place: Place, suite: str) -> Mapping[str, str]:
    """Return the numerics class of each record that is there, by its cell's method."""
    cells = [cell for cell in place.json("plan", suite)["cells"] if cell["status"] == "done"]
    store = Store.open(place.store)
    return {cell["method"]: store.read_record(cell["key"]).provenance["numerics"] for cell in cells}


def test_only_networks_that_are_computed_so_are_of_the_class(place: Place, suite: str) -> None:
    """The dense network has the bits that it has anyway, and their class."""
    said = place.call("run", suite, "--kernels", "sparse", "--no-table").stdout
    assert "kernels: sparse" in said
    assert "stay so" not in said
    found = classes(place, suite)
    assert found["random"] == found["snip"] == found["none"] + ", sparse kernels"
    assert "sparse" not in found["none"]


@pytest.mark.parametrize(("first", "then"), [("dense", "sparse"), ("sparse", "dense")])
def test_a_cell_of_another_class_is_made_again_only_when_asked(
    place: Place, suite: str, first: str, then: str
) -> None:
    """The run says how many are of which; with --again they are of the class that is asked for."""
    place.call("run", suite, "--kernels", first, "-k", "random", "--no-table")
    before = classes(place, suite)["random"]
    of_others = f"1 cell of those done was computed with {first} kernels and stays so"
    told = place.call("run", suite, "--kernels", then).stdout
    assert f"{of_others}: --again METHOD makes it with {then} ones" in told
    assert classes(place, suite)["random"] == before
    assert "Cells of 2 numerics classes are mixed here" in told
    told = place.call("run", suite, "--kernels", then, "--no-table").stdout
    assert "nothing to do" in told
    assert of_others in told
    told = place.call("run", suite, "--kernels", then, "--again", "random", "--no-table").stdout
    assert of_others not in told
    assert ("sparse kernels" in classes(place, suite)["random"]) == (then == "sparse")


def test_another_word_is_refused(place: Place, suite: str) -> None:
    """Naming those that there are; nothing is made."""
    before = place.files()
    said = place.call("run", suite, "--kernels", "spars", code=2).output
    assert "spars" in said
    assert "dense" in said
    assert place.files() == before
