"""Cells whose scores rank nothing fail with the reason; what is no error is said in the job's log."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from prunebench.analysis import table
from prunebench.engine.failures import JobFailed
from prunebench.inventory.rows import rows
from prunebench.report.leaderboard import leaderboard
from prunebench.report.results import Results

PLUGIN = """
import torch
from torch import nn
import prunebench


def nothing(net, batch, rng):
    return {name: torch.zeros_like(w) for name, w in net.weights.items()}


def little(net, batch, rng):
    return {name: (torch.arange(w.numel()) < 50).double().view(w.shape) for name, w in net.weights.items()}


def build(input_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, classes), nn.Softmax(1))


@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("nothing", nothing, version="1"), prunebench.Scorer("little", little, version="1")]


@prunebench.hookimpl
def prunebench_architectures():
    return [prunebench.Architecture("softmax-net", build, version="1")]
"""


def suite(folder: Path, method: str, architecture: str, sparsity: float) -> Path:
    path = folder / "degenerate.toml"
    path.write_text(
        'schema = 1\nname = "degenerate"\nversion = "1"\n[[matrix]]\nname = "m"\n'
        f'architecture = "{architecture}"\ndataset = "digits"\nrecipe = {{name = "digits", epochs = 0.1}}\n'
        f'methods = ["{method}"]\nsparsities = [{sparsity}]\nseeds = 1\n'
    )
    return path


@pytest.mark.parametrize(
    ("method", "architecture", "message"),
    [
        ("nothing", "digits-mlp", "scorer 'nothing' .*: every score is 0, which ranks nothing"),
        ("synflow", "softmax-net", "outputs sum to 1 whatever its weights are"),
    ],
)
def test_a_cell_whose_scores_rank_nothing_fails(
    project: Any, method: str, architecture: str, message: str
) -> None:
    """The job fails with the sentence, one shot and in rounds."""
    plugin = project.folder / "degenerate.py"
    plugin.write_text(PLUGIN)
    with pytest.raises(JobFailed, match=message):
        project.run(suite(project.folder, method, architecture, 0.9), plugins=[plugin])


def test_what_is_no_error_is_in_the_log(project: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Weights chosen by position and layers left empty: the cell is finished, and its log says so."""
    plugin = project.folder / "degenerate.py"
    plugin.write_text(PLUGIN)
    with caplog.at_level(logging.WARNING, logger="prunebench.jobs"):
        project.run(suite(project.folder, "little", "digits-mlp", 0.5), plugins=[plugin])
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "weights kept have the score 0: the scores rank only" in said


def test_cells_chosen_by_position_say_so_in_their_records_and_tables(project: Any) -> None:
    """50 weights of a layer have a score of 1, all others 0: more than half of those kept are told of."""
    plugin = project.folder / "degenerate.py"
    plugin.write_text(PLUGIN)
    engine = project.run(suite(project.folder, "little", "digits-mlp", 0.5), plugins=[plugin])
    (row,) = [row for row in rows(engine.plan, engine.store) if row["method"] == "little"]
    result = engine.store.read_record(row["key"]).result
    ranked = sum(min(50, layer["prunable"]) for layer in result["mask"]["layers"])
    assert row["by_position"] == (result["mask"]["kept"] - ranked) / result["mask"]["kept"]
    text = leaderboard(Results(engine.plan.suite, table(rows(engine.plan, engine.store))))
    assert "In 1 of 1 masks most weights kept were chosen by position, because their scores were" in text
