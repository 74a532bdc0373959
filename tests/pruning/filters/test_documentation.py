"""The example of docs/filters.md holds."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[3] / "docs" / "filters.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="docs/ is not there")
def test_the_example_runs() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.M | re.S)
    assert len(blocks) == 1
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(blocks[0], str(PAGE), "exec"), {})
