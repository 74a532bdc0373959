"""What a record and its provenance hold, and do not."""

from __future__ import annotations

import getpass
import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import prunebench
from prunebench.engine.failures import JobFailed
from prunebench.host.components import Origin
from prunebench.jobs.provenance import provenance


@pytest.fixture
def run(project: Any) -> Any:
    return project.run(project.suite(["snip"], measures=["layer-sparsity"]))


def test_a_record_holds_counts_and_the_mask_layer_by_layer(run: Any) -> None:
    """Kept weights add up to round(density · prunable); accuracy is a count of the whole test part."""
    result = run.store.read_record(run.plan.cells[-1].key).result
    layers = result["mask"]["layers"]
    assert sum(layer["kept"] for layer in layers) == result["mask"]["kept"] == round(0.5 * 6464)
    assert [layer["prunable"] for layer in layers] == [64 * 64, 64 * 32, 32 * 10]
    assert result["test"]["examples"] == 355
    assert result["curve"][-1]["correct"] == result["test"]["correct"]


def test_provenance_is_an_allow_list_without_paths_hosts_or_users(project: Any, run: Any) -> None:
    """Only the agreed entries; no path, no host name, no user name anywhere in the record."""
    record = run.store.read_record(run.plan.cells[-1].key)
    assert set(record.provenance) == {
        "suite",
        "components",
        "plugins",
        "software",
        "numerics",
        "normalization",
        "hardware",
        "time",
        "commit",
    }
    text = json.dumps({"result": record.result, "provenance": record.provenance})
    assert str(project.folder) not in text
    assert str(Path.home()) not in text
    assert socket.gethostname() not in text
    assert f'"{getpass.getuser()}"' not in text


def test_provenance_says_which_plugins_were_loaded(run: Any) -> None:
    """Distributions with version and entry points; a plugin file's name and digest, not where it lies."""
    host = run.context.host
    assert run.store.read_record(run.plan.cells[-1].key).provenance["plugins"] == [
        {
            "distribution": "prunebench",
            "version": prunebench.__version__,
            "entries": [origin.plugin for origin in host.plugins],
        }
    ]
    others = [Origin("/home/somebody/mine.py", digest="ab"), Origin("extra", "my-pruning", "1.2")]
    run.context.host = SimpleNamespace(plugins=others)
    try:
        found = provenance(run.context, {"numerics": "x"})["plugins"]
    finally:
        run.context.host = host
    assert found == [
        {"file": "mine.py", "digest": "ab"},
        {"distribution": "my-pruning", "version": "1.2", "entries": ["extra"]},
    ]


def test_provenance_holds_the_mean_and_deviation_in_use(run: Any) -> None:
    """Those that the data set declares, or that were computed from its training images."""
    found = run.store.read_record(run.plan.cells[-1].key).provenance["normalization"]
    digits = run.context.host.dataset("digits")
    assert found == {"mean": list(digits.mean), "std": list(digits.std)}


def test_provenance_names_every_component_that_the_cell_used(run: Any) -> None:
    """Scorer, network, initialization and data set are there with their identities, and nobody else's."""
    components = run.store.read_record(run.plan.cells[-1].key).provenance["components"]
    assert {label.split()[0] for label in components} == {
        "architecture",
        "dataset",
        "recipe",
        "data",
        "initialization",
        "scorer",
    }
    assert components["scorer snip"] == {"name": "snip", "version": "1"}


def test_the_provenance_of_a_measure_names_its_diagnostic(run: Any) -> None:
    """With its identity, beside what the cell used."""
    measure = run.store.read_measure(run.plan.cells[-1].targets[1])
    components = measure.provenance["components"]
    assert components["diagnostic layer-sparsity"]["name"] == "layer-sparsity"
    assert "scorer snip" in components


def test_a_measure_lies_beside_the_record_and_agrees_with_its_mask(run: Any) -> None:
    """The layers' sparsities that the diagnostic gives are those of the record's counts."""
    cell = run.plan.cells[-1]
    measured = run.store.read_measure(cell.targets[1]).result
    layers = run.store.read_record(cell.key).result["mask"]["layers"]
    assert [layer["sparsity"] for layer in measured["value"]["layers"]] == pytest.approx(
        [1 - layer["kept"] / layer["prunable"] for layer in layers]
    )


DATA = '''
import numpy as np
import torch
import prunebench
from prunebench import Dataset

def load(root, part):
    """Two kinds of noise."""
    n = 64 if part == "train" else 32
    labels = torch.arange(n) % 2
    images = (torch.arange(n * 16).reshape(n, 1, 4, 4) * 7 % 256 * (1 - labels.view(-1, 1, 1, 1))).to(torch.uint8)
    shift = int((root / "shift").read_text())
    return images + shift, labels

@prunebench.hookimpl
def prunebench_datasets():
    return [Dataset("noise", load, shape=(1, 4, 4), classes=2, train=64, test=32, mean=(0.5,), std=(0.25,))]
'''


@pytest.fixture
def noise(project: Any) -> Any:
    """A suite on a plugin's data set whose content depends on a file under the data root."""
    plugin = project.folder / "noise.py"
    plugin.write_text(DATA)
    (project.folder / "data").mkdir()
    (project.folder / "data" / "shift").write_text("0")
    path = project.suite(["magnitude"])
    path.write_text(path.read_text().replace('dataset = "digits"', 'dataset = "noise"'))
    project.options = {"plugins": (str(plugin),)}
    return path


def test_changed_data_is_another_fingerprint_and_other_cells(project: Any, noise: Path) -> None:
    """A data set without a declared fingerprint is fingerprinted by its content."""
    before = [cell.key for cell in project.session(noise).plan.cells]
    assert [cell.key for cell in project.session(noise).plan.cells] == before
    (project.folder / "data" / "shift").write_text("1")
    assert set(before).isdisjoint(cell.key for cell in project.session(noise).plan.cells)


def test_data_that_changed_since_the_plan_was_made_fails_the_job(project: Any, noise: Path) -> None:
    """Training never reads other data than the plan says; nothing is recorded."""
    engine = project.engine(noise)
    (project.folder / "data" / "shift").write_text("1")
    with pytest.raises(JobFailed, match="has changed since the plan was made"):
        engine.make(engine.plan.cells[0])
    assert engine.store.record_keys() == set()
