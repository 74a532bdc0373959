"""The numerics class, and switches that are put back."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator

import pytest
import torch

from prunebench.training.numerics import deterministic, numerics_class


def switches() -> dict[str, object]:
    backends = torch.backends
    return {
        "debug": torch.get_deterministic_debug_mode(),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,
        "benchmark": backends.cudnn.benchmark,
        "deterministic": backends.cudnn.deterministic,
        "matmul": torch.get_float32_matmul_precision(),
        "new": [
            part.fp32_precision
            for part in (
                backends.cuda.matmul,
                backends.cudnn.conv,
                backends.mkldnn.matmul,
                backends.mkldnn.conv,
            )
        ],
        "cublas": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


def test_the_class_names_build_device_and_threads():
    """Of a CPU: the vector instructions in use."""
    capability = torch.backends.cpu.get_cpu_capability()
    assert numerics_class("cpu", 1) == f"torch {torch.__version__}, cpu {capability}, 1 thread"
    assert numerics_class("cpu", 4).endswith(", 4 threads")


@pytest.mark.parametrize("matmul", ["highest", "high", "medium"])
@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_as_before_afterwards(matmul: str, fails: bool, monkeypatch: pytest.MonkeyPatch):
    """Also after an error, and where the caller had lowered the precision."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    original = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.benchmark = True
        before = switches()
        try:
            with deterministic("cuda"):
                inside = switches()
                if fails:
                    raise RuntimeError
        except RuntimeError:
            pass
        assert switches() == before
        assert inside["debug"] == 2
        assert inside["matmul"] == "highest"
        assert inside["benchmark"] is False
        assert inside["new"] == ["ieee"] * 4
        assert inside["cublas"] == ":4096:8"
        assert inside["fill"] is False
    finally:
        torch.set_float32_matmul_precision(original)
        torch.backends.cudnn.benchmark = False


def test_new_switches_set_apart_are_kept():
    """A caller that uses torch's newer precision switches finds them as they were."""
    convolutions = torch.backends.cudnn.conv
    before = convolutions.fp32_precision
    try:
        convolutions.fp32_precision = "ieee"
        with deterministic("cpu"):
            pass
        assert convolutions.fp32_precision == "ieee"
    finally:
        convolutions.fp32_precision = before


def test_deterministic_algorithms_are_on_within():
    """And off again where they were off."""
    with deterministic("cpu"):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


class _Gpus:
    """Stands in for torch's context of a current GPU: notes which one was current when."""

    def __init__(self) -> None:
        self.current, self.was = 0, list[int]()

    def device(self, device: torch.device) -> contextlib.AbstractContextManager[None]:
        @contextlib.contextmanager
        def within() -> Iterator[None]:
            before, self.current = self.current, device.index or 0
            try:
                yield
            finally:
                self.current = before

        return within()


def test_a_numbered_gpu_is_the_current_one_within(monkeypatch: pytest.MonkeyPatch):
    """Code that says "cuda" alone, and the thread that pins memory, find it; GPU 0 is not even looked at."""
    gpus = _Gpus()
    monkeypatch.setattr(torch.cuda, "device", gpus.device)
    with deterministic("cuda:3"):
        assert gpus.current == 3
    assert gpus.current == 0
    with pytest.raises(RuntimeError, match="fails"), deterministic("cuda:3"):
        raise RuntimeError("fails")
    assert gpus.current == 0

    def never(device: object) -> None:
        raise AssertionError(f"{device} was made current")

    monkeypatch.setattr(torch.cuda, "device", never)
    for device in ("cpu", "cuda"):  # without a number it is the current one
        with deterministic(device):
            pass


def test_cublas_is_repeatable_within_on_the_cpu_too(monkeypatch: pytest.MonkeyPatch):
    """A scorer may be on a GPU while networks train on the CPU; what the caller has chosen well is left."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with deterministic("cpu"):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":0:0")
    with deterministic("cpu"):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":0:0"


@pytest.mark.parametrize("compiler", [False, True])
def test_deterministic_algorithms_are_torchs_own_setting(
    compiler: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its compiler is there to be told of it or not."""
    if compiler:
        importlib.import_module("torch._inductor.config")
    else:
        for name in [name for name in sys.modules if name.startswith("torch._inductor")]:
            monkeypatch.delitem(sys.modules, name)
    with deterministic("cpu"):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
