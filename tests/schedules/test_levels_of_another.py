"""A chain whose levels take the layers' counts of masks that do not lie in one another: told when it happens."""

from __future__ import annotations

from typing import Any

import pytest
from little_suites import CHAIN

from prunebench.engine.failures import JobFailed

SCORER = '''
import torch
import prunebench


def turning(net, batch, rng):
    """Of a whole network the first layer goes; of one that has lost little the second, else the first again."""
    left = sum(int((w != 0).sum()) for w in net.weights.values()) / sum(w.numel() for w in net.weights.values())
    goes = "fc2.weight" if 0.85 < left < 1 else "fc1.weight"
    return {name: torch.full_like(w, 1.0 if name == goes else 2.0) for name, w in net.weights.items()}


@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("turning", turning, passes=0)]
'''
DONOR = {"scorer": "turning", "score_at": "init", "schedule": {"rounds": 2}}


def test_a_layer_that_would_get_weights_back_is_told(project: Any) -> None:
    """At 80 % the donor has lost 611 weights of fc2, at 64 % none: the second level fails, the first does not."""
    (project.folder / "turning.py").write_text(SCORER)
    project.options["plugins"] = (str(project.folder / "turning.py"),)
    like = {**CHAIN, "allocation": {"like": {**DONOR, "train_from": "scored"}}}
    engine = project.engine(project.suite([like], sparsities=[0.2, 0.36]))
    _, first, second = engine.plan.cells
    engine.make(first)
    layers = engine.store.read_record(first.key).result["mask"]["layers"]
    assert {layer["name"]: layer["kept"] for layer in layers}["fc2.weight"] == 2048 - 611
    said = (
        r"wants 2048 weights of layer 'fc2.weight', which has 1437 left of 2048: in levels no layer gets weights back, "
        r"so the masks whose counts are taken must lie in one another"
    )
    with pytest.raises(JobFailed, match=said):
        engine.make(second)
