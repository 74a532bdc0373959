"""--memory-limit: how it is spelled, and what is refused."""

from __future__ import annotations

import pytest

from prunebench.engine.guarding.limits import parse_memory
from prunebench.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GiB", 8 * 2**30),
        ("8gib", 8 * 2**30),
        ("8Gi", 8 * 2**30),
        ("8GB", 8 * 10**9),
        ("8g", 8 * 2**30),
        ("1.5 GiB", 3 * 2**29),
        ("500MB", 5 * 10**8),
        ("1TiB", 2**40),
        ("100000000", 10**8),
        ("auto", "auto"),
        ("AUTO", "auto"),
        ("none", None),
    ],
)
def test_an_amount_of_memory_has_units_of_a_thousand_or_of_1024(text: str, size: object) -> None:
    assert parse_memory(text, "--memory-limit") == size


@pytest.mark.parametrize("text", ["", "8", "8MB", "63MiB", "-8GiB", "8 apples", "many", "0", "8GiB/s", "1e9"])
def test_another_amount_is_refused_with_what_is_allowed(text: str) -> None:
    """A number without a unit is bytes, and too few of them is a unit that was forgotten."""
    with pytest.raises(UsageError, match=r"--memory-limit: found '.*', allowed: "):
        parse_memory(text, "--memory-limit")
