"""Scoring in chunks: the examples stay bytes until a chunk of them is worked on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from prunebench.jobs.states import mask_from
from prunebench.training.images.data import Normalized

ROWS = """[
    "{method}",
    {{method = "{method}", as = "chunked", scorer = {{chunk = 30}}}},
]"""


def suite(folder: Path, rows: str) -> Path:
    path = folder / "chunks.toml"
    path.write_text(
        'schema = 1\nname = "chunks"\nversion = "1"\n[[matrix]]\nname = "m"\narchitecture = "digits-mlp"\n'
        f'dataset = "digits"\nrecipe = {{name = "digits", epochs = 0.1}}\nmethods = {rows}\n'
        "sparsities = [0.9]\nseeds = 1\n"
    )
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many examples are asked for by number, each time."""
    sizes: list[int] = []
    plain = Normalized.__getitem__

    def watched(self: Normalized, part: Any) -> torch.Tensor:
        found = plain(self, part)
        if isinstance(part, torch.Tensor):
            sizes.append(len(found))
        return found

    monkeypatch.setattr(Normalized, "__getitem__", watched)
    return sizes


def masks_of(project: Any, rows: str) -> dict[str, Any]:
    engine = project.run(suite(project.folder, rows), keep_states=True)
    found = {}
    for cell in engine.plan.cells:
        result = engine.store.read_record(cell.key).result
        assert result["outcome"] == "finished", cell.id
        if cell.labels["method"] != "none":
            found[cell.labels["method"]] = mask_from(engine.store.read_artifact(result["state"]))
    return found


@pytest.mark.parametrize("method", ["snip", "grasp", "iterative-snip", "force"])
def test_a_method_in_chunks_makes_its_examples_chunk_by_chunk_and_keeps_the_same_weights(
    project: Any, method: str, asked: list[int]
) -> None:
    """A network without BatchNorm: the whole batch's mask, but for ties in rounding; 30 examples at most."""
    whole, chunked = masks_of(project, ROWS.format(method=method)).values()
    assert set(asked) == {30, 10}
    both = sum(int((whole[name] & chunked[name]).sum()) for name in whole)
    assert whole.kept == chunked.kept
    assert both >= 0.99 * whole.kept


def test_scorers_that_share_a_batch_get_tensors_unless_both_work_in_chunks(
    project: Any, asked: list[int]
) -> None:
    """Removed weights scored by a scorer without a chunk: the batch is there as a whole."""
    row = '{{as = "{}", scorer = {{name = "snip", chunk = 30}}, schedule = {{rounds = 3}}, regrowth = {{scorer = {}}}}}'
    rows = [row.format("one", '"force"'), row.format("both", '{name = "force", chunk = 30}')]
    masks = masks_of(project, f"[{rows[0]}]")
    assert asked == []
    both = masks_of(project, f"[{rows[1]}]")["both"]
    assert set(asked) == {30, 10}
    assert sum(int((both[name] & masks["one"][name]).sum()) for name in both) >= 0.99 * both.kept
