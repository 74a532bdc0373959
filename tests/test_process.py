"""How a process ended is said in one way: its exit code, or the signal that killed it."""

from __future__ import annotations

import signal

import pytest

from prunebench.process import how_ended


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, "left with exit code 0"),
        (75, "left with exit code 75"),
        (-signal.SIGKILL, "was killed by SIGKILL"),
        (-signal.SIGSEGV, "was killed by SIGSEGV"),
        (-(signal.SIGRTMIN + 3), f"was killed by signal {signal.SIGRTMIN + 3}"),
    ],
)
def test_how_a_process_ended(code: int, said: str) -> None:
    """As subprocess spells it, a signal negative; of signals for programs' own use few have a name."""
    assert how_ended(code) == said
