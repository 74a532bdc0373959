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
    layerwise: bool = False
    _snapshots: dict[tuple[int, int], tuple[Tensors, Tensors]] = field(default_factory=dict)

    def levels(self, number: int) -> Iterator[tuple[Tensors, Tensors]]:
        """Yield each level's mask, and the weights with which its evaluated network ends."""
        scored_at = self.steps if self.score_at is None else self.score_at
        finding = self.find or self.task
        scored = self._unpruned(finding, scored_at)[0]
        total = sum(weight.numel() for weight in scores.magnitude(scored).values())
        mask: Tensors | None = None
        for level in range(1, number + 1):
            mask = self._mask(scored, mask, round((1 - self.remove) ** level * total))
            there = self.train_from, self.clock
            yield mask, self._trained(self.task, scored, mask, self.steps, *there)
            scored = self._trained(finding, scored, mask, scored_at, *(self.between or there))

    def _mask(self, weights: Tensors, before: Tensors | None, kept: int) -> Tensors:
        ranked = self.score(weights)
        if before is not None:
            gone = torch.tensor(float("-inf"))
            ranked = {name: torch.where(before[name].bool(), s, gone) for name, s in ranked.items()}
        if not self.layerwise:
            return scores.keep_highest(ranked, kept)
        sizes = {name: tuple(score.shape) for name, score in ranked.items()}
        return scores.keep_in_each(ranked, scores.uniform_counts(sizes, kept))

    def _trained(
        self, task: Task, scored: Tensors, mask: Tensors, to: int, train_from: int | None, clock: int
    ) -> Tensors:
        weights, momentum = (scored, {}) if train_from is None else self._unpruned(task, train_from)
        run = Run.start(weights, {}, mask)
        if 0 < clock == train_from:  # it goes on where that one was
            run.momentum = {name: m * mask[name] if name in mask else m for name, m in momentum.items()}
        train(self.network, run, task, range(clock, to))
        return {name: tensor.detach() for name, tensor in run.parameters.items()}

    def _unpruned(self, task: Task, step: int) -> tuple[Tensors, Tensors]:
        """Weights and momentum of the unpruned run at a step."""
        key = (id(task), step)
        if key not in self._snapshots:
            run = train(self.network, Run.start(self.initial, {}), task, range(step))
            self._snapshots[key] = (
                {name: tensor.detach().clone() for name, tensor in run.parameters.items()},
                {name: tensor.clone() for name, tensor in run.momentum.items()},
            )
        return self._snapshots[key]
