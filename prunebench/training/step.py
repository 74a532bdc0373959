"""A run on its device: its steps, one at a time, its evaluations, and its states."""

from __future__ import annotations

import math

import torch
from torch import nn

from prunebench.training.devices import ALONE, Devices
from prunebench.training.images.batches import Batches, Choice, make_batches
from prunebench.training.images.data import Data
from prunebench.training.kernels import Kernels
from prunebench.training.kernels.captured import Capture, CapturedStep, can_be_captured, cuda_graph, wanted
from prunebench.training.kernels.sparse import SparseLinear, sparse_layers
from prunebench.training.optimizers import OPTIMIZERS, load_slots, slots_of
from prunebench.training.policy import DivergedError, FixedMask, MaskPolicy
from prunebench.training.randomness import seed_torch
from prunebench.training.recipe import Recipe
from prunebench.training.recompute import recomputing
from prunebench.training.state import State, new_meter, plain_copy
from prunebench.training.streams import stream
from prunebench.training.tasks import TASKS

__all__ = ["Stepper", "placed"]


def placed(module: nn.Module, device: torch.device) -> tuple[nn.Module, bool]:
    """Return a network on a device, and whether its images lie with their channels last: if it convolves."""
    module = module.to(device)
    if not any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in module.modules()):
        return module, False
    return module.to(memory_format=torch.channels_last), True  # type: ignore[call-overload]


class Stepper:
    """A network, its optimiser and its mask policy on the device, after `step` steps of a run."""

    def __init__(
        self,
        module: nn.Module,
        state: State,
        recipe: Recipe,
        data: Data,
        seed: int,
        device: torch.device,
        policy: MaskPolicy,
        devices: Devices = ALONE,
        kernels: Kernels = "dense",
    ) -> None:
        self.devices, self._kernels = devices, kernels
        self.recipe, self.data, self.seed, self.device, self.policy = recipe, data, seed, device, policy
        self.module, self.channels_last = placed(module, device)
        self.module.train()
        self._network = devices.joined(self.module, recipe)
        self._forward = recomputing(self._network) if recipe.recompute else self._network
        self.batches = make_batches(data, recipe, seed, channels_last=self.channels_last, devices=devices)
        self.parameters = dict(self.module.named_parameters())
        self._task = TASKS[data.task]
        self._loss = self._task.loss(recipe)
        self._slots = OPTIMIZERS[recipe.optimizer].slots(recipe)
        self._epoch = -1
        self._captured = self._capturing(cuda_graph) if wanted(device) else None
        self._sparse: dict[str, SparseLinear] = {}
        self._trained = self.parameters
        self.load(state)

    def _capturing(self, capture: Capture) -> CapturedStep | None:
        """Return what captures and replays steps; None where a step needs more of the host than a choice."""
        batches, recipe = self.batches, self.recipe
        whole = self.devices.count == 1 and not recipe.micro_batch and not recipe.recompute
        if not whole or not isinstance(batches, Batches) or not isinstance(self.policy, FixedMask):
            return None
        if not can_be_captured(self.module):
            return None

        def compute(choice: Choice) -> torch.Tensor:
            rate = self._rates[self.step % batches.per_epoch]
            loss = self._compute(batches.make(choice), recipe.batch, rate, look=False)
            assert isinstance(loss, torch.Tensor)
            return loss

        return CapturedStep(batches.choose, compute, capture)

    # -- states ------------------------------------------------------------------------------------------

    def load(self, state: State) -> None:
        """Take up a state: everything that a step reads."""
        self.release()
        state.load_into(self.module)
        self.step, self.diverged = state.step, state.diverged
        self.curve = [dict(point) for point in state.curve]
        self.meter = dict(state.meter)
        self.history = list(state.history)
        self.pending: list[tuple[torch.Tensor, int]] = []
        trained = [p for p in self.parameters.values() if p.requires_grad]
        self.optimizer = OPTIMIZERS[self.recipe.optimizer].make(trained, self.recipe)
        load_slots(self.optimizer, self._slots, self.parameters, state.slots)
        self.policy.start(self.parameters, self.optimizer, state.mask)
        self._mask = self.policy.mask
        self._compute_sparsely()
        if self._captured is not None:
            self._captured.forget()

    def _compute_sparsely(self) -> None:
        """Let layers that sparse kernels are quicker for train their kept values, if they are asked for.

        Only under a mask that stays, with all of the network here.
        """
        if self._kernels == "dense" or not isinstance(self.policy, FixedMask) or self.devices.count > 1:
            return
        self._sparse = sparse_layers(self.module, self.policy.kept, self.device)
        if not self._sparse:
            return
        slots = slots_of(self.optimizer, self._slots, self.parameters)
        for slot, kind in self._slots.items():
            for name, layer in self._sparse.items():
                if kind.per_weight:
                    slots[slot][name] = layer.at_places(slots[slot][name])
        self._trained = {
            name: self._sparse[name].values if name in self._sparse else parameter
            for name, parameter in self.parameters.items()
        }
        reached = [p for p in self._trained.values() if p.requires_grad]
        self.optimizer = OPTIMIZERS[self.recipe.optimizer].make(reached, self.recipe)
        load_slots(self.optimizer, self._slots, self._trained, slots)

    def release(self) -> None:
        """Let all layers compute with their own weights again, which are the trained ones."""
        for layer in self._sparse.values():
            layer.undo()
        self._sparse, self._trained = {}, self.parameters

    def snapshot(self, *, on_device: bool = False) -> State:
        """Return the state as it stands, its tensors its own: on the CPU, or left on the device."""
        copy = torch.Tensor.clone if on_device else plain_copy
        slots = slots_of(self.optimizer, self._slots, self._trained)
        for name, layer in self._sparse.items():
            layer.write_back()
            for slot, kind in self._slots.items():
                if kind.per_weight:
                    slots[slot][name] = layer.spread(slots[slot][name])
        with torch.no_grad():
            return State(
                parameters={name: copy(p) for name, p in self.parameters.items()},
                buffers={name: copy(b) for name, b in self.module.named_buffers()},
                slots={slot: {n: copy(value) for n, value in held.items()} for slot, held in slots.items()},
                mask=self.policy.mask,
                step=self.step,
                curve=[dict(point) for point in self.curve],
                meter=dict(self.meter),
                history=list(self.history),
                diverged=self.diverged,
                kernels="sparse" if self._sparse else "dense",
            )

    # -- one step ----------------------------------------------------------------------------------------

    def make_step(self, *, look: bool) -> bool:
        """Make one step. False where it cannot be made: loss, or what a policy chooses from, is not finite.

        With `look` the loss is looked at before the update, and the step is noted in `diverged`; without, it
        is left `pending` (`settle`).
        """
        epoch, position = divmod(self.step, self.batches.per_epoch)
        if epoch != self._epoch:
            self._start_epoch(epoch)
        # for dropout: a step's noise is its own, wherever a run starts
        seed_torch(self._noise[position], self.device)
        size = self.recipe.batch_at(position, self.batches.examples)
        loss: float | torch.Tensor | None
        try:
            if self._captured is not None and size == self.recipe.batch and not look:
                loss = self._captured.step(self.step, self._rates[position])
            else:
                loss = self._compute(self.batches(self.step), size, self._rates[position], look)
            if loss is not None:
                self.step += 1
                self.policy.after_update(self.step)
        except DivergedError:
            loss = None
        if loss is None:
            if look:
                self.diverged = epoch * self.batches.per_epoch + position + 1
            return False
        if self.policy.mask is not self._mask:
            self._note_change()
        if isinstance(loss, torch.Tensor):
            self.pending.append((loss, size))
        else:
            self._count(loss, size)
        return True

    def _compute(
        self, batch: tuple[torch.Tensor, torch.Tensor], size: int, rate: float, look: bool
    ) -> float | torch.Tensor | None:
        """Do what is the device's part of a step, and return the loss.

        None, with `look`, where the loss is not finite: then nothing is updated.
        """
        loss = self._backward(*batch, size, look)
        if loss is not None and self.policy.before_update(self.step):
            self.optimizer.param_groups[0]["lr"] = rate
            self.optimizer.step()
        return loss

    def _backward(
        self, x: torch.Tensor, y: torch.Tensor, size: int, look: bool
    ) -> float | torch.Tensor | None:
        """Return the loss of a batch of `size`, the gradients made; with `look` None where it is not finite.

        x, y: what there is here of the batch
        """
        passes = self.devices.passes(size, self.recipe.micro_batch)
        self.drop_gradients()
        loss: float | torch.Tensor = 0.0
        for number, examples in enumerate(passes):
            inputs, targets = (x, y) if len(passes) == 1 else (x[examples], y[examples])
            with self.devices.passing(self._network, number, len(passes)):
                part = self._loss(self._forward(inputs), targets)
                if len(targets) < size:
                    part = part * (len(targets) / size)  # the sum of the parts is the mean over the batch
                told = self.devices.total(part)
                loss = loss + (told.item() if look else told.detach().double())
                if look and not math.isfinite(loss):
                    return None
                part.backward()  # type: ignore[no-untyped-call]
        return loss

    def _note_change(self) -> None:
        """Add what the policy's mask has become to the history."""
        self._mask = self.policy.mask
        if self._captured is not None:
            self._captured.forget()
        if self._mask is not None:
            kept = {layer["name"]: layer["kept"] for layer in self._mask.layers()}
            self.history.append({"step": self.step, "kept": kept})

    def drop_gradients(self) -> None:
        """As the optimiser's zero_grad does, without its profiling, which small networks feel."""
        for parameter in self._trained.values():
            parameter.grad = None

    def _start_epoch(self, epoch: int) -> None:
        """Work out what its steps need, all at once: between two steps each of them would cost more."""
        n, per_epoch = self.batches.examples, self.batches.per_epoch
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        self._epoch = epoch
        self._noise = (stream(self.seed, "noise", epoch).raw(per_epoch) >> 1).tolist()  # dropout's seeds
        self._rates = [self.recipe.learning_rate(step, n) for step in steps]
        self._evaluates = [self.recipe.evaluates_at(step + 1, n) for step in steps]

    # -- losses and evaluations --------------------------------------------------------------------------

    def _count(self, loss: float, examples: int) -> None:
        """Add the mean loss of a batch to the meter."""
        self.meter["loss"] += loss * examples
        self.meter["examples"] += examples

    def settle(self) -> bool:
        """Add the losses not counted yet to the meter. False if one of them is not finite."""
        if not self.pending:
            return True
        losses = torch.stack([loss for loss, _ in self.pending]).tolist()
        for loss, (_, size) in zip(losses, self.pending, strict=True):
            if not math.isfinite(loss):
                return False
            self._count(loss, size)
        self.pending.clear()
        return True

    def evaluates(self) -> bool:
        """True if the split is evaluated after the step just made."""
        return self._evaluates[(self.step - 1) % self.batches.per_epoch]

    def lacks_evaluation(self) -> bool:
        """True if the state at hand was saved before its step's evaluation was through."""
        evaluates = self.recipe.evaluates_at(self.step, self.batches.examples)
        return evaluates and self.meter["examples"] > 0

    def evaluate(self) -> None:
        """Add a point to the curve, or mark the run as diverged where the evaluation's loss is not finite."""
        first = self.devices.first
        measured = self._task.evaluate(self.module, self.data, self.channels_last) if first else {}
        if not self.devices.agreed(not measured or math.isfinite(measured["loss"])):
            self.diverged = self.step
            return
        train_loss = self.meter["loss"] / self.meter["examples"]
        self.curve.append({"step": self.step, "train_loss": train_loss, **measured})
        self.meter = new_meter()
