"""The examples of docs/filters.md hold."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[3] / "docs" / "filters.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="docs/ is not there")
def test_the_examples_run() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.M | re.S)
    assert len(blocks) == 3
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile("\n".join(blocks), str(PAGE), "exec"), {})
