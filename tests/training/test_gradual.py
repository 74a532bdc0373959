"""Pruning while training: the cubic schedule, what is removed, and going on from any state."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from prunebench.errors import UsageError
from prunebench.pruning import Mask, keep_top, prunable_weights
from prunebench.schedules.gradual import Cubic
from prunebench.training.gradual import GradualMask
from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.policy import DivergedError
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

RECIPE = Recipe(epochs=4, batch=10, lr=0.1, momentum=0.9)  # 5 steps an epoch, 20 in all


@pytest.mark.parametrize(
    ("step", "sparsity"), [(0, 0.0), (50, 0.9 * 0.875), (25, 0.9 * (1 - 0.75**3)), (100, 0.9), (150, 0.9)]
)
def test_the_sparsity_is_the_cubic_of_zhu_and_gupta(step: int, sparsity: float) -> None:
    """Eq. 1 with s_i = 0: halfway, seven eighths of the last sparsity are reached."""
    kept = Cubic(0, 100, 10, prunable=1_000_000, kept=100_000).kept_at(step)
    assert kept == pytest.approx(1_000_000 * (1 - sparsity), abs=0.51)


@given(
    start=st.integers(0, 1000),
    length=st.integers(1, 5000),
    every=st.integers(1, 700),
    prunable=st.integers(1, 10**8),
    share=st.floats(0, 1),
)
def test_counts_never_rise_and_end_at_what_is_wanted(
    start: int, length: int, every: int, prunable: int, share: float
) -> None:
    """Whatever the schedule: steps rise to its end, counts fall to the last one, all within bounds."""
    kept = max(1, round(share * prunable))
    cubic = Cubic(start, start + length, every, prunable, kept)
    assert cubic.steps[-1] == start + length
    assert all(a < b for a, b in zip((start, *cubic.steps), cubic.steps, strict=False))
    assert all(b - a <= every for a, b in zip((start, *cubic.steps), cubic.steps, strict=False))
    counts = [prunable, *map(cubic.kept_at, cubic.steps)]
    assert all(a >= b for a, b in pairwise(counts))
    assert counts[-1] == kept


def test_a_schedule_that_ends_where_it_begins_is_refused() -> None:
    """Nothing lies between two equal steps."""
    with pytest.raises(UsageError, match="its end must lie behind its beginning"):
        Cubic(10, 10, 5, 100, 10)


class Watched:
    """Trains a network gradually and notes mask, weights and momentum after every step."""

    def __init__(self, module: nn.Module, data: Data, cubic: Cubic) -> None:
        self.module, self.data, self.cubic = module, data, cubic
        self.start = State.of(module)

    def policy(self) -> GradualMask:
        def select(step: int, mask: Mask, kept: int) -> Mask:
            scores = {name: w.detach().abs() for name, w in prunable_weights(self.module).items()}
            return keep_top(scores, kept, current=mask)

        return GradualMask(self.cubic, Mask.full(prunable_weights(self.module)), select)

    def to(self, step: int, state: State | None = None) -> State:
        return train(
            self.module, state or self.start, RECIPE, self.data, seed=3, to_step=step, policy=self.policy()
        )


@pytest.fixture
def watched(make_data: Callable[..., Data], make_mlp: Callable[..., nn.Module]) -> Watched:
    """An MLP of 1216 weights, pruned to 100 of them between steps 2 and 15, every third."""
    return Watched(make_mlp(), make_data(), Cubic(2, 15, 3, prunable=1216, kept=100))


def test_at_every_step_the_mask_holds_what_the_cubic_says(watched: Watched) -> None:
    """Counts change after steps 5, 8, 11, 14 and 15 alone, to prunable · (1 − s_t); masks are nested."""
    before: Mask | None = None
    state: State | None = None
    for step in range(1, 21):
        state = watched.to(step, state)
        assert state.mask is not None
        reached = max([t for t in (5, 8, 11, 14, 15) if t <= step], default=2)
        sparsity = (1 - 100 / 1216) * (1 - (1 - (reached - 2) / 13) ** 3)
        assert state.mask.kept == pytest.approx(1216 * (1 - sparsity), abs=0.5001)
        if before is not None:
            assert all(bool((before[name] | ~state.mask[name]).all()) for name in before)
        before = state.mask
    assert before is not None
    assert before.kept == 100


def test_what_is_removed_has_neither_weight_nor_momentum(watched: Watched) -> None:
    """At every step both are exactly zero where the mask has nothing, and momentum lives elsewhere."""
    state: State | None = None
    for step in range(1, 21):
        state = watched.to(step, state)
        assert state.mask is not None
        for name, kept in state.mask.items():
            assert not state.parameters[name][~kept].any()
            assert not state.slots["momentum"][name][~kept].any()
            assert state.slots["momentum"][name][kept].any()


def test_the_smallest_weights_that_are_left_are_removed(watched: Watched) -> None:
    """What is removed after step 5 is smaller than all that stays, as the weights were just before."""
    policy = watched.policy()
    seen: list[dict[str, torch.Tensor]] = []
    select = policy._select

    def spy(step: int, mask: Mask, kept: int) -> Mask:
        seen.append({name: w.detach().clone() for name, w in prunable_weights(watched.module).items()})
        return select(step, mask, kept)

    policy._select = spy
    state = train(watched.module, watched.start, RECIPE, watched.data, seed=3, to_step=5, policy=policy)
    assert state.mask is not None
    (weights,) = seen
    removed = torch.cat([weights[name][~kept].abs() for name, kept in state.mask.items()])
    stayed = torch.cat([weights[name][kept].abs() for name, kept in state.mask.items()])
    assert removed.max() <= stayed.min()


@pytest.mark.parametrize("at", [1, 4, 5, 6, 8, 14, 15, 16, 19])
def test_going_on_from_any_state_gives_the_same_bits(watched: Watched, at: int) -> None:
    """Weights, momentum, mask, curve and the mask's history are those of a run that never stopped."""
    whole, half = watched.to(20), watched.to(at)
    parts = watched.to(20, half)
    for one, other in (
        (whole.parameters, parts.parameters),
        (whole.slots["momentum"], parts.slots["momentum"]),
    ):
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert whole.mask is not None
    assert parts.mask is not None
    assert all(torch.equal(whole.mask[name], parts.mask[name]) for name in whole.mask)
    assert whole.curve == parts.curve
    assert whole.history == parts.history


def test_the_history_has_every_change_of_the_mask(watched: Watched) -> None:
    """Steps of the schedule, each with the layers' counts; nothing for steps between."""
    history = watched.to(20).history
    assert [change["step"] for change in history] == [5, 8, 11, 14, 15]
    assert [sum(change["kept"].values()) for change in history] == [
        watched.cubic.kept_at(step) for step in (5, 8, 11, 14, 15)
    ]


def test_before_its_first_step_it_trains_the_dense_network(watched: Watched) -> None:
    """Up to the step at which weights first go, the bits are those of a run without any policy."""
    dense = train(watched.module, watched.start, RECIPE, watched.data, seed=3, to_step=4)
    gradual: Any = watched.to(4)
    assert all(torch.equal(dense.parameters[name], gradual.parameters[name]) for name in dense.parameters)


@pytest.mark.parametrize("block", [1, 50])
def test_weights_that_are_not_finite_end_the_run(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """However often losses are looked at, the run ends at the step after which there is nothing to choose from."""
    from prunebench.training import loop

    monkeypatch.setattr(loop, "_block", lambda device: block)
    policy = watched.policy()

    def refuse(step: int, mask: Mask, kept: int) -> Mask:
        raise DivergedError

    policy._select = refuse
    state = train(watched.module, watched.start, RECIPE, watched.data, seed=3, to_step=20, policy=policy)
    assert state.diverged == 5
