"""A process that foreign code forks does not go on as ours does."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from prunebench.isolation import isolated, same_process


def fails() -> None:
    raise ValueError("in the child")


def leaves() -> None:
    raise SystemExit(7)


@pytest.mark.parametrize("bracket", [same_process, lambda: isolated("somebody")])
@pytest.mark.parametrize(("then", "code"), [(lambda: None, 0), (fails, 1), (leaves, 7)])
def test_a_child_that_comes_back_ends_there(
    bracket: Callable[..., object], then: Callable[[], None], code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """With 0 where it returns, as Python does where it raises, and with its own code; its parent goes on."""
    child = 0
    with bracket():  # type: ignore[attr-defined]
        child = os.fork()
        if child == 0:
            then()
    if child == 0:  # pragma: no cover
        os._exit(99)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == code
    assert ("ValueError: in the child" in capfd.readouterr().err) == (code == 1)


def test_an_error_in_the_same_process_passes() -> None:
    with pytest.raises(ValueError, match="in the child"), same_process():
        fails()
