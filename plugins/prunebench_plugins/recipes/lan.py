"""Recipes of Lan et al., "Uncovering the impact of hyperparameters for global magnitude pruning", App. A.1.

A submission to ICLR 2021. Each network is trained at several learning rates there, to find masks and to
evaluate them; a recipe has the one that trains the unpruned network best, as far as the figures tell.
"""

from __future__ import annotations

from prunebench import Recipe, RecipeComponent
from prunebench.training.recipe import AtStep

__all__ = [
    "LAN_LENET",
    "LAN_RESNET18_TINYIMAGENET",
    "LAN_RESNET50_MINIPLACES",
    "LAN_RESNET50_TINYIMAGENET",
    "LAN_STRUCTURED",
]

_TORCHVISION = "resized-crop[0.08,1,0.75,1.3333333333333333]"
"""Patches as RandomResizedCrop of torchvision draws them unless told otherwise."""

_UNSTATED = ("init", "rewind", "momentum")

_INFERRED = """
Momentum 0.9, weight decay on every parameter, the initial values (those that TorchVision's own ResNets have,
BatchNorm's γ 1) and that rewinding goes back to them are inferred: the appendix states none of these.
"""

LAN_RESNET50_TINYIMAGENET = RecipeComponent(
    "lan-resnet50-tinyimagenet",
    Recipe(
        epochs=110,
        batch=512,
        lr=0.5,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(70, 85, 100),
        drop_factor=0.2,
        init="tanaka-resnet18",
        rewind="init",
        augment=(_TORCHVISION, "flip"),
    ),
    inferred=_UNSTATED,
    text="""ResNet-50 on TinyImageNet as in Lan et al. (2021), App. A.1; momentum and initial values inferred.

110 epochs of batches of 512 (196 steps each, the last batch smaller), SGD with momentum 0.9, learning rate
0.5 multiplied by 0.2 at epochs 70, 85 and 100, weight decay 1e-4, patches of 0.08 to 1 of the area with an
aspect ratio of 3/4 to 4/3 scaled to 64×64, horizontal flips. Its figures find masks with 0.05, 0.1, 0.2 and
0.5 and evaluate them with 0.2 and 0.5.
"""
    + _INFERRED,
)

LAN_RESNET50_MINIPLACES = RecipeComponent(
    "lan-resnet50-miniplaces",
    LAN_RESNET50_TINYIMAGENET.recipe.model_copy(update={"epochs": 120.0, "drops": (80.0, 110.0, 115.0)}),
    inferred=_UNSTATED,
    text="""ResNet-50 on MiniPlaces as in Lan et al. (2021), App. A.1; momentum and initial values inferred.

`lan-resnet50-tinyimagenet` for 120 epochs, multiplied by 0.2 at epochs 80, 110 and 115; patches are scaled to
128×128. Its figures find and evaluate masks with 0.02, 0.1 and 0.5.
"""
    + _INFERRED,
)

LAN_RESNET18_TINYIMAGENET = RecipeComponent(
    "lan-resnet18-tinyimagenet",
    LAN_RESNET50_TINYIMAGENET.recipe.model_copy(
        update={"lr": 0.8, "drops": (80.0, 100.0), "drop_factor": 0.1}
    ),
    inferred=_UNSTATED,
    text="""ResNet-18 on TinyImageNet as in Lan et al. (2021), App. A.1; momentum and initial values inferred.

`lan-resnet50-tinyimagenet` at learning rate 0.8, divided by ten at epochs 80 and 100. Its figures find masks
with 0.05, 0.2 and 0.8 (the caption's set prints 0.5 for 0.8) and evaluate them with 0.5 and 0.8.
"""
    + _INFERRED,
)

LAN_STRUCTURED = RecipeComponent(
    "lan-structured",
    Recipe(
        epochs=200,
        batch=256,
        lr=0.1,
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-5,
        decay="cosine",
        warmup=5,
        label_smoothing=0.1,
        init="tanaka-resnet18",
        rewind="init",
        augment=(_TORCHVISION, "flip"),
    ),
    inferred=("init", "rewind", "lr", "augment"),
    text="""Structured pruning as in Lan et al. (2021), App. A.1; learning rate and augmentation inferred.

200 epochs of batches of 256, SGD with Nesterov's momentum 0.9, learning rate 0.1 on a cosine to 0 after a
linear warm-up from 0 over five epochs, label smoothing 0.1, weight decay 5e-5; before pruning and again after
it. Network, data and learning rates are not stated. The augmentation, which is that of the unstructured
experiments, and the initial values (those that TorchVision's own ResNets have, BatchNorm's γ 1) are inferred
too.
""",
)

LAN_LENET = RecipeComponent(
    "lan-lenet",
    Recipe(
        epochs=6,
        batch=128,
        lr=0.05,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(4, 5),
        drop_factor=0.2,
        init="kaiming-normal",
        rewind=AtStep(step=0),  # as `pai-lenet` spells it: changes of that recipe give the same cells
    ),
    text="""LeNet-300-100 on Fashion-MNIST in seconds, made like Lan et al.'s recipes; from no paper.

6 epochs of batches of 128 (469 steps each, the last batch smaller), SGD with momentum 0.9, learning rate 0.05
multiplied by 0.2 at epochs 4 and 5, weight decay 1e-4 on every parameter, no augmentation, Kaiming normal;
rewinding goes back to the initial weights.
""",
)
