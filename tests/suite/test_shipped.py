"""The suites that come with prunebench, with the built-in plugins."""

from __future__ import annotations

import re
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prunebench.plan.make import make_plan
from prunebench.suite import Suite, expand, load_suite, shipped_suites

CLAIMS = {
    "pai": [
        *(f"P{i}" for i in range(1, 7)),
        *(f"A{i}" for i in range(1, 10)),
        "E1",
        "E2",
        "E3",
        "S1",
        "S2",
        "S3",
    ],
    "pai-after-init": ["T1", "T2", "T3"],
    "pai-extreme": ["P7"],
    "pai-lenet": ["K1", "K2", "K3"],
    "pai-modified-resnet18": [f"L{i}" for i in range(1, 7)],
    "pai-replication": ["table2", "table3", "table5", "table7"],
}
"""The paper's claims that are checks, by suite. S4 (every layer's SynFlow scores sum to the path norm) is a test."""


@pytest.fixture(scope="module")
def builtin() -> Any:
    """The host with the built-in plugins alone."""
    from prunebench.host.registry import Host

    return Host.load(third_party=False)


def grid(suite: Suite, host: Any, matrix: str) -> dict[str, set[Any]]:
    """Return what the pruned cells of a matrix have on each axis."""
    cells = [c for c in expand(suite, host) if c.matrix == matrix and c.density != "1"]
    return {
        "method": {c.labels["method"] for c in cells},
        "ablations": {c.labels["ablations"] for c in cells},
        "density": {c.density for c in cells},
        "seed": {c.seed for c in cells},
    }


@pytest.mark.parametrize("name", sorted(shipped_suites()))
def test_shipped_suites_say_how_large_they_are(name: str, builtin: Any) -> None:
    """A description states the number of cells, all of it or in parts, and the name is the file's."""
    suite = load_suite(name, builtin)
    stated = [int(n) for n in re.findall(r"(\d+)\s(?:cells|more)", suite.description)]
    cells = expand(suite, builtin)
    assert sum(stated) == len(cells)
    assert suite.name == name
    assert len({(c.matrix, c.name) for c in cells}) == len(cells)


def test_the_quick_suite(builtin: Any) -> None:
    """All first methods, two networks, two sparsities, three seeds, nothing to download."""
    suite = load_suite("quick", builtin)
    assert grid(suite, builtin, "methods") == {
        "method": {"random", "magnitude", "snip", "grasp", "synflow", "magnitude-after-training", "ltr"},
        "ablations": {""},
        "density": {"0.2", "0.05"},
        "seed": {0, 1, 2},
    }
    assert {c.dataset for c in expand(suite, builtin)} == {"digits"}
    assert len({c.architecture.name for c in expand(suite, builtin)}) == 2


def test_the_suite_of_appendix_k(builtin: Any) -> None:
    """LeNet-300-100 on MNIST as in PAI: recipe, grid, ablations (tables 1 and 2, Figs. 4 and 9)."""
    suite = load_suite("pai-lenet", builtin)
    densities = {f"{round(Decimal('0.8') ** k, 12).normalize():f}" for k in range(1, 19)}
    axes = {matrix.name: grid(suite, builtin, matrix.name) for matrix in suite.matrices}
    assert all(a["density"] == densities and a["seed"] == {0, 1, 2, 3, 4} for a in axes.values())
    assert axes["ablations"]["method"] == {"magnitude", "snip", "grasp", "synflow"}
    assert axes["ablations"]["ablations"] == {
        "shuffle",
        "reinit",
        "invert",
        "fixed-variance",
        "fixed-variance-scores",
    }
    assert axes["after-training"]["method"] == {"magnitude-after-training"}
    assert axes["after-training"]["ablations"] == {"shuffle", "reinit"}
    for cell in expand(suite, builtin):
        assert (cell.architecture.name, dict(cell.architecture.parameters)) == (
            "lenet-300-100",
            {"width": 1.0},
        )
        recipe = cell.recipe
        assert (recipe.epochs, recipe.batch, recipe.lr, recipe.momentum) == (40, 128, 0.1, 0)
        assert (recipe.weight_decay, recipe.drops, recipe.init) == (0, (), "kaiming-normal")
        assert recipe.step_of("rewind", 60_000) == 0


def test_claims_of_appendix_k_are_checks(builtin: Any) -> None:
    """K1, K2 and K3 have checks, and every selection of them has cells (or the suite would not load)."""
    checks = load_suite("pai-lenet", builtin).checks
    assert {check.name.split("-")[0] for check in checks} == {"K1", "K2", "K3"}
    assert {c.claim for c in checks} == {"above", "same", None}


def test_the_test_size_has_the_same_methods(builtin: Any) -> None:
    """Two epochs, three sparsities and two seeds of the same methods and ablations."""
    small, whole = (load_suite(n, builtin) for n in ("pai-lenet-test", "pai-lenet"))
    for name in ("methods", "ablations", "after-training"):
        few, all_ = grid(small, builtin, name), grid(whole, builtin, name)
        assert (few["method"], few["ablations"]) == (all_["method"], all_["ablations"])
        assert few["density"] < all_["density"]
        assert (len(few["density"]), few["seed"]) == (3, {0, 1})
    assert {c.recipe.epochs for c in expand(small, builtin)} == {2}


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_every_claim_of_the_paper_is_a_check(name: str, builtin: Any) -> None:
    """Each claim has a check in the suite of its setting, and no check belongs to an unlisted claim."""
    checks = load_suite(name, builtin).checks
    assert {check.name.split("-")[0] for check in checks} == set(CLAIMS[name])


@pytest.mark.parametrize("name", [n for n in sorted(shipped_suites()) if n != "quick"])
def test_stated_runs_and_costs_are_the_planned_ones(name: str, builtin: Any, tmp_path: Path) -> None:
    """A suite plans in seconds without any data, and says how many networks it trains and at what cost."""
    suite = load_suite(name, builtin)
    started = time.perf_counter()
    plan = make_plan(suite, builtin, tmp_path)
    assert time.perf_counter() - started < 30
    words = " ".join(suite.description.split())
    found = re.search(r"(\d+) training runs, ([\d.]+) · 10\^(\d+) multiply-adds", words)
    assert found is not None
    assert int(found[1]) == sum(job.kind == "train" for job in plan.jobs.values())
    assert float(found[2]) * 10 ** int(found[3]) == pytest.approx(sum(plan.costs.values()), rel=0.01)
