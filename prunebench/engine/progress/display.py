"""What people see of a run: some lines that stand still on a terminal, one line in a log (rich; no torch)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from prunebench.engine.progress.ending import Ends
from prunebench.engine.progress.progress import Running, State

__all__ = ["Board", "ending", "line_of"]

IDLE = 10.0
"""Seconds for which a worker without a job keeps its line, so that lines do not jump between two jobs."""

WIDE = 100
"""Columns of a terminal from which on steps are written out; below, the share of them that is done."""

BAR = 20
"""Characters of the bar of cells."""


def line_of(state: State, now: float, note: str = "") -> str:
    """Return the state in one line, as a log has it."""
    parts = [
        f"{state.done:,} of {state.cells:,} cells done, {state.left:,} left{_lost(state)}",
        _running(state),
    ]
    if state.images:
        parts.append(f"{state.images:,.0f} images/s")
    parts += _end(state, now)
    if note:
        parts.append(note)
    return "; ".join(parts)


def _running(state: State) -> str:
    return f"{len(state.running):,} {'job' if len(state.running) == 1 else 'jobs'} running"


def _lost(state: State) -> str:
    failed = f", {state.failed:,} failed" if state.failed else ""
    return failed + (f", {state.blocked:,} blocked" if state.blocked else "")


def _end(state: State, now: float) -> list[str]:
    """Return when it ends, or why it will not; nothing where it has ended."""
    if state.over:
        return []
    if not state.workers:
        return ["nobody works on it now"]
    return [ending(state.ends, state.moment, now)] if state.begun else ["workers are starting"]


def ending(ends: Ends, moment: float, now: float) -> str:
    """Return when a run ends, as a person would say it: as precisely as it is known.

    `moment` is when `ends` was reckoned from, `now` when it is said; both in seconds since the epoch.
    """
    guess = "" if ends.measured else " (a guess)"
    passed = now - moment
    low, high = max(0.0, ends.low - passed), max(1.0, ends.high - passed)
    if high < 180:
        unit = 1 if high < 20 else 5
        first, last = (unit * max(1, round(seconds / unit)) for seconds in (low, high))
        return f"ends in {last} s{guess}" if first == last else f"ends in {first}–{last} s{guess}"
    # whole minutes; of a wide range whole quarters of an hour, or hours
    unit = next(size for size, wide in _UNITS if high - low < wide)
    first, last = unit * math.floor((now + low) / unit), unit * math.ceil((now + high) / unit)
    far = high > 18 * 3600
    begins, until = _moment(first, far), _moment(last, far)
    if far and begins.rpartition(" ")[0] == until.rpartition(" ")[0]:
        until = until.rpartition(" ")[2]
    return f"ends {begins}{guess}" if begins == until else f"ends {begins}–{until}{guess}"


_UNITS = ((60, 3600), (900, 6 * 3600), (3600, math.inf))


def _moment(seconds: float, far: bool) -> str:
    """Return a time of day; with the day where it is `far`."""
    at = time.localtime(seconds)
    return time.strftime("%a %d %b %H:%M" if far else "%H:%M", at)


def _who(one: Running) -> str:
    return one.name


def _step(one: Running) -> str:
    return "" if one.step is None else f"step {one.step:,} of {one.to_step or 0:,}"


def _share(one: Running) -> str:
    return "" if one.step is None or not one.to_step else f"{100 * one.step // one.to_step} %"


_Column = Callable[[Running], str]
"""What stands in one place of a worker's line, of its job."""


@dataclass
class Board:
    """The lines of a terminal: cells, speed and end, and a line for each worker, which it keeps."""

    names: Callable[[str], str]
    """From a job's key to what it is called."""
    here: str
    """This host, as claims call it."""
    _seen: dict[str, tuple[float, Running]] = field(default_factory=dict)
    """Each worker's last job, and when it was seen at it."""
    _widths: dict[_Column, int] = field(default_factory=dict)
    """How wide each column has been: it grows, and does not shrink while somebody looks."""

    def render(self, state: State, now: float, *, width: int, height: int, note: str = "") -> Table:
        """Return the lines; `now` in seconds since the epoch."""
        grid = Table.grid(padding=0)
        grid.add_column(no_wrap=True, overflow="ellipsis", width=width)
        for line in (self._cells(state, width), self._speed(state, now, note)):
            grid.add_row(line)
        rows = self._rows(state)
        room = max(1, height - 4)
        shown = rows if len(rows) <= room else rows[: room - 1]
        columns = (self._who_briefly, _share) if width < WIDE else (_who, _step)
        for column in columns:
            texts = [column(running) for running, _ in shown]
            self._widths[column] = max([self._widths.get(column, 0), *map(len, texts)])
        for running, busy in shown:
            seconds = running.seconds + now - state.moment
            grid.add_row(self._worker(running, seconds if busy else None, columns, width))
        if len(shown) < len(rows):
            grid.add_row(Text(f"and {len(rows) - len(shown):,} more workers", style="dim"))
        return grid

    def _who_briefly(self, one: Running) -> str:
        """Return who works, without the host where it is this one."""
        return one.name.partition(":")[2] if one.host == self.here else one.name

    def _cells(self, state: State, width: int) -> Text:
        text = Text()
        full = round(BAR * state.done / state.cells) if state.cells else BAR
        lost = math.ceil(BAR * (state.failed + state.blocked) / state.cells) if state.cells else 0
        lost = min(lost, BAR - full)
        text.append("━" * full, "green").append("╍" * lost, "red")
        text.append("─" * (BAR - full - lost), "bright_black")
        digits = len(f"{state.cells:,}")
        text.append(f" {state.done:>{digits},} of {state.cells:,} cells done", "bold")
        text.append(f", {state.left:,} left")
        if state.failed:
            text.append(f", {state.failed:,} failed", "bold red")
        if state.blocked:
            text.append(f", {state.blocked:,} blocked", "red")
        return text

    def _speed(self, state: State, now: float, note: str) -> Text:
        parts = [_running(state), f"{state.jobs:,} left"]
        if state.images:
            parts.append(f"{state.images:,.0f} images/s")
        parts += _end(state, now)
        return Text(", ".join(parts) + (f"; {note}" if note else ""))

    def _rows(self, state: State) -> list[tuple[Running, bool]]:
        """Return each worker with its last job, and whether it is at it; in an order that stays."""
        for one in state.running:
            self._seen[one.process] = (state.moment, one)
        self._seen = {p: seen for p, seen in self._seen.items() if state.moment - seen[0] <= IDLE}
        rows = [(one, when == state.moment) for when, one in self._seen.values()]
        return sorted(rows, key=lambda row: (row[0].host != self.here, row[0].host, _numbered(row[0])))

    def _worker(self, one: Running, seconds: float | None, columns: Sequence[_Column], width: int) -> Text:
        """Return a worker's line: who, on what, which job, how far, for how long (None: no job)."""
        who, step = (column(one) for column in columns)
        widths = [self._widths[column] for column in columns]
        left = f"  {who:<{widths[0]}}  "
        if seconds is None:
            return Text(f"{left}–", "dim")
        right = f"{step:>{widths[1]}}  {_duration(seconds):>9}"
        room = max(12, width - len(left) - len(right) - 2)
        name = self.names(one.key)
        if len(name) > room:
            name = name[: room - 1] + "…"
        return Text(left).append(f"{name:<{room}}", "cyan").append(f"  {right}")


def _numbered(one: Running) -> tuple[str, int, int]:
    """Return what workers are sorted by: worker 2 before worker 10."""
    name = one.worker.rstrip("0123456789")
    number = one.worker[len(name) :]
    return name, int(number or 0), one.pid


def _duration(seconds: float) -> str:
    whole = int(max(0.0, seconds))
    if whole < 100:
        return f"{whole} s"
    if whole < 6000:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"
