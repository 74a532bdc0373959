"""Which GPUs there are, and which of them this process may use (imports no torch).

CUDA_VISIBLE_DEVICES is read as CUDA reads it: indices, or the names of GPUs (GPU-…) or of parts of them
(MIG-…), up to the first that names nothing; an empty list is none. Whoever starts a worker gives it some of
these words (`prunebench.engine.devices.slots`), so a list that a scheduler or a user has set is indexed
into, never widened.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from prunebench.process import BY_BUS, ORDER

__all__ = ["VISIBLE", "Gpu", "cuda_of_torch", "gpus_here", "present_gpus", "usable_together", "visible"]

VISIBLE = "CUDA_VISIBLE_DEVICES"

_MOST_SECONDS = 30
"""How long nvidia-smi may take: it waits for a driver that is being loaded."""


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a part of one (MIG), that can be given to a worker."""

    word: str
    """What names it in CUDA_VISIBLE_DEVICES: its index, or "GPU-…" or "MIG-…"."""
    uuid: str = ""
    model: str = ""
    total: int = 0
    """Bytes of its memory; 0 where that is not known."""
    free: int = 0
    """Bytes that nobody uses now; 0 where that is not known."""
    parts: tuple[Gpu, ...] = ()
    """Its MIG instances: where there are some, a process can use these alone."""

    @property
    def is_whole(self) -> bool:
        """False of a part of a GPU (MIG), and of a GPU that is split: of it CUDA gives a process one part."""
        return not self.word.startswith("MIG-") and not self.parts


def gpus_here() -> list[Gpu]:
    """Return the GPUs that this process may use, in CUDA's order; none where torch is built without CUDA.

    Asks NVIDIA's management library (the extra `gpu` installs its bindings), else nvidia-smi, else torch in
    a process of its own: imported here it would take seconds, and could not see another list afterwards.
    """
    if not cuda_of_torch() or os.environ.get(VISIBLE) == "":
        return []
    present = present_gpus()
    if present is None or _numbered_otherwise(present):
        return _counted_by_torch(present or ())
    return visible(present, os.environ.get(VISIBLE))


def _numbered_otherwise(present: Sequence[Gpu]) -> bool:
    """True if CUDA numbers these GPUs otherwise than by their bus: by speed, where somebody has said so.

    Processes of ours have it go by the bus (`prepare_process`), unless that is set.
    """
    order = os.environ.get(ORDER, BY_BUS)
    return order != BY_BUS and len({gpu.model for gpu in present}) > 1


def usable_together(gpus: Sequence[Gpu]) -> int:
    """Return how many of these GPUs one process can use: all whole ones, or a single part (MIG).

    >>> usable_together([Gpu("0"), Gpu("1")]), usable_together([Gpu("MIG-1"), Gpu("MIG-2")])
    (2, 1)
    """
    return sum(gpu.is_whole for gpu in gpus) or min(1, len(gpus))


def visible(present: Sequence[Gpu], variable: str | None) -> list[Gpu]:
    """Return those of the GPUs present that CUDA_VISIBLE_DEVICES lets a process see, None for unset.

    Without it every part of a GPU that is split counts for itself.

    >>> [gpu.word for gpu in visible([Gpu("0"), Gpu("1"), Gpu("2")], "2,0")]
    ['2', '0']
    >>> visible([Gpu("0")], "1,0"), visible([Gpu("0")], "")
    ([], [])
    """
    if variable is None:
        return [part for gpu in present for part in (gpu.parts or (gpu,))]
    kind = variable[:4]
    if kind in ("GPU-", "MIG-"):
        words = list(takewhile(lambda word: word.startswith(kind), variable.split(",")))
        there = [one for gpu in present for one in (gpu.parts if kind == "MIG-" else (gpu,))]
        seen = [_named(there, word) for word in words]
    else:
        words = list(takewhile(lambda index: not index.startswith("-"), map(_index, variable.split(","))))
        seen = [replace(present[i], word=word) if (i := int(word)) < len(present) else None for word in words]
    if len(set(words)) < len(words):  # one that is named twice hides all
        return []
    valid = seen[: seen.index(None)] if None in seen else seen
    once = {gpu.uuid or gpu.word: gpu for gpu in valid if gpu is not None}
    return list(once.values()) if len(once) == len(valid) else []


def _index(word: str) -> str:
    """Return the number that a word begins with, as C's strtoul reads it ("1gpu" is 1); "-1" for none."""
    number = re.match(r"[+-]?\d+", word.strip())
    return str(int(number[0])) if number else "-1"


def _named(there: Sequence[Gpu], word: str) -> Gpu | None:
    """Return the GPU of this name, which may be cut short where that leaves one; None for no one GPU."""
    if "/" in word:  # an older driver's name of a part, which it lists by no other
        return Gpu(word, uuid=word)
    fitting = [one for one in there if one.uuid.startswith(word)]
    return replace(fitting[0], word=word) if len(fitting) == 1 else None


# -- what is there -------------------------------------------------------------------------------------------


def cuda_of_torch() -> str | None:
    """Return the CUDA version that torch is built for, None for a build without it; imports no torch."""
    if "torch" in sys.modules:
        cuda: str | None = sys.modules["torch"].version.cuda
        return cuda
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        return None
    try:
        text = (Path(spec.submodule_search_locations[0]) / "version.py").read_text("utf-8")
    except OSError:
        return None
    said = re.search(r"^cuda\b[^=\n]*= *['\"]([^'\"]+)['\"]", text, re.MULTILINE)
    return said[1] if said else None


@functools.cache
def present_gpus() -> list[Gpu] | None:
    """Return the GPUs of this machine in the order of their bus, None where nobody here can tell.

    They are asked for once in a process: nvidia-smi may take a second.
    """
    with contextlib.suppress(ImportError):
        return _by_nvml()
    told = _nvidia_smi(
        "--query-gpu=index,uuid,name,memory.total,memory.free", "--format=csv,noheader,nounits"
    )
    return None if told is None else of_nvidia_smi(told, _nvidia_smi("-L") or "")


def of_nvidia_smi(table: str, listing: str) -> list[Gpu]:
    """Return the GPUs that nvidia-smi tells of: by a table of index, uuid, name, MiB in all and free, and by
    its listing (-L), which has the parts of each.
    """
    parts = _parts_of(listing)
    gpus = []
    for row in csv.reader(table.splitlines(), skipinitialspace=True):
        if len(row) == 5 and row[0].isdecimal():
            index, uuid, model, total, free = row
            own = tuple(Gpu(one, uuid=one, model=model) for one in parts.get(uuid, ()))
            gpus.append(Gpu(index, uuid, model, _bytes(total), _bytes(free), own))
    return sorted(gpus, key=lambda gpu: int(gpu.word))


def _parts_of(listing: str) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    whole = ""
    for line in listing.splitlines():
        named = re.search(r"\(UUID: ((GPU|MIG)-[^)]+)\)", line)
        if named and named[2] == "GPU":
            whole = named[1]
        elif named:
            parts.setdefault(whole, []).append(named[1])
    return parts


def _bytes(mebibytes: str) -> int:
    return int(mebibytes) * 2**20 if mebibytes.isdecimal() else 0  # "[N/A]"


def _nvidia_smi(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["nvidia-smi", *arguments], capture_output=True, text=True, timeout=_MOST_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _by_nvml() -> list[Gpu] | None:
    """Raises: ImportError where the library's bindings are not installed."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return [_gpu_of(pynvml, handle, str(index)) for index, handle in enumerate(handles)]
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def _gpu_of(nvml: Any, handle: Any, word: str) -> Gpu:
    """Return a GPU by its handle; a part, with no index of its own, is named by its uuid."""
    memory, uuid = nvml.nvmlDeviceGetMemoryInfo(handle), _text(nvml.nvmlDeviceGetUUID(handle))
    parts = []
    if word:
        with contextlib.suppress(nvml.NVMLError):  # one that cannot be split
            for place in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
                with contextlib.suppress(nvml.NVMLError):  # a place where there is none
                    part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
                    parts.append(_gpu_of(nvml, part, ""))
    model = _text(nvml.nvmlDeviceGetName(handle))
    return Gpu(word or uuid, uuid, model, int(memory.total), int(memory.free), tuple(parts))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value  # bytes in older releases


_COUNT = """
import torch
count = torch.cuda.device_count()
print(count, *(getattr(torch.cuda.get_device_properties(one), "uuid", "") for one in range(count)))
"""


def _counted_by_torch(present: Sequence[Gpu] = ()) -> list[Gpu]:
    """Return the GPUs that torch counts under the list that is set: their words, and what is known of those
    present that have their uuids."""
    try:
        told = subprocess.run(
            [sys.executable, "-P", "-c", _COUNT],
            capture_output=True,
            text=True,
            timeout=4 * _MOST_SECONDS,
            check=True,
        ).stdout
        count, *uuids = (told.splitlines() or [""])[-1].split()
        words = _words(os.environ, int(count))
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
    known = {gpu.uuid.removeprefix("GPU-"): gpu for gpu in present}
    named = [*uuids, *[""] * len(words)]
    return [replace(known.get(uuid, gpu), word=gpu.word) for gpu, uuid in zip(words, named, strict=False)]


def _words(environment: Mapping[str, str], count: int) -> list[Gpu]:
    """Return `count` GPUs by the words of the list that is set, else by index."""
    said = environment.get(VISIBLE)
    words = [str(index) for index in range(count)] if said is None else said.split(",")
    return [Gpu(word.strip()) for word in words[:count]]
