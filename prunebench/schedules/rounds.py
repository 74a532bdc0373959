"""In rounds: scored again after each removal, before training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from prunebench.errors import UsageError
from prunebench.schedules.schedule import Planning, Removal, Schedule

__all__ = ["Rounds", "round_counts"]


class Rounds(Schedule):
    """Scored again in each of n rounds; after round k the density is d^(k/n)."""

    spelling = "{rounds = n}"
    regrows = True

    rounds: Annotated[int, Field(ge=1)]

    def counts(self, removal: Removal) -> tuple[int, ...]:
        """Return the counts of n equal ratios."""
        falling = round_counts(removal.density, removal.prunable, self.rounds, removal.there)
        return (*falling[:-1], removal.target)

    def mask(self, planning: Planning) -> str:
        """Plan one job that scores and prunes n times; its key holds n and the density, not the counts."""
        return planning.mask_in_rounds(rounds=self.rounds)


def round_counts(density: float | str, prunable: int, rounds: int, start: int | None = None) -> list[int]:
    """Return the counts kept after each of n rounds: round(d^(k/n) · prunable).

    Where a mask is on already that keeps `start` weights, the counts fall from there in equal ratios:
    round(start · (last / start)^(k/n)).

    >>> round_counts(0.25, 1000, 2)
    [500, 250]
    """
    if rounds < 1:
        raise UsageError(f"rounds must be at least 1; found {rounds}")
    value = float(density)
    last = round(value * prunable)
    if start is not None and start != prunable:
        return [round(start * (last / start) ** (k / rounds)) for k in range(1, rounds)] + [last]
    return [round(value ** (k / rounds) * prunable) for k in range(1, rounds)] + [last]
