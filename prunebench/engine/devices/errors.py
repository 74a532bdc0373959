"""What a failed job's error says of the device it ran on: out of memory, or lost to this process.

After a kernel has failed (an illegal address, a failed assertion on the device, a hardware fault) CUDA
answers every further call of the process with that error. No job can be done there any more, only in a new
process.
"""

from __future__ import annotations

import contextlib
import gc
import re
import sys
import traceback
from collections.abc import Iterator

from prunebench.plan import Job
from prunebench.process import shared_by

__all__ = ["advice", "forget", "is_device_lost", "is_out_of_memory"]

_FULL = re.compile(
    r"out of memory|can't allocate memory|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED"
)

_LOST = re.compile(r"\b(CUDA|HIP|NCCL|cuDNN|CUDNN)(\s+driver)? error\b|CUBLAS_STATUS_\w+|CUDNN_STATUS_\w+")
"""What torch says of a call that CUDA or one of its libraries refused. Not each is for good, but to know
that takes a process of its own."""


def is_out_of_memory(error: BaseException) -> bool:
    """True if an error, or one it comes from, is that memory was not enough: the GPU's or the machine's."""
    return any(
        isinstance(one, MemoryError)
        or type(one).__name__ == "OutOfMemoryError"
        or (isinstance(one, RuntimeError) and _FULL.search(_text(one)))
        for one in _chain(error)
    )


def is_device_lost(error: BaseException) -> bool:
    """True if this process cannot use its GPU any more, as far as an error says or the GPU itself does."""
    if any(isinstance(one, RuntimeError) and _says_lost(one) for one in _chain(error)):
        return True
    return not _responds()


def _says_lost(error: RuntimeError) -> bool:
    text = _text(error)
    if _FULL.search(text):
        return False
    return type(error).__name__ == "AcceleratorError" or _LOST.search(text) is not None


def _responds() -> bool:
    """True unless a GPU that this process has used fails at waiting for it: some code hides what it met."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True


def advice(job: Job, error: BaseException) -> str:
    """Return what to change where memory was not enough, as a line to add to the error; else nothing."""
    if not is_out_of_memory(error):
        return ""
    ways = []
    if shared_by() > 1:
        ways.append(f"fewer workers on the GPU (--workers-per-gpu, now {shared_by()})")
    if job.kind == "train":
        ways += [
            "`recompute = true` in the recipe (the same cells, a third slower)",
            "`micro_batch` there: so many examples at once (part of the cell, as BatchNorm sees it)",
        ]
    elif job.kind in ("score", "mask"):
        ways.append(
            "`chunk` in the scorer's table, where it takes one: so many examples at once (part of the cell)"
        )
    ways.append("a device with more memory")
    return f"\n  out of memory; what helps: {'; '.join(ways)}"


def forget(error: BaseException) -> None:
    """Let go of all that an error holds: its frames' variables are networks, batches and activations.

    And give memory back that torch keeps for later: other workers may have the same GPU.
    """
    for one in list(_chain(error)):
        traceback.clear_frames(one.__traceback__)
        one.__traceback__ = one.__cause__ = one.__context__ = None
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        with contextlib.suppress(RuntimeError):  # one that is lost
            torch.cuda.empty_cache()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, those in its group, and those that they come from or were raised beside."""
    stack, seen = [error], set[int]()
    while stack:
        one = stack.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        stack += [other for other in (*inner, one.__cause__, one.__context__) if other is not None]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # somebody else's __str__
        return ""
