"""How channels go through layers: convolutions, linear layers and other products, BatchNorm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, fx

from prunebench.pruning.filters.following import Following
from prunebench.pruning.filters.labels import (
    Activation,
    Constant,
    ParameterView,
    alike,
    channels,
    compact,
    shape_of,
    spread,
    varying,
)
from prunebench.pruning.filters.ties import STAYS, Array

__all__ = ["addmm", "batch_norm", "bmm", "convolution", "mm"]


def convolution(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A convolution reads the input's channels, and has a label of its own for each of its outputs."""
    x, weight, bias, *_, transposed, _, groups = args
    if not isinstance(x, Activation) or not isinstance(weight, ParameterView) or weight.places is not None:
        to.keep_whole([value for value in args[:3] if isinstance(value, ParameterView)], "convolution")
        return to.mixes(node, args[:3], "the weight of a convolution that it enters is computed")
    shape = weight.shape
    to.layer = f"layer '{weight.name}'"
    axis = x.labels.dim() - (len(shape) - 2) - 1
    read = channels(x.labels, axis)
    if read is None:
        return _at_places(to, node, x, [weight, bias])
    outputs = shape[1] * groups if transposed else shape[0]
    out_dim = int(transposed and groups == 1)
    if transposed and groups > 1 and shape[1] != 1:
        reason = f"{to.layer} is a grouped transposed convolution"
        to.ties.pin(to.ties.outputs(weight.name, 1, shape[1]), reason)
        return to.mixes(node, [x], reason)
    own = to.ties.outputs(weight.name, out_dim, outputs)
    _reads(to, weight, read, own, groups, 1 - out_dim)
    if isinstance(bias, ParameterView):
        to.ties.follow(bias.name, 0, own)
    return Activation(spread(own, axis, shape_of(node)))


def _at_places(to: Following, node: fx.Node, x: Activation, held: Sequence[Any]) -> Any:
    """A layer that takes channels for places (or examples): they stay, and so do its own."""
    for value in held:
        if isinstance(value, ParameterView):
            to.ties.keep_whole(value.name, "its inputs are channels at different places")
    return to.mixes(node, [x], f"{to.layer} reads it at different places")


def _reads(to: Following, weight: ParameterView, read: Array, own: Array, groups: int, dim: int) -> None:
    """Note whose channels a weight's inputs are; in groups, channels at the same place of each go together.

    Of a depthwise convolution an input goes with its outputs.
    """
    if groups == 1:
        to.ties.follow(weight.name, dim, read)
        return
    inputs = read.reshape(groups, -1)
    if inputs.shape[1] == 1:
        for output in own.reshape(groups, -1).T:
            to.ties.tie(inputs[:, 0], output)
        return
    for labels in (inputs, own.reshape(groups, -1)):
        for other in labels[1:]:
            to.ties.tie(labels[0], other)
    to.ties.follow(weight.name, dim, inputs[0])


def addmm(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A linear layer, with its bias."""
    bias, x, weight = args
    made = mm(to, node, (x, weight), {})
    if isinstance(bias, ParameterView) and isinstance(made, Activation):
        to.goes_along(bias, made.labels)
    elif isinstance(bias, Activation):
        return to.mixes(node, [bias, made], "it is added to a product of matrices")
    return made


def mm(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A linear layer; or a product with constants, whose entries are sums over one dimension."""
    x, weight = args
    if (
        isinstance(x, Activation)
        and isinstance(weight, ParameterView)
        and weight.places is None
        and len(weight.shape) == 2
    ):
        read = channels(x.labels, -1)
        to.layer = f"layer '{weight.name}'"
        if read is None:
            return _at_places(to, node, x, [weight])
        out_dim = 0 if weight.transposed else 1
        own = to.ties.outputs(weight.name, out_dim, weight.shape[out_dim])
        to.ties.follow(weight.name, 1 - out_dim, read)
        return Activation(spread(own, len(shape_of(node)) - 1, shape_of(node)))
    return bmm(to, node, args, kwargs)


def bmm(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Products with constants keep the channels that they do not sum over; of two activations all stay."""
    one, other = args
    weight = _repeated(other) if isinstance(other, ParameterView) else None
    if weight is not None and isinstance(one, Activation) and channels(one.labels, -1) is not None:
        return mm(to, node, (one, weight), {})
    for place, (x, factor) in enumerate(((one, other), (other, one))):
        dim = x.labels.dim() - 1 - place if isinstance(x, Activation) else 0
        plain = isinstance(factor, Constant) or (
            isinstance(factor, ParameterView) and _is_constant(to, factor)
        )
        if isinstance(x, Activation) and plain and dim not in varying(x.labels):
            return Activation(x.labels.narrow(dim, 0, 1).expand(shape_of(node)))
    to.keep_whole([value for value in args if isinstance(value, ParameterView)], "matrix product")
    return to.mixes(node, args, "it enters a product of matrices")


def _repeated(factor: ParameterView) -> ParameterView | None:
    """Return the matrix that is repeated for each example, as of linear layers over permuted tensors."""
    if factor.places is None or factor.places.dim() != 3 or len(factor.shape) != 2:
        return None
    for transposed in (True, False):
        matrix = ParameterView(factor.name, factor.shape, transposed=transposed)
        places = matrix.placed()
        if factor.places.shape[1:] == places.shape and bool((factor.places == places).all()):
            return matrix
    return None


def _is_constant(to: Following, factor: ParameterView) -> bool:
    """Return True for a buffer, or parameter, that nothing which may go is indexed by: it stays whole."""
    to.keep_whole([factor], "matrix product")
    return True


def batch_norm(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """BatchNorm's factors, shifts and statistics go along with the channels."""
    x, *held = args[:5]
    labels = x.labels
    own = channels(labels, 1)
    if own is None:  # InstanceNorm's view of the examples as channels
        own = compact(labels)[0].reshape(-1)
    for parameter in held:
        to.goes_along(parameter, spread(own, 1, (1, len(own))))
    gamma = held[0]
    if isinstance(gamma, ParameterView) and gamma.places is None:
        to.ties.norm(gamma.name, own)
    rest = node.meta["val"][1:]
    return [
        Activation(labels),
        *(Activation(alike(STAYS, t.shape)) if isinstance(t, Tensor) else Constant() for t in rest),
    ]
