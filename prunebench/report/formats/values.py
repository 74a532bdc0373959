"""Values of tables as data formats have them."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

__all__ = ["plain_value"]


def plain_value(value: Any, digits: int | None = 10) -> Any:
    """Return a value as JSON has it; floats with ten digits, so that no machine's last bits show.

    What is absent or not finite is None.
    """
    if type(value) is str:
        return value
    if value is pd.NA or value is None:
        return None
    if hasattr(value, "_asdict"):
        return {name: plain_value(item, digits) for name, item in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [plain_value(item, digits) for item in value]
    if isinstance(value, dict):
        return {str(name): plain_value(item, digits) for name, item in value.items()}
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return value if digits is None else float(f"{value:.{digits}g}")
    return value
