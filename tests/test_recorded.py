"""Keys, jobs and results as they were recorded once: what is rebuilt inside must move none of them.

`PRUNEBENCH_RECORD=1 python -m pytest tests/test_recorded.py` writes them anew; whoever does so says in the
commit and in CHANGELOG.md why keys of cells that people have run may move.
"""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from prunebench.canonical import canonical, digest
from prunebench.training.numerics import numerics_class

FOLDER = Path(__file__).parent / "recorded"
SUITES = sorted(path.stem for path in (Path(__file__).parents[1] / "suites").glob("*.toml"))

METHODS: tuple[Any, ...] = (
    "random",
    "magnitude",
    "snip",
    "grasp",
    "synflow",
    "iterative-snip",
    "force",
    "grasp-inverted",
    "magnitude-after-training",
    "ltr",
    {
        "method": "gradual-magnitude",
        "as": "gradual",
        "schedule": {"gradual": {"from": "init", "to": "end", "every": 2}},
    },
    {
        "method": "snip",
        "as": "snip-erk",
        "allocation": "erk",
        "prunable": {"of": "weights", "except": ["fc3"]},
    },
    {"method": "random", "as": "random-like-snip", "allocation": {"like": "snip"}},
    {
        "method": "snip",
        "as": "late-rewind",
        "score_at": {"epoch": 1},
        "train_from": {"step": 3},
        "clock": {"step": 3},
    },
    {"method": "snip", "as": "found", "find": {"lr": 0.05}, "train_from": "init"},
)
"""A method of every shape: one shot, rounds, regrowth, gradual, an allocation like another's, find, rewinding."""

NOT_GRADUAL = "{method = 'gradual', ablation = ['shuffle', 'reinit']}"
"""It has no mask before it trains that these could alter."""

MEASURES = ("layer-sparsity", "effective-density", "training-flops", "neuron-sparsity")


def recorded(name: str, found: Any) -> Any:
    """Return what was recorded under this name; what was found becomes that where it is asked for."""
    path = FOLDER / f"{name}.json"
    if os.environ.get("PRUNEBENCH_RECORD"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return read(name)


def read(name: str) -> Any:
    """Return what was recorded under this name."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def plain(value: Any) -> Any:
    """Return a job's parameters as JSON has them, whatever holds them."""
    return json.loads(canonical(value.plain() if hasattr(value, "plain") else value))


def called(method: Any) -> str:
    """Return what the cells of a method of the list above are called by."""
    return method if isinstance(method, str) else str(method["as"])


def every_shape(project: Any) -> Path:
    path: Path = project.suite(
        METHODS,
        sparsities=[0.5, 0.9],
        ablations=["none", "shuffle", "reinit"],
        epochs=2,
        measures=MEASURES,
        more=f"exclude = [{NOT_GRADUAL}]",
    )
    return path


def test_keys_of_jobs_of_every_kind(project: Any) -> None:
    """Every job of a small suite has the key, parameters, inputs and cost that it had."""
    plan = project.session(every_shape(project)).plan
    found = {
        "cells": {cell.id: list(cell.targets) for cell in plan.cells},
        "jobs": {
            key: [job.kind, digest(plain(job.params)), list(job.inputs), plan.costs[key]]
            for key, job in plan.jobs.items()
        },
    }
    assert {kind for kind, *_ in found["jobs"].values()} == {
        "train", "score", "mask", "shuffle", "measure", "record",
    }  # fmt: skip
    assert len(found["jobs"]) > 300
    before = recorded("jobs", found)
    assert found["cells"] == before["cells"]
    assert found["jobs"] == before["jobs"]


@pytest.mark.parametrize("name", SUITES)
def test_keys_of_a_shipped_suite(name: str, project: Any) -> None:
    """Its cells have the names, keys, measures, labels, counts and costs that they had."""
    plan = project.session(Path(__file__).parents[1] / "suites" / f"{name}.toml").plan
    cells = [
        [c.id, c.key, *c.targets, dict(c.labels), c.density, c.seed, c.prunable, c.cost, *c.parts]
        for c in plan.cells
    ]
    jobs = [
        [key, job.kind, job.params.plain(), job.inputs, plan.costs[key]] for key, job in plan.jobs.items()
    ]
    found = {
        "cells": digest(sorted(cells, key=lambda cell: str(cell[0]))),
        "jobs": digest(sorted(jobs)),
        "identities": digest(plan.identities),
        "count": [len(cells), len(jobs)],
        "torchvision": version("torchvision").partition("+")[0],
    }
    before = recorded(f"suite-{name}", found)
    if found["torchvision"] != before["torchvision"]:  # it is part of the identity of its networks
        pytest.skip(f"recorded with torchvision {before['torchvision']}")
    assert found == before


ALTERED = ("snip", "grasp-inverted", "random-like-snip", "late-rewind", "ltr")
"""Methods whose masks are altered in the quick test of results; in the slow one all are."""


@pytest.mark.parametrize("whole", [pytest.param(True, marks=pytest.mark.slow), False])
def test_results_of_a_small_run(project: Any, whole: bool) -> None:
    """Every record and measure of a small run has the bits that it had, in the numerics class of then."""
    plain = [called(method) for method in METHODS if not whole and called(method) not in ALTERED]
    unaltered = f", {{method = {plain}, ablation = ['shuffle', 'reinit', 'invert']}}" if plain else ""
    path = project.suite(
        METHODS,
        sparsities=[0.9],
        ablations=["none", "shuffle", "reinit", "invert"],
        epochs=2,
        measures=MEASURES,
        more=f"exclude = [{NOT_GRADUAL}, {{method = 'grasp-inverted', ablation = ['none', 'invert']}}{unaltered}]",
    )
    engine = project.run(path)
    found: dict[str, Any] = {"class": str(numerics_class("cpu", 1)), "digests": {}, "kept": {}}
    for cell in engine.plan.cells:
        record = engine.store.read_record(cell.key)
        measures = [engine.store.read_measure(key).digest for key in cell.targets[1:]]
        found["digests"][cell.id] = [record.digest, *measures]
        found["kept"][cell.id] = record.result.get("mask", {}).get("kept")
    before = recorded("results", found) if whole else read("results")
    assert len(found["kept"]) == len(before["kept"]) if whole else len(found["kept"]) > 20
    for kind in ("kept", "digests"):
        before[kind] = {cell: before[kind][cell] for cell in found[kind]}
    assert found["kept"] == before["kept"]
    if found["class"] != before["class"]:
        pytest.skip(f"recorded in the numerics class {before['class']}")
    assert found["digests"] == before["digests"]
