"""Which machine arithmetic a result belongs to, and the switches that make it repeatable."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["deterministic", "numerics_class"]

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


def numerics_class(device: str | torch.device, threads: int) -> str:
    """Name the class within which the same work gives the same bits.

    It is torch's build, the device's kind and model (of a CPU the vector instructions that torch uses) and
    the number of threads, as "torch 2.9.0+cpu, cpu AVX512, 1 thread".
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
    return f"torch {torch.__version__}, {kind}, {threads} thread{'' if threads == 1 else 's'}"


@contextmanager
def deterministic(device: str | torch.device) -> Iterator[None]:
    """Within: deterministic algorithms only, no cuDNN search, plain float32; after: what there was before.

    An operation that has no deterministic algorithm on the device raises RuntimeError, naming itself.
    """
    debug = torch.get_deterministic_debug_mode()
    cudnn = torch.backends.cudnn
    benchmark, deterministic_only = cudnn.benchmark, cudnn.deterministic
    # filling fresh memory is for finding bugs and costs a pass over every activation
    memory: Any = torch.utils.deterministic
    fill = memory.fill_uninitialized_memory
    workspace = os.environ.get(_CUBLAS)
    try:
        if torch.device(device).type == "cuda" and workspace not in (":4096:8", ":16:8"):
            os.environ[_CUBLAS] = ":4096:8"  # read when cuBLAS starts
        torch.use_deterministic_algorithms(True)
        memory.fill_uninitialized_memory = False
        cudnn.benchmark, cudnn.deterministic = False, True
        with _plain_float32():
            yield
    finally:
        torch.set_deterministic_debug_mode(debug)
        memory.fill_uninitialized_memory = fill
        cudnn.benchmark, cudnn.deterministic = benchmark, deterministic_only
        if workspace is None:
            os.environ.pop(_CUBLAS, None)
        else:
            os.environ[_CUBLAS] = workspace


@contextmanager
def _plain_float32() -> Iterator[None]:
    """TF32 and bfloat16 stand-ins off. torch has an old and a new set of these switches: both are kept."""
    backends: Any = torch.backends
    switches = (
        backends.cuda.matmul,
        backends.cudnn.conv,
        backends.cudnn.rnn,
        backends.mkldnn.matmul,
        backends.mkldnn.conv,
        backends.mkldnn.rnn,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of every use of the old set
        new = [switch.fp32_precision for switch in switches]
        matmul = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            convolutions: bool | None = backends.cudnn.allow_tf32
        except RuntimeError:  # the caller has set the new ones apart
            convolutions = None
        backends.cudnn.allow_tf32 = False
        for switch in switches:
            switch.fp32_precision = "ieee"
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.set_float32_matmul_precision(matmul)
            if convolutions is not None:
                backends.cudnn.allow_tf32 = convolutions
            for switch, value in zip(switches, new, strict=True):
                switch.fp32_precision = value
