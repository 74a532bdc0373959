"""The network as a scorer sees it: a private copy, which may be changed at will."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from prunebench import pulse
from prunebench.errors import UsageError
from prunebench.pruning import nested
from prunebench.pruning.copying import private_copy
from prunebench.pruning.losses import Loss, Reduction, divisor, mean_cross_entropy, own_loss
from prunebench.pruning.mask import Mask
from prunebench.pruning.precision import Precision, converted, not_in, own_converted, plain, working_dtype
from prunebench.pruning.prunable import prunable_weights

if TYPE_CHECKING:
    from prunebench.pruning.filters.groups import FilterGroups

__all__ = ["ScoringNetwork"]

_BLOCK = 1 << 16
"""Entries of a mask that are looked at together: they stay in the processor's cache."""


class ScoringNetwork:
    """A private copy of a network in one mode and precision, with what a scorer needs.

    The copy's removed weights are zero. Its prunable weights require gradients even where the original's
    are frozen. The original is never touched, whatever is done to the copy, and its user's hooks are not on
    the copy (`private_copy`).

    module: the copy, on the original's device; all floating-point numbers in `precision`, which is the least:
        a network with parameters in float64 stays in float64, and one whose parameters are all in the
        precision it is scored in is left as it is. "own" leaves every network so
    weights: the prunable weights by name, in module order; removed ones are zero
    mask: which of them are there
    groups: which filters go together, where whole filters are pruned; None where single weights are
    restored: how often the copy was put back to be used again: 0 in a first scoring
    failed: what the network itself raised when its outputs were asked for last, if it did
    """

    def __init__(
        self,
        module: nn.Module,
        mask: Mask | None = None,
        *,
        mode: Literal["train", "eval"] = "eval",
        precision: Precision = "float32",
        of: Literal["weights", "convolutions"] = "weights",
        except_: Iterable[str] = (),
        loss: Loss | None = None,
        reduction: Reduction | None = None,
        input_shape: Sequence[int] | None = None,
        like: Any = None,
        groups: FilterGroups | None = None,
    ) -> None:
        self._original = module
        self.groups = groups
        self._arguments: dict[str, Any] = {
            "mode": mode,
            "precision": precision,
            "of": of,
            "except_": (except_,) if isinstance(except_, str) else tuple(except_),
            "loss": loss,
            "reduction": reduction,
            "input_shape": input_shape,
            "like": like,
            "groups": groups,
        }
        weights = prunable_weights(module, of, self._arguments["except_"])
        _refuse_weights(weights)
        dtype = working_dtype(module, precision)
        self.module = private_copy(module, None if dtype is None else own_converted(module, dtype))
        if dtype is not None:
            self.module._apply(converted(dtype))  # type: ignore[no-untyped-call]
        for parameter in self.module.parameters():
            parameter.grad = None
        self._mode = mode
        self._loss = loss
        self._reduction = reduction
        self._input_shape = None if input_shape is None else tuple(input_shape)
        self._like = like
        self.restored = 0
        self.failed: Exception | None = None

        parameters = dict(self.module.named_parameters(remove_duplicate=False))
        self.weights: dict[str, nn.Parameter] = {name: parameters[name] for name in weights}
        for weight in self.weights.values():
            weight.requires_grad_(True)
        first = next(iter(self.weights.values()))
        self.device, self.dtype = first.device, first.dtype
        self._saved = [(t, t.detach().clone(), t.requires_grad) for t in _tensors(self.module)]
        self._absolute: dict[str, tuple[int, int]] = {}
        self.mask: Mask
        self._on: Mask
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

        Raises: UsageError where it is not known, or where the network takes several inputs.
        """
        if self._input_shape is not None:
            return self._input_shape
        if isinstance(self._like, Tensor) or hasattr(self._like, "shape"):
            return tuple(int(size) for size in self._like.shape[1:])
        inputs = nested.tensors(self._like)
        if not inputs:
            raise UsageError(
                "the shape of the network's input is not known: give input_shape=(channels, height, width), "
                "or a batch"
            )
        if len(inputs) > 1:
            raise UsageError(
                f"the network takes {len(inputs)} inputs, {nested.described(self._like)}: there is no one "
                "shape of its input"
            )
        return tuple(inputs[0].shape[1:])

    def ones(self) -> Any:
        """Return one input of ones in the network's precision, or several as the batch's inputs are nested.

        Raises: UsageError where no shape is known, or where the batch's inputs are whole numbers.
        """
        like = nested.tensors(self._like)
        if self._input_shape is not None or not like:
            return torch.ones(1, *self.input_shape, dtype=self.dtype, device=self.device)
        for tensor in like:
            numbers = tensor.is_floating_point() or tensor.is_complex()
            if not numbers and tensor.dtype != torch.bool:
                raise UsageError(
                    f"the batch's inputs are whole numbers ({tensor.dtype}), indices of tokens say, and the "
                    "scorer puts an input of ones in their place: a network that looks numbers up in a table "
                    "has no such input, so this scorer does not apply to it"
                )
        lengths = {len(tensor) for tensor in like if tensor.dim()}
        if len(lengths) > 1:
            entries = " and ".join(map(str, sorted(lengths)))
            raise UsageError(
                f"the shape of one input cannot be told: the batch's hold {entries} entries; give "
                "input_shape=(channels, height, width)"
            )

        def one(tensor: Tensor) -> Tensor:
            shape = (1, *tensor.shape[1:])[: tensor.dim()]
            return converted(self.dtype)(torch.ones(shape, dtype=tensor.dtype, device=self.device))

        return nested.mapped(one, self._like)

    def moved(self, value: Any) -> Any:
        """Return inputs or targets on the network's device, but for whole numbers in its precision."""

        def move(tensor: Tensor) -> Tensor:
            if tensor.is_inference():
                tensor = tensor.clone()  # autograd refuses tensors made under inference mode
            return converted(self.dtype)(tensor.detach().to(self.device))

        pulse.beat()  # asked for each chunk of a scoring batch, and in each round
        return nested.mapped(move, value)

    def outputs(self, x: Any) -> Any:
        """Return the network's outputs for the inputs x, which are passed as `nested.called` says."""
        try:
            return nested.called(self.module, x)
        except Exception as error:
            self.failed = error
            raise

    def own_precision(self, x: Any, given: Any, who: str, error: Exception) -> UsageError | None:
        """Return what to say of inputs that the network takes in its own precision but not in this one.

        x, given: the inputs as the copy got them, when it failed with `error`, and as the caller gave them.
        """

        def run(dtype: torch.dtype | None) -> None:
            network = private_copy(self._original).train(self._mode == "train")
            inputs = nested.mapped(lambda tensor: tensor.detach().to(self.device), given)
            with torch.no_grad():
                nested.called(network, inputs if dtype is None else nested.mapped(converted(dtype), inputs))

        why = not_in(self.dtype, self._original, run, lambda: self.outputs(x), error)
        return None if why is None else UsageError(f"{who} works in {plain(self.dtype)}, and {why}")

    def criterion(self, outputs: Any, targets: Any) -> Tensor:
        """Return the loss of these outputs: the user's, or the mean cross entropy of logits.

        Raises: UsageError where there is no loss of the user's and the outputs are no logits, where the
        user's fails or is not a scalar, and where the loss is not finite.
        """
        if self._loss is None:
            return mean_cross_entropy(outputs, targets)
        return own_loss(self._loss, outputs, targets)

    def divisor(self, targets: Any, examples: int) -> float:
        """Return what the loss of so many examples is divided by, so that losses of parts can be added up.

        A part's share of the batch's loss is its own loss times its divisor over that of the batch.

        Raises: UsageError for a loss of the user's of which it is not known.
        """
        return divisor(self._loss, self._reduction, targets, examples)

    def loss(self, batch: tuple[Any, Any]) -> Tensor:
        """Return the loss of the network on a batch (x, y): a scalar."""
        x, y = batch
        return self.criterion(self.outputs(x), y)

    def absolute(self) -> None:
        """Make all parameters and buffers absolute; complex numbers become their absolute values.

        Between rounds the prunable weights then stay so, and only what the mask changes is written. A scorer
        that calls this leaves the weights alone otherwise, or changes them by ordinary in-place operations,
        which are noticed and undone; changes through `.data` or numpy are not noticed.
        """
        versions = {id(self.weights[name]): version for name, version in self._absolute.items()}
        with torch.no_grad():
            for tensor in _tensors(self.module):
                if tensor.is_complex():
                    tensor.copy_(tensor.abs())
                elif tensor.is_floating_point() and versions.get(id(tensor)) != _state(tensor):
                    tensor.abs_()
        self._absolute = {
            name: _state(weight) for name, weight in self.weights.items() if weight.is_contiguous()
        }

    def restore(self, mask: Mask | None) -> bool:
        """Undo what was done to the copy and put another mask on; False where it is beyond repair.

        Values, gradients, modes and flags are put back; modules, hooks, methods or tensors that were
        replaced are not.
        """
        if not _same(self._built, _structure(self.module)):
            return False
        mask = self._checked(mask)
        self.restored += 1
        self.failed = None
        steady = {
            id(self.weights[name]): name
            for name, version in self._absolute.items()
            if _state(self.weights[name]) == version
        }
        with torch.no_grad():
            for tensor, value, requires_grad in self._saved:
                if tensor.shape != value.shape or tensor.dtype != value.dtype or tensor._backward_hooks:
                    return False
                tensor.requires_grad_(False)
                name = steady.get(id(tensor))
                if name is None:
                    tensor.copy_(value)
                else:
                    _remask(tensor, value, self._on[name], mask[name])
                    self._absolute[name] = _state(tensor)
                tensor.requires_grad_(requires_grad)
                tensor.grad = None
            for name, weight in self.weights.items():
                if id(weight) not in steady:
                    self._absolute.pop(name, None)
                    weight.masked_fill_(~mask[name].to(weight.device), 0)
        self.mask = self._on = mask
        self.module.train(self._mode == "train")
        return True

    def fresh(self, mask: Mask | None) -> ScoringNetwork:
        """Return the network under this mask as if nothing had been done to it: the same, or a new copy."""
        if self.restore(mask):
            return self
        again = ScoringNetwork(self._original, mask, **self._arguments)
        again.restored = self.restored + 1
        return again

    def _prepare(self, mask: Mask | None) -> None:
        self.mask = self._on = self._checked(mask)
        self.mask.apply(self.module)
        self.module.train(self._mode == "train")

    def _checked(self, mask: Mask | None) -> Mask:
        if mask is None:
            return Mask.full(self.weights)
        if list(mask) != list(self.weights):
            raise UsageError(
                f"the mask is for {list(mask)}, the network's prunable weights are {list(self.weights)}"
            )
        return mask


def _refuse_weights(weights: Mapping[str, nn.Parameter]) -> None:
    """Refuse weights that no scorer could score: without values, complex, or no floating-point numbers."""
    for name, weight in weights.items():
        if weight.is_meta:
            raise UsageError("the network is on the meta device: its weights have no values to score")
        if not weight.is_floating_point():
            kind = "complex" if weight.is_complex() else "no floating-point numbers"
            raise UsageError(
                f"weight '{name}' is {kind} ({plain(weight.dtype)}), and scores are of real weights: "
                f"except_=['{name}'] leaves it as it is"
            )


def _state(tensor: Tensor) -> tuple[int, int]:
    """Return a tensor's version and address: they differ once it was written to by ordinary means."""
    return tensor._version, tensor.data_ptr()


def _remask(weight: Tensor, dense: Tensor, old: Tensor, new: Tensor) -> None:
    """Take one mask off absolute weights and put another on: on a CPU only what differs is written."""
    if weight.device.type != "cpu" or weight.dtype == torch.bfloat16:  # which numpy does not know
        weight.copy_(dense).abs_().masked_fill_(~new.to(weight.device), 0)
        return
    arrays = [tensor.detach().reshape(-1).numpy() for tensor in (weight.view(-1), dense, old, new)]
    for start in range(0, weight.numel(), _BLOCK):
        values, whole, before, after = (array[start : start + _BLOCK] for array in arrays)
        changed = np.flatnonzero(before ^ after)
        values[changed] = 0
        grown = changed[after[changed]]
        if grown.size:
            values[grown] = np.abs(whole[grown])


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _structure(module: nn.Module) -> dict[tuple[str, ...], object]:
    """List the objects that modules hold (tensors, hooks, submodules, attributes), but for their mode."""
    held: dict[tuple[str, ...], object] = {}
    for name, layer in module.named_modules():
        for key, value in vars(layer).items():
            if key == "training":
                continue
            if isinstance(value, dict):
                held.update({(name, key, str(k)): v for k, v in value.items()})
            else:
                held[(name, key)] = value
    return held


def _same(one: dict[tuple[str, ...], object], two: dict[tuple[str, ...], object]) -> bool:
    return one.keys() == two.keys() and all(value is two[key] for key, value in one.items())
