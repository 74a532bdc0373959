"""Which failures are a run's own: those since it began, whatever has become of the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from prunebench.store import now_text, spelled_time, time_of

__all__ = ["Since"]


class Since:
    """The moment when a run began, as `now_text` spells it, and what the clock has done since."""

    def __init__(self, began: str) -> None:
        self._began = began
        self._wall, self._steady = datetime.now(UTC), time.monotonic()

    def has(self, moment: str) -> bool:
        """True if a moment that `now_text` has spelled lies between the run's beginning and now.

        One after now was told by a clock that was wrong, then or elsewhere. Where the clock has been set back
        meanwhile the run began as much earlier.
        """
        return self._beginning() <= moment <= now_text()

    def _beginning(self) -> str:
        passed = timedelta(seconds=time.monotonic() - self._steady)
        moved = datetime.now(UTC) - (self._wall + passed)
        if moved > -timedelta(seconds=1) or not self._began:
            return self._began
        return spelled_time(time_of(self._began) + moved)
