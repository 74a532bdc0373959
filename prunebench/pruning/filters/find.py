"""Finds the groups of filters of a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from torch import nn

from prunebench.errors import UsageError
from prunebench.pruning import nested
from prunebench.pruning.filters.compare import compare
from prunebench.pruning.filters.follow import follow
from prunebench.pruning.filters.groups import FilterGroups, Follower
from prunebench.pruning.filters.ties import Array, Ties
from prunebench.pruning.filters.trace import UNIT, Traced, example_for, like, trace
from prunebench.pruning.prunable import prunable_weights, refuse_other

__all__ = ["filter_groups"]


def filter_groups(
    net: nn.Module,
    *,
    input_shape: Sequence[int] | None = None,
    inputs: Any = None,
    of: Literal["weights", "convolutions"] = "weights",
    except_: Iterable[str] = (),
    check: bool = True,
) -> FilterGroups:
    """Return which filters of a network go together, and what they take along.

    net: on any device; of its values nothing is read, so the meta device will do
    input_shape, inputs: the shape of one input, or inputs as the network takes them; unless given the shape
        is guessed: that of the first layer's inputs, with the common sides of images
    of, except_: which weights are prunable (`prunable_weights`); layers that are not keep their filters, and
        so does what is tied to them
    check: also remove half of the filters of a copy with random weights, the other half, and nearly all, and
        compare outputs: the network with removed filters and all that they take along at zero against the
        really smaller one

    The network is traced with torch.fx, in evaluation mode, as it runs on tensors without values; in training
    mode, too, where layers run there alone, as auxiliary heads do.

    Raises: UsageError that names `unit` and the operation or layer: where ties cannot be traced, where
        outputs differ after removal, where no filter may go.
    """
    refuse_other(net)
    _refuse_replicas(net)
    prunable = prunable_weights(net, of, except_)
    if inputs is not None:
        traced = trace(net, inputs)
    else:
        inputs = example_for(net, nested.checked_shape(input_shape))
        try:
            traced = trace(net, inputs)
        except UsageError as error:
            raise nested.batch_in_shape(lambda x: trace(net, x), inputs) or error from error
    trained = _more_in_training(net, inputs, traced)
    ties = follow(traced)
    if trained is not None:
        ties = follow(trained, ties)
    groups = _grouped(traced, ties, {name: tuple(w.shape) for name, w in prunable.items()})
    if check:
        compare(net, groups, like(inputs, traced.shapes), training=trained is not None)
    return groups


def _refuse_replicas(net: nn.Module) -> None:
    """Refuse networks that run as copies on several devices: neither can be traced."""
    for name, module in net.named_modules():
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            path = f"model.{name}" if name else "model"
            instead = f"give {path}.module" if not name else f"put {path}.module in its place"
            raise UsageError(f"{UNIT}: {path} is wrapped in {type(module).__name__}: {instead}")


def _more_in_training(net: nn.Module, inputs: Any, traced: Traced) -> Traced | None:
    """Return the graph of training mode where layers run there alone; None where none does.

    Raises: UsageError that names layers which do not run in evaluation mode, where those of training mode
        cannot be told: what they read could be cut.
    """
    idle = [name for name, (_, is_buffer) in traced.held.items() if not is_buffer]
    idle = [name for name in idle if name not in set(traced.used)]
    if not idle:
        return None
    try:
        trained = trace(net, inputs, training=True)
    except UsageError as error:
        raise UsageError(
            f"{UNIT}: {', '.join(map(repr, idle[:4]))}{' and others' if idle[4:] else ''} do not run in "
            "evaluation mode, and what they read in training is not known, as in that mode the network does "
            f"not run on inputs {nested.described(inputs)}: give inputs with which it does, or the network "
            "without these layers"
        ) from error
    return trained if set(idle) & set(trained.used) else None


def _grouped(traced: Traced, ties: Ties, prunable: Mapping[str, tuple[int, ...]]) -> FilterGroups:
    """Return the groups of what tracing has found."""
    ties.keep_layers_whole(prunable)
    stays = {name: _why(ties, name) for name in prunable}
    chosen = [name for name in prunable if stays[name] is None]
    if not chosen:
        reasons = "; ".join(f"'{name}': {why}" for name, why in list(stays.items())[:4])
        raise UsageError(f"{UNIT}: no filter of the network may go: {reasons}")
    roots = np.concatenate([ties.roots(ties.rows[name][1]) for name in chosen])
    _, places = np.unique(roots, return_index=True)
    order = {int(roots[place]): number for number, place in enumerate(sorted(places))}

    def numbers(labels: Array) -> Array:
        return np.array([order.get(int(root), -1) for root in ties.roots(labels)], dtype=np.int64)

    followers = [
        Follower(name, dim, *traced.held[name], groups=numbers(labels))
        for (name, dim), labels in ties.follows.items()
    ]
    return FilterGroups(
        shapes={name: prunable[name] for name in chosen},
        stays={name: why for name, why in stays.items() if why is not None},
        dims={name: ties.rows[name][0] for name in chosen},
        groups={name: numbers(ties.rows[name][1]) for name in chosen},
        norms={name: ties.norms[name] for name in chosen if name in ties.norms},
        followers=tuple(f for f in followers if (f.groups >= 0).any()),
    )


def _why(ties: Ties, name: str) -> str | None:
    if name not in ties.rows:
        return ties.whole(name) or "no layer with it runs"
    return ties.why(ties.rows[name][1])
