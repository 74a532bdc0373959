"""Uses of weights beside the calls of their own modules: what a forward pass multiplies, by operation."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from prunebench.errors import UsageError
from prunebench.pruning.nested import tensors

__all__ = ["UsesBeside"]

_LOOKUPS = frozenset({"embedding", "embedding_bag", "_embedding_bag", "_embedding_bag_forward_only"})
"""Operations that read a weight's rows and multiply nothing."""
_COPIES = frozenset({"clone", "_to_copy"})
"""Operations whose result stands for the weight: another layout, another precision."""
_BY_VECTOR = frozenset({"mv", "addmv", "dot", "vdot"})
"""Products in which each number is used once, for which torch's counter has no formula."""


class UsesBeside(TorchDispatchMode):
    """Counts the multiplications of a network's parameters while it is entered, by torch's own formulas.

    Parameters of two and more dimensions are known by where their numbers lie, so that views (a part of a
    packed projection, a transposed weight) are theirs. What a module does with its own weight while it is
    called (`enter`, `leave`) is the caller's to count. `layers` are the ids of weights of which every other
    use has to be understood.
    """

    def __init__(self, model: nn.Module, layers: Collection[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._layers = set(layers)
        self._names = {id(p): name for name, p in model.named_parameters()}
        self._held: dict[int, list[tuple[Tensor, nn.Parameter]]] = {}
        self._sizes: dict[int, int] = {}
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                self._sizes[id(parameter)] = parameter.numel()
                self._held.setdefault(_storage(parameter), []).append((parameter, parameter))
        self._recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
        self._inside: list[int] = []
        self._multiplied: dict[int, int] = {}
        self._otherwise: dict[int, str] = {}
        self._modes = contextlib.ExitStack()

    def enter(self, weight: Tensor | None) -> None:
        """Note that the module with this weight is called."""
        self._inside.append(id(weight))

    def leave(self, weight: Tensor | None) -> None:
        """Note that the call is over."""
        self._inside.remove(id(weight))

    def __enter__(self) -> UsesBeside:
        # fused kernels of attention and of recurrent layers would hide their products
        fast = torch.backends.mha.get_fastpath_enabled()
        self._modes.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        if self._recurrent:
            how = {"enabled": False, "allow_tf32": torch.backends.mkldnn.allow_tf32}
            self._modes.enter_context(torch.backends.mkldnn.flags(**how))
            self._modes.enter_context(torch.backends.cudnn.flags(enabled=False))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._modes.close()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and note which weights it multiplied, or used otherwise."""
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        operation = function.overloadpacket
        for value in tensors([*args, *kwargs.values()]):  # cat and stack take theirs in a list
            weight = self._weight_of(value)
            if weight is None or id(weight) in self._inside or _is_view(result, value):
                continue
            if operation.__name__ in _COPIES:
                self._held.setdefault(_storage(result), []).append((result, weight))
                continue
            formula = flop_registry.get(operation)
            if formula is not None:
                self._add(weight, int(formula(*args, **kwargs, out_val=result)) // 2)
            elif operation.__name__ in _BY_VECTOR:
                self._add(weight, value.numel())
            elif operation.__name__ not in _LOOKUPS:
                self._otherwise[id(weight)] = str(operation)
        return result

    def _add(self, weight: nn.Parameter, multiplied: int) -> None:
        self._multiplied[id(weight)] = self._multiplied.get(id(weight), 0) + multiplied

    def uses(self) -> dict[int, int]:
        """Return how often each entry of the weights that were multiplied is used, by the weights' ids.

        Raises: UsageError for a layer's weight used by an operation that is no matrix product or convolution,
        and for a weight of which only a part is multiplied.
        """
        for own, operation in self._otherwise.items():
            if own in self._layers:
                raise UsageError(
                    f"the FLOPs of weight '{self._names[own]}' cannot be counted: beside its layer's call, "
                    f"{operation} uses it, which is no matrix product and no convolution"
                )
        counts = {}
        for own, multiplied in self._multiplied.items():
            counts[own], rest = divmod(multiplied, self._sizes[own])
            if rest:
                raise UsageError(
                    f"the FLOPs of weight '{self._names[own]}' cannot be counted: its entries are not all "
                    "used equally often"
                )
        return counts

    def _weight_of(self, value: Any) -> nn.Parameter | None:
        """Return the parameter in whose numbers a tensor lies."""
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            return None
        start = value.storage_offset()
        for held, weight in self._held.get(_storage(value), ()):
            if held.storage_offset() <= start < held.storage_offset() + held.numel():
                return weight
        return None


def _storage(tensor: Tensor) -> int:
    """Return what tells one storage from another, on every device."""
    return int(tensor.untyped_storage()._cdata)


def _is_view(result: Any, value: Tensor) -> bool:
    """Return True if an operation only looked at a value another way."""
    results = result if isinstance(result, tuple | list) else (result,)
    return any(isinstance(one, Tensor) and _storage(one) == _storage(value) for one in results)
