"""In which precision a network is scored, and what is said where it does not work in that one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["Precision", "converted", "made_itself", "own_dtypes", "working_dtype"]

Precision = Literal["float32", "float64", "own"]

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def own_dtypes(module: nn.Module) -> set[torch.dtype]:
    """Return the precisions of a network's parameters: real ones, for complex parameters those of a part."""
    return {p.dtype.to_real() for p in module.parameters() if p.is_floating_point() or p.is_complex()}


def working_dtype(module: nn.Module, precision: Precision) -> torch.dtype | None:
    """Return the precision that a network is copied in; None is its own, as it is.

    What is asked is the least: a network with parameters in float64 is never rounded.
    """
    own = own_dtypes(module)
    if precision == "own":
        return None
    dtype = torch.float64 if torch.float64 in own else _DTYPES[precision]
    return None if own == {dtype} else dtype


def converted(dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """Return what brings a tensor into a precision: complex numbers keep both parts, others stay."""

    def convert(tensor: Tensor) -> Tensor:
        if tensor.is_complex():
            return tensor.to(dtype.to_complex())
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return convert


def made_itself(run: Callable[[], Any], dtype: torch.dtype) -> str | None:
    """Return where a network that runs and fails leaves this precision by itself: how, and in which line."""
    sources = _Sources(dtype)
    try:
        with sources:
            run()
    except Exception:
        return sources.casts[-1] if sources.casts else sources.made[-1] if sources.made else None
    return None


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
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor) and found.is_floating_point() and found.dtype != self._dtype:
            given = {value.dtype for value in args if isinstance(value, Tensor)}
            if found.dtype not in given:
                notes = self.casts if self._dtype in given else self.made
                notes.append(f"{found.dtype} by {getattr(func, '__name__', 'an operation')} in {_line()}")
        return found


def _line() -> str:
    """Return file and line of the innermost frame that is neither torch's nor this module's."""
    frame = sys._getframe(1)
    torchs = str(Path(torch.__file__).parent)
    while frame.f_back is not None and (
        frame.f_code.co_filename == __file__ or frame.f_code.co_filename.startswith(torchs)
    ):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
