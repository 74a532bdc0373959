"""Follows labels of channels through a network's graph: every operation has a rule, or what it takes stays.

A tensor of a forward pass is stood for by a tensor of labels of its shape: which channel each number is of.
What moves numbers about moves their labels, by the same operation.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from prunebench.errors import UsageError
from prunebench.pruning.filters.labels import (
    Act,
    Free,
    Par,
    alike,
    compact,
    leaves,
    name_of,
    narrow,
    shape_of,
    varying,
)
from prunebench.pruning.filters.rules import MOVES, RULES, pointwise
from prunebench.pruning.filters.ties import STAYS, Array, Ties
from prunebench.pruning.filters.trace import UNIT, Traced

__all__ = ["Following", "follow"]


def follow(traced: Traced) -> Ties:
    """Return which channels of a network go together, and what goes along with them.

    Raises: UsageError that names the operation through which channels cannot be followed.
    """
    return Following(traced).ties


class Following:
    """One walk through a graph: what it has learnt, and the last layer that it passed."""

    def __init__(self, traced: Traced) -> None:
        self.ties = Ties()
        self.layer = "the network's input"
        env: dict[fx.Node, Any] = {}
        names = iter(traced.held)
        for node in traced.graph.nodes:
            if node.op == "placeholder":
                name = next(names, None)
                tensor = shape_of(node)
                env[node] = Act(alike(STAYS, tensor)) if name is None else Par(name, tensor)
            elif node.op == "get_attr":
                env[node] = Free()
            elif node.op == "call_function":
                args, kwargs = fx.node.map_arg((node.args, node.kwargs), env.__getitem__)
                env[node] = self.call(node, args, kwargs)
            elif node.op == "output":
                for value in leaves(fx.node.map_arg(node.args, env.__getitem__)):
                    if isinstance(value, Act):
                        self.pin(value.labels, "its outputs are the network's")
                    elif isinstance(value, Par):
                        self.ties.keep_whole(value.name, f"'{value.name}' is returned as an output")

    def call(self, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return what an operation makes of its arguments."""
        if node.target is operator.getitem:
            whole, number = args
            return whole if isinstance(whole, Free) else whole[number]
        name = name_of(node.target)
        values = list(leaves((args, kwargs)))
        acts = [value for value in values if isinstance(value, Act)]
        parameters = [value for value in values if isinstance(value, Par)]
        if not acts:
            return self.without_inputs(node, name, args, kwargs, parameters)
        rule = RULES.get(name)
        if rule is None and torch.Tag.pointwise in getattr(node.target, "tags", ()):
            rule = pointwise
        if rule is not None:
            try:
                return rule(self, node, args, kwargs)
            except Exception as error:  # an operation used in a way that its rule does not know
                raise self.untraced(name) from error
        self.keep_whole(parameters, name)
        return self.mixes(node, acts, f"it enters the operation '{name}', which has no rule")

    def untraced(self, name: str) -> UsageError:
        """Return what to say of an operation through which channels cannot be followed."""
        return UsageError(
            f"{UNIT}: which filters go together cannot be traced through the operation '{name}' after "
            f"{self.layer}"
        )

    def without_inputs(
        self,
        node: fx.Node,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        parameters: Sequence[Par],
    ) -> Any:
        """Return what an operation makes of parameters and constants alone."""
        if len(parameters) == 1 and not kwargs and name in MOVES and args[0] is parameters[0]:
            parameter = parameters[0]
            if name in ("t", "transpose") and len(parameter.shape) == 2 and parameter.places is None:
                return Par(parameter.name, parameter.shape, transposed=not parameter.transposed)
            places = node.target(parameter.placed(), *args[1:])  # type: ignore[operator]
            if isinstance(places, Tensor):
                return Par(parameter.name, parameter.shape, places)
            return [Par(parameter.name, parameter.shape, part) for part in places]
        self.keep_whole(parameters, name)
        return Free()

    def keep_whole(self, parameters: Iterable[Par], name: str) -> None:
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
            return Act(alike(STAYS, made.shape))
        if not isinstance(made, list | tuple):
            return Free()
        return [Act(alike(STAYS, t.shape)) if isinstance(t, Tensor) else Free() for t in made]

    def mixes(self, node: fx.Node, acts: Iterable[Any], how: str) -> Any:
        """Return the outcome of an operation in which every channel counts for every other: they stay."""
        for act in acts:
            if isinstance(act, Act):
                self.pin(act.labels, how)
        return self.fixed(node)

    def entries(self, parameter: Par, labels: Tensor) -> tuple[int, Array] | str | None:
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
        if not isinstance(parameter, Par):
            return
        told = self.entries(parameter, labels)
        if isinstance(told, tuple):
            self.ties.follow(parameter.name, *told)
        elif told is not None:
            self.pin(labels, f"'{parameter.name}' is tied to it, and {told}")
