"""What jobs are asked that score weights and that make masks (imports no torch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from prunebench.host.form import Batch, Prunable
from prunebench.plan.plain import Plain, called
from prunebench.plan.uses import DataUse, NetworkUse, ScorerUse
from prunebench.schedules import Removal, Rounds

__all__ = [
    "Asked",
    "Filters",
    "Keep",
    "MaskInRounds",
    "MaskOfScores",
    "MaskOfState",
    "RegrowthUse",
    "ScoreParams",
    "Scorings",
    "Shares",
    "ShuffleParams",
]

Keep = Literal["high", "low", "far", "near"]
Shares = Literal["global", "uniform", "erk"]


Scorings = Mapping[str, tuple["ScoreParams", tuple[int, ...]]]
"""Who scores, and how many weights are there each time; the names tell apart what one job scores by."""


class Asked(Plain):
    """What every kind of job can be asked of itself."""

    __slots__ = ()

    @property
    def network(self) -> NetworkUse | None:
        """The network that it works on, where it says so."""
        return None

    @property
    def in_rounds(self) -> int:
        """How often it does its work: rounds of a mask."""
        return 1

    @property
    def exact_counts(self) -> Mapping[str, int]:
        """How many weights the mask that it makes has, by what its metadata call them."""
        return {}

    @property
    def most_kept(self) -> int | None:
        """How many weights the mask that it makes keeps at most; None where that is not known."""
        return self.exact_counts.get("kept")

    @property
    def scorers(self) -> Sequence[ScorerUse]:
        """The scorers that it runs."""
        return ()

    def scorings(self, there: int) -> Scorings:
        """Return what it scores of a network of which so many weights are there."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters(Plain):
    """Whole filters are removed, with all that is tied to them: of which network, and which of its layers."""

    architecture: NetworkUse
    prunable: Prunable
    version: str | None = None
    """Of what decides which filters go together; None of the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreParams(Asked):
    """What decides the scores of a state: all that a score job is asked."""

    scorer: ScorerUse
    prunable: Prunable
    architecture: NetworkUse
    batch: Batch | None = None
    data: DataUse | None = None
    """Where the batch comes from."""
    unit: Literal["filter"] | None = None
    """What is to be removed of it at once; None: a weight."""
    filters_version: str | None = None
    """Of what decides which filters go together; None of the first, and where weights are removed."""
    seed: int

    @property
    def network(self) -> NetworkUse | None:
        """The network that is scored."""
        return self.architecture

    @property
    def filters(self) -> Filters | None:
        """Where whole filters are removed: of which network and layers."""
        if self.unit is None:
            return None
        return Filters(architecture=self.architecture, prunable=self.prunable, version=self.filters_version)

    @property
    def scorers(self) -> Sequence[ScorerUse]:
        """The one that makes the scores."""
        return (self.scorer,)

    def scorings(self, there: int) -> Scorings:
        """Return itself, once."""
        return {"": (self, (there,))}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegrowthUse(Plain):
    """What scores removed weights between rounds, and after every how many rounds."""

    scorer: ScorerUse
    every: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _MaskOfTarget(Asked):
    """A mask that keeps as many weights as are asked for, or of whole filters at most so many."""

    keep: Keep
    target: int = field(metadata=called("kept"))
    """How many weights are asked for."""
    prunable: int
    allocation: Literal[Shares, "like"]
    schedule_version: str | None = None
    """Of the schedule that asked for it; None of the first."""

    @property
    def filters(self) -> Filters | None:
        """Where whole filters are removed: of which network and layers."""
        raise NotImplementedError

    @property
    def exact_counts(self) -> Mapping[str, int]:
        """The target, of all; of filters all alone."""
        own = {"prunable": self.prunable}
        return own if self.filters else {"kept": self.target, **own}

    @property
    def most_kept(self) -> int | None:
        """The target."""
        return self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskOfScores(_MaskOfTarget):
    """A mask of scores. Reads the scores, and for the allocation "like" another mask."""

    filters: Filters | None = None
    """Where whole filters are removed: then as many weights are kept as filters reach, the target at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskInRounds(_MaskOfTarget):
    """A mask made by scoring again and again. Reads the state scored, and for "like" another mask."""

    rounds: int | None = None
    density: str | None = None
    """Of rounds in equal ratios: they pass through its powers. Another density with the same count is another
    mask."""
    counts: tuple[int, ...] | None = None
    """Of all other rounds: how many weights are kept after each."""
    scoring: ScoreParams
    regrowth: RegrowthUse | None = None

    @property
    def network(self) -> NetworkUse | None:
        """The network that is scored."""
        return self.scoring.architecture

    @property
    def in_rounds(self) -> int:
        """How often the network is scored."""
        return len(self.counts_from(self.prunable))

    @property
    def filters(self) -> Filters | None:
        """Where whole filters are removed: of which network and layers."""
        return self.scoring.filters

    def counts_from(self, there: int) -> tuple[int, ...]:
        """Return how many weights are kept after each round, where so many are there before the first."""
        if self.counts is not None:
            return self.counts
        assert self.rounds is not None
        assert self.density is not None
        return _equal_ratios(self.rounds, Removal(self.prunable, there, self.target, self.density))

    @property
    def scorers(self) -> Sequence[ScorerUse]:
        """That of every round, and that of removed weights."""
        own = self.scoring.scorer
        return (own,) if self.regrowth is None else (own, self.regrowth.scorer)

    def scorings(self, there: int) -> Scorings:
        """Return its scorer in every round, and that of removed weights in the rounds of regrowth."""
        left = (there, *self.counts_from(there)[:-1])
        scorings = {"": (self.scoring, left)}
        if self.regrowth is not None and (regrown := self.regrowth_rounds):
            other = replace(self.scoring, scorer=self.regrowth.scorer)
            scorings[" regrowth"] = (other, tuple(left[k - 1] for k in regrown))
        return scorings

    @property
    def regrowth_rounds(self) -> list[int]:
        """The rounds in which removed weights are scored by a scorer of their own."""
        if self.regrowth is None:
            return []
        own, other = self.scoring.scorer, self.regrowth.scorer
        if (own.name, own.parameters) == (other.name, other.parameters):
            return []  # one scoring serves both
        return [k for k in range(2, self.in_rounds + 1) if k % self.regrowth.every == 0]


@lru_cache(maxsize=1024)
def _equal_ratios(rounds: int, removal: Removal) -> tuple[int, ...]:
    return Rounds(rounds=rounds).counts(removal)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskOfState(Asked):
    """The mask of a network that was pruned while it trained. Reads the state."""

    taken: Literal["state"] = "state"
    filters: Filters | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffleParams(Asked):
    """A mask with each layer's entries permuted. Reads the mask."""

    seed: int
    whole_layers: bool | None = None
    """True if they go anywhere in the layer, though the mask was made of a network with a mask on."""
    filters: Filters | None = None
    """Where whole filters are removed: layers that are tied are permuted alike."""
