"""States compared, and kept, by tests of training."""

from __future__ import annotations

import torch

from prunebench.training.state import State


def same(a: State, b: State) -> bool:
    """True if two states hold the same bits."""
    if a.slots.keys() != b.slots.keys():
        return False
    slots = [(a.slots[slot], b.slots[slot]) for slot in a.slots]
    for one, other in ((a.parameters, b.parameters), (a.buffers, b.buffers), *slots):
        if one.keys() != other.keys() or not all(torch.equal(one[k], other[k]) for k in one):
            return False
    rest = [(s.step, s.curve, s.meter, s.history, s.diverged, s.mask) for s in (a, b)]
    return rest[0] == rest[1]


class Keeper:
    """A checkpoint that keeps every state it is asked for."""

    def __init__(self, *steps: int) -> None:
        self.steps, self.states = steps, {}

    def due(self, step: int) -> bool:
        return step in self.steps

    def save(self, state: State) -> None:
        self.states[state.step] = state
