"""The network as a scorer sees it: a private copy, which may be changed at will."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunebench.errors import UsageError
from prunebench.pruning.mask import Mask
from prunebench.pruning.prunable import prunable_weights

__all__ = ["Loss", "ScoringNetwork"]

Loss = Callable[[Any, Any], Tensor]
"""loss(outputs, targets) → scalar."""

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class ScoringNetwork:
    """A private copy of a network in one mode and precision, with what a scorer needs.

    The copy's removed weights are zero. Its prunable weights require gradients even where the original's
    are frozen. The original is never touched, whatever is done to the copy.

    module: the copy, on the original's device; all floating-point numbers in `precision`
    weights: the prunable weights by name, in module order; removed ones are zero
    mask: which of them are there
    """

    def __init__(
        self,
        module: nn.Module,
        mask: Mask | None = None,
        *,
        mode: Literal["train", "eval"] = "eval",
        precision: Literal["float32", "float64"] = "float32",
        of: Literal["weights", "convolutions"] = "weights",
        except_: Iterable[str] = (),
        loss: Loss | None = None,
        input_shape: Sequence[int] | None = None,
    ) -> None:
        weights = prunable_weights(module, of, except_)
        if any(weight.is_meta for weight in weights.values()):
            raise UsageError("the network is on the meta device: its weights have no values to score")
        try:
            with torch.inference_mode(False):  # else the copy could not be differentiated
                self.module = copy.deepcopy(module)
        except (RuntimeError, TypeError) as error:
            raise UsageError(f"the network cannot be copied to be scored: {error}") from error
        self.module.to(_DTYPES[precision])
        for parameter in self.module.parameters():
            parameter.grad = None
        self._mode = mode
        self._loss = loss
        self._input_shape = None if input_shape is None else tuple(input_shape)
        self.dtype = _DTYPES[precision]

        parameters = dict(self.module.named_parameters())
        self.weights: dict[str, nn.Parameter] = {name: parameters[name] for name in weights}
        for weight in self.weights.values():
            weight.requires_grad_(True)
        self.device = next(iter(self.weights.values())).device
        self._saved = [(t, t.detach().clone(), t.requires_grad) for t in _tensors(self.module)]
        self._built = _structure(self.module)
        self._prepare(mask)

    @property
    def dense(self) -> dict[str, Tensor]:
        """The prunable weights as they are without a mask, by name: copies."""
        values = {id(tensor): value for tensor, value, _ in self._saved}
        return {name: values[id(weight)].clone() for name, weight in self.weights.items()}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input: (channels, height, width).

        Raises: UsageError where it is not known.
        """
        if self._input_shape is None:
            raise UsageError(
                "the shape of the network's input is not known: give input_shape=(channels, height, width), "
                "or a batch"
            )
        return self._input_shape

    def outputs(self, x: Any) -> Any:
        """Return the network's outputs for the inputs x."""
        return self.module(x)

    def criterion(self, outputs: Any, targets: Any) -> Tensor:
        """Return the loss of these outputs: the user's, or the mean cross entropy of logits.

        Raises: UsageError where there is no loss of the user's and the outputs are no logits, or where the
        user's is not a scalar.
        """
        if self._loss is None:
            if not isinstance(outputs, Tensor):
                raise UsageError(
                    f"the network returns a {type(outputs).__name__}, not logits: "
                    "give loss=function(outputs, y)"
                )
            return F.cross_entropy(outputs, targets)
        value = self._loss(outputs, targets)
        if not isinstance(value, Tensor) or value.numel() != 1:
            found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise UsageError(f"loss must return a tensor with one number; found {found}")
        return value.reshape(())

    def loss(self, batch: tuple[Any, Any]) -> Tensor:
        """Return the loss of the network on a batch (x, y): a scalar."""
        x, y = batch
        return self.criterion(self.outputs(x), y)

    def restore(self, mask: Mask | None) -> bool:
        """Undo what was done to the copy and put another mask on; False where it is beyond repair.

        Values, gradients, modes and flags are put back; modules, hooks, methods or tensors that were
        replaced are not.
        """
        if not _same(self._built, _structure(self.module)):
            return False
        with torch.no_grad():
            for tensor, value, requires_grad in self._saved:
                if tensor.shape != value.shape or tensor.dtype != value.dtype or tensor._backward_hooks:
                    return False
                tensor.requires_grad_(False).copy_(value)
                tensor.requires_grad_(requires_grad)
                tensor.grad = None
        self._prepare(mask)
        return True

    def _prepare(self, mask: Mask | None) -> None:
        if mask is not None and list(mask) != list(self.weights):
            raise UsageError(
                f"the mask is for {list(mask)}, the network's prunable weights are {list(self.weights)}"
            )
        self.mask = Mask.full(self.weights) if mask is None else mask
        self.mask.apply(self.module)
        self.module.train(self._mode == "train")


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _structure(module: nn.Module) -> dict[tuple[str, ...], object]:
    """List the objects that modules hold (tensors, hooks, submodules, attributes), but for their mode."""
    found: dict[tuple[str, ...], object] = {}
    for name, layer in module.named_modules():
        for key, value in vars(layer).items():
            if key == "training":
                continue
            if isinstance(value, dict):
                found.update({(name, key, str(k)): v for k, v in value.items()})
            else:
                found[(name, key)] = value
    return found


def _same(one: dict[tuple[str, ...], object], two: dict[tuple[str, ...], object]) -> bool:
    return one.keys() == two.keys() and all(value is two[key] for key, value in one.items())
