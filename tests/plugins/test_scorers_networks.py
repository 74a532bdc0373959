"""Masks of ResNet-20 and VGG-16, fresh and after training, against an independent implementation's.

The reference (tests/reference) has its own networks, its own reading of the data and choice of examples, and
thresholds by a full sort; it shares the weights alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference import data as reference_data
from reference import networks, scores
from torch import Tensor

import prunebench
from prunebench.host.registry import Host
from prunebench.training.images.data import Data, scoring_batch
from prunebench.training.initialize import make_network
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

PRUNABLE = {"resnet20": 270_896, "vgg16": 14_715_584}
FUNCTIONS: dict[str, networks.Network] = {"resnet20": networks.resnet, "vgg16": networks.vgg}


@dataclass(frozen=True)
class Case:
    """A network, the steps it is trained before it is scored, its batches, and its data (real or noise)."""

    network: str
    steps: int
    batch: int
    size: int
    real: bool
    densities: tuple[float, ...]


def noise(size: int) -> tuple[Tensor, Tensor]:
    """Four hundred images with something of their class in them."""
    rng = np.random.default_rng(3)
    labels = torch.arange(400) % 10
    images = rng.integers(0, 156, (10, 3, size, size))[labels] + rng.integers(0, 100, (400, 3, size, size))
    return torch.from_numpy(images.astype(np.uint8)), labels


@dataclass
class Prepared:
    """The network as it is scored, with prunebench's batch and the reference's of the same name."""

    module: torch.nn.Module
    state: State
    batch: tuple[Tensor, Tensor]
    theirs: tuple[Tensor, Tensor]


@cache
def prepare(case: Case, root: Path | None) -> Prepared:
    images, labels = noise(case.size) if root is None else reference_data.cifar10(root)
    if root is None:
        mean, std = torch.full((3,), 0.5).double(), torch.full((3,), 0.25).double()
    else:
        mean, std = reference_data.statistics(root, "cifar10")
    data = Data.prepare((images, labels), (images[:10], labels[:10]), mean.tolist(), std.tolist(), 10)
    host = Host.load(third_party=False)
    build = host.get("architectures", case.network)
    module = make_network(
        lambda: build.build((3, case.size, case.size), 10, **build.parameters),
        host.get("initializations", "kaiming-normal").draw,
        0,
    )
    state = State.of(module)
    if case.steps:
        epochs = (case.steps + 1) / -(-len(images) // case.batch)  # one more: the last would be evaluated
        recipe = Recipe(
            epochs=epochs,
            batch=case.batch,
            lr=0.1,
            momentum=0.9,
            weight_decay=1e-4,
            augment=("flip", "shift4"),
            evaluate=1000,
        )
        state = train(module, state, recipe, data, seed=0, to_step=case.steps)
        assert state.step == case.steps
    module = module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    chosen = reference_data.scoring_examples(labels, 10, 10, seed=0)
    theirs = reference_data.normalised(images[chosen], mean, std), labels[chosen]
    return Prepared(module, state, scoring_batch(data, 0, per_class=10), theirs)


QUICK = [
    Case("resnet20", 0, 32, 16, False, (0.2, 0.0179)),
    Case("resnet20", 8, 32, 16, False, (0.2, 0.0179)),
]
WHOLE = [
    Case("resnet20", 0, 128, 32, True, (0.5, 0.2, 0.0179)),
    Case("resnet20", 200, 128, 32, True, (0.5, 0.2, 0.0179)),
    Case("vgg16", 0, 16, 32, True, (0.2, 0.0179)),
    Case("vgg16", 200, 16, 32, True, (0.2, 0.0179)),
]
CASES = [
    *(pytest.param(case, id=f"{case.network}-{case.steps}-noise") for case in QUICK),
    *(
        pytest.param(case, id=f"{case.network}-{case.steps}", marks=[pytest.mark.slow, pytest.mark.realdata])
        for case in WHOLE
    ),
]


def _slow(case: Any, method: str) -> list[Any]:
    """Mark SynFlow's hundred rounds of the network that is fresh: the trained one's are enough for quick tests."""
    return [pytest.mark.slow] if method == "synflow" and case.values[0].steps == 0 else []


def prepared(case: Case, request: pytest.FixtureRequest) -> Prepared:
    return prepare(case, request.getfixturevalue("data_root") if case.real else None)


@pytest.mark.parametrize("case", CASES)
def test_both_score_with_ten_examples_of_every_class(case: Case, request: pytest.FixtureRequest) -> None:
    """prunebench's scoring batch is the reference's to the bit: ten of each class, class after class."""
    ready = prepared(case, request)
    assert torch.equal(ready.batch[1], torch.arange(10).repeat_interleave(10))
    assert torch.equal(ready.batch[1], ready.theirs[1])
    torch.testing.assert_close(ready.batch[0], ready.theirs[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("case", "method"),
    [
        pytest.param(
            *case.values, method, id=f"{case.id}-{method}", marks=[*case.marks, *_slow(case, method)]
        )
        for case in CASES
        for method in ("magnitude", "snip", "grasp", "synflow")
    ],
)
def test_masks_are_an_independent_implementations(
    case: Case, method: str, request: pytest.FixtureRequest
) -> None:
    """Magnitude's and SynFlow's bit for bit; SNIP's and GraSP's share 99 %; counts exact in all."""
    ready = prepared(case, request)
    network, state = FUNCTIONS[case.network], ready.state
    shape = (3, case.size, case.size)
    one_shot: dict[str, Callable[[], dict[str, Tensor]]] = {
        "magnitude": lambda: scores.magnitude(state.parameters),
        "snip": lambda: scores.snip(network, state.parameters, state.buffers, ready.theirs),
        "grasp": lambda: scores.grasp(network, state.parameters, state.buffers, ready.theirs),
    }
    expected_scores = one_shot[method]() if method in one_shot else {}
    rounds = method == "synflow" and not case.real  # a hundred rounds take long: one density is enough
    for density in case.densities[-1:] if rounds else case.densities:
        kept = round(density * PRUNABLE[case.network])
        arguments: dict[str, Any] = {"batch": ready.batch} if method in ("snip", "grasp") else {}
        mask = prunebench.prune(ready.module, method, density=density, input_shape=shape, **arguments)
        if method == "synflow":
            expected = scores.iterative(
                lambda p: scores.synflow(network, p, state.buffers, shape), state.parameters, density, 100
            )
        else:
            expected = scores.keep_highest(expected_scores, kept)
        assert (mask.kept, mask.prunable) == (kept, PRUNABLE[case.network])
        assert list(mask) == list(expected)
        shared = scores.jaccard(mask, expected)
        print(f"{case.network} after {case.steps} steps, {method} at {density}: {shared:.6f}")
        if method in ("magnitude", "synflow"):
            assert all(torch.equal(mask[name], expected[name]) for name in expected)
        else:
            assert shared >= 0.99
