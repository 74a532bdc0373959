"""Which machine arithmetic a result belongs to, and the switches that make it repeatable."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from prunebench.isolation.float32 import plain_float32, tf32
from prunebench.process import CUBLAS, set_workspaces
from prunebench.training.kernels import Kernels

__all__ = ["deterministic", "in_turn", "numerics_class"]

_THEN = "; then "

_INDUCTOR = "TORCHINDUCTOR_DETERMINISTIC"
"""By this variable torch's compiler, should it be imported later, is told to be deterministic."""


def numerics_class(device: str | torch.device, threads: int, kernels: Kernels = "dense") -> str:
    """Name the class within which the same work gives the same bits.

    It is torch's build, the device's kind and model (of a CPU the vector instructions that torch uses) and
    the number of threads, as "torch 2.9.0+cpu, cpu AVX512, 1 thread"; ", sparse kernels" where some layers
    computed with kept weights alone.
    """
    device = torch.device(device)
    if device.type == "cuda":
        cudnn: Any = torch.backends.cudnn
        model = f"{torch.cuda.get_device_name(device)}, cuDNN {cudnn.version()}"
    elif device.type == "cpu":
        model = torch.backends.cpu.get_cpu_capability()
    else:
        model = ""
    kind = f"{device.type} {model}".strip()
    of_kernels = "" if kernels == "dense" else f", {kernels} kernels"
    return f"torch {torch.__version__}, {kind}, {threads} thread{'' if threads == 1 else 's'}{of_kernels}"


def in_turn(*classes: str | None) -> str | None:
    """Return numerics classes, each of which may name several, as one text that names each once.

    >>> in_turn("A", None, "A; then B", "B")
    'A; then B'
    """
    names = [name for one in classes if one for name in one.split(_THEN)]
    return _THEN.join(dict.fromkeys(names)) or None


@contextmanager
def deterministic(device: str | torch.device, precision: str = "float32") -> Iterator[None]:
    """Within: deterministic algorithms only, no cuDNN search, plain float32 (or "tf32"), and a GPU is the
    current one; after: what there was before.

    An operation that has no deterministic algorithm on the device raises RuntimeError, naming itself.
    """
    debug = torch.get_deterministic_debug_mode()
    cudnn = torch.backends.cudnn
    benchmark, deterministic_only = cudnn.benchmark, cudnn.deterministic
    # filling fresh memory is for finding bugs and costs a pass over every activation
    memory: Any = torch.utils.deterministic
    fill = memory.fill_uninitialized_memory
    before = {name: os.environ.get(name) for name in (CUBLAS, _INDUCTOR)}
    try:
        set_workspaces()  # whatever the device: a scorer may be on another; ours have it from their start
        os.environ[_INDUCTOR] = "1"
        _only_deterministic()
        memory.fill_uninitialized_memory = False
        cudnn.benchmark, cudnn.deterministic = False, True
        with tf32() if precision == "tf32" else plain_float32(), _current(torch.device(device)):
            yield
    finally:
        torch.set_deterministic_debug_mode(debug)
        memory.fill_uninitialized_memory = fill
        cudnn.benchmark, cudnn.deterministic = benchmark, deterministic_only
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _only_deterministic() -> None:
    """Do what torch.use_deterministic_algorithms does, but do not bring in torch's compiler to tell it so."""
    switch = getattr(torch._C, "_set_deterministic_algorithms", None)
    if switch is None or "torch._inductor.config" in sys.modules:
        torch.use_deterministic_algorithms(True)
    else:
        switch(True, warn_only=False)


def _current(device: torch.device) -> AbstractContextManager[object]:
    """Make a GPU the current one: that of "cuda" without a number, and of the thread that pins memory.

    Where it is no other anyway, nothing is done: that alone would make a context on GPU 0.
    """
    if device.type != "cuda" or device.index is None:
        return nullcontext()
    return torch.cuda.device(device)
