"""In which precision a network is scored, and what is said where it does not work in that one."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["Precision", "converted", "not_finite", "not_in", "own_converted", "plain", "working_dtype"]

Precision = Literal["float32", "float64", "own"]

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def plain(dtype: torch.dtype) -> str:
    """Return a precision's name."""
    return str(dtype).removeprefix("torch.")


def not_finite(values: Tensor) -> int:
    """Return how many of some floating-point numbers are NaN or infinite."""
    if math.isfinite(float(values.sum())):  # one reading: nothing makes such a sum finite again
        return 0
    return values.numel() - int(torch.isfinite(values).count_nonzero())


def _own_dtypes(module: nn.Module) -> set[torch.dtype]:
    """Return the precisions of a network's parameters; of complex ones the precision of their real part."""
    return {p.dtype.to_real() for p in module.parameters() if p.is_floating_point() or p.is_complex()}


def working_dtype(module: nn.Module, precision: Precision) -> torch.dtype | None:
    """Return the precision that a network is copied in; None is its own, as it is.

    What is asked is the least: a network with parameters in float64 is never rounded.
    """
    own = _own_dtypes(module)
    if precision == "own":
        return None
    dtype = torch.float64 if torch.float64 in own else _DTYPES[precision]
    return None if own == {dtype} else dtype


def converted(dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """Return a function that converts tensors to a precision: of complex numbers both parts, others stay."""

    def convert(tensor: Tensor) -> Tensor:
        if tensor.is_complex():
            return tensor.to(dtype.to_complex())
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return convert


def own_converted(module: nn.Module, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """Return a function that converts tensors in a precision of the network's parameters, and no others."""
    own, convert = _own_dtypes(module), converted(dtype)

    def of_its_own(tensor: Tensor) -> Tensor:
        numbers = tensor.is_floating_point() or tensor.is_complex()
        return convert(tensor) if numbers and tensor.dtype.to_real() in own else tensor

    return of_its_own


def not_in(
    dtype: torch.dtype,
    module: nn.Module,
    run: Callable[[torch.dtype | None], Any],
    again: Callable[[], Any],
    error: Exception,
) -> str | None:
    """Return what to say of a network that works in its own precision but not in this one; None otherwise.

    run: runs it in its own precision, on inputs as they were given or in the precision named
    again: runs it in this one, where it failed with `error`
    """
    own = _own_dtypes(module)
    if own == {dtype}:
        return None
    for given in (None, *own):
        try:
            run(given)
            break
        except Exception:
            continue
    else:
        return None
    sources = _Sources(dtype)
    with contextlib.suppress(Exception), sources:
        again()
    made = [*sources.made, *sources.casts][-1:]
    where = f": it makes {made[0]}" if made else ""
    return (
        f"the network works in its own precision ({', '.join(sorted(map(plain, own)))}) but not in "
        f'{plain(dtype)}{where} ({str(error).splitlines()[0]}). prune and score take precision="own" for that'
    )


class _Sources(TorchFunctionMode):
    """Notes operations that turn numbers of one precision into another, or make them in another."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype
        self.casts: list[str] = []
        self.made: list[str] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point() and result.dtype != self._dtype:
            given = {value.dtype for value in args if isinstance(value, Tensor)}
            if result.dtype not in given:
                notes = self.casts if self._dtype in given else self.made
                notes.append(
                    f"{plain(result.dtype)} by {getattr(func, '__name__', 'an operation')} in {_line()}"
                )
        return result


def _line() -> str:
    """Return file and line of the innermost frame that is neither torch's nor this module's."""
    frame = sys._getframe(1)
    torchs = str(Path(torch.__file__).parent)
    while frame.f_back is not None and (
        frame.f_code.co_filename == __file__ or frame.f_code.co_filename.startswith(torchs)
    ):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
