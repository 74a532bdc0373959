"""The loss that scorers differentiate: mean cross entropy, or the user's; and what it divides by."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunebench.errors import UsageError
from prunebench.pruning import nested

__all__ = ["Loss", "Reduction", "divisor", "mean_cross_entropy", "own_loss"]

Loss = Callable[[Any, Any], Tensor]
"""loss(outputs, targets) → scalar."""

Reduction = Literal["mean", "sum"] | Callable[[Any], Any]
"""What a loss is over the examples: their mean, their sum, or a sum divided by function(targets)."""

IGNORED = -100
"""The label that cross entropy leaves out, of torch's choosing."""


def mean_cross_entropy(outputs: Any, targets: Any) -> Tensor:
    """Return the mean cross entropy of logits (N×C, or N×C×…) and labels, or class probabilities.

    Labels of −100 are left out, as torch does.

    Raises: UsageError where these are no logits and labels, and where the loss is not finite.
    """
    if not isinstance(outputs, Tensor):
        raise UsageError(
            f"the network returns a {type(outputs).__name__}, not logits: give loss=function(outputs, y)"
        )
    if outputs.dim() > 1 and outputs.shape[1] == 1:
        raise UsageError(
            "the network has one output, and the cross entropy of a single class is always 0: give "
            "loss=function(outputs, y), such as binary_cross_entropy_with_logits"
        )
    if isinstance(targets, Tensor) and targets.is_floating_point() and outputs.is_floating_point():
        targets = targets.to(outputs.dtype)
    try:
        loss = F.cross_entropy(outputs, targets)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise UsageError(_why_no_loss(outputs, targets, error)) from error
    return _finite(loss, outputs, targets)


def own_loss(loss: Loss, outputs: Any, targets: Any) -> Tensor:
    """Return the user's loss as a scalar.

    Raises: UsageError where it fails, is no scalar, or is not finite.
    """
    try:
        value = loss(outputs, targets)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise UsageError(
            f"loss={getattr(loss, '__name__', type(loss).__name__)} failed on the network's outputs "
            f"({_kind(outputs)}): {type(error).__name__}: {error}"
        ) from error
    if not isinstance(value, Tensor) or value.numel() != 1:
        kind = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise UsageError(f"loss must return a tensor with one number; found {kind}")
    return _finite(value.reshape(()), outputs, None)


def divisor(loss: Loss | None, reduction: Reduction | None, targets: Any, examples: int) -> float:
    """Return what the loss of these targets, `examples` of them, is divided by.

    Mean cross entropy divides by the number of labels that are not ignored, or of examples where targets are
    class probabilities. A loss of the user's divides as `reduction` says; of torch's own that is known.

    Raises: UsageError where it is not known.
    """
    if reduction is None:
        reduction = _labels if loss is None else _known(loss)
    if reduction is None:
        raise UsageError(
            "chunk: a loss of your own is added up from chunks only where it is known what it divides by: "
            'say reduction="mean" for a mean over the examples, "sum" for a sum over them, or '
            "reduction=function(y) for a sum divided by that number (class weights: the sum of weight[y]); "
            "or leave out the chunk"
        )
    try:
        count = reduction(targets) if callable(reduction) else examples if reduction == "mean" else 1
        return examples if count is None else float(count)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            "reduction must return what the loss divides by, a number; it failed: "
            f"{type(error).__name__}: {error}"
        ) from error


def _labels(targets: Any, weight: Tensor | None = None, ignore_index: int = IGNORED) -> float | None:
    """Return what mean cross entropy divides by; None for the number of examples."""
    if not isinstance(targets, Tensor) or targets.is_floating_point():
        return None
    if weight is None:
        return float((targets != ignore_index).sum())
    used = targets[targets != ignore_index]
    return float(weight.to(used.device, torch.float64)[used].sum())


def _entries(targets: Any, weights: list[Tensor], summed: bool) -> float | None:
    """Return what a loss over entries divides by under these weights; None for the number of examples.

    Raises: UsageError for weights by example, which would have to be taken apart with the batch.
    """
    for weight in weights:
        if weight.dim() and len(weight) > 1 and not weight.dim() < getattr(targets, "ndim", 0):
            raise UsageError(
                f"chunk: the loss has weights of shape {tuple(weight.shape)}, one an example, which cannot "
                "be taken apart with the batch: give them with y, to a loss of your own, or leave out the "
                "chunk"
            )
    return 1.0 if summed else None


_OVER_LABELS = (F.cross_entropy, F.nll_loss)
_OVER_ENTRIES = (
    F.mse_loss,
    F.l1_loss,
    F.smooth_l1_loss,
    F.huber_loss,
    F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
)
_MODULES: dict[type[nn.Module], Callable[..., Any]] = {
    nn.CrossEntropyLoss: F.cross_entropy,
    nn.NLLLoss: F.nll_loss,
    nn.MSELoss: F.mse_loss,
    nn.L1Loss: F.l1_loss,
    nn.SmoothL1Loss: F.smooth_l1_loss,
    nn.HuberLoss: F.huber_loss,
    nn.BCELoss: F.binary_cross_entropy,
    nn.BCEWithLogitsLoss: F.binary_cross_entropy_with_logits,
}


def _known(loss: Loss) -> Reduction | None:
    """Return the reduction of a loss of torch's own, given as function, partial function or module."""
    function: Any = loss
    how: dict[str, Any] = {}
    if isinstance(loss, functools.partial) and not loss.args:
        function, how = loss.func, loss.keywords
    elif isinstance(loss, nn.Module) and type(loss) in _MODULES:
        function, how = _MODULES[type(loss)], {**vars(loss), **dict(loss.named_buffers())}
    if {"size_average", "reduce"} & {name for name, value in how.items() if value is not None}:
        return None
    summed = how.get("reduction", "mean") == "sum"
    if function in _OVER_ENTRIES:
        weights = [how[name] for name in ("weight", "pos_weight") if isinstance(how.get(name), Tensor)]
        plain: Reduction = "sum" if summed else "mean"
        return functools.partial(_entries, weights=weights, summed=summed) if weights else plain
    if summed:
        return "sum" if function in _OVER_LABELS else None
    if function in _OVER_LABELS:
        return functools.partial(
            _labels, weight=how.get("weight"), ignore_index=how.get("ignore_index", IGNORED)
        )
    return None


def _finite(loss: Tensor, outputs: Any, targets: Any) -> Tensor:
    """Refuse a loss that is NaN or infinite, and say why it is."""
    try:
        finite = bool(torch.isfinite(loss))
    except RuntimeError:  # inside a transformation of torch.func, which has no values yet
        return loss
    if finite:
        return loss
    bad = sum(int((~torch.isfinite(t)).sum()) for t in nested.tensors(outputs) if t.is_floating_point())
    if bad:
        size = sum(t.numel() for t in nested.tensors(outputs) if t.is_floating_point())
        why = (
            f"{bad} of {size} outputs of the network are NaN or infinite; has it diverged, or does the batch "
            "hold such numbers?"
        )
    elif isinstance(targets, Tensor) and not targets.is_floating_point() and bool((targets == IGNORED).all()):
        why = f"all {targets.numel()} labels are {IGNORED}, which cross entropy ignores"
    else:
        why = "the network's outputs are finite"
    raise UsageError(f"the loss is {float(loss.detach())}, which ranks no weights: {why}")


def _kind(outputs: Any) -> str:
    """Return what outputs are, for messages."""
    if isinstance(outputs, Tensor):
        return f"a tensor of shape {tuple(outputs.shape)}"
    keys = f" of {', '.join(map(str, outputs))}" if isinstance(outputs, dict) else ""
    return f"a {type(outputs).__name__}{keys}"


def _why_no_loss(outputs: Tensor, targets: Any, error: Exception) -> str:
    """Return why there is no cross entropy of these: labels beyond the classes, or other shapes."""
    shape = tuple(outputs.shape)
    if isinstance(targets, Tensor) and outputs.dim() == 2 and targets.shape == shape[:1]:
        used = targets[targets != IGNORED]
        low, high = (int(used.min()), int(used.max())) if used.numel() else (0, 0)
        if low < 0 or high >= shape[1]:
            return f"labels run from {low} to {high}; the network has {shape[1]} outputs: 0 to {shape[1] - 1}"
    labels = tuple(targets.shape) if isinstance(targets, Tensor) else type(targets).__name__
    return (
        f"no cross entropy of outputs of shape {shape} and targets {labels} ({str(error).splitlines()[0]}): "
        "logits of shape (examples, classes) and as many labels are wanted; else give "
        "loss=function(outputs, y)"
    )
