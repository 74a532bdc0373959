"""A network with its initial weights: every parameter from a stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import nn

from prunebench.errors import ComponentError
from prunebench.training.randomness import keep_global_state, seed_all
from prunebench.training.streams import Stream, stream

__all__ = ["Draw", "make_network"]

Draw = Callable[[nn.Module, str, nn.Parameter, Stream], torch.Tensor | None]
"""(owning module, attribute name, parameter, its stream) → CPU tensor of its shape, or None to leave it."""


def make_network(
    build: Callable[[], nn.Module],
    draw: Draw | None,
    seed: int,
    purpose: Literal["init", "fresh"] = "init",
) -> nn.Module:
    """Build a network on the CPU and give it the initial weights of `seed`.

    The constructor runs under seeded global generators, which are put back afterwards. Then `draw` is asked
    for every parameter, with stream(seed, purpose, full name): a layer's weights do not move when another
    layer is added. Tied parameters are drawn once, under their first name. With `draw` None the
    constructor's own values stay ("own").

    Raises: ComponentError where a draw is no finite tensor of the parameter's shape.
    """
    with keep_global_state():
        seed_all(_number(stream(seed, purpose, 0)))  # a number is no parameter's name
        module = build()
        if draw is not None:
            with torch.no_grad():
                for name, owner, attribute, parameter in _owned_parameters(module):
                    # so that torch.nn.init in a draw is as independent of other layers as its stream is
                    seed_all(_number(stream(seed, purpose, name, 0)))
                    values = draw(owner, attribute, parameter, stream(seed, purpose, name))
                    if values is not None:
                        parameter.copy_(_checked(values, name, parameter))
    return module


def _owned_parameters(module: nn.Module) -> Iterator[tuple[str, nn.Module, str, nn.Parameter]]:
    seen: set[int] = set()
    for prefix, owner in module.named_modules():
        for attribute, parameter in owner.named_parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield f"{prefix}.{attribute}" if prefix else attribute, owner, attribute, parameter


def _number(source: Stream) -> int:
    return int(source.raw(1)[0])


def _checked(values: object, name: str, parameter: nn.Parameter) -> torch.Tensor:
    if not isinstance(values, torch.Tensor):
        raise ComponentError(
            f"the initialization gave {type(values).__name__} for '{name}', not a tensor of shape "
            f"{tuple(parameter.shape)} or None"
        )
    if values.shape != parameter.shape:
        raise ComponentError(
            f"the initialization gave shape {tuple(values.shape)} for '{name}', not {tuple(parameter.shape)}"
        )
    if not bool(torch.isfinite(values).all()):
        raise ComponentError(f"the initialization gave values that are not finite for '{name}'")
    return values
