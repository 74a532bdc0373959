"""What a mask is to keep: how many weights, of which scores, in which layers and rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from prunebench.errors import UsageError
from prunebench.pruning.allocation import Allocation, keeps_none
from prunebench.pruning.keep import Keep
from prunebench.pruning.mask import Mask
from prunebench.pruning.score import ScoringFunction

__all__ = ["MaskForm", "Regrow"]


@dataclass(frozen=True)
class Regrow:
    """Removed weights may return: they are ranked with the others, at the same count.

    function: what scores removed weights. It sees the network with them at zero, in the same mode and
        precision and on the same batch as the other scorer; `net.dense` has the values they would return with
    parameters: the function's
    every: they may return in each n-th round; in the others what is removed stays removed
    who: the function's name, for messages
    """

    function: ScoringFunction
    parameters: Mapping[str, Any] = field(default_factory=dict)
    every: int = 1
    who: str = "the scorer of regrowth"

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"regrowth is every 1 or more rounds; found {self.every}")

    def in_round(self, k: int) -> bool:
        """Return True if removed weights may return in round k."""
        return k > 1 and k % self.every == 0


@dataclass(frozen=True)
class MaskForm:
    """Which weights a mask keeps: the part of a method's general form that makes it.

    kept: how many weights, in all
    keep: which scores are kept (`keep_top`)
    allocation: how many each layer keeps (`layer_counts`); given as counts, they are those of the last round,
        and the rounds before it share in their proportions, as far as a layer goes
    rounds: from how many weights are there to the counts kept after each round, the last of them `kept`: the
        network is scored in each on what is left; None is one shot
    density: `kept` before it was rounded, for messages; unless given, kept / prunable
    regrowth: what lets removed weights return between rounds
    unit: what is removed at once: single weights, or whole filters (`prunebench.pruning.filters`). Of filters
        the longest run of groups in the order of their scores is kept that has at most `kept` weights
    """

    kept: int
    keep: Keep = "high"
    allocation: Allocation = "global"
    rounds: Callable[[int], Sequence[int]] | None = None
    density: float | str | None = None
    regrowth: Regrow | None = None
    unit: Literal["weight", "filter"] = "weight"

    def counts(self, there: Mask) -> Sequence[int]:
        """Return how many weights are kept after each scoring of a network under this mask.

        Raises: UsageError where that is none, more than the mask keeps, or not the sum of the layers' counts.
        """
        density = self.kept / there.prunable if self.density is None else self.density
        if self.kept < 1:
            raise UsageError(keeps_none(density, there.prunable))
        if self.kept > there.kept:
            raise UsageError(
                f"density {density} keeps {self.kept} of {there.prunable} prunable weights, and the mask "
                f"that is on keeps {there.kept} (density {there.density:.6g}): what is removed stays removed"
            )
        if self.rounds is None:
            return [self.kept]
        whole = self.unit == "weight"  # what filters reach is seldom the very count
        if whole and isinstance(self.allocation, Mapping) and sum(self.allocation.values()) != self.kept:
            raise UsageError(
                f"the allocation keeps {sum(self.allocation.values())} weights; {self.kept} are to be kept"
            )
        return self.rounds(there.kept)
