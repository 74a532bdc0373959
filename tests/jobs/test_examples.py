"""A network trained on a part of the training examples: which they are, and what its record says."""

from __future__ import annotations

from typing import Any

import torch

from prunebench.plan.params import TrainParams


def test_every_run_of_a_seed_trains_on_the_same_part_and_is_evaluated_on_the_whole(project: Any) -> None:
    """The unpruned run and the pruned one; another seed's is another part."""
    path = project.suite(["random"], seeds=2)
    text = path.read_text()
    path.write_text(text.replace('dataset = "digits"', 'dataset = {name = "digits", examples = 100}'))
    engine = project.run(path)
    parts: dict[int, list[torch.Tensor]] = {}
    for job in engine.plan.jobs.values():
        if isinstance(job.params, TrainParams):
            data = engine.context.data(job.params.run.data, "cpu", job.params.run.seed)
            assert (len(data.images), len(data.evaluation_labels)) == (100, 355)
            parts.setdefault(job.params.run.seed, []).append(data.labels)
    assert [len(parts[seed]) >= 2 for seed in (0, 1)] == [True, True]
    assert all(torch.equal(labels, parts[seed][0]) for seed in parts for labels in parts[seed])
    assert not torch.equal(parts[0][0], parts[1][0])
    for cell in engine.plan.cells:
        result = engine.store.read_record(cell.key).result
        assert result["cell"]["dataset"] == "digits[examples=100]"
        assert result["test"]["examples"] == 355
