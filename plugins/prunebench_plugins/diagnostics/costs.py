"""What inference with a pruned network, and its making, take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import prunebench

if TYPE_CHECKING:
    from torch import nn

    from prunebench import Mask
    from prunebench.pruning.diagnostics import LayerFlops
    from prunebench.training.course import Course, Phase

__all__ = ["flops", "training_flops", "weights_remaining"]


def flops(net: nn.Module, mask: Mask | None, input_shape: Sequence[int]) -> dict[str, Any]:
    """FLOPs of a forward pass of one image: two for each multiply-add of convolutions and linear layers.

    dense: with all weights. sparse: with the kept ones alone, which no masked network reaches by itself.
    share: sparse / dense; its inverse is the theoretical speed-up. layers: name, uses (how often each weight
    of the layer is multiplied), dense, sparse. Biases, normalisation, pooling and the like are not counted.
    """
    layers = prunebench.diagnostics.layer_flops(net, mask, input_shape)
    dense, sparse = sum(layer.dense for layer in layers), sum(layer.sparse for layer in layers)
    return {
        "dense": dense,
        "sparse": sparse,
        "share": sparse / dense if dense else 1.0,
        "layers": [
            {"name": layer.name, "uses": layer.uses, "dense": layer.dense, "sparse": layer.sparse}
            for layer in layers
        ],
    }


# -- weights remaining -----------------------------------------------------------------------------------


def weights_remaining(
    net: nn.Module, mask: Mask | None, input_shape: Sequence[int], course: Course
) -> dict[str, Any]:
    """Share of prunable weights at each training step, and the area under it (Frankle et al. 2021, Fig. 1).

    curve: [step, share] wherever the share changes, steps counted through all trainings that the method
    takes; the last point is the end. steps: of all trainings. area: the sum of the shares over the steps, in
    steps of the unpruned network. mean: area / steps. relative: area over the steps of the whole schedule, so
    that 1 is what training the unpruned network once takes. final: the share at the end.
    retroactive: the same of what leads to the evaluated network alone, as if its mask had been known
    beforehand: the steps that its first weights had behind them, and its own (the figure's dashed line).
    """
    trainings = [phase for phase in course.phases if phase.kind == "train"]
    evaluated = sum(phase.start + phase.steps for phase in trainings if phase.evaluated)
    pieces = [piece for phase in trainings for piece in _pieces(phase, mask, course)]
    own: list[tuple[int, float]] = []
    for phase in trainings:
        if phase.evaluated:
            own += [(phase.before, 1.0)] if phase.before and not own else []
            own += _pieces(phase, mask, course)
    return {
        **_curve(pieces, evaluated),
        "final": pieces[-1][1] if pieces else 1.0,
        "retroactive": _curve(own, evaluated),
    }


def _pieces(phase: Phase, mask: Mask | None, course: Course) -> Iterator[tuple[int, float]]:
    """Yield (steps, share of weights) of a training, piece by piece."""
    for steps, kept in _stretches(phase, mask, course):
        yield steps, 1.0 if kept is None or mask is None else sum(kept.values()) / mask.prunable


def _stretches(
    phase: Phase, mask: Mask | None, course: Course
) -> Iterator[tuple[int, Mapping[str, int] | None]]:
    """Yield (steps, weights kept by layer) of a training; None where all are there."""
    if phase.weights == "dense" or mask is None:
        yield phase.steps, None
        return
    if phase.weights == "mask":
        yield phase.steps, {name: mask.kept_in(name) for name in mask}
        return
    at, kept, end = phase.start, None, phase.start + phase.steps
    for change in sorted(course.history, key=lambda change: change.step):
        until = min(max(change.step, at), end)
        if until > at:
            yield until - at, kept
        at, kept = until, change.kept
    if end > at:
        yield end - at, kept


def _curve(pieces: Sequence[tuple[int, float]], evaluated: int) -> dict[str, Any]:
    points: list[list[float]] = []
    step, area = 0, 0.0
    for steps, share in pieces:
        if not points or points[-1][1] != share:
            points.append([step, share])
        step += steps
        area += steps * share
    if points:
        points.append([step, points[-1][1]])
    return {
        "curve": points,
        "steps": step,
        "area": area,
        "mean": area / step if step else 1.0,
        "relative": area / evaluated if evaluated else 0.0,
    }


# -- training FLOPs --------------------------------------------------------------------------------------


def training_flops(
    net: nn.Module, mask: Mask | None, input_shape: Sequence[int], course: Course
) -> dict[str, Any]:
    """FLOPs of everything the method takes, from the first step to the last, scoring included.

    By these, methods that prune at different times can be compared (Frankle et al. 2021, §7).
    dense: as computed with masks, every weight multiplied. sparse: with the weights that are there alone.
    training, scoring: dense and sparse of each. relative: dense and sparse over the FLOPs of training the
    unpruned network once by the evaluated run's schedule.
    A step takes three forward passes an example (forward, gradients of activations and of weights), scoring
    what its method declares; a forward pass is that of the measure `flops`. While scoring in rounds only the
    number of weights is known, not their layers: all layers then count in proportion. Evaluations of the
    accuracy are not counted.
    """
    layers = prunebench.diagnostics.layer_flops(net, mask, input_shape)
    dense = sum(layer.dense for layer in layers)
    cost = {"training": [0.0, 0.0], "scoring": [0.0, 0.0]}
    once = 0.0
    for phase in course.phases:
        spent = cost["training" if phase.kind == "train" else "scoring"]
        if phase.kind == "train":
            whole = phase.examples * phase.passes * dense
            shares = sum(steps * _sparse(layers, kept) for steps, kept in _stretches(phase, mask, course))
            spent[0] += whole
            spent[1] += phase.examples * phase.passes * shares / phase.steps if phase.steps else 0.0
            if phase.evaluated:  # the schedule, with the steps before the clock that the run starts at
                once += whole * (phase.start + phase.steps) / phase.steps
        else:
            a_round = phase.examples * phase.passes
            spent[0] += a_round * phase.rounds * dense
            spent[1] += a_round * _scored(layers, mask, phase)
    both = [cost["training"][i] + cost["scoring"][i] for i in (0, 1)]
    return {
        "dense": both[0],
        "sparse": both[1],
        **{name: {"dense": spent[0], "sparse": spent[1]} for name, spent in cost.items()},
        "relative": {
            "dense": both[0] / once if once else 0.0,
            "sparse": both[1] / once if once else 0.0,
        },
    }


def _sparse(layers: Sequence[LayerFlops], kept: Mapping[str, int] | None) -> float:
    """Return the FLOPs of a forward pass with so many weights in each layer."""
    if kept is None:
        return float(sum(layer.dense for layer in layers))
    return float(sum(2 * layer.uses * kept.get(layer.name, layer.prunable) for layer in layers))


def _scored(layers: Sequence[LayerFlops], mask: Mask | None, phase: Phase) -> float:
    """Return the FLOPs of a forward pass in every round together."""
    masked = [layer for layer in layers if mask is None or layer.name in mask]
    prunable = sum(layer.prunable for layer in masked)
    within = sum(layer.dense for layer in masked)
    beside = sum(layer.dense for layer in layers) - within
    kept = phase.kept or (prunable,) * phase.rounds
    return float(sum(beside + within * count / prunable for count in kept))
