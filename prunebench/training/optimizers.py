"""Optimisers: what each reads of a recipe, how it is made, what it keeps between steps (imports no torch).

A new one is an entry of `OPTIMIZERS`, with a field of `Recipe` for each number that no other optimiser reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prunebench.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from prunebench.training.kernels.fused import Updates
    from prunebench.training.recipe import Recipe

__all__ = ["OPTIMIZERS", "Optimizer", "Slot", "load_slots", "slots_of"]

Slots = Mapping[str, Mapping[str, "torch.Tensor"]]
"""What an optimiser keeps: {slot: {parameter: tensor}}."""


@dataclass(frozen=True)
class Slot:
    """One thing that an optimiser keeps of every parameter."""

    key: str
    """What torch calls it in the optimiser's state."""
    per_weight: bool = True
    """A number for each weight; False: one for the whole parameter (float32), as a count of steps."""


@dataclass(frozen=True)
class Optimizer:
    """An optimiser that recipes can name."""

    takes: Mapping[str, Any]
    """Fields of a recipe that it reads beside `lr` and `weight_decay`, with their values if none are said."""
    make: Callable[[list[nn.Parameter], Recipe], Updates]
    slots: Callable[[Recipe], Mapping[str, Slot]]
    """What it keeps under a recipe; the names are those of states: anything but parameters, buffers, mask."""


def _sgd(parameters: list[nn.Parameter], recipe: Recipe) -> Updates:
    from prunebench.training.kernels.fused import fused_sgd

    how = {name: getattr(recipe, name) for name in ("lr", "momentum", "nesterov", "weight_decay")}
    return fused_sgd(parameters, **how) or _of_torch("SGD", parameters, how)


def _adamw(parameters: list[nn.Parameter], recipe: Recipe) -> Updates:
    from prunebench.training.kernels.fused import fused_adamw

    how = {name: getattr(recipe, name) for name in ("lr", "betas", "eps", "weight_decay")}
    return fused_adamw(parameters, **how) or _of_torch("AdamW", parameters, how)


def _of_torch(name: str, parameters: list[nn.Parameter], how: Mapping[str, Any]) -> Updates:
    """Return one of torch's classes; fused: the quickest of its three ways everywhere, element by element."""
    import torch.optim

    made: Updates = getattr(torch.optim, name)(parameters, fused=True, **how)
    return made


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(
        takes={"momentum": 0.0, "nesterov": False},
        make=_sgd,
        slots=lambda recipe: {"momentum": Slot("momentum_buffer")} if recipe.momentum > 0 else {},
    ),
    # Loshchilov and Hutter (2019), Decoupled weight decay regularization, Algorithm 2
    "adamw": Optimizer(
        takes={"betas": (0.9, 0.999), "eps": 1e-8},
        make=_adamw,
        slots=lambda recipe: {
            "exp_avg": Slot("exp_avg"),
            "exp_avg_sq": Slot("exp_avg_sq"),
            "steps": Slot("step", per_weight=False),
        },
    ),
}


def load_slots(
    optimizer: Updates,
    slots: Mapping[str, Slot],
    parameters: Mapping[str, nn.Parameter],
    values: Slots,
) -> None:
    """Give every parameter its slots: the values that there are, else zeros, as before a first step.

    Each has all of them from the start: torch's fused SGD begins anew for all where one has none. Values of
    slots that the optimiser has not are left out.

    Raises: UsageError where there are values for a parameter that the network has not.
    """
    import torch

    for slot, kind in slots.items():
        given = values.get(slot, {})
        for name in given:
            if name not in parameters:
                raise UsageError(f"the state holds {slot} of '{name}', no parameter of the network")
        for name, parameter in parameters.items():
            if kind.per_weight:
                # like the parameter, so that both lie in memory in the same order
                value = torch.zeros_like(parameter, requires_grad=False)
            else:
                value = torch.zeros((), dtype=torch.float32, device=parameter.device)
            optimizer.state[parameter][kind.key] = value.copy_(given[name]) if name in given else value


def slots_of(
    optimizer: Updates, slots: Mapping[str, Slot], parameters: Mapping[str, nn.Parameter]
) -> dict[str, dict[str, torch.Tensor]]:
    """Return what the optimiser keeps of each parameter: its own tensors, no copies."""
    return {
        slot: {name: optimizer.state[parameter][kind.key] for name, parameter in parameters.items()}
        for slot, kind in slots.items()
    }
