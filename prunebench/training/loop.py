"""The training loop: from a state to a later state of the same run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import nn

from prunebench import pulse, stopping
from prunebench.errors import UsageError
from prunebench.training.devices import ALONE, Devices
from prunebench.training.images.data import Data
from prunebench.training.kernels import Kernels
from prunebench.training.numerics import deterministic
from prunebench.training.policy import FixedMask, MaskPolicy, check_pruned
from prunebench.training.randomness import keep_global_state
from prunebench.training.recipe import Recipe
from prunebench.training.state import State
from prunebench.training.step import Stepper

__all__ = ["Checkpoint", "train"]


class Checkpoint(Protocol):
    """Decides when a state is saved on the way, and saves it."""

    def due(self, step: int) -> bool:
        """True if the state after `step` steps is wanted."""

    def save(self, state: State) -> None:
        """Take a state; it is the receiver's own."""


def train(
    module: nn.Module,
    state: State,
    recipe: Recipe,
    data: Data,
    *,
    seed: int,
    to_step: int,
    device: str | torch.device = "cpu",
    policy: MaskPolicy | None = None,
    on_step: Callable[[int, int], None] | None = None,
    checkpoint: Checkpoint | None = None,
    devices: Devices = ALONE,
    kernels: Kernels = "dense",
) -> State:
    """Train from `state` to `to_step` of the recipe's schedule and return the state there.

    `state` is left as it is; `module` is its architecture, and holds the returned weights on the device
    afterwards. Going on from any state gives the same bits as never having stopped. `policy` decides what is
    pruned while training; by default `state.mask` is, to the end. `on_step(step, to_step)` is called after
    each step, `checkpoint` asked after each but the last. Where several `devices` train the network together,
    each is a process that calls this with the same arguments; only the first has a checkpoint. With
    `kernels = "sparse"` linear layers compute with kept weights alone where that is quicker
    (`prunebench.training.kernels`): other bits. The state says whether any did; what `module` holds meanwhile
    is not the state.

    A loss that is not finite ends the run: the state returned has `diverged` set to that step's number and is
    the one before it, with the curve so far (BatchNorm has seen the step's batch). A state that has diverged
    is returned as it is. Should the loss on the evaluation part be the first not to be finite, or the weights
    that a policy is to choose from, the last step made is the one named.

    Raises: UsageError where `to_step` lies before the state or beyond the schedule, or state, mask and
    network do not fit; ComponentError where a pruned weight is not zero afterwards.
    """
    examples = len(data.images)
    if state.diverged is not None:
        return state
    if to_step < state.step:
        raise UsageError(f"a state at step {state.step} cannot be trained to step {to_step}")
    if to_step > recipe.total_steps(examples):
        raise UsageError(
            f"step {to_step} lies beyond the schedule of {recipe.total_steps(examples)} steps "
            f"({recipe.epochs:g} epochs of {recipe.steps_per_epoch(examples)})"
        )
    device = torch.device(device)
    if recipe.precision == "tf32" and device.type != "cuda":
        raise UsageError(f"precision = 'tf32': {device.type} has none; allowed here: 'float32'")
    with deterministic(device, recipe.precision), keep_global_state(device), torch.enable_grad():
        mask_policy = policy or FixedMask()
        run = Stepper(module, state, recipe, data.to(device), seed, device, mask_policy, devices, kernels)
        try:
            _advance(run, to_step, _block(device), on_step, checkpoint)
            run.drop_gradients()  # whoever scores this module next finds no gradients
            after = run.snapshot()
        finally:
            run.release()
        if run.policy.kept is not None:
            check_pruned(run.parameters, run.policy.kept)
        return after


def _block(device: torch.device) -> int:
    """Return the steps between looks at the loss: free on the CPU, else each waits for the device."""
    return 1 if device.type == "cpu" else 50


def _advance(
    run: Stepper,
    to_step: int,
    block: int,
    on_step: Callable[[int, int], None] | None,
    checkpoint: Checkpoint | None,
) -> None:
    """Train to a step, looking at the losses every `block` steps and wherever a state is read.

    Where something is not finite in a block, it is made once more, step by step: to stop just before the one
    that did it.
    """
    if run.lacks_evaluation():
        _evaluate(run, checkpoint)
    safe = run.snapshot(on_device=True) if block > 1 else None
    while run.step < to_step and run.diverged is None:
        made = run.make_step(look=safe is None)
        pulse.beat()
        evaluates, last = run.evaluates(), run.step == to_step
        ends = safe is not None and (evaluates or last or run.step - safe.step >= block)
        # several devices look in the same steps, whatever the clock of one of them says
        may_save = run.devices.count == 1 or safe is None or ends
        saves = checkpoint is not None and not last and may_save and checkpoint.due(run.step)
        looks = safe is not None and (saves or ends)
        if not made or (looks and not run.settle()):
            if safe is None:
                return
            run.load(safe)
            safe = None
            continue
        if evaluates:
            _evaluate(run, checkpoint)
        if looks:
            safe = run.snapshot(on_device=True)
        if saves and checkpoint is not None and run.diverged is None:
            checkpoint.save(run.snapshot())
        if on_step is not None:
            on_step(run.step, to_step)


def _evaluate(run: Stepper, checkpoint: Checkpoint | None) -> None:
    """Evaluate; told to stop meanwhile, save the state as it was before. Raises: Stopped."""
    try:
        with stopping.released():
            run.evaluate()
    except stopping.Stopped:
        if checkpoint is not None:
            checkpoint.save(run.snapshot())
        raise
