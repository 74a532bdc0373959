"""The device that a user names: its word, and whether it is there (imports no torch)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

from prunebench.engine.devices.gpus import VISIBLE, Gpu, cuda_of_torch, gpus_here
from prunebench.errors import PrunebenchError, UsageError
from prunebench.process import has_slot

__all__ = ["ALLOWED", "check_device", "index_of", "parse_device", "resolve_device", "start_device"]

ALLOWED = "auto, cpu, cuda, cuda:N"


def parse_device(text: str) -> str:
    """Return a device's word, spelled in one way: "auto", "cpu", "cuda" or "cuda:N". Raises: UsageError.

    >>> parse_device("CUDA:03")
    'cuda:3'
    """
    word = text.strip().lower()
    if word in ("auto", "cpu", "cuda"):
        return word
    if re.fullmatch(r"cuda:[0-9]+", word):
        return f"cuda:{int(word[5:])}"
    raise UsageError(f"--device: found '{text}', allowed: {ALLOWED}{_hint(word)}")


def _hint(word: str) -> str:
    if re.fullmatch(r"cuda:\d+(,(cuda:)?\d+)+", word):
        several = re.sub("cuda:", "", word)
        return (
            f". A worker has one device: `-n auto` works on all GPUs, after {VISIBLE}={several} on these; "
            "for recipes of several devices there is --gpus-per-worker"
        )
    if re.fullmatch(r"cpu:\d+", word):
        return ". A CPU has no number: --threads says how many of its cores a job uses"
    return ""


def index_of(device: str) -> int | None:
    """Return N of "cuda:N"; None of another word."""
    return int(device[5:]) if device.startswith("cuda:") else None


def resolve_device(device: str, gpus: Callable[[], Sequence[Gpu]] = gpus_here) -> str:
    """Return the device that a word means: "auto" is cuda where there is a GPU, else cpu.

    A worker that was given a slot sees only that: outside it may be cuda:3, to the worker it is its first.
    """
    if device != "auto":
        return "cuda" if index_of(device) is not None and has_slot() else device
    return "cuda" if gpus() else "cpu"


def check_device(device: str, gpus: Callable[[], Sequence[Gpu]] = gpus_here) -> None:
    """Refuse a device that is not there, with what to do. Raises: UsageError."""
    if parse_device(device) in ("cpu", "auto"):
        return
    there = gpus()
    index = index_of(device)
    if not there:
        raise UsageError(f"--device: {device} was asked for, and {_no_gpu()}")
    if index is not None and index >= len(there):
        names = ", ".join(f"cuda:{n}" for n in range(len(there)))
        raise UsageError(f"--device: {device} was asked for, and there is only {names}{_listed()}")


def start_device(device: str) -> None:
    """See, at the start of a process that works on it, that a GPU does what it is told; imports torch.

    Raises: PrunebenchError.
    """
    if device == "cpu":
        return
    import torch

    try:
        place = torch.device(device)
        if place.index is not None:
            torch.cuda.set_device(place)  # for good: also what runs between jobs is on no other
        torch.ones(2, device=place).sum().item()
    except (RuntimeError, AssertionError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise PrunebenchError(f"{device} does not work{_listed()}: {first}") from error


def _no_gpu() -> str:
    """Return why there is no GPU: the build of torch, the list that hides them, or the machine."""
    if cuda_of_torch() is None:
        return (
            "this torch is built without CUDA (https://pytorch.org/get-started/locally has builds that have "
            "it); allowed here: cpu"
        )
    return f"torch sees no GPU{_listed()}; allowed here: cpu"


def _listed() -> str:
    said = os.environ.get(VISIBLE)
    return "" if said is None else f" ({VISIBLE} is '{said}')"
