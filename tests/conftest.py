"""Shared by all tests: one thread, a data root where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with real MNIST, Fashion-MNIST, CIFAR-10; tests that need it are skipped where it is not."""
    root = os.environ.get("PRUNEBENCH_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("real images wanted: set PRUNEBENCH_DATA to a data root")
    return Path(root)
