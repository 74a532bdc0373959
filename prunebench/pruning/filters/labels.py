"""What stands for a network's tensors while channels are followed: labels of the numbers' shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from prunebench.pruning.filters.ties import Array

__all__ = [
    "Activation",
    "Constant",
    "ParameterView",
    "alike",
    "channels",
    "compact",
    "leaves",
    "name_of",
    "narrow",
    "shape_of",
    "spread",
    "varying",
]


@dataclass(frozen=True)
class Activation:
    """A tensor that comes from the inputs: the label of each number."""

    labels: Tensor


@dataclass(frozen=True)
class ParameterView:
    """A parameter or buffer, or numbers of one moved about: which of its numbers each one is."""

    name: str
    shape: tuple[int, ...]
    places: Tensor | None = None
    """None: as they are, or the transpose of a matrix."""
    transposed: bool = False

    def placed(self) -> Tensor:
        """Return the place of each number in the flat parameter."""
        if self.places is not None:
            return self.places
        places = torch.arange(int(np.prod(self.shape))).reshape(self.shape)
        return places.T if self.transposed else places


@dataclass(frozen=True)
class Constant:
    """A tensor made of neither inputs nor parameters; `fits` where its shape was taken from one that is."""

    fits: bool = False


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Return the shape of the tensor that a node stands for."""
    return tuple(node.meta["val"].shape)


def alike(label: int, shape: Sequence[int]) -> Tensor:
    """Return labels of a shape that are all the same."""
    return torch.full((1,) * len(shape), label).expand(tuple(shape))


def name_of(target: Any) -> str:
    """Return an operation's name; one in place has that of the other."""
    name = str(getattr(target, "overloadpacket", target)).removeprefix("aten.")
    return name.rstrip("_") if not name.startswith("__") else name


def leaves(value: Any) -> Iterable[Activation | ParameterView | Constant]:
    """Yield what stands for tensors in an operation's arguments, in order."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part)
    elif isinstance(value, Activation | ParameterView | Constant):
        yield value


def varying(labels: Tensor) -> list[int]:
    """Return the dimensions along which labels differ."""
    return [
        dim
        for dim, size in enumerate(labels.shape)
        if size > 1 and labels.stride(dim) != 0 and not bool((labels == labels.narrow(dim, 0, 1)).all())
    ]


def compact(labels: Tensor) -> tuple[Array, list[int]]:
    """Return labels without the dimensions' repetitions, and the dimensions along which they differ."""
    dims = varying(labels)
    for dim in range(labels.dim()):
        if dim not in dims:
            labels = labels.narrow(dim, 0, min(1, labels.shape[dim]))
    return labels.numpy(), dims


def narrow(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors of one shape without the repetitions that all of them have."""
    dims = {dim for tensor in tensors for dim in varying(tensor)}
    for dim in range(tensors[0].dim()):
        if dim not in dims:
            tensors = [tensor.narrow(dim, 0, min(1, tensor.shape[dim])) for tensor in tensors]
    return list(tensors)


def channels(labels: Tensor, dim: int) -> Array | None:
    """Return one label a channel, where the labels differ along this dimension alone; None otherwise."""
    small, dims = compact(labels)
    if not set(dims) <= {dim % labels.dim()}:
        return None
    size = labels.shape[dim]
    flat = small.reshape(-1)
    return flat if flat.size == size else np.repeat(flat, size)


def spread(channels: Array, dim: int, shape: Sequence[int]) -> Tensor:
    """Return labels of a shape that differ along one dimension alone."""
    view = [1] * len(shape)
    view[dim] = len(channels)
    return torch.from_numpy(channels.copy()).reshape(view).expand(tuple(shape))
