"""How channels go through each of PyTorch's elementary operations."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
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
    narrow,
    shape_of,
    varying,
)
from prunebench.pruning.filters.layers import addmm, batch_norm, bmm, convolution, mm
from prunebench.pruning.filters.ties import STAYS

__all__ = ["MOVES", "RULES", "pointwise"]

Rule = Callable[[Following, fx.Node, Sequence[Any], Mapping[str, Any]], Any]


def pointwise(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Numbers at one place meet: their channels go together."""
    shape = shape_of(node)
    operands = list(_operands(node, args, kwargs))
    acts = [(v.labels.broadcast_to(shape), meta) for v, meta in operands if isinstance(v, Activation)]
    dims = {dim for labels, _ in acts for dim in varying(labels)}
    aligned: list[Tensor] = []
    for labels, meta in acts:
        if _is_spread(meta, dims, len(shape)):
            to.pin(labels, "it is spread over other channels")
        else:
            aligned.append(labels)
    if not aligned:
        return to.mixes(node, [value for value, _ in operands], "it is spread over other channels")
    for value, meta in operands:
        baked = isinstance(value, Constant) and not value.fits and meta is not None
        if baked and dims and not _is_spread(meta, dims, len(shape)):
            to.pin(aligned[0], "it meets numbers of a shape of their own")
    small = narrow(aligned)
    for other in small[1:]:
        to.ties.tie(small[0].numpy(), other.numpy())
    labels = small[0].expand(shape)
    for value, _ in operands:
        to.goes_along(value, labels)
    return Activation(labels)


def _operands(
    node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Sequence[tuple[Any, Tensor | None]]:
    """Return what an operation takes, each with the tensor that it stands for."""
    given = list(leaves((args, kwargs)))
    nodes: list[fx.Node] = []
    fx.node.map_arg((node.args, node.kwargs), nodes.append)
    metas = [n.meta.get("val") for n in nodes]
    return [
        (value, meta if isinstance(meta, Tensor) else None) for value, meta in zip(given, metas, strict=True)
    ]


def _is_spread(meta: Tensor | None, dims: set[int], rank: int) -> bool:
    """Return True if a tensor has one number for all places along one of these dimensions."""
    if meta is None:
        return True
    lead = rank - meta.dim()
    return any(d < lead or meta.shape[d - lead] == 1 or meta.stride(d - lead) == 0 for d in dims)


def over_places(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A pool, an upsampling, a padding by what is there: channels stay what they are, places come and go."""
    x = args[0]
    name = str(node.target)
    if any(dim >= x.labels.dim() - _rank(name) for dim in varying(x.labels)):
        return to.mixes(node, [x], f"it enters the operation '{name_of(node.target)}'")
    return _resized(node, x)


def _rank(name: str) -> int:
    """Return how many dimensions of places an operation has: 2 of avg_pool2d."""
    match = re.search(r"(\d)d", name)
    return int(match[1]) if match else 2


def _resized(node: fx.Node, x: Activation) -> Any:
    """Return the labels of a tensor in the shape of an outcome, as they do not differ where that differs."""
    made = node.meta["val"]
    first = made[0] if isinstance(made, tuple | list) else made
    labels = narrow([x.labels])[0].expand(first.shape)
    if first is made:
        return Activation(labels)
    return [
        Activation(labels),
        *(Activation(labels) if t.shape == first.shape else Constant() for t in made[1:]),
    ]


def padding(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Padding of places; channels that are padded with constants stay."""
    x, amounts = args[:2]
    padded = [x.labels.dim() - 1 - n // 2 for n, amount in enumerate(amounts) if amount != 0]
    if set(padded) & set(varying(x.labels)):
        return to.mixes(node, [x], "constant channels are put beside its own")
    return _resized(node, x)


def reduction(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A mean, sum or maximum over some dimensions."""
    x = args[0]
    named = args[1] if len(args) > 1 else kwargs.get("dim")
    named = list(range(x.labels.dim())) if named is None or named == [] else named
    dims = {d % x.labels.dim() for d in ([named] if isinstance(named, int) else named)}
    if dims & set(varying(x.labels)):
        return to.mixes(node, [x], f"the operation '{name_of(node.target)}' goes over channels")
    made = node.meta["val"]
    first = made[0] if isinstance(made, tuple | list) else made
    labels = x.labels
    keeps = first.dim() == labels.dim()
    for dim in sorted(dims, reverse=True):
        labels = labels.narrow(dim, 0, 1) if keeps else labels.select(dim, 0)
    return Activation(labels) if first is made else [Activation(labels) for _ in made]


def along(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A softmax, a cumulative sum: along a dimension, in the input's shape."""
    x, dim = args[:2]
    if dim % x.labels.dim() in varying(x.labels):
        return to.mixes(node, [x], f"the operation '{name_of(node.target)}' goes over channels")
    return Activation(x.labels)


def halves(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A gated linear unit: the first half of a dimension times a function of the second."""
    x = args[0]
    dim = (args[1] if len(args) > 1 else -1) % x.labels.dim()
    first, second = narrow(x.labels.chunk(2, dim))
    to.ties.tie(first.numpy(), second.numpy())
    return Activation(first.expand(shape_of(node)))


def normalisation(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """LayerNorm, GroupNorm: every channel counts for others."""
    to.keep_whole(
        [value for value in leaves((args, kwargs)) if isinstance(value, ParameterView)], name_of(node.target)
    )
    return to.mixes(node, args, f"the operation '{name_of(node.target)}' goes over channels")


def move(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What moves numbers about moves their labels; where that divides channels by their number they stay."""
    x = args[0]
    before = varying(x.labels)
    made = node.target(x.labels, *args[1:], **kwargs)  # type: ignore[operator]
    if made is None:
        return to.mixes(node, [x], "no tensor is made of it")
    parts = [made] if isinstance(made, Tensor) else list(made)
    if any(len(varying(part)) > len(before) for part in parts):
        to.pin(x.labels, "its channels are divided among dimensions")
    return Activation(made) if isinstance(made, Tensor) else [Activation(part) for part in parts]


def view(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Another shape of the same numbers in their order."""
    x = args[0]
    labels = x.labels.reshape(shape_of(node))
    if len(varying(labels)) > len(varying(x.labels)):
        to.pin(x.labels, "its channels are divided among dimensions")
    return Activation(labels)


def cut(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A part of a tensor, by numbers of places: what it is cut along stays as long as it is."""
    x = args[0]
    made = node.target(x.labels, *args[1:], **kwargs)  # type: ignore[operator]
    if name_of(node.target) == "roll":
        return _rolled(to, x, made, *args[2:3])
    dim = kwargs.get("dim", _dimension_of_cut(node, args))
    dims = varying(x.labels) if dim is None else [dim % x.labels.dim()]
    whole = isinstance(made, Tensor) and made.shape == x.labels.shape
    if set(dims) & set(varying(x.labels)) and not whole:
        to.pin(x.labels, "its channels are cut by their numbers")
    return Activation(made) if isinstance(made, Tensor) else [Activation(part) for part in made]


def _rolled(to: Following, x: Activation, made: Tensor, dims: Sequence[int] = ()) -> Activation:
    """Which channel is whose neighbour depends on all that are there; without `dims` all numbers roll on."""
    rolled = {dim % x.labels.dim() for dim in dims}
    if not rolled or rolled & set(varying(x.labels)):
        to.pin(x.labels, "its channels are rolled by their numbers")
    return Activation(made)


def _dimension_of_cut(node: fx.Node, args: Sequence[Any]) -> int | None:
    """Return the dimension along which a tensor is cut; None where there are several."""
    packet = name_of(node.target)
    place = {"slice": 1, "select": 1, "narrow": 1, "index_select": 1, "unbind": 1}.get(packet, 2)
    if packet in ("index", "flip"):
        return None
    return args[place] if len(args) > place and isinstance(args[place], int) else 0


def cat(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Tensors one behind the other; constants among them stay as they are."""
    values = args[0]
    rank = len(shape_of(node))
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % rank
    metas = [n.meta["val"] for n in node.args[0]]  # type: ignore[union-attr]
    to.keep_whole([value for value in values if isinstance(value, ParameterView)], "cat")
    stacked = name_of(node.target) == "stack"
    parts = [
        value.labels if isinstance(value, Activation) else alike(STAYS, meta.shape)
        for value, meta in zip(values, metas, strict=True)
        if meta.dim() == rank - stacked  # cat takes empty tensors of one dimension, too
    ]
    parts = [part.unsqueeze(dim) for part in parts] if stacked else parts
    common = {d for part in parts for d in varying(part)} - {dim}
    small = parts
    for d in range(rank):
        if d != dim and d not in common:
            small = [part.narrow(d, 0, min(1, part.shape[d])) for part in small]
    return Activation(torch.cat(small, dim).expand(shape_of(node)))


def same(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A copy, in another type or memory."""
    return args[0]


def shaped(to: Following, node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Constants in the shape of a tensor that there is."""
    return Constant(fits=True)


MOVES = ("view", "_unsafe_view", "reshape", "permute", "transpose", "t", "squeeze", "unsqueeze", "expand",
         "repeat", "alias", "detach", "clone", "split", "slice", "select", "unbind", "split_with_sizes",
         "movedim", "flatten", "lift_fresh_copy")  # fmt: skip
"""Operations that move numbers about and change none."""

_PLACES = ("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices", "max_pool3d_with_indices",
           "avg_pool1d", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d",
           "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "adaptive_max_pool3d",
           "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d",
           "replication_pad2d", "replication_pad3d", "upsample_nearest1d", "upsample_nearest2d",
           "upsample_nearest3d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d",
           "_upsample_nearest_exact3d", "upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d",
           "upsample_trilinear3d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")  # fmt: skip

_POINTWISE = ("hardtanh", "leaky_relu", "_prelu_kernel", "prelu", "elu", "celu", "selu", "softplus",
              "hardswish", "hardsigmoid", "mish", "silu", "gelu", "relu6", "threshold", "log_sigmoid",
              "log_sigmoid_forward", "softshrink", "hardshrink", "rrelu_with_noise", "where", "clamp",
              "native_dropout")  # fmt: skip

RULES: dict[str, Rule] = {
    "convolution": convolution,
    "_convolution": convolution,
    "addmm": addmm,
    "mm": mm,
    "bmm": bmm,
    "baddbmm": lambda to, node, args, kwargs: to.mixes(node, args, "it enters a product of matrices"),
    "native_batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
    "_batch_norm_no_update": batch_norm,
    "cudnn_batch_norm": batch_norm,
    "batch_norm": batch_norm,
    "native_layer_norm": normalisation,
    "native_group_norm": normalisation,
    "_fused_rms_norm": normalisation,
    "constant_pad_nd": padding,
    "glu": halves,
    "cat": cat,
    "stack": cat,
    "_to_copy": same,
    **dict.fromkeys(("view", "_unsafe_view", "reshape"), view),
    **dict.fromkeys(
        ("permute", "transpose", "t", "squeeze", "unsqueeze", "expand", "repeat", "alias", "detach", "clone",
         "pixel_shuffle", "pixel_unshuffle"),
        move,
    ),
    **dict.fromkeys(
        ("slice", "select", "narrow", "index_select", "unbind", "split", "split_with_sizes", "flip", "roll"),
        cut,
    ),
    **dict.fromkeys(
        ("mean", "sum", "amax", "amin", "var", "std", "var_mean", "max", "min", "logsumexp"), reduction
    ),
    **dict.fromkeys(("_softmax", "_log_softmax", "softmax", "log_softmax", "cumsum"), along),
    **dict.fromkeys(
        ("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros",
         "new_ones", "new_full", "new_empty", "bernoulli"),
        shaped,
    ),
    **dict.fromkeys(_PLACES, over_places),
    **dict.fromkeys(_POINTWISE, pointwise),
}  # fmt: skip
