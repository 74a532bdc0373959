"""Lengths of time and amounts of memory: one way to read them, whatever the option, and one to tell them."""

from __future__ import annotations

import pytest

from prunebench.amounts import (
    bytes_of,
    parse_bytes,
    parse_seconds,
    seconds_of,
    spelled_bytes,
    spelled_seconds,
)
from prunebench.cli._options import Size
from prunebench.cli._times import Length
from prunebench.engine.guarding.limits import parse_memory
from prunebench.engine.on_slurm.options import memory_of, minutes_of
from prunebench.errors import UsageError

TIMES = [
    ("90s", 90),
    ("30m", 1800),
    ("30 min", 1800),
    ("4h", 14_400),
    ("1h30m", 5400),
    ("1h 30m", 5400),
    ("1.5h", 5400),
    (" 2 H ", 7200),
    ("2d", 172_800),
    ("0.5s", 0.5),
    ("2:30", 150),
    ("90:00", 5400),
    ("0:00:30", 30),
    ("4:00:00", 14_400),
    ("100:00:00", 360_000),
    ("1-12", 129_600),
    ("1-12:30", 131_400),
    ("1-12:00:00", 129_600),
]


@pytest.mark.parametrize(("text", "seconds"), TIMES)
def test_a_time_means_the_same_to_every_option(text: str, seconds: float) -> None:
    """To --job-timeout, to --time of a worker, and, in minutes rounded up, to --time of Slurm."""
    assert seconds_of(text) == seconds
    assert Length("s").convert(text, None, None) == Length("m").convert(text, None, None) == seconds
    assert minutes_of(text) == -(-seconds // 60)


NO_TIMES = """
0|0s|-3|-1h|m|h|3x|3m4|30m 1h|1e9|nan|30 minutes|4:61:00|1:2:3:4|1-|infinite|tomorrow|auto
"""


@pytest.mark.parametrize("text", ["", *NO_TIMES.strip().split("|"), "9" * 400])
def test_what_is_no_time_is_none_to_any_option(text: str) -> None:
    for alone in (None, "s", "m"):
        assert seconds_of(text, alone) is None
        with pytest.raises(UsageError, match=r"^--time: found '.*', allowed: a time such as 90s"):
            parse_seconds(text, "--time", alone)


def test_a_number_alone_is_what_the_option_says() -> None:
    assert [seconds_of("1.5", alone) for alone in (None, "s", "m")] == [None, 1.5, 90]


SIZES = [
    ("8GiB", 8 * 2**30),
    ("8gib", 8 * 2**30),
    ("8Gi", 8 * 2**30),
    ("8G", 8 * 2**30),
    ("8GB", 8 * 10**9),
    ("1.5 GiB", 3 * 2**29),
    ("500MB", 5 * 10**8),
    ("64M", 2**26),
    ("1TiB", 2**40),
    ("100000000B", 10**8),
]


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_an_amount_of_memory_means_the_same_to_every_option(text: str, size: int) -> None:
    """To --memory-limit, to --gpu-memory, and, in what sbatch takes, to --mem."""
    assert bytes_of(text) == parse_memory(text, "--memory-limit") == Size().convert(text, None, None) == size
    unit = {"G": 2**30, "M": 2**20}[memory_of(text)[-1]]
    assert size <= int(memory_of(text)[:-1]) * unit < size + 2**20


@pytest.mark.parametrize(
    "text", ["", "-8GiB", "8 apples", "many", "8GiB/s", "1e9", "GiB", "8 G i B", "8GBit"]
)
def test_what_is_no_amount_is_refused_by_every_option(text: str) -> None:
    assert bytes_of(text) is None
    for read in (
        lambda: parse_memory(text, "-m"),
        lambda: Size().convert(text, None, None),
        lambda: memory_of(text),
    ):
        with pytest.raises(UsageError, match=r"allowed: .*an amount such as 8GiB, 500MB or 16G"):
            read()


def test_too_little_is_a_unit_that_was_forgotten() -> None:
    """And says so."""
    for text in ("8", "8MB", "63MiB"):
        with pytest.raises(
            UsageError, match=r"--gpu-memory: found '.*', allowed: at least 64 MiB, as a number"
        ):
            parse_bytes(text, "--gpu-memory", least=64 << 20, because=", as a number alone is bytes")


def test_they_are_told_as_people_say_them() -> None:
    assert [spelled_seconds(s) for s in (0.5, 3, 90, 1800, 7200, 86_400)] == [
        "0.5 s", "3 s", "90 s", "30 min", "2 h", "1 d",
    ]  # fmt: skip
    told = {
        0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1536: "1.5 KiB", 5 * 2**20: "5.0 MiB", 2**30: "1.0 GiB",
        2**30 - 1: "1024 MiB", 9.04 * 2**30: "9.0 GiB", 89 * 2**30: "89 GiB", 3 * 2**40: "3.0 TiB",
    }  # fmt: skip
    assert {size: spelled_bytes(size) for size in told} == told
