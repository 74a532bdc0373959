"""In rounds: scored again after each removal, before training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from prunebench.schedules.schedule import Planning, Schedule

__all__ = ["Rounds", "weights_there"]


class Rounds(Schedule):
    """Scored again in each of n rounds; after round k the density is d^(k/n)."""

    spelling = "{rounds = n}"
    regrows = True

    rounds: Annotated[int, Field(ge=1)]

    def in_rounds(self) -> int | None:
        """Return n."""
        return self.rounds

    def mask(self, planning: Planning) -> str:
        """Plan one job that scores and prunes n times."""
        return planning.mask_in_rounds(self.rounds)


def weights_there(density: float | str, prunable: int, rounds: int) -> tuple[int, ...]:
    """Return how many weights are there in each round, when it is scored."""
    from prunebench.pruning.allocation import round_counts

    return (prunable, *round_counts(density, prunable, rounds)[:-1])
