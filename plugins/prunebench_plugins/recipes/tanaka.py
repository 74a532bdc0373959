"""The recipes of Tanaka et al., "Pruning neural networks without any data" (NeurIPS 2020).

Those of VGG are the arguments that the authors published; those of ResNet-18 are as Table 7 of Frankle et al.
(2021) gives them, and what the table leaves out is inferred.
"""

from __future__ import annotations

from prunebench import Recipe, RecipeComponent

__all__ = [
    "PAI_TABLE7_RESNET18_CIFAR10",
    "PAI_TABLE7_RESNET18_TINYIMAGENET",
    "TANAKA_CIFAR_VGG",
    "TANAKA_RESNET18_CIFAR10",
    "TANAKA_RESNET18_TINYIMAGENET",
    "TANAKA_TINYIMAGENET_VGG",
]

TANAKA_CIFAR_VGG = RecipeComponent(
    "tanaka-cifar-vgg",
    Recipe(
        epochs=160,
        batch=128,
        lr=0.1,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(60, 120),
        init="tanaka-cifar-vgg",
        augment=("flip", "shift4"),
    ),
    text="""VGG-11 and VGG-16 on CIFAR-10 and CIFAR-100 as Tanaka et al. (2020) trained them.

160 epochs of batches of 128, SGD with momentum 0.9, learning rate 0.1 divided by ten at epochs 60 and 120,
weight decay 1e-4, horizontal flips and shifts by up to four pixels; Kaiming normal with fan-in, biases 0,
BatchNorm's factors 1.
""",
)

TANAKA_RESNET18_CIFAR10 = RecipeComponent(
    "tanaka-resnet18-cifar10",
    Recipe(
        epochs=160,
        batch=128,
        lr=0.01,
        momentum=0.9,
        weight_decay=5e-4,
        drops=(60, 120),
        drop_factor=0.2,
        init="tanaka-resnet18",
        augment=("flip", "shift4"),
    ),
    inferred=("epochs", "momentum", "weight_decay", "drops", "augment"),
    text="""Modified ResNet-18 on CIFAR-10 with the recipe of Tanaka et al. (2020), in part inferred.

Learning rate 0.01, divided by five, batches of 128 (Frankle et al. 2021, Table 7); 160 epochs, the drops at
epochs 60 and 120, momentum 0.9, weight decay 5e-4 and the augmentation are inferred. Their initialisation:
fan-out, BatchNorm's factors 1.
""",
)

TANAKA_RESNET18_TINYIMAGENET = RecipeComponent(
    "tanaka-resnet18-tinyimagenet",
    Recipe(
        epochs=100,
        batch=128,
        lr=0.01,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(30, 60, 80),
        init="tanaka-resnet18",
        augment=("flip", "shift4"),
    ),
    inferred=("momentum", "weight_decay", "drops", "drop_factor", "augment"),
    text="""Modified ResNet-18 on TinyImageNet with the recipe of Tanaka et al. (2020), in part inferred.

Learning rate 0.01, batches of 128, 100 epochs (Frankle et al. 2021, Table 7); the drops by ten at epochs
30, 60 and 80, momentum 0.9, weight decay 1e-4 and the augmentation are inferred. Their initialisation:
fan-out, BatchNorm's factors 1.
""",
)

TANAKA_TINYIMAGENET_VGG = RecipeComponent(
    "tanaka-tinyimagenet-vgg",
    Recipe(
        epochs=100,
        batch=128,
        lr=0.01,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(30, 60, 80),
        init="tanaka-tinyimagenet-vgg",
        augment=("flip", "shift4"),
    ),
    inferred=("epochs", "batch", "lr", "momentum", "weight_decay", "drops", "drop_factor", "augment"),
    text="""VGG-11 and VGG-16 modified for TinyImageNet, as Tanaka et al. (2020); all but `init` inferred.

All but the initialisation is inferred from their ResNet-18 on TinyImageNet: 100 epochs of batches of 128, SGD
with momentum 0.9, learning rate 0.01 divided by ten at epochs 30, 60 and 80, weight decay 1e-4. Convolutions
by Kaiming normal with fan-out, the head normal with deviation 0.01.
""",
)

PAI_TABLE7_RESNET18_CIFAR10 = RecipeComponent(
    "pai-table7-resnet18-cifar10",
    TANAKA_RESNET18_CIFAR10.recipe.model_copy(update={"init": "kaiming-normal"}),
    inferred=TANAKA_RESNET18_CIFAR10.inferred,
    text="""Modified ResNet-18 on CIFAR-10, by Frankle et al. (2021), Table 7; in part inferred.

`tanaka-resnet18-cifar10` with their own initialisation: Kaiming normal, BatchNorm's factors uniform.
""",
)

PAI_TABLE7_RESNET18_TINYIMAGENET = RecipeComponent(
    "pai-table7-resnet18-tinyimagenet",
    TANAKA_RESNET18_TINYIMAGENET.recipe.model_copy(update={"init": "kaiming-normal"}),
    inferred=TANAKA_RESNET18_TINYIMAGENET.inferred,
    text="""Modified ResNet-18 on TinyImageNet, by Frankle et al. (2021), Table 7; in part inferred.

`tanaka-resnet18-tinyimagenet` with their own initialisation: Kaiming normal, BatchNorm's factors uniform.
""",
)
