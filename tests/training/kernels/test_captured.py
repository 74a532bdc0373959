"""The device's part of a step from buffers that stay: the bits of steps made one by one, on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from states import same
from torch import nn

from prunebench.pruning.mask import Mask
from prunebench.training.gradual import GradualMask
from prunebench.training.images.batches import Choice
from prunebench.training.images.data import Data
from prunebench.training.kernels import captured
from prunebench.training.kernels.captured import WARM_UP, CapturedStep
from prunebench.training.numerics import deterministic
from prunebench.training.policy import FixedMask, MaskPolicy
from prunebench.training.recipe import Recipe
from prunebench.training.state import State
from prunebench.training.step import Stepper

STEPS = 40
CPU = torch.device("cpu")
RECIPE: dict[str, Any] = {"epochs": 8, "batch": 8, "lr": 0.05, "momentum": 0.9, "drops": (3,), "evaluate": 9}


def stepper(
    net: nn.Module, data: Data, policy: MaskPolicy | None = None, mask: Mask | None = None, **changes: Any
) -> Stepper:
    """Return a run of seven steps an epoch, the last of two examples; the rate falls after three epochs."""
    recipe = Recipe(**{**RECIPE, **changes})
    return Stepper(net, State.of(net, mask), recipe, data, 3, CPU, policy or FixedMask())


def after(run: Stepper, steps: int = STEPS) -> State:
    """Return the state after so many steps, losses counted."""
    with deterministic("cpu"):
        for _ in range(steps):
            assert run.make_step(look=False)
    assert run.settle()
    return run.snapshot()


class Recorded:
    """Stands for a CUDA graph: what was captured is done at each replay, and not before."""

    def __init__(self) -> None:
        self.captures = 0

    def __call__(self, function: Callable[[], None]) -> Callable[[], object]:
        self.captures += 1
        return function


@pytest.fixture
def net(make_convnet: Callable[[], nn.Module]) -> nn.Module:
    """Return a convolutional network whose BatchNorm can be captured."""
    return plain(make_convnet())


def plain(net: nn.Module) -> nn.Module:
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 0.1
    return net


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "changes", [{}, {"augment": ("flip", "shift2")}, {"optimizer": "adamw", "momentum": 0.0}]
)
def test_steps_from_buffers_that_stay_have_the_bits_of_steps_one_by_one(
    net: nn.Module,
    make_convnet: Callable[[], nn.Module],
    make_data: Callable[..., Data],
    make_mask: Any,
    masked: bool,
    changes: dict[str, Any],
) -> None:
    """With dropout, over a fall of the rate; an epoch's last, smaller batch is made by itself."""
    data = make_data()
    mask = make_mask(net) if masked else None
    run = stepper(net, data, mask=mask, **changes)
    graphs = Recorded()
    run._captured = run._capturing(graphs)
    assert run._captured is not None
    found = after(run)
    other = plain(make_convnet())
    wanted = stepper(other, data, mask=mask, **changes)
    assert wanted._captured is None
    assert same(found, after(wanted))
    whole = sum((step % 7) != 6 for step in range(STEPS))
    assert graphs.captures == 2  # for each rate one
    assert run._captured.replayed == whole - 2 * WARM_UP


def test_what_the_host_chooses_is_copied_into_the_same_memory(
    net: nn.Module, make_data: Callable[..., Data]
) -> None:
    """The captured function sees two tensors whose addresses never change, with each step's own numbers."""
    run = stepper(net, make_data(), augment=("flip",))
    seen: list[tuple[Any, ...]] = []

    def compute(choice: Choice) -> torch.Tensor:
        seen.append((choice.examples.data_ptr(), choice.draws[0].data_ptr(), choice.examples.tolist()))
        return torch.zeros((), dtype=torch.float64)

    steps = CapturedStep(run.batches.choose, compute, Recorded())
    for step in range(6):
        steps.step(step, 0.1)
    assert len({place[:2] for place in seen[WARM_UP:]}) == 1
    assert [numbers for *_, numbers in seen] == [
        run.batches.choose(step).examples.tolist() for step in range(6)
    ]


def test_it_is_captured_anew_where_memory_is_another(net: nn.Module, make_data: Callable[..., Data]) -> None:
    """After a state is loaded, and after another rate; between those it is not."""
    run = stepper(net, make_data(), drops=())
    graphs = Recorded()
    run._captured = run._capturing(graphs)
    state = after(run, 20)
    assert graphs.captures == 1
    run.load(state)
    after(run, 2)
    assert graphs.captures == 1
    after(run, 5)
    assert graphs.captures == 2


def test_a_network_that_cannot_be_captured_is_trained_step_by_step(
    net: nn.Module, make_convnet: Callable[[], nn.Module], make_data: Callable[..., Data]
) -> None:
    """It is tried once."""
    tried = []

    def refuses(function: Callable[[], None]) -> Callable[[], object]:
        tried.append(function)
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    run = stepper(net, make_data())
    run._captured = run._capturing(refuses)
    assert same(after(run), after(stepper(plain(make_convnet()), make_data())))
    assert len(tried) == 1


@pytest.mark.parametrize("why", ["micro-batches", "recompute", "cumulative BatchNorm", "a mask that changes"])
def test_what_needs_more_of_the_host_stays_as_it_is(
    why: str, make_convnet: Callable[[], nn.Module], make_data: Callable[..., Data]
) -> None:
    """Several passes a step, blocks that are computed again, averages over batches seen, policies that choose."""
    net = make_convnet() if why == "cumulative BatchNorm" else plain(make_convnet())
    changes: dict[str, Any] = {"micro-batches": {"micro_batch": 4}, "recompute": {"recompute": True}}.get(
        why, {}
    )
    policy: Any = None
    if why == "a mask that changes":
        full = Mask.full({"0.weight": net.get_parameter("0.weight")})

        class Never:
            steps = ()

            def kept_at(self, step: int) -> int:
                raise NotImplementedError

        policy = GradualMask(Never(), full, lambda step, mask, kept: mask)
    assert stepper(net, make_data(), policy, **changes)._capturing(Recorded()) is None


@pytest.mark.parametrize(
    ("device", "said", "is_wanted"),
    [("cuda", "1", True), ("cuda", "0", False), ("cuda", None, False), ("cpu", "1", False)],
)
def test_graphs_are_for_gpus_and_asked_for(
    device: str, said: str | None, is_wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a variable, which workers inherit."""
    monkeypatch.delenv(captured.VARIABLE, raising=False)
    if said is not None:
        monkeypatch.setenv(captured.VARIABLE, said)
    assert captured.wanted(torch.device(device)) is is_wanted
