"""Pilots under Slurm, as `status` shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunebench.engine.on_slurm.queue import InQueue
    from prunebench.engine.on_slurm.submissions import Submission
    from prunebench.store import Store

__all__ = ["pilots_of", "say_pilots"]


def pilots_of(store: Store, plan: str) -> list[dict[str, Any]]:
    """Return the submissions of a plan that have pilots waiting or running.

    Where squeue is, what it says counts; elsewhere, as on a machine that only mounts the store, what the
    pilots said last.
    """
    from prunebench.engine.on_slurm.queue import look_at
    from prunebench.engine.on_slurm.submissions import submissions_of

    submissions = [one for one in submissions_of(store, plan) if one.arrays]
    jobs = look_at([array for one in submissions for array in one.arrays])
    rows = [_row(one, jobs) for one in submissions]
    return [row for row in rows if row["running"] or row["pending"]]


def _row(submission: Submission, jobs: Mapping[str, InQueue] | None) -> dict[str, Any]:
    states = submission.states()
    stages = Counter(state.stage for state in states.values())
    if jobs is None:
        running, pending = stages["waiting"] + stages["starting"] + stages["working"], stages["requeued"]
        reason = "squeue cannot be asked here: as the pilots said last"
    else:
        own = {job: one for job, one in jobs.items() if job.split("_")[0] in submission.arrays}
        pending = sum(one.pending for one in own.values())
        running = len(own) - pending
        reasons = Counter(one.reason for one in own.values() if one.pending and one.reason != "None")
        reason = ", ".join(name for name, _ in reasons.most_common(3))
    return {
        "submitted": submission.time,
        "host": submission.host,
        "jobs": list(submission.arrays),
        "running": running,
        "pending": pending,
        "requeued": sum(state.starts - (state.stage != "requeued") for state in states.values()),
        "reason": reason,
        "logs": str(submission.logs),
    }


def say_pilots(pilots: list[dict[str, Any]]) -> None:
    """Print them, if there are any."""
    from prunebench.cli._output import say, say_rows

    if not pilots:
        return
    say()
    shown = [{**row, "jobs": _few(row["jobs"])} for row in pilots]
    columns = ["jobs", "running", "pending", "reason", "requeued", "submitted", "host"]
    say_rows(shown, columns, as_json=False, title="pilots under Slurm:")
    for row in pilots:
        say(f"their logs: {row['logs']}")


def _few(jobs: list[str]) -> str:
    return ", ".join(jobs[:3]) + (f", … ({len(jobs)})" if len(jobs) > 3 else "")
