"""Which GPUs a process may use: CUDA_VISIBLE_DEVICES as torch itself reads it, and what drivers tell."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import types
from typing import Any

import pytest
import torch

from prunebench.engine.devices import gpus
from prunebench.engine.devices.gpus import Gpu, gpus_here, of_nvidia_smi, visible
from prunebench.engine.devices.slots import Slot
from prunebench.process import prepare_process

UUIDS = ["GPU-aa11", "GPU-aa22", "GPU-bb33", "GPU-cc44"]

FOUR = [Gpu(str(index), uuid, "NVIDIA H200", 144, 100) for index, uuid in enumerate(UUIDS)]

LISTS = [
    "0",
    "3,1",
    " 2 , 0",
    "0,9,1",
    "9",
    "-1",
    "1,-1,2",
    "",
    "0,0",
    "1gpu,2",
    "x",
    "0,x,1",
    "GPU-bb33",
    "GPU-bb,GPU-cc44",
    "GPU-aa",
    "GPU-aa11,GPU-zz",
    "GPU-zz,GPU-aa11",
    "GPU-aa11,GPU-aa11",
    "GPU-aa11,GPU-aa1",
    "GPU-aa11,1",
    "2,GPU-aa11",
]


def by_torch(variable: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which GPUs torch would count, by their places."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    monkeypatch.setattr(torch.cuda, "_raw_device_uuid_nvml", lambda: UUIDS)
    monkeypatch.setattr(torch.cuda, "_raw_device_count_nvml", lambda: len(UUIDS))
    words: Any = torch.cuda._parse_visible_devices()
    if words and isinstance(words[0], str):
        words = torch.cuda._transform_uuid_to_ordinals(words, UUIDS)
    count = torch.cuda._device_count_nvml()
    return list(words[:count])


def test_a_list_is_read_as_torch_reads_it(monkeypatch: pytest.MonkeyPatch):
    """Indices and names, cut short, doubled, wrong in the middle; and lists at random."""
    draws = random.Random(0)
    words = ["0", "1", "3", "7", "-1", "", "GPU-aa11", "GPU-bb", "GPU-", "x", " 2"]
    lists = [*LISTS, *(",".join(draws.choices(words, k=draws.randint(1, 4))) for _ in range(400))]
    for variable in lists:
        expected = [UUIDS[place] for place in by_torch(variable, monkeypatch)]
        assert [gpu.uuid for gpu in visible(FOUR, variable)] == expected, variable


def test_the_words_are_those_of_the_list():
    """A worker is given what the caller's list says, so that it means the same to CUDA."""
    assert [gpu.word for gpu in visible(FOUR, "3,1")] == ["3", "1"]
    assert [gpu.word for gpu in visible(FOUR, "GPU-bb,GPU-cc44")] == ["GPU-bb", "GPU-cc44"]
    assert [gpu.word for gpu in visible(FOUR, None)] == ["0", "1", "2", "3"]
    assert visible(FOUR, "3")[0].free == 100


TABLE = """0, GPU-aa11, NVIDIA A100-SXM4-40GB, 40960, 40338
1, GPU-aa22, NVIDIA A100-SXM4-40GB, [N/A], 39000
"""

LISTING = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aa11)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-aa22)
  MIG 3g.20gb     Device  0: (UUID: MIG-11)
  MIG 1g.5gb      Device  1: (UUID: MIG-12)
"""


def test_what_nvidia_smi_tells():
    """Memory, and the parts of a GPU that is split: it is used by them alone."""
    whole, split = of_nvidia_smi(TABLE, LISTING)
    assert (whole.word, whole.model, whole.total, whole.free) == (
        "0",
        "NVIDIA A100-SXM4-40GB",
        40960 * 2**20,
        40338 * 2**20,
    )
    assert split.total == 0
    assert [gpu.word for gpu in visible([whole, split], None)] == ["0", "MIG-11", "MIG-12"]
    assert [gpu.word for gpu in visible([whole, split], "MIG-12,MIG-11")] == ["MIG-12", "MIG-11"]
    assert [gpu.word for gpu in visible([whole, split], "MIG-12,MIG-99,MIG-11")] == ["MIG-12"]
    assert [gpu.word for gpu in visible([whole, split], "MIG-GPU-aa22/1/0")] == ["MIG-GPU-aa22/1/0"]


def test_nvml_tells_the_same(monkeypatch: pytest.MonkeyPatch):
    """Through its Python bindings, where they are installed."""

    class NVMLError(Exception):
        pass

    handles = {0: ("GPU-aa11", ()), 1: ("GPU-aa22", ("MIG-11", None, "MIG-12"))}

    def part_of(handle: Any, place: int) -> Any:
        part = handle[1][place]
        if part is None:
            raise NVMLError
        return (part, ())

    def most_parts(handle: Any) -> int:
        if not handle[1]:
            raise NVMLError("not supported")
        return len(handle[1])

    nvml = types.SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=handles.__getitem__,
        nvmlDeviceGetMemoryInfo=lambda handle: types.SimpleNamespace(total=40, free=30),
        nvmlDeviceGetUUID=lambda handle: handle[0].encode(),
        nvmlDeviceGetName=lambda handle: "NVIDIA A100",
        nvmlDeviceGetMaxMigDeviceCount=most_parts,
        nvmlDeviceGetMigDeviceHandleByIndex=part_of,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    present = gpus.present_gpus.__wrapped__()
    assert present[0] == Gpu("0", "GPU-aa11", "NVIDIA A100", 40, 30)
    assert [part.word for part in present[1].parts] == ["MIG-11", "MIG-12"]


def test_without_cuda_in_torch_nobody_is_asked(monkeypatch: pytest.MonkeyPatch):
    """A build for the CPU uses no GPU, whatever the machine has."""
    monkeypatch.setattr(gpus, "present_gpus", lambda: FOUR)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "cuda_of_torch", lambda: None)
    assert gpus_here() == []
    monkeypatch.setattr(gpus, "cuda_of_torch", lambda: "13.0")
    assert gpus_here() == FOUR
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus_here() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert [gpu.uuid for gpu in gpus_here()] == ["GPU-bb33"]


def test_where_no_driver_tells_torch_counts_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch):
    """As many words of the caller's list, or indices."""
    monkeypatch.setattr(gpus, "present_gpus", lambda: None)
    monkeypatch.setattr(gpus, "cuda_of_torch", lambda: "13.0")
    answers = {"stdout": "2\n"}
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: types.SimpleNamespace(**answers))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [gpu.word for gpu in gpus_here()] == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1,MIG-2,MIG-3")
    assert [gpu.word for gpu in gpus_here()] == ["MIG-1", "MIG-2"]
    answers["stdout"] = "some library says hello"
    assert gpus_here() == []


def test_where_cuda_numbers_unlike_gpus_by_their_speed_torch_says_which_is_which(
    monkeypatch: pytest.MonkeyPatch,
):
    """Its own first is then the second on the bus; words are those by which CUDA counts."""
    slow, fast = Gpu("0", "GPU-aa11", "T4", 16, 9), Gpu("1", "GPU-bb22", "H200", 140, 100)
    monkeypatch.setattr(gpus, "present_gpus", lambda: [slow, fast])
    monkeypatch.setattr(gpus, "cuda_of_torch", lambda: "13.0")
    answer = types.SimpleNamespace(stdout="2 bb22 aa11\n")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: answer)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for order, models in (("FASTEST_FIRST", ["H200", "T4"]), ("PCI_BUS_ID", ["T4", "H200"])):
        monkeypatch.setenv("CUDA_DEVICE_ORDER", order)
        assert [(gpu.word, gpu.model) for gpu in gpus_here()] == list(zip("01", models, strict=True))


def test_processes_of_ours_number_gpus_as_the_driver_does(monkeypatch: pytest.MonkeyPatch):
    """And so do the workers that they give slots; unless somebody has set another order."""
    for said, expected in ((None, "PCI_BUS_ID"), ("FASTEST_FIRST", "FASTEST_FIRST")):
        monkeypatch.setenv("CUDA_DEVICE_ORDER", said or "")  # put back whatever becomes of it
        if said is None:
            monkeypatch.delenv("CUDA_DEVICE_ORDER")
        assert Slot(("1",)).environment["CUDA_DEVICE_ORDER"] == expected
        prepare_process()
        assert os.environ["CUDA_DEVICE_ORDER"] == expected


def test_torchs_build_is_known_without_importing_it():
    """And is what torch itself says."""
    program = "import sys; from prunebench.engine.devices.gpus import cuda_of_torch; print(cuda_of_torch(), 'torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.split() == [str(torch.version.cuda), "False"]
