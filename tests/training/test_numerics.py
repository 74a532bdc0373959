"""The numerics class, and switches that are put back."""

from __future__ import annotations

import os

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
