"""In levels, trained between them: understood, and not built yet."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from prunebench.schedules.schedule import Schedule

__all__ = ["Levels"]


class Levels(Schedule):
    """Trained between levels; each removes this share of what is left (iterative magnitude pruning)."""

    spelling = "{levels = 0.2}"

    levels: Annotated[float, Field(gt=0, lt=1)] | dict[str, Any]

    def unbuilt(self) -> str | None:
        """Return that it is not built."""
        return "schedule = {levels = …}"
