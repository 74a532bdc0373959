"""--job-timeout and --memory-limit: how they are spelled, and what is refused."""

from __future__ import annotations

import pytest

from prunebench.engine.guarding.limits import parse_memory, parse_seconds, spelled_bytes, spelled_seconds
from prunebench.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        (" 2 H ", 7200),
    ],
)
def test_a_time_is_seconds_or_has_units(text: str, seconds: float) -> None:
    assert parse_seconds(text, "--job-timeout") == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-3", "m", "3x", "3m4", "1e9", "nan", "30 minutes", "1:30", "auto"]
)
def test_another_time_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(UsageError, match=r"--job-timeout: found '.*', allowed: seconds, or a time such as"):
        parse_seconds(text, "--job-timeout")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GiB", 8 * 2**30),
        ("8gib", 8 * 2**30),
        ("8Gi", 8 * 2**30),
        ("8GB", 8 * 10**9),
        ("8g", 8 * 10**9),
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


def test_they_are_told_as_people_say_them() -> None:
    assert [spelled_seconds(s) for s in (0.5, 3, 90, 1800, 7200, 86_400)] == [
        "0.5 s", "3 s", "90 s", "30 min", "2 h", "1 d",
    ]  # fmt: skip
    assert [spelled_bytes(s) for s in (5 * 2**20, 2**30, 9.04 * 2**30)] == ["5 MiB", "1.0 GiB", "9.0 GiB"]
