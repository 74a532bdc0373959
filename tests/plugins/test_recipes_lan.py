"""The recipes of Lan et al. (2021), against App. A.1: every number is written down here again."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from prunebench.host.registry import Host
from prunebench.training.images.patches import parse_patch
from prunebench.training.recipe import Recipe

HOST = Host.load(third_party=False)
IMAGES = 100_000
"""Training images of TinyImageNet and of MiniPlaces."""


def dropped(
    lr: float, factor: float, epochs: tuple[int, ...], per_epoch: int = 196
) -> Callable[[int], float]:
    """From each of these epochs on the rate is once more multiplied by the factor."""
    return lambda step: lr * factor ** sum(step // per_epoch >= epoch for epoch in epochs)


def cosine(step: int) -> float:
    """200 epochs of 391 steps: five in a straight line from 0, then half a period of a cosine."""
    if step < 5 * 391:
        return 0.1 * step / (5 * 391)
    return 0.1 * (1 + math.cos(math.pi * (step - 5 * 391) / (195 * 391))) / 2


# epochs, batch, steps an epoch, weight decay, training images, learning rate of a step
STATED = {
    "lan-resnet50-tinyimagenet": (110, 512, 196, 1e-4, IMAGES, dropped(0.5, 0.2, (70, 85, 100))),
    "lan-resnet50-miniplaces": (120, 512, 196, 1e-4, IMAGES, dropped(0.5, 0.2, (80, 110, 115))),
    "lan-resnet18-tinyimagenet": (110, 512, 196, 1e-4, IMAGES, dropped(0.8, 0.1, (80, 100))),
    "lan-structured": (200, 256, 391, 5e-5, IMAGES, cosine),
    "lan-lenet": (6, 128, 469, 1e-4, 60_000, dropped(0.05, 0.2, (4, 5), 469)),
}


def recipe_of(name: str) -> Recipe:
    recipe = HOST.get("recipes", name).recipe
    assert isinstance(recipe, Recipe)
    return recipe


def test_every_recipe_of_the_paper_is_compared() -> None:
    assert {name for name in HOST.names("recipes") if name.startswith("lan-")} == set(STATED)


@pytest.mark.parametrize("name", STATED)
def test_the_learning_rate_of_every_step_is_that_of_the_closed_form(name: str) -> None:
    epochs, batch, per_epoch, _, examples, rate = STATED[name]
    recipe = recipe_of(name)
    assert (recipe.epochs, recipe.batch) == (epochs, batch)
    assert per_epoch == math.ceil(examples / batch)
    assert recipe.total_steps(examples) == epochs * per_epoch
    rates = [recipe.learning_rate(step, examples) for step in range(epochs * per_epoch)]
    assert rates == pytest.approx([rate(step) for step in range(epochs * per_epoch)], rel=1e-9)


def test_the_closed_forms_say_what_the_paper_says() -> None:
    """A rate falls at the first step of an epoch; a warm-up begins at 0 and ends at the full rate."""
    recipe = recipe_of("lan-resnet50-tinyimagenet")
    around = [recipe.learning_rate(70 * 196 + k, IMAGES) for k in (-1, 0)]
    assert around == pytest.approx([0.5, 0.1])
    warm = recipe_of("lan-structured")
    assert [warm.learning_rate(step, IMAGES) for step in (0, 1, 1955)] == pytest.approx([0, 0.1 / 1955, 0.1])
    assert 0 < warm.learning_rate(200 * 391 - 1, IMAGES) < 1e-9


@pytest.mark.parametrize("name", STATED)
def test_optimiser_and_losses_are_as_stated_or_inferred(name: str) -> None:
    """SGD with momentum 0.9; Nesterov's, and label smoothing 0.1, for structured pruning alone."""
    recipe, structured = recipe_of(name), name == "lan-structured"
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay) == ("sgd", 0.9, STATED[name][3])
    assert (recipe.nesterov, recipe.label_smoothing) == (structured, 0.1 if structured else 0)
    assert (recipe.decay, recipe.warmup) == (("cosine", 5) if structured else ("drops", 0))
    assert (recipe.step_of("rewind", IMAGES), recipe.last_batch, recipe.micro_batch) == (0, "keep", None)


@pytest.mark.parametrize("name", [name for name in STATED if name != "lan-lenet"])
def test_images_are_augmented_as_torchvision_does_unless_told_otherwise(name: str) -> None:
    """The bounds are RandomResizedCrop's own, to the last bit."""
    import inspect

    from prunebench.vision import torchvision

    theirs = inspect.signature(torchvision.transforms.RandomResizedCrop.__init__).parameters
    patch, flip = recipe_of(name).augment
    drawn = parse_patch(patch)
    assert drawn is not None
    assert (drawn.area, drawn.ratio) == (theirs["scale"].default, theirs["ratio"].default)
    assert (drawn.area, drawn.ratio, flip) == ((0.08, 1), (3 / 4, 4 / 3), "flip")


@pytest.mark.parametrize("name", STATED)
def test_what_the_paper_does_not_state_is_called_inferred(name: str) -> None:
    """By field, and in the first line, which lists show; the recipe for LeNet is nobody's, and says so."""
    component = HOST.get("recipes", name)
    inferred = {"lan-structured": {"init", "rewind", "lr", "augment"}, "lan-lenet": set()}
    assert set(component.inferred) == inferred.get(name, {"init", "rewind", "momentum"})
    first = component.text.splitlines()[0]
    assert ("inferred" in first) == bool(component.inferred)
    assert ("from no paper" in first) == (name == "lan-lenet")


def test_batchnorms_scales_begin_at_one_where_filters_are_ranked_by_them() -> None:
    """As in TorchVision's networks; scales that were drawn would rank filters by the draw."""
    import torch

    from prunebench.training.streams import Stream

    norm = torch.nn.BatchNorm2d(4)
    draw = HOST.get("initializations", recipe_of("lan-structured").init).draw
    drawn = draw(norm, "weight", norm.weight, Stream(0, "init", "bn.weight"))
    assert torch.equal(drawn, torch.ones(4))


def test_the_recipe_for_lenet_is_a_short_form_of_the_one_it_stands_for() -> None:
    """Cells of either are the same cells: the values are equal, and a key holds values."""
    changes = {"epochs": 6, "momentum": 0.9, "weight_decay": 1e-4, "drops": [4, 5], "drop_factor": 0.2}
    theirs = recipe_of("pai-lenet").changed({**changes, "lr": 0.05})
    assert recipe_of("lan-lenet").cell_fields() == theirs.cell_fields()
    assert recipe_of("lan-lenet") == theirs
