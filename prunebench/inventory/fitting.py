"""Which cells do not fit a GPU's memory, and what would make them fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from prunebench.amounts import spelled_bytes
from prunebench.canonical import canonical
from prunebench.host.components import Architecture, Scorer
from prunebench.host.registry import Host
from prunebench.inventory.slow_scoring import cells_that_need
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan.cells import PlannedCell
from prunebench.plan.params import ScoreParams, TrainParams
from prunebench.plan.uses import DataUse, NetworkUse
from prunebench.training.recipe import Recipe
from prunebench.training.tasks import CLASSIFICATION

if TYPE_CHECKING:
    from torch import nn

__all__ = ["RESERVE", "TooLarge", "most_needed", "too_large"]

RESERVE = 3 << 29
"""Bytes of a GPU that are not counted on: CUDA's own, cuDNN's workspaces, gaps between tensors."""

_OF_MEMORY = {"batch", "devices", "micro_batch", "recompute", "optimizer", "momentum"}
"""What of a recipe decides how much memory a step takes."""

_COUNTS = (2, 4, 8)
"""Devices that a training may be spread over, as machines have them."""

FIRST_ORDER = 3.0
"""A scorer that costs more forward passes than these differentiates a gradient."""


@dataclass
class TooLarge:
    """Jobs of one kind in one setting that do not fit."""

    architecture: str
    dataset: str
    what: str
    """What takes the memory: a training step, a scoring."""
    bytes: int
    remedies: list[str] = field(default_factory=list)
    """What to set so that it fits, with what it takes then."""
    cells: int = 0

    def in_words(self) -> str:
        """Return what does not fit, and what to set."""
        many = f"{self.cells:,} cell{'' if self.cells == 1 else 's'}"
        todo = f"set {', or '.join(self.remedies)}" if self.remedies else "nothing that can be set is enough"
        return (
            f"{self.architecture} on {self.dataset}: {self.what} takes about {spelled_bytes(self.bytes)} "
            f"({many}); {todo}"
        )


def too_large(
    snapshot: Snapshot, cells: Sequence[PlannedCell], host: Host, memory: int, *, trains: bool = True
) -> list[TooLarge]:
    """Return what is left to do for these cells and does not fit into `memory` bytes of a GPU.

    trains: whether networks train on the GPU; those whose scorers say so are scored on it anyway

    What a network takes is counted by its shapes; of one that cannot be run on torch's meta device nothing is
    said.
    """
    plan = snapshot.plan
    return [
        large
        for use, keys in _uses(snapshot, cells, trains)
        if (large := _large(use, host, memory, cells_that_need(plan, cells, keys))) is not None
    ]


def most_needed(snapshot: Snapshot, cells: Sequence[PlannedCell], host: Host) -> int:
    """Return the bytes that the largest job left to do for these cells takes of a GPU, CUDA's own with it."""
    return RESERVE + max((use.needed(host) or 0 for use, _ in _uses(snapshot, cells, True)), default=0)


def _uses(snapshot: Snapshot, cells: Sequence[PlannedCell], trains: bool) -> Sequence[tuple[_Use, list[str]]]:
    """Return what is done on a GPU for these cells, each with the keys of the jobs that take as much."""
    uses: dict[bytes, tuple[_Use, list[str]]] = {}
    for key in snapshot.remaining(cells):
        use = _use(snapshot.plan.jobs[key].params, trains)
        if use is not None:
            uses.setdefault(use.alike(), (use, []))[1].append(key)
    return list(uses.values())


def _large(use: _Use, host: Host, memory: int, cells: Sequence[PlannedCell]) -> TooLarge | None:
    needed = use.needed(host)
    if needed is None or needed + RESERVE <= memory or not cells:
        return None
    labels = cells[0].labels
    remedies = [
        f"{setting} ({spelled_bytes(less)}{beside})"
        for setting, beside, less in use.remedies(host, memory - RESERVE)
    ]
    return TooLarge(labels["architecture"], labels["dataset"], use.what, needed, remedies, len(cells))


class _Use(Protocol):
    """What some jobs do with a network on a GPU."""

    @property
    def what(self) -> str:
        """Return what takes the memory, in words."""

    def alike(self) -> bytes:
        """Return what those have in common that take the same memory."""

    def needed(self, host: Host) -> int | None:
        """Return how many bytes it takes; None where that cannot be told."""

    def remedies(self, host: Host, memory: int) -> Iterator[tuple[str, str, int]]:
        """Yield what can be set so that it fits, what that means beside, and what it takes then."""


@dataclass(frozen=True)
class _Training:
    network: NetworkUse
    data: DataUse
    recipe: Recipe

    @property
    def what(self) -> str:
        return f"a step of {self.recipe.batch}"

    def alike(self) -> bytes:
        recipe = self.recipe.model_dump(mode="json", include=_OF_MEMORY)
        return canonical([self.network.plain(), self.data.plain(), recipe])

    def needed(self, host: Host) -> int | None:
        return self._under(self.recipe, host)

    def _under(self, recipe: Recipe, host: Host) -> int | None:
        from prunebench.training.memory import training_memory

        def count(module: nn.Module) -> int:
            weights = sum(p.numel() for p in module.parameters() if p.dim() > 1)
            task = self.data.task or CLASSIFICATION
            step = training_memory(module, recipe, _shape(self.network), prunable=weights, task=task)
            return step.total + _held(host, self.data)

        return _counted(self.network, host, count)

    def remedies(self, host: Host, memory: int) -> Iterator[tuple[str, str, int]]:
        recomputing = self.recipe.model_copy(update={"recompute": True})
        less = self._under(recomputing, host)
        if less is not None and less <= memory:
            yield "recompute = true", ", the same cells", less
        for count in _COUNTS:
            if (self.recipe.devices or 1) < count <= self.recipe.batch:
                less = self._under(self.recipe.changed({"devices": count}), host)
                if less is not None and less <= memory:
                    yield f"devices = {count}", " each, other cells", less
                    break
        for recipe in (self.recipe, recomputing):
            if (smaller := self._smaller(recipe, host, memory)) is not None:
                beside = "" if recipe is self.recipe else " with recompute = true"
                yield f"micro_batch = {smaller[0]}{beside}", ", other cells", smaller[1]
                return

    def _smaller(self, recipe: Recipe, host: Host, memory: int) -> tuple[int, int] | None:
        """Return the largest half, quarter, … of a batch that fits, and what it takes."""
        micro = recipe.micro_batch or -(-recipe.batch // (recipe.devices or 1))
        while micro > 1:
            micro //= 2
            less = self._under(recipe.model_copy(update={"micro_batch": micro}), host)
            if less is not None and less <= memory:
                return micro, less
        return None


@dataclass(frozen=True)
class _Scoring:
    params: ScoreParams

    @property
    def what(self) -> str:
        return f"scoring by {self.params.scorer.name}"

    def alike(self) -> bytes:
        fields = {name: value for name, value in self.params.plain().items() if name != "seed"}
        return canonical(fields)

    def needed(self, host: Host) -> int | None:
        return self._in_chunks(self.params.scorer.parameters.get("chunk"), host)

    def _in_chunks(self, chunk: int | None, host: Host) -> int | None:
        from prunebench.training.memory import scoring_memory

        batch, scorer = self.params.batch, cast(Scorer, host.get("scorers", self.params.scorer.name))
        assert batch is not None

        def count(module: nn.Module) -> int:
            return scoring_memory(
                module,
                _shape(self.params.architecture),
                batch.examples or (batch.per_class or 0) * self.params.architecture.classes,
                chunk=chunk,
                training=scorer.mode == "train",
                # in chunks the gradient is computed once more, which takes no memory
                second_order=scorer.cost({**self.params.scorer.parameters, "chunk": None}) > FIRST_ORDER,
            )

        return _counted(self.params.architecture, host, count)

    def remedies(self, host: Host, memory: int) -> Iterator[tuple[str, str, int]]:
        if "chunk" not in self.params.scorer.parameters:
            return
        chunk = self.params.scorer.parameters["chunk"] or 1024
        while chunk > 1:
            chunk //= 2
            less = self._in_chunks(chunk, host)
            if less is not None and less <= memory:
                yield f"scorer = {{chunk = {chunk}}}", ", other cells", less
                return


def _use(params: Any, trains: bool) -> _Use | None:
    """Return what a job does with a network on a GPU; None where that is nothing that grows with a batch."""
    if isinstance(params, TrainParams):
        return (
            _Training(params.run.architecture, params.run.data, params.recipe)
            if trains and params.step > params.run.start
            else None
        )
    scoring = params if isinstance(params, ScoreParams) else getattr(params, "scoring", None)
    if isinstance(scoring, ScoreParams) and scoring.scorer.device != "cpu" and scoring.batch is not None:
        return _Scoring(scoring)
    return None


def _shape(network: NetworkUse) -> tuple[int, int, int]:
    channels, height, width = network.input
    return channels, height, width


def _counted(network: NetworkUse, host: Host, count: Callable[[nn.Module], int]) -> int | None:
    """Return what is counted on a network without values; None where it cannot be run without them."""
    import torch

    try:
        with host.calling("architectures", network.name):
            architecture = cast(Architecture, host.get("architectures", network.name))
            with torch.device("meta"):
                module = architecture.build(tuple(network.input), network.classes, **network.parameters)
            return count(module)
    except Exception:
        return None


def _held(host: Host, data: DataUse) -> int:
    """Return the bytes of images that lie on the device all the time: those of training in two orders."""
    dataset = host.dataset(data.name)
    if dataset.stream:
        return 0
    drawn = dataset.train if dataset.examples is None else int(dataset.examples)
    return (dataset.train + drawn + dataset.test) * math.prod(dataset.shape)
