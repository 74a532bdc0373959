"""The recipes of Rosenfeld et al., "On the Predictability of Pruning Across Scales" (ICML 2021), App. B.4."""

from __future__ import annotations

from prunebench import Recipe, RecipeComponent
from prunebench.training.recipe import AtEpoch

__all__ = [
    "ROSENFELD_CIFAR10",
    "ROSENFELD_DENSENET_CIFAR10",
    "ROSENFELD_DENSENET_SVHN",
    "ROSENFELD_IMAGENET",
    "ROSENFELD_SVHN",
    "ROSENFELD_TINYIMAGENET",
]

_INFERRED = """
That weight decay is 1e-4, on every parameter, is inferred: the paper states none, and the OpenLTH code, with
which it was made, has this.
"""

ROSENFELD_CIFAR10 = RecipeComponent(
    "rosenfeld-cifar10",
    Recipe(
        epochs=160,
        batch=128,
        lr=0.1,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(80, 120),
        init="kaiming-uniform",
        rewind=AtEpoch(epoch=10),
        augment=("flip", "shift4"),
    ),
    inferred=("weight_decay",),
    text="""ResNets and VGG-16 on CIFAR-10 as in Rosenfeld et al. (2021), App. B.4; weight decay inferred.

160 epochs of batches of 128, SGD with momentum 0.9, learning rate 0.1 divided by ten at epochs 80 and 120,
random horizontal flips and shifts by up to four pixels, He (Kaiming) uniform initialization; rewinding goes
back to epoch 10 (App. A).
"""
    + _INFERRED,
)

ROSENFELD_SVHN = RecipeComponent(
    "rosenfeld-svhn",
    ROSENFELD_CIFAR10.recipe.model_copy(update={"augment": ()}),
    inferred=("weight_decay",),
    text="""ResNets and VGG-16 on SVHN as in Rosenfeld et al. (2021), App. B.4; weight decay inferred.

`rosenfeld-cifar10` without augmentation.
"""
    + _INFERRED,
)

ROSENFELD_DENSENET_CIFAR10 = RecipeComponent(
    "rosenfeld-densenet-cifar10",
    ROSENFELD_CIFAR10.recipe.model_copy(update={"epochs": 200.0, "drops": (130.0, 165.0)}),
    inferred=("weight_decay",),
    text="""DenseNet-121 on CIFAR-10 as in Rosenfeld et al. (2021), App. B.4; weight decay inferred.

`rosenfeld-cifar10` for 200 epochs, with drops at epochs 130 and 165.
"""
    + _INFERRED,
)

ROSENFELD_DENSENET_SVHN = RecipeComponent(
    "rosenfeld-densenet-svhn",
    ROSENFELD_SVHN.recipe.model_copy(update={"epochs": 100.0, "drops": (70.0, 85.0)}),
    inferred=("weight_decay",),
    text="""DenseNet-121 on SVHN as in Rosenfeld et al. (2021), App. B.4; weight decay inferred.

`rosenfeld-svhn` for 100 epochs, with drops at epochs 70 and 85.
"""
    + _INFERRED,
)

ROSENFELD_IMAGENET = RecipeComponent(
    "rosenfeld-imagenet",
    Recipe(
        epochs=90,
        batch=1024,
        lr=0.4,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(30, 60, 80),
        warmup=5,
        init="kaiming-uniform",
        rewind=AtEpoch(epoch=10),
        augment=("resized-crop", "flip"),
        last_batch="drop",
    ),
    inferred=("weight_decay", "last_batch"),
    text="""ResNet-50 on ImageNet as in Rosenfeld et al. (2021), App. B.4; weight decay inferred.

90 epochs of batches of 1024, SGD with momentum 0.9, learning rate 0.4 after a linear warm-up from 0 over five
epochs, divided by ten at epochs 30, 60 and 80, patches of a tenth to the whole of the image with an aspect
ratio of 0.8 to 1.25 scaled to 224×224, horizontal flips, He (Kaiming) uniform initialization; rewinding goes
back to epoch 10 (App. A). That the smaller last batch of an epoch is dropped, as in `pai-imagenet`, is
inferred.
"""
    + _INFERRED,
)

ROSENFELD_TINYIMAGENET = RecipeComponent(
    "rosenfeld-tinyimagenet",
    ROSENFELD_IMAGENET.recipe.model_copy(
        update={"epochs": 200.0, "lr": 0.2, "drops": (100.0, 150.0), "last_batch": "keep"}
    ),
    inferred=("weight_decay",),
    text="""ResNet-18 on TinyImageNet as in Rosenfeld et al. (2021), App. B.4; weight decay inferred.

200 epochs of batches of 1024 at learning rate 0.2, divided by ten at epochs 100 and 150; warm-up,
augmentation (patches are scaled to 64×64) and all else as in `rosenfeld-imagenet`, but the smaller last batch
of an epoch stays.
"""
    + _INFERRED,
)
