"""Learning rates, steps and points, against closed forms."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from prunebench.errors import UsageError
from prunebench.training.recipe import AtEpoch, AtStep, Recipe


def recipe(**changes: object) -> Recipe:
    return Recipe(**{"epochs": 10, "batch": 10, "lr": 0.4, **changes})


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.4), (39, 0.4), (40, 0.04), (69, 0.04), (70, 0.004), (99, 0.004)]
)
def test_drops_come_with_the_first_step_of_their_epoch(step: int, expected: float):
    """A tenth at epochs 4 and 7 of ten steps each."""
    assert recipe(drops=(4, 7)).learning_rate(step, 100) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.0), (1, 0.02), (10, 0.2), (19, 0.38), (20, 0.4), (55, 0.08)]
)
def test_warm_up_rises_linearly_from_zero(step: int, expected: float):
    """Two epochs of it; the drops are where they would be without."""
    values = recipe(warmup=2, drops=(5,), drop_factor=0.2)
    assert values.learning_rate(step, 100) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("step", [0, 1, 50, 99])
def test_cosine_follows_its_formula(step: int):
    """lr · (1 + cos πt/T) / 2 over the whole schedule."""
    expected = 0.4 * (1 + math.cos(math.pi * step / 100)) / 2
    assert recipe(decay="cosine").learning_rate(step, 100) == pytest.approx(expected, rel=1e-12)


def test_cosine_after_warm_up_starts_at_the_full_rate():
    """And falls over what is left."""
    values = recipe(decay="cosine", warmup=2)
    assert values.learning_rate(20, 100) == pytest.approx(0.4)
    assert values.learning_rate(60, 100) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("examples", "batch", "last_batch", "steps"),
    [
        (60000, 128, "keep", 469),
        (50000, 128, "keep", 391),
        (1281167, 1024, "drop", 1251),
        (5, 10, "drop", 1),
    ],
)
def test_steps_an_epoch_are_the_papers(examples: int, batch: int, last_batch: str, steps: int):
    """MNIST, CIFAR-10, ImageNet; a set smaller than a batch makes one step."""
    assert recipe(batch=batch, last_batch=last_batch).steps_per_epoch(examples) == steps


@pytest.mark.parametrize(
    ("point", "step"),
    [("init", 0), ("end", 100), ("rewind", 30), (AtStep(step=7), 7), (AtEpoch(epoch=2.5), 25)],
)
def test_points_resolve_to_steps(point: object, step: int):
    """By name, step or epoch."""
    assert recipe(rewind=AtEpoch(epoch=3)).step_of(point, 100) == step


def test_a_point_beyond_the_schedule_is_refused():
    """With the schedule's length."""
    with pytest.raises(UsageError, match="100 steps"):
        recipe().step_of(AtStep(step=101), 100)


def test_the_split_is_evaluated_at_epochs_and_at_the_end():
    """Every third epoch of ten, and the tenth; never at the start."""
    values = recipe(evaluate=3)
    assert [step for step in range(101) if values.evaluates_at(step, 100)] == [30, 60, 90, 100]


def test_more_epochs_than_anyone_trains_are_refused() -> None:
    """1e300 epochs are a slip of the pen, not a schedule to be planned step by step."""
    with pytest.raises(UsageError, match=r"Recipe.epochs: found 1e\+300; input should be less than"):
        Recipe(epochs=1e300, batch=1, lr=0.1)


def test_an_unknown_augmentation_is_refused_before_anything_is_planned() -> None:
    """The message says what was found and what there is."""
    with pytest.raises(UsageError, match="found 'flop'; allowed: 'flip', 'shift4'"):
        Recipe(epochs=1, batch=1, lr=0.1, augment=("flop",))


def test_every_field_is_documented() -> None:
    """docs/recipes.md has a row for each field, and for no other."""
    text = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
    part = text.partition("## Fields")[2].partition("## Augmentations")[0]
    assert re.findall(r"^\| `([a-z_]+)` \|", part, flags=re.MULTILINE) == list(Recipe.model_fields)


def test_a_limit_shortens_every_epoch_and_leaves_their_number():
    """Of 100 examples 20 are used, in two steps an epoch; drops and warm-up stay at their epochs."""
    limited = recipe(limit=20, drops=(4, 7), warmup=1)
    assert (limited.steps_per_epoch(100), limited.total_steps(100)) == (2, 20)
    assert limited.examples_between(0, 20, 100) == 10 * 20
    assert limited.learning_rate(1, 100) == pytest.approx(0.2)
    assert [limited.learning_rate(step, 100) for step in (7, 8)] == pytest.approx([0.4, 0.04])
    assert recipe(limit=3).steps_per_epoch(100) == 1
    assert recipe(limit=500).total_steps(100) == recipe().total_steps(100)


def test_a_point_told_in_steps_keeps_its_share_of_a_limited_schedule():
    """Of 100 steps the 50th is the 10th of 20; the one before the last is still before the last."""
    limited = recipe(limit=20)
    assert [limited.step_of(AtStep(step=k), 100) for k in (0, 50, 99, 100)] == [0, 10, 19, 20]
    assert limited.step_of(AtEpoch(epoch=4), 100) == 8
    with pytest.raises(UsageError, match="beyond the schedule of 100 steps"):
        limited.step_of(AtStep(step=101), 100)


def test_a_limit_of_none_is_in_no_key():
    """Keys of runs are as they were."""
    assert "limit" not in recipe().run_fields()
    assert recipe(limit=7).run_fields()["limit"] == 7
