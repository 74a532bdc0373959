"""What following channels through a network has learnt so far, and how rules of operations add to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from prunebench.errors import UsageError
from prunebench.pruning.filters.labels import (
    Activation,
    Constant,
    ParameterView,
    alike,
    compact,
    narrow,
    varying,
)
from prunebench.pruning.filters.ties import STAYS, Array, Ties
from prunebench.pruning.filters.trace import UNIT

__all__ = ["Following"]


class Following:
    """One walk through a graph: which channels go together by now, and the last layer that it passed."""

    def __init__(self, ties: Ties) -> None:
        self.ties = ties
        self.layer = "the network's input"

    def untraced(self, name: str) -> UsageError:
        """Return what to say of an operation through which channels cannot be followed."""
        return UsageError(
            f"{UNIT}: which filters go together cannot be traced through the operation '{name}' after "
            f"{self.layer}"
        )

    def keep_whole(self, parameters: Iterable[ParameterView], name: str) -> None:
        """Let stay whatever these parameters are indexed by, which an operation uses in a way of its own."""
        for parameter in parameters:
            self.ties.keep_whole(parameter.name, f"'{parameter.name}' is used in the operation '{name}'")

    def pin(self, labels: Tensor, reason: str) -> None:
        """Let the channels stay that these numbers are of."""
        self.ties.pin(np.unique(compact(labels)[0]), reason)

    def fixed(self, node: fx.Node) -> Any:
        """Return numbers that no channel that may go is in, in the shapes of what an operation returns."""
        made = node.meta.get("val")
        if isinstance(made, Tensor):
            return Activation(alike(STAYS, made.shape))
        if not isinstance(made, list | tuple):
            return Constant()
        return [Activation(alike(STAYS, t.shape)) if isinstance(t, Tensor) else Constant() for t in made]

    def mixes(self, node: fx.Node, acts: Iterable[Any], how: str) -> Any:
        """Return the outcome of an operation in which every channel counts for every other: they stay."""
        for act in acts:
            if isinstance(act, Activation):
                self.pin(act.labels, how)
        return self.fixed(node)

    def entries(self, parameter: ParameterView, labels: Tensor) -> tuple[int, Array] | str | None:
        """Return along which dimension a parameter goes with channels, and their labels.

        labels: of the numbers that the parameter's meet, in a shape that they broadcast to
        Returns None where it does not go along with them at all, and a reason where that cannot be told.
        """
        if int(np.prod(parameter.shape)) == 1 and len(compact(labels)[1]) > 0:
            return None
        shape = labels.shape
        both = [t.reshape(-1).numpy() for t in narrow([parameter.placed().broadcast_to(shape), labels])]
        pairs = np.unique(np.stack([both[0], self.ties.roots(both[1])], axis=1), axis=0)
        places, counts = np.unique(pairs[:, 0], return_counts=True)
        if (counts > 1).all():
            return None
        if (counts > 1).any() or len(places) != int(np.prod(parameter.shape)):
            return "it meets several channels with one number"
        own = torch.from_numpy(pairs[:, 1].copy()).reshape(parameter.shape)
        dims = varying(own)
        if not dims:
            dims = [d for d, size in enumerate(parameter.shape) if size == 1][:1] or [0]
            if own.numel() != 1:
                return "it meets one channel with several numbers"
        if len(dims) > 1:
            return "it goes with channels along several dimensions"
        dim = dims[0]
        first = own.movedim(dim, 0).reshape(own.shape[dim], -1)[:, 0]
        return dim, first.numpy().copy()

    def goes_along(self, parameter: Any, labels: Tensor) -> None:
        """Let a parameter go with the channels that its numbers meet; what cannot be told stays."""
        if not isinstance(parameter, ParameterView):
            return
        told = self.entries(parameter, labels)
        if isinstance(told, tuple):
            self.ties.follow(parameter.name, *told)
        elif told is not None:
            self.pin(labels, f"'{parameter.name}' is tied to it, and {told}")
