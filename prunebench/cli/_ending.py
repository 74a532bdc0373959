"""What `run` says at its end: how it came out, the leaderboard, how the checks stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunebench.checks.outcomes import Verdicts
    from prunebench.cli._overview import Overview
    from prunebench.engine.on_pytest.run import Outcome
    from prunebench.inventory.snapshot import Snapshot

__all__ = ["failing", "judged", "report", "summary"]


def summary(overview: Overview, outcome: Outcome, seconds: float) -> str:
    """Return the paragraph that says how a run came out and how to go on."""
    from prunebench.cli._failures import causes
    from prunebench.cli._output import counted, duration

    store = overview.session.request.store
    parts = [f"{counted(len(outcome.made), 'cell')} made now", f"{len(outcome.before):,} done before"]
    if outcome.elsewhere:
        parts.append(f"{len(outcome.elsewhere):,} by another run meanwhile")
    if outcome.failed:
        parts.append(f"{len(outcome.failed):,} failed")
    reached = (outcome.made, outcome.before, outcome.elsewhere, outcome.failed)
    left = len(overview.cells) - sum(map(len, reached))
    if left > 0:
        parts.append(f"{left:,} not reached")
    text = f"{', '.join(parts)}; {counted(outcome.jobs, 'job')} in {duration(seconds)}. Logs: {store}/logs."
    if outcome.exit_code > 128:
        again = "the same command without --again" if overview.redo else "The same command"
        text = f"Interrupted: {text} {again[0].upper()}{again[1:]} goes on where this stopped."
    elif outcome.failed:
        text = "\n".join([text, *causes(outcome.failed.values()), f"{_again(overview)} lists them."])
    return text


def _again(overview: Overview) -> str:
    """Return how those that failed are tried again, and what lists them."""
    same = "The same command without --again, and" if overview.redo else "The same command"
    return f"{same} with --lf tries those that failed again; `prunebench plan` with the same options"


def report(
    overview: Overview,
    outcome: Outcome,
    seconds: float,
    *,
    as_json: bool,
    table: bool,
    suite: str,
    verdicts: Verdicts | None,
) -> dict[str, Any]:
    """Print the leaderboard, where a `table` is wanted, and how the checks stand; or return all as values.

    `suite` is what the command was given.
    """
    from prunebench.checks.outcomes import Verdicts
    from prunebench.cli._board import board
    from prunebench.cli._output import say, say_smoke
    from prunebench.cli._verdicts import as_counts, say_standing

    plan, asked = overview.session.plan, {cell.id for cell in overview.cells}
    format = "json" if as_json else "md"
    snapshot = overview.after
    told = verdicts if as_json else None  # beside a table for people it is said in a line
    text = ""
    if table:
        shown = told or Verdicts()
        text = board(plan, overview.store, format, asked=asked, verdicts=shown, snapshot=snapshot) or ""
    _say_by_position(overview, snapshot)
    if not as_json:
        if text:
            say()
            say(text.rstrip("\n"))
        say_standing(verdicts, suite, err=True)
        say_smoke(plan.suite)
        return {}
    import json

    from prunebench.smoke import limit_of

    return {
        "exit_code": outcome.exit_code,
        "limit": limit_of(plan.suite),
        "made": list(outcome.made),
        "before": list(outcome.before),
        "elsewhere": list(outcome.elsewhere),
        "detached": bool(outcome.detached),
        "failed": dict(outcome.failed),
        "jobs": outcome.jobs,
        "seconds": round(seconds, 3),
        "kept_aside": overview.kept_aside and str(overview.kept_aside),
        "checks": as_counts(verdicts),
        "leaderboard": json.loads(text) if text else None,
    }


def _say_by_position(overview: Overview, snapshot: Snapshot) -> None:
    """Warn of cells whose scores were equal: what their masks keep means nothing, as position chose it."""
    from prunebench.analysis.table import MOST
    from prunebench.checks.words import few
    from prunebench.cli._output import complain, counted
    from prunebench.inventory.rows import by_position

    records = {cell.id: snapshot.result(cell.key) for cell in overview.cells}
    names = [name for name, record in records.items() if record and (by_position(record) or 0) > MOST]
    if names:
        complain(
            f"in {counted(len(names), 'cell')} most weights kept were chosen by position, because their "
            f"scores were equal: {few(names)}",
            label="Warning",
        )


def judged(overview: Overview, suite: str, options: Mapping[str, Any]) -> Verdicts | None:
    """Return the verdicts on the checks that the selected cells have a part in; None where there are none,
    or they cannot be told.

    The store is looked at once more: all that the run made is there.
    """
    from prunebench.cli._verdicts import verdicts_if_any
    from prunebench.smoke import limit_of

    plan = overview.session.plan
    selected = [key for cell in overview.cells for key in (cell.key, *cell.targets)]
    keys = None if limit_of(plan.suite) is not None else selected  # no check of a smoke run has cells
    return verdicts_if_any(plan, overview.store, suite, options, overview.after, keys=keys)


def failing(overview: Overview, verdicts: Verdicts | None) -> bool:
    """True if a check fails or cannot be judged: because its quantity fails, or none can."""
    if verdicts is None:
        return bool(overview.session.plan.suite.get("checks"))
    return any(one.verdict == "fails" or one.error for one in verdicts.outcomes)
