"""What GPUs could do at most, by the names of their models."""

from __future__ import annotations

__all__ = ["TERAFLOPS", "peak"]

TERAFLOPS = {
    "GTX 1080 Ti": 11.3,
    "P100": 9.5,
    "V100": 15.7,
    "T4": 8.1,
    "RTX 2080 Ti": 13.4,
    "A100": 19.5,
    "RTX 3090": 35.6,
    "A10": 31.2,
    "A40": 37.4,
    "A6000": 38.7,
    "RTX 4090": 82.6,
    "L4": 30.3,
    "L40": 90.5,
    "L40S": 91.6,
    "H100 PCIe": 51.2,
    "H100": 66.9,
    "H200": 66.9,
    "GH200": 66.9,
    "RTX 5090": 104.8,
}
"""What makers state of their GPUs in float32 (not TF32), by a part of the model's name."""


def peak(model: str) -> float | None:
    """Return the multiply-accumulates a second that a GPU could make, by its model's name; None: unknown."""
    known = max((name for name in TERAFLOPS if name in model), key=len, default="")
    return TERAFLOPS[known] * 0.5e12 if known else None
