"""Values of tables as data formats have them."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

__all__ = ["plain_value"]


def plain_value(value: Any) -> Any:
    """Return a value as JSON has it; floats with ten digits, so that no machine's last bits show.

    What is absent or not finite is None.
    """
    if value is pd.NA or value is None:
        return None
    if hasattr(value, "_asdict"):
        return {name: plain_value(item) for name, item in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {str(name): plain_value(item) for name, item in value.items()}
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.10g}") if math.isfinite(value) else None
    return value
