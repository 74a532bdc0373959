"""Accuracies of a little study of finds, by method, sparsity and seed: two finds, and what none concerns."""

from __future__ import annotations

from typing import Any

__all__ = ["HOT", "PLAIN", "SLOW", "SUITE"]

SUITE = {"name": "finds", "version": "1", "margins": {"mnist": 0.2}}
SLOW: dict[str, Any] = {"chain": {0.5: [97.0, 97.2], 0.8: [96.0, 96.2]}, "local": {0.5: [95.0, 95.2]}}
HOT: dict[str, Any] = {"chain": {0.5: [96.0, 96.4], 0.8: [93.0, 93.2]}, "local": {0.5: [95.5, 95.7]}}
PLAIN: dict[str, Any] = {"none": {0.0: [98.0, 98.2]}, "random": {0.5: [90.0, 90.2], 0.8: [80.0, 81.0]}}
