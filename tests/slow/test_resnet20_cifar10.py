"""ResNet-20 on CIFAR-10 as in Frankle et al. (2021): 300 steps against a loop that shares no code with prunebench.

The reference (tests/reference) reads the files, draws the numbers, augments image by image, scores and trains by
itself. In float32 a last bit of a BatchNorm's gradient moves by a percent within a step, so that two runs drift
apart whoever is right. So the losses of free runs are compared in float64; in float32, as prunebench trains, the
reference makes one step from prunebench's own state at every tenth step.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from reference import data as reference_data
from reference import draws, networks, scores
from reference.training import Run, Task, WideTask
from reference.training import train as train_reference
from torch import Tensor

import prunebench
from prunebench.host.registry import Host
from prunebench.pruning import Mask
from prunebench.training.images.data import Data, scoring_batch
from prunebench.training.initialize import make_network
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

STEPS, LATER, DENSITY, PRUNABLE = 300, 100, 0.2, 270_896
WIDE = 300  # steps in float64


@dataclass
class Recorder:
    """The loss of every step, and the state at every tenth."""

    losses: list[float] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)
    _total: float = 0.0

    def due(self, step: int) -> bool:
        return True

    def save(self, state: State) -> None:
        examples = state.meter["examples"] // state.step
        self.losses.append((state.meter["loss"] - self._total) / examples)
        self._total = state.meter["loss"]
        if state.step % 10 == 0:
            self.states[state.step] = state


@dataclass
class Ready:
    """prunebench's network, recipe and data, and the reference's task and scoring batch."""

    module: torch.nn.Module
    start: State
    recipe: Recipe
    data: Data
    task: Task
    batch: tuple[Tensor, Tensor]
    dense: Recorder = field(default_factory=Recorder)

    def trained(self, state: State) -> Recorder:
        recorder = Recorder()
        end = train(
            self.module, state, self.recipe, self.data, seed=0, to_step=STEPS, checkpoint=cast(Any, recorder)
        )
        recorder.save(end)
        return recorder


@pytest.fixture(scope="module")
def ready(data_root: Path) -> Ready:
    host = Host.load(third_party=False)
    dataset, network = host.get("datasets", "cifar10"), host.get("architectures", "resnet20")
    images, labels = dataset.load(data_root, "train")
    data = Data.prepare((images, labels), (images[:10], labels[:10]), dataset.mean, dataset.std, 10)
    recipe = host.get("recipes", "pai-cifar10").recipe
    module = make_network(
        lambda: network.build((3, 32, 32), 10, **network.parameters),
        host.get("initializations", recipe.init).draw,
        0,
    )
    theirs, their_labels = reference_data.cifar10(data_root)
    mean, std = reference_data.statistics(data_root, "cifar10")
    task = Task(theirs, their_labels, mean, std, lr=0.1, batch=128, momentum=0.9, decay=1e-4, augment=True)
    chosen = reference_data.scoring_examples(their_labels, 10, 10, seed=0)
    batch = reference_data.normalised(theirs[chosen], mean, std), their_labels[chosen]
    found = Ready(module, State.of(module), recipe, data, task, batch)
    found.dense = found.trained(found.start)
    return found


def test_both_start_alike(ready: Ready) -> None:
    """Initial weights are the reference's to the bit, 300 steps are less than an epoch, and the batch is one."""
    shapes = {name: tuple(tensor.shape) for name, tensor in ready.start.parameters.items()}
    for name, expected in draws.initial(shapes, 0).items():
        assert torch.equal(ready.start.parameters[name], expected), name
    assert STEPS < ready.task.per_epoch == 391
    ours = scoring_batch(ready.data, 0, per_class=10)
    assert torch.equal(ours[1], ready.batch[1])
    torch.testing.assert_close(ours[0], ready.batch[0], rtol=0, atol=1e-6)


def snip_of(ready: Ready, state: State) -> Mask:
    """SNIP's mask of a state, checked against the reference's."""
    state.load_into(ready.module)
    mask = prunebench.prune(
        ready.module, "snip", density=DENSITY, batch=scoring_batch(ready.data, 0, per_class=10)
    )
    theirs = scores.snip(networks.resnet, state.parameters, state.buffers, ready.batch)
    expected = scores.keep_highest(theirs, round(DENSITY * PRUNABLE))
    assert mask.kept == round(DENSITY * PRUNABLE)
    assert scores.jaccard(mask, expected) >= 0.99
    return mask


def pruned(state: State, mask: Mask) -> State:
    """A state's weights and statistics under a mask, at the start of the schedule."""
    return State(parameters=state.parameters, buffers=state.buffers, mask=mask)


def compare(ready: Ready, ours: Recorder, start: State, mask: Mask | None) -> None:
    """In float32: one step of the reference from prunebench's state at every tenth step."""
    kept = None if mask is None else dict(mask)
    assert len(ours.losses) == STEPS
    apart = []
    for step in range(10, STEPS, 10):
        state = ours.states[step]
        run = Run.start(state.parameters, state.buffers, kept)
        run.momentum = {name: tensor.clone() for name, tensor in state.slots["momentum"].items()}
        train_reference(networks.resnet, run, ready.task, range(step, step + 1))
        apart.append(abs(run.losses[0] - ours.losses[step]))
    first = Run.start(start.parameters, start.buffers, kept)
    train_reference(networks.resnet, first, ready.task, range(1))
    apart.append(abs(first.losses[0] - ours.losses[0]))
    print(
        f"\nfloat32, from the same state: losses at most {max(apart):.1e} apart; the last {ours.losses[-1]:.4f}"
    )
    assert max(apart) < 2e-5
    assert ours.losses[-1] < 0.75 * ours.losses[0]
    free_runs_in_float64(ready, start, mask)


def free_runs_in_float64(ready: Ready, start: State, mask: Mask | None) -> None:
    """Both go their own way from the start; the losses of all steps agree."""
    wide = copy.deepcopy(ready.module).double()
    wide.register_forward_pre_hook(lambda module, inputs: (inputs[0].double(),))
    begin = State(
        parameters={name: tensor.double() for name, tensor in start.parameters.items()},
        buffers={n: t.double() if t.is_floating_point() else t for n, t in start.buffers.items()},
        mask=mask,
    )
    ours = Recorder()
    end = train(wide, begin, ready.recipe, ready.data, seed=0, to_step=WIDE, checkpoint=cast(Any, ours))
    ours.save(end)
    theirs = Run.start(begin.parameters, begin.buffers, None if mask is None else dict(mask))
    train_reference(networks.resnet, theirs, WideTask.of(ready.task), range(WIDE))
    apart = [abs(a - b) for a, b in zip(ours.losses, theirs.losses, strict=True)]
    print(f"float64, free: {WIDE} losses at most {max(apart):.1e} apart, the first ten {max(apart[:10]):.1e}")
    assert max(apart[:10]) < 1e-9
    assert max(apart) < 1e-5


def test_dense_training_has_an_independent_loops_losses(ready: Ready) -> None:
    """Three hundred steps of the paper's recipe, unpruned."""
    compare(ready, ready.dense, ready.start, None)


def test_training_pruned_at_initialization_has_an_independent_loops_losses(ready: Ready) -> None:
    """SNIP at 80 % of the initial network, then three hundred steps under its mask."""
    mask = snip_of(ready, ready.start)
    compare(ready, ready.trained(pruned(ready.start, mask)), ready.start, mask)


def test_training_pruned_at_step_k_has_an_independent_loops_losses(ready: Ready) -> None:
    """SNIP of the state after 100 steps; its weights and statistics go through the schedule from the start."""
    later = ready.dense.states[LATER]
    mask = snip_of(ready, later)
    compare(ready, ready.trained(pruned(later, mask)), later, mask)
