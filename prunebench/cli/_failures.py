"""Failures as `run`, `status` and `plan` print them: the error, the line of the user's own file, the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prunebench.cli._output import complain, counted, first_line
from prunebench.report.escapes import terminal as printable

__all__ = ["brief", "causes", "say_failures"]

SHOWN = 10
"""Failures that are printed; JSON has all."""


def say_failures(failures: Sequence[Mapping[str, Any]]) -> None:
    """Print failures, one a job, the newest last (on standard error).

    A failure has `cell` and the fields of `prunebench.inventory.snapshot.Failure`.
    """
    jobs = {failure["job"]: failure for failure in sorted(failures, key=lambda failure: failure["time"])}
    if not jobs:
        return
    more = f" (the last {SHOWN} of {len(jobs)} jobs)" if len(jobs) > SHOWN else ""
    complain(f"failed{more}:")
    for key, failure in list(jobs.items())[-SHOWN:]:
        waiting = sum(other["job"] == key for other in failures)
        for_cells = failure["cell"] if waiting == 1 else counted(waiting, "cell")
        complain(f"  {failure['kind']} {key[:12]}, for {for_cells}: {failure['error']}")
        if failure["at"]:
            complain(f"    at {failure['at']}")
        complain(f"    log: {failure['log']}")


def brief(error: str) -> list[str]:
    """Return what is told of a cell's error: its first line, where it arose, and the log."""
    rest = [line for line in error.strip().splitlines()[1:] if line.startswith(("  at ", "  log: "))]
    return [first_line(error), *(printable(line) for line in rest)]


def causes(errors: Iterable[str]) -> list[str]:
    """Return the lines that tell why cells failed: each error once, with how many cells met it."""
    from prunebench.engine.failures import cause_of

    met: dict[str, list[str]] = {}
    for error in errors:
        met.setdefault(cause_of(error), []).append(error)
    lines = []
    for same in list(met.values())[:SHOWN]:
        first, *rest = brief(same[0])
        lines += [f"  {counted(len(same), 'cell')}: {first}", *(f"  {line}" for line in rest)]
    return [*lines, f"  and {len(met) - SHOWN} more errors"] if len(met) > SHOWN else lines
