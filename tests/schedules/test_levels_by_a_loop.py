"""Chains of levels against a plain loop that shares no code with them (tests/reference/levels.py).

Each chain is run through plan, jobs and store, and nothing of it is given to the loop: not a mask, not a weight.
Masks agree to the bit at every level, weights at the end of every level to 1e-5. On digits a few steps a level, in
which no rounding grows; on MNIST LeNet-300-100 over six levels.

On MNIST the loop takes torch's own fused step, as runs do, and weights agree to the bit too. With the same step in
elementary operations they are a rounding apart from the first level on; where scores at the cut lie closer than that
(a millionth of one another, as by SNIP at level 2) two weights change places, and from there the chains part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from reference import data as reference_data
from reference import draws, networks, scores
from reference.levels import Chain, of_another, uniform
from reference.training import Task
from torch import Tensor

from prunebench.engine.request import Request
from prunebench.engine.session import Session
from prunebench.host.registry import Host
from prunebench.jobs.states import mask_from, unpack_state
from prunebench.store import Store

Tensors = dict[str, Tensor]

METHODS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "rosenfeld": (
        {"train_from": {"step": 10}, "clock": {"step": 10}},
        {"train_from": 10, "clock": 10},
    ),
    "ltr": ({"train_from": {"step": 10}}, {"train_from": 10, "clock": 0}),
    "initial-weights": ({"train_from": "init"}, {"train_from": 0, "clock": 0}),
    "learning-rate-rewinding": ({}, {"train_from": None, "clock": 0}),
    "renda": ({"clock": {"step": 10}}, {"train_from": None, "clock": 10}),
    "layerwise": (
        {"train_from": "init", "allocation": "uniform"},
        {"train_from": 0, "clock": 0, "counts": uniform},
    ),
    "snip": ({"train_from": "init", "scorer": "snip"}, {"train_from": 0, "clock": 0, "score": "snip"}),
    "early": (
        {"train_from": "init", "score_at": {"step": 15}},
        {"train_from": 0, "clock": 0, "score_at": 15},
    ),
    "find-and-evaluate": (
        {"train_from": "init", "find": {"lr": 0.02}},
        {"train_from": 0, "clock": 0, "find": 0.02},
    ),
    "find-late-rewinding": (
        {"train_from": {"step": 10}, "find": {"lr": 0.02}},
        {"train_from": 10, "clock": 0, "find": 0.02},
    ),
    "counts-of-another": (
        {"train_from": "init", "find": {"lr": 0.02}, "allocation": {"like": {"find": {"lr": 0.1}}}},
        {"train_from": 0, "clock": 0, "find": 0.02, "like": 0.1},
    ),
    "one-shot": (
        {"train_from": "init", "find": {"lr": 0.02}, "schedule": "one-shot"},
        {"train_from": 0, "clock": 0, "find": 0.02, "one_shot": True},
    ),
    "one-shot-early": (
        {"train_from": "init", "score_at": {"step": 15}, "schedule": "one-shot"},
        {"train_from": 0, "clock": 0, "score_at": 15, "one_shot": True},
    ),
    "one-shot-counts-of-another": (
        {
            "train_from": "init",
            "find": {"lr": 0.02},
            "schedule": "one-shot",
            "allocation": {"like": {"find": {"lr": 0.1}}},
        },
        {"train_from": 0, "clock": 0, "find": 0.02, "one_shot": True, "like": 0.1},
    ),
    "half": (
        {"train_from": "init", "schedule": {"levels": {"remove": 0.5, "train_from": "scored"}}},
        {"train_from": 0, "clock": 0, "remove": 0.5, "between": (None, 0)},
    ),
}
"""By name: changes to magnitude in levels, in a suite; and what the loop is told."""


def toml(value: Any) -> str:
    """A value as TOML spells it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def ours(folder: Path, data: str, setting: str, changes: Mapping[str, Any], levels: int) -> Any:
    """Run a chain as a suite, its states kept; return the worker."""
    method = {"scorer": "magnitude", "score_at": "end", "schedule": {"levels": 0.2}, **changes}
    share = method["schedule"]["levels"] if isinstance(method["schedule"], dict) else 0.2
    share = share["remove"] if isinstance(share, dict) else share
    text = (
        f'schema = 1\nname = "levels"\nversion = "1"\n[[matrix]]\nname = "main"\n{setting}\nseeds = 1\n'
        f"methods = [{toml({'as': 'chain', **method})}]\nsparsities = {{keep = {1 - share}, count = {levels}}}\n"
    )
    (folder / "levels.toml").write_text(text)
    request = Request(
        suite=str(folder / "levels.toml"),
        store=str(folder / "store"),
        data=data,
        third_party=False,
        keep_states=True,
    )
    engine = Session.prepare(request).worker(Store.open(request.store))
    for cell in engine.plan.cells:
        engine.make(cell)
    return engine


def loop(
    initial: Tensors, task: Task, steps: int, told: Mapping[str, Any], batch: Any, levels: int = 3
) -> Chain:
    """The plain loop, told the same."""
    told = dict(told)
    if "like" in told:  # the same, found otherwise
        found_by = {"find": told.pop("like")}
        told["counts"] = of_another(loop(initial, task, steps, {**told, **found_by}, batch), levels)
    if told.get("score") == "snip":
        told["score"] = lambda weights: scores.snip(networks.lenet, weights, {}, batch)
    if "find" in told:
        told["find"] = Task(**{**vars(task), "lr": told["find"]})
    return Chain(networks.lenet, initial, task, steps, **told)


def check(engine: Any, chain: Chain, levels: int, *, apart: float = 1e-5) -> None:
    """Compare masks and weights level by level; what has gone once is never back.

    apart: how far weights may be
    """
    cells = [cell for cell in engine.plan.cells if cell.labels["method"] == "chain"]
    before = None
    for cell, (mask, weights) in zip(cells, chain.levels(levels), strict=True):
        end, key = engine.plan.jobs[cell.key].inputs
        state = unpack_state(engine.store.read_artifact(end))
        made = mask_from(engine.store.read_artifact(key))
        assert made.kept == sum(int(layer.sum()) for layer in mask.values()) == cell.target
        assert state.mask == made
        for name, layer in mask.items():
            assert torch.equal(made[name], layer.bool()), (cell.name, name)
            assert not state.parameters[name][~made[name]].any()
            assert before is None or not (made[name] & ~before[name]).any()
        for name, weight in weights.items():
            torch.testing.assert_close(state.parameters[name], weight, rtol=0, atol=apart)
        before = made


@cache
def digits() -> tuple[Task, Tensors, Any]:
    """The task, the initial weights and the scoring batch."""
    images, labels = Host.load(third_party=False).get("datasets", "digits").load(Path(), "train")
    values = images.double() / 255
    mean, std = values.mean().view(1), values.std(correction=0).view(1)
    shapes = {"fc1.weight": (64, 64), "fc1.bias": (64,), "fc2.weight": (32, 64), "fc2.bias": (32,)}
    shapes |= {"fc3.weight": (10, 32), "fc3.bias": (10,)}
    chosen = reference_data.scoring_examples(labels, 10, 10, seed=0)
    batch = reference_data.normalised(images[chosen], mean, std), labels[chosen]
    task = Task(images, labels, mean, std, lr=0.05, batch=64, momentum=0.9, decay=1e-4)
    return task, draws.initial(shapes, 0), batch


@pytest.mark.parametrize("name", METHODS)
def test_three_levels_on_digits_are_those_of_a_plain_loop(tmp_path: Path, name: str) -> None:
    """23 steps a training: an epoch."""
    changes, told = METHODS[name]
    task, initial, batch = digits()
    setting = (
        'architecture = "digits-mlp"\ndataset = "digits"\nrecipe = {name = "digits", epochs = 1, drops = []}'
    )
    engine = ours(tmp_path, str(tmp_path), setting, changes, 3)
    check(engine, loop(initial, task, 23, told, batch), 3)


@pytest.mark.parametrize("name", ["initial-weights", "ltr", "rosenfeld", "find-and-evaluate"])
def test_three_levels_with_warm_up_are_those_of_a_plain_loop(tmp_path: Path, name: str) -> None:
    """Every training begins at a learning rate of 0, but those whose clock goes on behind the warm-up."""
    changes, told = METHODS[name]
    task, initial, batch = digits()
    recipe = 'recipe = {name = "digits", epochs = 1, drops = [], warmup = 0.5}'
    engine = ours(
        tmp_path, str(tmp_path), f'architecture = "digits-mlp"\ndataset = "digits"\n{recipe}', changes, 3
    )
    warm = Task(**{**vars(task), "warmup": 12})
    check(engine, loop(initial, warm, 23, told, batch), 3)


@pytest.mark.parametrize("prunable", ["convolutions", "weights"])
def test_levels_of_convolutions_are_those_of_a_plain_loop(tmp_path: Path, prunable: str) -> None:
    """The linear layer stays whole; shares are of the convolutions' weights. Rewound with the BatchNorm."""
    task, _, _ = digits()
    sizes = {"conv1": (4, 1), "conv2": (8, 4)}
    shapes: dict[str, tuple[int, ...]] = {}
    for number, (name, size) in enumerate(sizes.items(), 1):
        shapes |= {
            f"{name}.weight": (*size, 3, 3),
            f"bn{number}.weight": size[:1],
            f"bn{number}.bias": size[:1],
        }
    initial = draws.initial({**shapes, "fc.weight": (10, 8), "fc.bias": (10,)}, 0)
    buffers = {}
    for number, (outputs, _) in enumerate(sizes.values(), 1):
        buffers[f"bn{number}.running_mean"] = torch.zeros(outputs)
        buffers[f"bn{number}.running_var"] = torch.ones(outputs)
    setting = (
        'architecture = {name = "small-convnet", channels = [4, 8]}\ndataset = "digits"\n'
        'recipe = {name = "digits", epochs = 1, drops = []}'
    )
    changes = {"train_from": {"step": 5}, "find": {"lr": 0.02}, "prunable": prunable}
    engine = ours(tmp_path, str(tmp_path), setting, changes, 3)
    find = Task(**{**vars(task), "lr": 0.02})
    dims = (4,) if prunable == "convolutions" else (2, 4)
    chain = Chain(networks.convnet, initial, task, 23, 5, 0, find=find, dims=dims, buffers=buffers)
    check(engine, chain, 3)


@pytest.mark.slow
def test_thirty_levels_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    """As long as the paper's chains: 8 of 6,464 weights are left; by torch's fused step, so to the bit."""
    changes, told = METHODS["find-and-evaluate"]
    task, initial, batch = digits()
    setting = (
        'architecture = "digits-mlp"\ndataset = "digits"\nrecipe = {name = "digits", epochs = 1, drops = []}'
    )
    engine = ours(tmp_path, str(tmp_path), setting, changes, 30)
    check(engine, loop(initial, Task(**{**vars(task), "fused": True}), 23, told, batch), 30, apart=0.0)


@cache
def mnist(root: Path) -> tuple[Task, Tensors, Any]:
    """The same of LeNet-300-100 on MNIST."""
    images, labels = reference_data.mnist(root)
    mean, std = reference_data.statistics(root, "mnist")
    shapes = {"fc1.weight": (300, 784), "fc1.bias": (300,), "fc2.weight": (100, 300), "fc2.bias": (100,)}
    shapes |= {"fc3.weight": (10, 100), "fc3.bias": (10,)}
    chosen = reference_data.scoring_examples(labels, 10, 10, seed=0)
    batch = reference_data.normalised(images[chosen], mean, std), labels[chosen]
    task = Task(images, labels, mean, std, lr=0.02, batch=128, momentum=0.9, fused=True)
    return task, draws.initial(shapes, 0), batch


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As jobs compute: sums of several threads are rounded otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("name", "steps"), [*((name, 30) for name in METHODS), ("half", 60)])
def test_six_levels_on_mnist_are_those_of_a_plain_loop(
    data_root: Path, tmp_path: Path, name: str, steps: int
) -> None:
    """To the bit, weights too, with momentum."""
    changes, told = METHODS[name]
    task, initial, batch = mnist(data_root)
    setting = (
        'architecture = "lenet-300-100"\ndataset = "mnist"\n'
        f'recipe = {{name = "pai-lenet", epochs = {steps / 469}, lr = 0.02, momentum = 0.9}}'
    )
    engine = ours(tmp_path, str(data_root), setting, changes, 6)
    check(engine, loop(initial, task, steps, told, batch, 6), 6, apart=0.0)
