"""Updates by torch's fused kernels alone: the bits of its optimiser classes, without the classes.

An optimiser of `torch.optim` brings in torch's compiler when it is made, about a second of every process,
and its own part of a step takes longer than the kernel does where networks are small. The kernels' names are
private: where a torch has another kernel, or a network has numbers that it does not take, the functions here
return None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

__all__ = ["Updates", "fused_adamw", "fused_sgd"]


class Updates(Protocol):
    """What the loop and its policies use of an optimiser; a torch.optim.Optimizer is one."""

    @property
    def state(self) -> Any:
        """{parameter: {slot: tensor}}; a parameter that is asked for has an entry from then on."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """One group, whose "lr" is the learning rate of the next step."""

    def step(self) -> Any:
        """Update every parameter that has a gradient."""


_SGD = (
    "aten::_fused_sgd_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] momentum_buffer_list, *, "
    "float weight_decay, float momentum, float lr, float dampening, bool nesterov, bool maximize, "
    "bool is_first_step, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()"
)
_ADAMW = (
    "aten::_fused_adamw_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] exp_avgs, "
    "Tensor(d!)[] exp_avg_sqs, Tensor(e!)[] max_exp_avg_sqs, Tensor[] state_steps, *, float lr, float beta1, "
    "float beta2, float weight_decay, float eps, bool amsgrad, bool maximize, Tensor? grad_scale=None, "
    "Tensor? found_inf=None) -> ()"
)


def fused_sgd(
    parameters: Sequence[nn.Parameter], *, lr: float, momentum: float, nesterov: bool, weight_decay: float
) -> Updates | None:
    """Return what makes the steps of `torch.optim.SGD(…, fused=True)`; None where it cannot be had.

    With momentum every parameter needs its slot "momentum_buffer" before the first step: zeros.
    """
    kernel = _kernel("_fused_sgd_", _SGD, parameters)
    if kernel is None:
        return None
    update = partial(
        kernel,
        weight_decay=weight_decay,
        momentum=momentum,
        dampening=0.0,
        nesterov=nesterov,
        maximize=False,
        is_first_step=False,
    )
    if momentum > 0:
        return _Fused(parameters, update, ("momentum_buffer",), lr)

    def without_momentum(weights: _Tensors, gradients: _Tensors, *, lr: float) -> None:
        update(weights, gradients, [], lr=lr)

    return _Fused(parameters, without_momentum, (), lr)


def fused_adamw(
    parameters: Sequence[nn.Parameter],
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> Updates | None:
    """Return what makes the steps of `torch.optim.AdamW(…, fused=True)`; None where it cannot be had.

    Every parameter needs its slots "exp_avg", "exp_avg_sq" and "step" (of one number) before the first step:
    zeros.
    """
    kernel = _kernel("_fused_adamw_", _ADAMW, parameters)
    if kernel is None:
        return None
    update = partial(
        kernel,
        beta1=betas[0],
        beta2=betas[1],
        weight_decay=weight_decay,
        eps=eps,
        amsgrad=False,
        maximize=False,
    )

    def counted(
        weights: _Tensors,
        gradients: _Tensors,
        means: _Tensors,
        squares: _Tensors,
        steps: _Tensors,
        *,
        lr: float,
    ) -> None:
        torch._foreach_add_(steps, 1)
        update(weights, gradients, means, squares, [], steps, lr=lr)

    return _Fused(parameters, counted, ("exp_avg", "exp_avg_sq", "step"), lr)


_Tensors = list[torch.Tensor]


class _Fused:
    """Updates all parameters in one call of a kernel, or in one for each device and type of number.

    update: (parameters, their gradients, the tensors of each slot …, lr=…)
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], update: Callable[..., None], slots: Sequence[str], lr: float
    ) -> None:
        self.state: defaultdict[nn.Parameter, dict[str, torch.Tensor]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters), "lr": lr}]
        self._update, self._slots = update, slots
        alike: dict[tuple[torch.device, torch.dtype], list[nn.Parameter]] = {}
        for parameter in parameters:
            alike.setdefault((parameter.device, parameter.dtype), []).append(parameter)
        self._alike = list(alike.values())

    def step(self) -> None:
        """Update every parameter that has a gradient: a layer that the forward pass does not reach has none.

        Raises: RuntimeError where a gradient is sparse, as torch's classes do.
        """
        lr = self.param_groups[0]["lr"]
        with torch.no_grad():
            for parameters in self._alike:
                reached = [p for p in parameters if p.grad is not None]
                if not reached:
                    continue
                gradients = [p.grad for p in reached]
                if any(g.layout != torch.strided for g in gradients if g is not None):
                    raise RuntimeError("fused updates take no sparse gradients")
                held = [[self.state[p][slot] for p in reached] for slot in self._slots]
                self._update(reached, gradients, *held, lr=lr)


def _kernel(name: str, schema: str, parameters: Sequence[nn.Parameter]) -> Callable[..., None] | None:
    """Return a kernel of torch; None where there is none with these arguments, or for such parameters."""
    operator = getattr(getattr(torch.ops.aten, name, None), "default", None)
    fits = operator is not None and str(operator._schema) == schema
    if not fits or not all(p.is_floating_point() for p in parameters):
        return None
    return getattr(torch, name, None)
