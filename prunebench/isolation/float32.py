"""How torch multiplies in float32: its switches for TF32 and bfloat16, read, set, and put back as they were.

torch has two sets of them. In the newer one (`torch.backends…fp32_precision`) an operation that says "none"
follows its backend, and a backend all of torch. The older one has two values of its own (`allow_tf32` of
cuDNN, `get_float32_matmul_precision`); setting those sets operations of the newer one too, and reading them
raises where the two sets say different things. So neither is ever left saying another thing than the other,
and what cannot be read is found out by making the newer one say what it could be.

Nothing is read before torch is imported.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

__all__ = ["Float32", "plain_float32", "read", "tf32", "write"]

OPERATIONS = ("matmul", "conv", "rnn")

BACKENDS = ("cuda", "mkldnn")


class Float32(NamedTuple):
    """All switches, each as it was set itself, whatever it follows."""

    general: str
    """"none", "ieee", "tf32" or "bf16": of what says "none" itself."""
    backends: dict[str, str]
    operations: dict[tuple[str, str], str]
    """(backend, operation) → its precision."""
    matmul: str
    """The older set's: "highest", "high" or "medium"."""
    convolutions: bool
    """The older set's `torch.backends.cudnn.allow_tf32`."""


def read() -> Float32:
    """Return the switches as they are. Raises: AttributeError where torch is not imported yet."""
    backends = _backends()
    with _no_warnings():
        general = backends.fp32_precision
        of_backends = {}
        try:
            _set(backends, "none", general)  # what follows it then shows what it says itself
            for name in BACKENDS:
                of_backends[name] = _owner(name).fp32_precision
                _set(_owner(name), "none", of_backends[name])
            operations = {
                (name, operation): _owner(name, operation).fp32_precision
                for name in BACKENDS
                for operation in OPERATIONS
            }
            return Float32(general, of_backends, operations, _matmul(operations), _convolutions(operations))
        finally:
            for name, value in of_backends.items():
                _set(_owner(name), value, "none")
            _set(backends, general, "none")


def write(wanted: Float32) -> None:
    """Set the switches; those that are so already are left alone.

    cuDNN's two operations begin with a TF32 that gives way to what the backend says; once set they do not,
    and torch has no way back to that.
    """
    with _no_warnings():
        now = read()
        if now.matmul != wanted.matmul:
            sys.modules["torch"].set_float32_matmul_precision(wanted.matmul)
        if now.convolutions != wanted.convolutions:
            _backends().cudnn.allow_tf32 = wanted.convolutions
        now = read()  # setting the older ones has set newer ones
        for (name, operation), value in wanted.operations.items():
            _set(_owner(name, operation), value, now.operations[name, operation])
        for name, value in wanted.backends.items():
            _set(_owner(name), value, now.backends[name])
        _set(_backends(), wanted.general, now.general)


@contextmanager
def plain_float32() -> Iterator[None]:
    """Within: every operation in IEEE float32, whatever was set before, by both sets of switches."""
    with _every("ieee", matmul="highest", convolutions=False):
        yield


@contextmanager
def tf32() -> Iterator[None]:
    """Within: GPUs multiply matrices and convolve in TF32, whatever was set before."""
    with _every("tf32", matmul="high", convolutions=True):
        yield


@contextmanager
def _every(precision: str, *, matmul: str, convolutions: bool) -> Iterator[None]:
    """Within: all operations in one precision, and the older set says so too."""
    before = read()
    operations = {
        (name, operation): precision if name == "cuda" else "ieee" for name, operation in before.operations
    }
    try:
        write(before._replace(operations=operations, matmul=matmul, convolutions=convolutions))
        yield
    finally:
        write(before)


def _backends() -> Any:
    if "torch" not in sys.modules:
        raise AttributeError("torch")
    return sys.modules["torch"].backends


def _owner(backend: str, operation: str | None = None) -> Any:
    """Return what has the switch `fp32_precision` of a backend, or of its operation."""
    backends = _backends()
    if backend == "cuda":  # its switches lie in two modules
        return backends.cuda.matmul if operation == "matmul" else _part(backends.cudnn, operation)
    return _part(getattr(backends, backend), operation)


def _part(module: Any, operation: str | None) -> Any:
    return module if operation is None else getattr(module, operation)


def _set(owner: Any, value: str, now: str) -> None:
    if value != now:
        owner.fp32_precision = value


def _matmul(operations: dict[tuple[str, str], str]) -> str:
    """Return the older set's precision of matrix products."""
    newer = {(name, "matmul"): operations[name, "matmul"] for name in BACKENDS}
    return str(_older(sys.modules["torch"].get_float32_matmul_precision, newer))


def _convolutions(operations: dict[tuple[str, str], str]) -> bool:
    """Return the older set's word on TF32 in cuDNN: where the newer one says no and it is refused, yes."""
    newer = {("cuda", operation): operations["cuda", operation] for operation in ("conv", "rnn")}
    try:
        return bool(_older(lambda: _backends().cudnn.allow_tf32, newer))
    except RuntimeError:
        return True


def _older(get: Callable[[], Any], newer: dict[tuple[str, str], str]) -> Any:
    """Return a value of the older set; where the newer ones contradict it, while they say "ieee".

    Raises: RuntimeError where it contradicts that too.
    """
    try:
        return get()
    except RuntimeError:
        pass
    try:
        for place, value in newer.items():
            _set(_owner(*place), "ieee", value)
        return get()
    finally:
        for place, value in newer.items():
            _set(_owner(*place), value, "ieee")


@contextmanager
def _no_warnings() -> Iterator[None]:
    """torch warns of the older set whenever it is used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
