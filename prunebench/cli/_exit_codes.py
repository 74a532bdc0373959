"""Exit codes: 0 says that everything that was asked for is there."""

from __future__ import annotations

from prunebench.engine.fronts import HANDED_OVER

__all__ = ["FAILED", "HANDED_OVER", "INCOMPLETE", "INTERRUPTED", "USAGE"]

FAILED = INCOMPLETE = 1
"""Something that was asked for is not there: a job failed, or cells have not been run."""

USAGE = 2
"""A mistake in what was asked."""

INTERRUPTED = 130
