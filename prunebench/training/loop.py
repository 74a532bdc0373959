"""The training loop: from a state to a later state of the same run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import nn
from torch.nn import functional

from prunebench import stopping
from prunebench.errors import UsageError
from prunebench.training.evaluate import evaluate
from prunebench.training.images.batches import make_batches
from prunebench.training.images.data import Data
from prunebench.training.numerics import deterministic
from prunebench.training.policy import DivergedError, FixedMask, MaskPolicy, check_pruned, momentum_of
from prunebench.training.randomness import keep_global_state, seed_torch
from prunebench.training.recipe import Recipe
from prunebench.training.state import State, new_meter, plain_copy
from prunebench.training.streams import stream

__all__ = ["Checkpoint", "evaluate", "train"]


class Checkpoint(Protocol):
    """Decides when a state is saved on the way, and saves it."""

    def due(self, step: int) -> bool:
        """Whether the state after `step` steps is wanted."""

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
) -> State:
    """Train from `state` to `to_step` of the recipe's schedule and return the state there.

    `state` is left as it is; `module` is its architecture, and holds the returned weights on the device
    afterwards. Going on from any state gives the same bits as never having stopped. `policy` decides what is
    pruned while training; by default `state.mask` is, to the end. `on_step(step, to_step)` is called after
    each step, `checkpoint` asked after each but the last.

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
    with deterministic(device), keep_global_state(device), torch.enable_grad():
        run = _Run(module, state, recipe, data.to(device), seed, device, policy or FixedMask())
        return run.to(to_step, _block(device), on_step, checkpoint)


def _block(device: torch.device) -> int:
    """Steps between looks at the loss: free on the CPU, elsewhere each look waits for the device."""
    return 1 if device.type == "cpu" else 50


class _Run:
    """A network, its optimiser and its policy on the device, at some step of a run."""

    def __init__(
        self,
        module: nn.Module,
        state: State,
        recipe: Recipe,
        data: Data,
        seed: int,
        device: torch.device,
        policy: MaskPolicy,
    ) -> None:
        self.recipe, self.data, self.seed, self.device, self.policy = recipe, data, seed, device, policy
        self.channels_last = any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in module.modules())
        self._micro, self._smoothing = recipe.micro_batch, recipe.label_smoothing
        self.module = module.to(device)
        if self.channels_last:
            self.module = self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.module.train()
        self.batches = make_batches(data, recipe, seed, channels_last=self.channels_last)
        self.parameters = dict(self.module.named_parameters())
        self._epoch = -1
        self.load(state)

    def load(self, state: State) -> None:
        """Take up a state: everything that a step reads."""
        state.load_into(self.module)
        self.step, self.diverged = state.step, state.diverged
        self.curve = [dict(point) for point in state.curve]
        self.meter = dict(state.meter)
        self.history = list(state.history)
        self.pending: list[tuple[torch.Tensor, int]] = []
        self.optimizer = _optimizer(self.parameters, self.recipe)
        if self.recipe.momentum > 0:
            _load_momentum(self.optimizer, self.parameters, state.momentum)
        self.policy.start(self.parameters, self.optimizer, state.mask)
        self._mask = self.policy.mask

    def snapshot(self, *, on_device: bool = False) -> State:
        """Return the state as it stands, its tensors its own: on the CPU, or left on the device."""
        copy = torch.Tensor.clone if on_device else plain_copy
        held = {n: momentum_of(self.optimizer, parameter) for n, parameter in self.parameters.items()}
        with torch.no_grad():
            return State(
                parameters={name: copy(p) for name, p in self.parameters.items()},
                buffers={name: copy(b) for name, b in self.module.named_buffers()},
                momentum={name: copy(m) for name, m in held.items() if m is not None},
                mask=self.policy.mask,
                step=self.step,
                curve=[dict(point) for point in self.curve],
                meter=dict(self.meter),
                history=list(self.history),
                diverged=self.diverged,
            )

    def to(
        self,
        to_step: int,
        block: int,
        on_step: Callable[[int, int], None] | None,
        checkpoint: Checkpoint | None,
    ) -> State:
        """Train to a step, looking at the losses every `block` steps and wherever a state is read."""
        if self.lacks_evaluation():
            self.evaluate_or_stop(checkpoint)
        safe = self.snapshot(on_device=True) if block > 1 else None
        while self.step < to_step and self.diverged is None:
            try:
                if not self.make_step(look=safe is None):
                    break
            except DivergedError:
                assert safe is not None
                self.load(safe)  # once more, step by step: perhaps a loss was the first
                return self.to(to_step, 1, on_step, checkpoint)
            evaluates = self._evaluates[(self.step - 1) % self.batches.per_epoch]
            saves = checkpoint is not None and self.step < to_step and checkpoint.due(self.step)
            read = evaluates or saves or self.step == to_step
            looks = safe is not None and (read or self.step - safe.step >= block)
            if looks and not self.settle():
                assert safe is not None
                self.load(safe)  # once more, step by step: to stop just before the one that did it
                return self.to(to_step, 1, on_step, checkpoint)
            if evaluates:
                self.evaluate_or_stop(checkpoint)
            if looks:
                safe = self.snapshot(on_device=True)
            if saves and checkpoint is not None and self.diverged is None:
                checkpoint.save(self.snapshot())
            if on_step is not None:
                on_step(self.step, to_step)
        if self.policy.mask is not None:
            check_pruned(self.parameters, self.policy.mask)
        self.drop_gradients()  # whoever scores this module next finds no gradients
        return self.snapshot()

    def make_step(self, *, look: bool) -> bool:
        """Make one step; with `look`, return False before the update where the loss is not finite."""
        epoch, position = divmod(self.step, self.batches.per_epoch)
        if epoch != self._epoch:
            self._start_epoch(epoch)
        # for dropout: a step's noise is its own, wherever a run starts
        seed_torch(self._noise[position], self.device)
        x, y = self.batches(self.step)
        size = len(y)
        micro = min(self._micro or size, size)
        self.drop_gradients()
        loss: float | torch.Tensor = 0.0
        for start in range(0, size, micro):
            inputs, targets = (
                (x, y) if micro == size else (x[start : start + micro], y[start : start + micro])
            )
            part = functional.cross_entropy(self.module(inputs), targets, label_smoothing=self._smoothing)
            if micro < size:
                part = part * (len(targets) / size)  # the sum of the parts is the mean over the batch
            loss = loss + (part.item() if look else part.detach().double())
            if look and not math.isfinite(loss):
                self.diverged = self.step + 1
                return False
            part.backward()  # type: ignore[no-untyped-call]
        self.policy.before_update(self.step)
        self.optimizer.param_groups[0]["lr"] = self._rates[position]
        self.optimizer.step()
        self.step += 1
        try:
            self.policy.after_update(self.step)
        except DivergedError:
            if not look:
                raise
            self.diverged = self.step
            return False
        if self.policy.mask is not self._mask:
            self.note_change()
        if isinstance(loss, torch.Tensor):
            self.pending.append((loss, size))
        else:
            self.count(loss, size)
        return True

    def note_change(self) -> None:
        """Add what the policy's mask has become to the history."""
        self._mask = self.policy.mask
        if self._mask is not None:
            kept = {layer["name"]: layer["kept"] for layer in self._mask.layers()}
            self.history.append({"step": self.step, "kept": kept})

    def drop_gradients(self) -> None:
        """As the optimiser's zero_grad does, without its profiling, which small networks feel."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def count(self, loss: float, examples: int) -> None:
        """Add the mean loss of a batch to the meter."""
        self.meter["loss"] += loss * examples
        self.meter["examples"] += examples

    def settle(self) -> bool:
        """Add the losses not counted yet to the meter; return whether all are finite."""
        if not self.pending:
            return True
        losses = torch.stack([loss for loss, _ in self.pending]).tolist()
        for loss, (_, size) in zip(losses, self.pending, strict=True):
            if not math.isfinite(loss):
                return False
            self.count(loss, size)
        self.pending.clear()
        return True

    def lacks_evaluation(self) -> bool:
        """Whether the state at hand is one that was saved before its step's evaluation was through."""
        evaluates = self.recipe.evaluates_at(self.step, self.batches.examples)
        return evaluates and self.meter["examples"] > 0

    def evaluate_or_stop(self, checkpoint: Checkpoint | None) -> None:
        """Evaluate; told to stop meanwhile, save the state as it was before. Raises: Stopped."""
        try:
            with stopping.released():
                self.evaluate()
        except stopping.Stopped:
            if checkpoint is not None:
                checkpoint.save(self.snapshot())
            raise

    def evaluate(self) -> None:
        """Add a point to the curve, or mark the run as diverged where the evaluation's loss is not finite."""
        data = self.data
        correct, examples, loss = evaluate(
            self.module,
            data.evaluation_images,
            data.evaluation_labels,
            mean=data.mean,
            std=data.std,
            channels_last=self.channels_last,
        )
        if not math.isfinite(loss):
            self.diverged = self.step
            return
        self.curve.append(
            {
                "step": self.step,
                "train_loss": self.meter["loss"] / self.meter["examples"],
                "correct": correct,
                "examples": examples,
                "loss": loss,
            }
        )
        self.meter = new_meter()

    def _start_epoch(self, epoch: int) -> None:
        """Work out what its steps need, all at once: between two steps each of them would cost more."""
        n, per_epoch = self.batches.examples, self.batches.per_epoch
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        self._epoch = epoch
        self._noise = (stream(self.seed, "noise", epoch).raw(per_epoch) >> 1).tolist()  # dropout's seeds
        self._rates = [self.recipe.learning_rate(step, n) for step in steps]
        self._evaluates = [self.recipe.evaluates_at(step + 1, n) for step in steps]


def _optimizer(parameters: Mapping[str, nn.Parameter], recipe: Recipe) -> torch.optim.SGD:
    # fused: the quickest of torch's three on the CPU and on GPUs alike, and element by element
    return torch.optim.SGD(
        [p for p in parameters.values() if p.requires_grad],
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


def _load_momentum(
    optimizer: torch.optim.SGD, parameters: Mapping[str, nn.Parameter], momentum: Mapping[str, torch.Tensor]
) -> None:
    """Give every parameter its momentum, or zeros, as before a first step.

    Each has one from the start: torch's fused SGD begins anew for all where it finds that one has none.
    """
    for name in momentum:
        if name not in parameters:
            raise UsageError(f"the state holds momentum of '{name}', no parameter of the network")
    for name, parameter in parameters.items():
        # like the parameter, so that both lie in memory in the same order
        held = torch.zeros_like(parameter, requires_grad=False)
        optimizer.state[parameter]["momentum_buffer"] = (
            held.copy_(momentum[name]) if name in momentum else held
        )
