"""Looks at a store while others work on it: what `Progress` is told (writes nothing, imports no torch)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from prunebench.engine.failures import failing
from prunebench.engine.progress.progress import Look, Running
from prunebench.engine.since import LastRuns, Since
from prunebench.store import JobTime, Store, TimesReader

__all__ = ["Looker", "as_time", "running_of"]


class Looker:
    """Looks at a store again and again, and reads only what is new."""

    def __init__(
        self, store: Store, *, since: Since | LastRuns | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Look at `store`; what failed before the run began that is to make it counts as not tried yet."""
        self._store, self._since, self._clock = store, since or Since(""), clock
        self._runs = 0
        self._times: TimesReader = store.times.reader()
        self._new: list[JobTime] = []
        self._attempts: dict[str, tuple[int, str | None]] = {}
        """For each key with attempts, when there was a new one, and the error if it has failed."""

    def look(self) -> Look:
        """Return what the store says now."""
        # Claims are read before outputs: a job that ends meanwhile is found among these, so it is never lost.
        now = self._clock()
        running = [running_of(claim, now) for claim in self._store.running()]
        self.times()
        times, self._new = self._new, []
        have = self._store.record_keys() | self._store.measure_keys() | self._store.artifact_keys()
        return Look(now, have, running, self._failed(have, {one.key for one in running}), times)

    def times(self) -> Sequence[JobTime]:
        """Return what jobs took that have ended since this was last asked; the next look has it too."""
        times = self._times.new()
        self._new += times
        return times

    def _failed(self, have: set[str], running: set[str]) -> dict[str, str]:
        failed = {}
        if (runs := self._since.look()) != self._runs:  # another run tries again what has failed
            self._runs, self._attempts = runs, {}
        for key in self._store.attempt_keys() - have - running:
            changed = self._changed(key)
            if key not in self._attempts or self._attempts[key][0] != changed:
                attempt = failing(self._store.attempts(key), self._since.of(key))
                error = None if attempt is None else str(attempt["error"])
                self._attempts[key] = (changed, error)
            if (error := self._attempts[key][1]) is not None:
                failed[key] = error
        return failed

    def _changed(self, key: str) -> int:
        try:
            return os.stat(self._store.root / "attempts" / key).st_mtime_ns
        except OSError:
            return 0


def running_of(claim: Mapping[str, Any], now: float) -> Running:
    """Return what a claim says of the job that it is on."""
    told: Mapping[str, Any] = claim["told"]
    seconds = told.get("seconds")
    if isinstance(seconds, int | float):  # by the worker's own clock, and since it last said so by the files'
        seconds += max(0.0, now - float(claim["touched"]))
    else:
        seconds = now - as_time(str(claim["time"]), now)
    step, to_step, images = (
        told[name] if type(told.get(name)) is int else None for name in ("step", "to_step", "images")
    )
    worker, place, device = (str(told.get(name) or "")[:80] for name in ("worker", "place", "device"))
    return Running(
        key=str(claim["key"]),
        host=str(claim["host"]),
        pid=int(claim["pid"]),
        seconds=max(0.0, float(seconds)),
        since=str(claim["time"]),
        worker=worker,
        place=place,
        device=device,
        step=step,
        to_step=to_step,
        images=images or 0,
    )


def as_time(text: str, otherwise: float) -> float:
    """Return the seconds since the epoch of a time as `now_text` spells it, `otherwise` of other texts."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return otherwise
