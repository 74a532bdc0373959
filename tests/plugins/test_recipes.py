"""Recipes, against the papers' tables: every number is written down here again.

Where a paper leaves a number open it is inferred, and the recipe's text says so; those are here as well, so that
no number changes unnoticed.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from prunebench.host.registry import Host
from prunebench.training.recipe import Recipe

MNIST, CIFAR, SVHN, TINY, IMAGENET = 60_000, 50_000, 73_257, 100_000, 1_281_167
EXAMPLES = {
    "pai-lenet": MNIST,
    "pai-cifar10": CIFAR,
    "pai-cifar10-vgg": CIFAR,
    "pai-modified-cifar10": CIFAR,
    "pai-tinyimagenet": TINY,
    "pai-modified-tinyimagenet": TINY,
    "pai-imagenet": IMAGENET,
    "tanaka-cifar-vgg": CIFAR,
    "tanaka-resnet18-cifar10": CIFAR,
    "tanaka-resnet18-tinyimagenet": TINY,
    "tanaka-tinyimagenet-vgg": TINY,
    "pai-table7-resnet18-cifar10": CIFAR,
    "pai-table7-resnet18-tinyimagenet": TINY,
    "rosenfeld-cifar10": CIFAR,
    "rosenfeld-svhn": SVHN,
    "rosenfeld-densenet-cifar10": CIFAR,
    "rosenfeld-densenet-svhn": SVHN,
    "rosenfeld-tinyimagenet": TINY,
    "rosenfeld-imagenet": IMAGENET,
}

NUMBERS = {
    # epochs, batch, momentum, weight decay, steps an epoch, {epoch: learning rate from there on}
    "pai-lenet": (40, 128, 0, 0, 469, {0: 0.1}),
    "pai-cifar10": (160, 128, 0.9, 1e-4, 391, {0: 0.1, 80: 0.01, 120: 0.001}),
    "pai-cifar10-vgg": (160, 128, 0.9, 1e-4, 391, {0: 0.1, 80: 0.01, 120: 0.001}),
    "pai-modified-cifar10": (160, 256, 0.9, 1e-4, 196, {0: 0.2, 80: 0.02, 120: 0.002}),
    "pai-tinyimagenet": (200, 256, 0.9, 1e-4, 391, {0: 0.2, 100: 0.02, 150: 0.002}),
    "pai-modified-tinyimagenet": (200, 256, 0.9, 1e-4, 391, {0: 0.2, 100: 0.02, 150: 0.002}),
    "pai-imagenet": (90, 1024, 0.9, 1e-4, 1251, {0: 0.4, 30: 0.04, 60: 0.004, 80: 0.0004}),
    "tanaka-cifar-vgg": (160, 128, 0.9, 1e-4, 391, {0: 0.1, 60: 0.01, 120: 0.001}),
    "tanaka-resnet18-cifar10": (160, 128, 0.9, 5e-4, 391, {0: 0.01, 60: 0.002, 120: 0.0004}),
    "tanaka-resnet18-tinyimagenet": (100, 128, 0.9, 1e-4, 782, {0: 1e-2, 30: 1e-3, 60: 1e-4, 80: 1e-5}),
    "tanaka-tinyimagenet-vgg": (100, 128, 0.9, 1e-4, 782, {0: 1e-2, 30: 1e-3, 60: 1e-4, 80: 1e-5}),
    "pai-table7-resnet18-cifar10": (160, 128, 0.9, 5e-4, 391, {0: 0.01, 60: 0.002, 120: 0.0004}),
    "pai-table7-resnet18-tinyimagenet": (100, 128, 0.9, 1e-4, 782, {0: 1e-2, 30: 1e-3, 60: 1e-4, 80: 1e-5}),
    "rosenfeld-cifar10": (160, 128, 0.9, 1e-4, 391, {0: 0.1, 80: 0.01, 120: 0.001}),
    "rosenfeld-svhn": (160, 128, 0.9, 1e-4, 573, {0: 0.1, 80: 0.01, 120: 0.001}),
    "rosenfeld-densenet-cifar10": (200, 128, 0.9, 1e-4, 391, {0: 0.1, 130: 0.01, 165: 0.001}),
    "rosenfeld-densenet-svhn": (100, 128, 0.9, 1e-4, 573, {0: 0.1, 70: 0.01, 85: 0.001}),
    # five epochs of warm-up come first
    "rosenfeld-tinyimagenet": (200, 1024, 0.9, 1e-4, 98, {5: 0.2, 100: 0.02, 150: 0.002}),
    "rosenfeld-imagenet": (90, 1024, 0.9, 1e-4, 1251, {5: 0.4, 30: 0.04, 60: 0.004, 80: 0.0004}),
}
INITS = {
    "tanaka-cifar-vgg": "tanaka-cifar-vgg",
    "tanaka-resnet18-cifar10": "tanaka-resnet18",
    "tanaka-resnet18-tinyimagenet": "tanaka-resnet18",
    "tanaka-tinyimagenet-vgg": "tanaka-tinyimagenet-vgg",
    **{name: "kaiming-uniform" for name in NUMBERS if name.startswith("rosenfeld-")},
}
REWINDS = {
    **{name: 10 * numbers[4] for name, numbers in NUMBERS.items() if name.startswith("rosenfeld-")},
    "pai-lenet": 0,
    "pai-cifar10": 1000,
    "pai-cifar10-vgg": 2000,
    "pai-tinyimagenet": 1000,
    "pai-modified-tinyimagenet": 1000,
    "pai-imagenet": 6255,
}
FLIP_AND_SHIFT, PATCH_AND_FLIP = ("flip", "shift4"), ("resized-crop", "flip")
AUGMENTED = {
    **dict.fromkeys(NUMBERS, FLIP_AND_SHIFT),
    "pai-lenet": (),
    "pai-tinyimagenet": PATCH_AND_FLIP,
    "pai-imagenet": PATCH_AND_FLIP,
    "rosenfeld-svhn": (),
    "rosenfeld-densenet-svhn": (),
    "rosenfeld-tinyimagenet": PATCH_AND_FLIP,
    "rosenfeld-imagenet": PATCH_AND_FLIP,
}


@pytest.fixture(scope="module")
def host() -> Host:
    return Host.load(third_party=False)


def found(host: Host, name: str) -> Recipe:
    component = host.get("recipes", name)
    recipe = component.recipe
    assert isinstance(recipe, Recipe)
    return recipe


@pytest.mark.parametrize("name", NUMBERS)
def test_a_recipe_has_its_sources_numbers(host: Host, name: str) -> None:
    """Epochs, batches, steps an epoch, momentum, weight decay."""
    epochs, batch, momentum, weight_decay, per_epoch, _ = NUMBERS[name]
    recipe = found(host, name)
    assert (recipe.epochs, recipe.batch) == (epochs, batch)
    assert (recipe.momentum, recipe.weight_decay, recipe.nesterov) == (momentum, weight_decay, False)
    assert recipe.steps_per_epoch(EXAMPLES[name]) == per_epoch
    assert recipe.total_steps(EXAMPLES[name]) == epochs * per_epoch
    assert (recipe.optimizer, recipe.label_smoothing, recipe.micro_batch) == ("sgd", 0, None)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_learning_rate_falls_where_its_source_says(host: Host, name: str) -> None:
    """Each phase to its last step, the next from its first; the first step has the full rate, but after a
    warm-up, whose rate rises in a straight line from 0."""
    epochs, _, _, _, per_epoch, phases = NUMBERS[name]
    recipe, examples = found(host, name), EXAMPLES[name]
    starts = [*phases, epochs]
    for start, stop in pairwise(starts):
        for step in (start * per_epoch, stop * per_epoch - 1):
            assert recipe.learning_rate(step, examples) == pytest.approx(phases[start], rel=1e-12)
    warm, full = starts[0] * per_epoch, phases[starts[0]]
    for step in range(0, warm, 7):
        assert recipe.learning_rate(step, examples) == pytest.approx(full * step / warm, rel=1e-12)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_recipe_begins_and_augments_as_its_source_says(host: Host, name: str) -> None:
    """Kaiming normal but for the recipes of others; patches on ImageNet and TinyImageNet alone."""
    recipe = found(host, name)
    assert recipe.init == INITS.get(name, "kaiming-normal")
    assert recipe.augment == AUGMENTED[name]


@pytest.mark.parametrize("name", REWINDS)
def test_rewinding_goes_back_to_the_published_step(host: Host, name: str) -> None:
    """And 6255 is the end of ImageNet's fifth epoch, as 1,281,167 images make 1251 whole batches."""
    assert found(host, name).step_of("rewind", EXAMPLES[name]) == REWINDS[name]
    assert 5 * (1_281_167 // 1024) == 6255


def test_every_paper_recipe_is_compared(host: Host) -> None:
    """A recipe that is added from a paper has to be added here."""
    names = set(host.names("recipes"))
    assert {name for name in names if name.startswith(("pai-", "tanaka-", "rosenfeld-"))} == set(NUMBERS)


INFERRED = {
    **{name: {"weight_decay"} for name in NUMBERS if name.startswith("rosenfeld-")},
    "rosenfeld-imagenet": {"weight_decay", "last_batch"},
    "pai-modified-cifar10": {"epochs", "momentum", "weight_decay", "drops", "augment"},
    "tanaka-resnet18-cifar10": {"epochs", "momentum", "weight_decay", "drops", "augment"},
    "tanaka-resnet18-tinyimagenet": {"momentum", "weight_decay", "drops", "drop_factor", "augment"},
    "tanaka-tinyimagenet-vgg": {
        *("epochs", "batch", "lr", "momentum", "weight_decay", "drops", "drop_factor", "augment"),
    },
}
"""What the sources leave open: Table 7 of Frankle et al. (2021) gives rate, batch, factor or epochs, and no more."""
REPLICATED = {
    "pai-table7-resnet18-cifar10": "tanaka-resnet18-cifar10",
    "pai-table7-resnet18-tinyimagenet": "tanaka-resnet18-tinyimagenet",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_what_a_source_does_not_state_is_called_inferred(name: str, host: Host) -> None:
    """By field where a user sees the recipe, and in its first line, which lists show."""
    component = host.get("recipes", name)
    assert set(component.inferred) == INFERRED.get(REPLICATED.get(name, name), set())
    assert ("inferred" in component.text.splitlines()[0]) == bool(component.inferred)
    text = " ".join(component.text.split())
    for number, field in (("5e-4", "weight_decay"), ("drops", "drops")):
        if field in component.inferred and number in text:
            assert text.index(number) > text.index("Table 7")


def test_networks_without_a_recipe_of_their_own_are_said_to_be_inferred(host: Host) -> None:
    """The wide ResNets and VGG-19 of Tables 2, 3 and 5 train as ResNet-20 and VGG-16 do: nobody says so."""
    for name in ("pai-cifar10", "pai-cifar10-vgg"):
        assert "is inferred" in host.get("recipes", name).text
