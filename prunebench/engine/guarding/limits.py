"""How long a job may show no sign of life, and how much memory a worker may take (imports nothing heavy)."""

from __future__ import annotations

from dataclasses import dataclass

from prunebench.amounts import parse_bytes, spelled_seconds

__all__ = ["Limits", "Memory", "hanging", "parse_memory"]

Memory = int | str | None
"""Bytes; "auto", the only word: a worker's share of the machine's, once that runs out; None: no limit."""

SMALLEST = 64 * 1024**2
"""Bytes below which no worker could start: a unit was forgotten."""


@dataclass(frozen=True)
class Limits:
    """What a job may take before it is ended and has failed."""

    timeout: float | None = None
    """Seconds without a sign of life; None: for ever."""
    memory: Memory = "auto"

    def as_options(self) -> list[str]:
        """Return the options by which a command takes these limits."""
        timeout = [] if self.timeout is None else ["--job-timeout", f"{self.timeout:.3f}"]
        return [*timeout, "--memory-limit", "none" if self.memory is None else str(self.memory)]


def parse_memory(text: str, option: str) -> Memory:
    """Return what "8GiB", "500MB", "auto" or "none" means; a number alone is bytes.

    Raises: UsageError for anything else, and for less than a worker takes to start.
    """
    spelled = text.strip().lower()
    if spelled in ("auto", "none"):
        return "auto" if spelled == "auto" else None
    return parse_bytes(
        text,
        option,
        least=SMALLEST,
        because=", as a worker takes more than that to start",
        words="auto, none, or ",
    )


def hanging(timeout: float) -> str:
    """Return what is said of a job that gave no sign of life for so many seconds."""
    return f"no sign of life for {spelled_seconds(timeout)} (--job-timeout)"
