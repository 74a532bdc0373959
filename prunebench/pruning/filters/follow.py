"""Follows labels of channels through a network's graph: every operation has a rule, or what it takes stays.

A tensor of a forward pass is stood for by a tensor of labels of its shape: which channel each number is of.
What moves numbers about moves their labels, by the same operation.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from prunebench.pruning.filters.following import Following
from prunebench.pruning.filters.labels import (
    Activation,
    Constant,
    ParameterView,
    alike,
    leaves,
    name_of,
    shape_of,
)
from prunebench.pruning.filters.rules import MOVES, RULES, pointwise
from prunebench.pruning.filters.ties import STAYS, Ties
from prunebench.pruning.filters.trace import Traced

__all__ = ["follow"]


def follow(traced: Traced, ties: Ties | None = None) -> Ties:
    """Return which channels of a network go together, and what goes along with them.

    ties: what following another graph of the same network has found: this one adds to it

    Raises: UsageError that names the operation through which channels cannot be followed.
    """
    to = Following(Ties() if ties is None else ties)
    env: dict[fx.Node, Any] = {}
    names = iter(traced.held)
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            name = next(names, None)
            tensor = shape_of(node)
            env[node] = Activation(alike(STAYS, tensor)) if name is None else ParameterView(name, tensor)
        elif node.op == "get_attr":
            env[node] = Constant()
        elif node.op == "call_function":
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), env.__getitem__)
            env[node] = _passed(to, node, args, kwargs)
        elif node.op == "output":
            for value in leaves(fx.node.map_arg(node.args, env.__getitem__)):
                if isinstance(value, Activation):
                    to.pin(value.labels, "its outputs are the network's")
                elif isinstance(value, ParameterView):
                    to.ties.keep_whole(value.name, f"'{value.name}' is returned as an output")
        if traced.training and _ends(node):
            for value in leaves(env[node]):  # an auxiliary head may leave its outputs at the network
                if isinstance(value, Activation):
                    to.pin(value.labels, "nothing in the network reads its outputs")
    return to.ties


def _ends(node: fx.Node) -> bool:
    """Return True for an operation whose outcome is not used: one of several outcomes is none by itself."""
    return node.op == "call_function" and not node.users and node.target is not operator.getitem


def _passed(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return what an operation makes of its arguments."""
    if node.target is operator.getitem:
        whole, number = args
        return whole if isinstance(whole, Constant) else whole[number]
    name = name_of(node.target)
    values = list(leaves((args, kwargs)))
    acts = [value for value in values if isinstance(value, Activation)]
    parameters = [value for value in values if isinstance(value, ParameterView)]
    if not acts:
        return _without_inputs(to, node, name, args, kwargs, parameters)
    rule = RULES.get(name)
    if rule is None and torch.Tag.pointwise in getattr(node.target, "tags", ()):
        rule = pointwise
    if rule is not None:
        try:
            return rule(to, node, args, kwargs)
        except Exception as error:  # an operation used in a way that its rule does not know
            raise to.untraced(name) from error
    to.keep_whole(parameters, name)
    return to.mixes(node, acts, f"it enters the operation '{name}', which has no rule")


def _without_inputs(
    to: Following,
    node: fx.Node,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    parameters: Sequence[ParameterView],
) -> Any:
    """Return what an operation makes of parameters and constants alone."""
    if len(parameters) == 1 and not kwargs and name in MOVES and args[0] is parameters[0]:
        parameter = parameters[0]
        if name in ("t", "transpose") and len(parameter.shape) == 2 and parameter.places is None:
            return ParameterView(parameter.name, parameter.shape, transposed=not parameter.transposed)
        places = node.target(parameter.placed(), *args[1:])  # type: ignore[operator]
        if isinstance(places, Tensor):
            return ParameterView(parameter.name, parameter.shape, places)
        return [ParameterView(parameter.name, parameter.shape, part) for part in places]
    to.keep_whole(parameters, name)
    return Constant()
