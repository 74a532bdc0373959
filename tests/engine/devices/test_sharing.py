"""How many workers share a GPU: by memory, cores, earlier runs; else by a step's length."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from prunebench.engine.devices.sharing import workers_a_gpu

GIB = 1 << 30


def chosen(
    *,
    free: int = 80 * GIB,
    need: int = 2 * GIB,
    cores: int = 16,
    together: Mapping[int, float] | None = None,
    step: float | None = None,
) -> int:
    return workers_a_gpu(free=free, need=need, cores=cores, together=together or {}, step=step).workers


@pytest.mark.parametrize(("free", "expected"), [(80 * GIB, 8), (11 * GIB, 4), (3 * GIB, 1), (GIB, 1), (0, 1)])
def test_no_more_than_there_is_memory_for(free: int, expected: int):
    """A tenth is left free; where the memory is not known, one."""
    assert chosen(free=free, together={8: 1.0}) == expected


@pytest.mark.parametrize(("cores", "expected"), [(16, 8), (3, 3), (1, 1), (0, 1)])
def test_no_more_than_there_are_cores_for(cores: int, expected: int):
    """Each starts the operations of its own steps."""
    assert chosen(cores=cores, together={8: 1.0}) == expected


@pytest.mark.parametrize(
    ("together", "expected"),
    [
        ({1: 1.0}, 2),
        ({1: 1.0, 2: 1.05}, 1),
        ({1: 1.0, 2: 1.6}, 4),
        ({1: 1.0, 2: 1.6, 4: 1.65}, 2),
        ({1: 1.0, 4: 2.0}, 8),
        ({2: 1.0, 4: 0.7}, 2),
        ({1: 1.0, 2: 1.8, 4: 3.0, 8: 3.1}, 4),
    ],
)
def test_as_many_as_did_the_most_together(together: dict[int, float], expected: int):
    """Twice as many where the most that was tried was the best; the fewest of those that are about as good."""
    assert chosen(together=together) == expected


@pytest.mark.parametrize(("step", "expected"), [(0.001, 2), (0.02, 1), (None, 1)])
def test_unmeasured_it_is_two_for_short_steps(step: float | None, expected: int):
    """A GPU waits for the process where a step takes longer to start than to compute."""
    assert chosen(step=step) == expected


def test_doubling_ends_where_it_gains_nothing():
    """Asked again and again, with a GPU that three workers fill: it settles within a factor of two of that."""
    together: dict[int, float] = {}
    for _ in range(10):
        workers = chosen(together=together, step=0.001)
        together[workers] = min(workers, 3) * 1.0
    assert workers == 4
