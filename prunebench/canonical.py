"""One spelling for every value that is hashed: keys, digests, identities."""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal
from typing import Any

import orjson

__all__ = ["canonical", "digest", "decimal12"]


def canonical(value: Any, *, read: bool = False) -> bytes:
    """Return the canonical JSON of `value`: sorted keys, no white space, UTF-8.

    Only what JSON has a single spelling for is allowed: str, int, bool, None, finite floats (shortest
    spelling that reads back), lists, tuples and dicts with string keys. What orjson has `read` has no others.

    Raises: TypeError for anything else, ValueError for a float that is not finite.
    """
    encoded = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if not read and b"null" in encoded:
        _refuse_not_finite(value)
    return encoded


_NUMBERS_AND_WHAT_HOLDS_THEM = (float, dict, list, tuple)


def _refuse_not_finite(value: Any) -> None:
    """orjson spells NaN and infinities as null; a key must not confuse them with None."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"not a finite number: {value}")
        return
    if isinstance(value, dict):
        value = value.values()
    for item in value or ():  # None alone holds nothing
        if isinstance(item, _NUMBERS_AND_WHAT_HOLDS_THEM):
            _refuse_not_finite(item)


def digest(value: Any, *, read: bool = False) -> str:
    """Return the SHA-256 of the canonical JSON of `value`, in hexadecimal; `read` as of `canonical`."""
    return hashlib.sha256(canonical(value, read=read)).hexdigest()


def decimal12(value: float | Decimal) -> str:
    """Return a density or sparsity as a decimal of at most 12 digits after the point, without trailing zeros.

    >>> decimal12(0.8**3), decimal12(1.0)
    ('0.512', '1')
    """
    return f"{float(value):.12f}".rstrip("0").rstrip(".")
