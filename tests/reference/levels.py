"""Iterative pruning as a plain loop: train, remove a share of what is left, go back, train again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from reference import scores
from reference.networks import Network
from reference.training import Run, Task, train

Tensors = dict[str, Tensor]
Trained = tuple[Tensors, Tensors, Tensors]
"""Weights, buffers and momentum."""


@dataclass
class Chain:
    """A chain of levels, and where it goes back to after each.

    steps: of a whole training
    train_from: the step of the unpruned run whose weights the next network takes; None: it goes on from those
        that it has
    clock: the step of the schedule, and of the data order, at which it begins
    score_at: the step at which it is scored
    between: train_from and clock of the networks that are scored, where they go back to somewhere else
    find: trains the networks that are scored, where they train otherwise than those that are evaluated
    counts: how many weights each layer keeps at a level, of so many in all; None: whatever is highest of all
    dims: of how many dimensions the weights are that are pruned
    one_shot: every mask is made of the unpruned network's scores
    """

    network: Network
    initial: Tensors
    task: Task
    steps: int
    train_from: int | None
    clock: int
    remove: float = 0.2
    score_at: int | None = None
    score: Callable[[Tensors], Tensors] = scores.magnitude
    between: tuple[int | None, int] | None = None
    find: Task | None = None
    counts: Callable[[int, Tensors, int], dict[str, int]] | None = None
    dims: tuple[int, ...] = (2, 4)
    one_shot: bool = False
    buffers: Tensors = field(default_factory=dict)
    _snapshots: dict[tuple[int, int], Trained] = field(default_factory=dict)

    def levels(self, number: int) -> Iterator[tuple[Tensors, Tensors]]:
        """Yield each level's mask, and the weights with which its evaluated network ends."""
        for mask, scored in self.masks(number):
            yield mask, self._trained(self.task, scored, mask, self.steps, self.train_from, self.clock)[0]

    def masks(self, number: int) -> Iterator[tuple[Tensors, Trained]]:
        """Yield each level's mask, and the network that was scored for it."""
        scored_at = self.steps if self.score_at is None else self.score_at
        finding = self.find or self.task
        scored = self._unpruned(finding, scored_at)
        total = sum(weight.numel() for weight in self._scores(scored[0]).values())
        mask: Tensors | None = None
        for level in range(1, number + 1):
            mask = self._mask(scored[0], mask, level, round((1 - self.remove) ** level * total))
            yield mask, scored
            if self.one_shot:
                mask = None
            else:
                there = self.between or (self.train_from, self.clock)
                scored = self._trained(finding, scored, mask, scored_at, *there)

    def _scores(self, weights: Tensors) -> Tensors:
        return {name: s for name, s in self.score(weights).items() if s.dim() in self.dims}

    def _mask(self, weights: Tensors, before: Tensors | None, level: int, kept: int) -> Tensors:
        ranked = self._scores(weights)
        if before is not None:
            gone = torch.tensor(float("-inf"))
            ranked = {name: torch.where(before[name].bool(), s, gone) for name, s in ranked.items()}
        if self.counts is None:
            return scores.keep_highest(ranked, kept)
        return scores.keep_in_each(ranked, self.counts(level, ranked, kept))

    def _trained(
        self, task: Task, scored: Trained, mask: Tensors, to: int, train_from: int | None, clock: int
    ) -> Trained:
        weights, buffers, momentum = scored if train_from is None else self._unpruned(task, train_from)
        run = Run.start(weights, buffers, mask)
        if 0 < clock == train_from:  # it goes on where that one was
            run.momentum = {name: m * mask[name] if name in mask else m for name, m in momentum.items()}
        train(self.network, run, task, range(clock, to))
        return _ended(run)

    def _unpruned(self, task: Task, step: int) -> Trained:
        """The unpruned run at a step."""
        key = (id(task), step)
        if key not in self._snapshots:
            run = train(self.network, Run.start(self.initial, self.buffers), task, range(step))
            self._snapshots[key] = _ended(run)
        return self._snapshots[key]


def _ended(run: Run) -> Trained:
    parts = run.parameters, run.buffers, run.momentum
    weights, buffers, momentum = ({name: t.detach().clone() for name, t in part.items()} for part in parts)
    return weights, buffers, momentum


def uniform(level: int, ranked: Tensors, kept: int) -> dict[str, int]:
    """The same share of each layer."""
    return scores.uniform_counts({name: tuple(s.shape) for name, s in ranked.items()}, kept)


def of_another(chain: Chain, number: int) -> Callable[[int, Tensors, int], dict[str, int]]:
    """As many weights in each layer as another chain keeps at that level."""
    counted = [{name: int(m.sum()) for name, m in mask.items()} for mask, _ in chain.masks(number)]
    return lambda level, ranked, kept: counted[level - 1]
