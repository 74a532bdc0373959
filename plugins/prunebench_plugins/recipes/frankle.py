"""The recipes of Frankle et al., "Pruning Neural Networks at Initialization" (ICLR 2021), App. A."""

from __future__ import annotations

from prunebench import Recipe, RecipeComponent
from prunebench.training.recipe import AtStep

__all__ = [
    "PAI_CIFAR10",
    "PAI_CIFAR10_VGG",
    "PAI_IMAGENET",
    "PAI_LENET",
    "PAI_MODIFIED_CIFAR10",
    "PAI_MODIFIED_TINYIMAGENET",
    "PAI_TINYIMAGENET",
]

PAI_LENET = RecipeComponent(
    "pai-lenet",
    Recipe(epochs=40, batch=128, lr=0.1, init="kaiming-normal", rewind=AtStep(step=0)),
    text="""LeNet-300-100 on MNIST as in Frankle et al. (2021), App. A and K.

40 epochs of batches of 128 (469 steps each, the last batch smaller), SGD without momentum at learning rate
0.1 throughout, no weight decay, no augmentation, Kaiming normal; lottery ticket rewinding goes back to the
initial weights.
""",
)

PAI_CIFAR10 = RecipeComponent(
    "pai-cifar10",
    Recipe(
        epochs=160,
        batch=128,
        lr=0.1,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(80, 120),
        drop_factor=0.1,
        init="kaiming-normal",
        rewind=AtStep(step=1000),
        augment=("flip", "shift4"),
    ),
    text="""ResNet-20 on CIFAR-10 as in Frankle et al. (2021), App. A.

160 epochs of batches of 128 (391 steps each, the last batch smaller), SGD with momentum 0.9, learning rate
0.1 divided by ten at epochs 80 and 120, weight decay 1e-4 on every parameter, random horizontal flips and
shifts by up to four pixels, Kaiming normal; lottery ticket rewinding goes back to step 1000. That their
wide ResNets of Tables 2, 3 and 5 train alike is inferred: the paper states no recipe of them.
""",
)

PAI_CIFAR10_VGG = RecipeComponent(
    "pai-cifar10-vgg",
    PAI_CIFAR10.recipe.model_copy(update={"rewind": AtStep(step=2000)}),
    text="""VGG-16 on CIFAR-10 as in Frankle et al. (2021), App. A: `pai-cifar10`, rewound to step 2000.

That VGG-19 and VGG-16 with a hidden layer (Tables 2, 3 and 5) train alike is inferred; App. C.4 says that
VGG-19 follows the hyper-parameters of GraSP's authors.
""",
)

PAI_TINYIMAGENET = RecipeComponent(
    "pai-tinyimagenet",
    Recipe(
        epochs=200,
        batch=256,
        lr=0.2,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(100, 150),
        init="kaiming-normal",
        rewind=AtStep(step=1000),
        augment=("resized-crop", "flip"),
    ),
    text="""ResNet-18 on TinyImageNet as in Frankle et al. (2021), App. A.

200 epochs of batches of 256 (391 steps each, the last batch smaller), SGD with momentum 0.9, learning rate
0.2 divided by ten at epochs 100 and 150, weight decay 1e-4 on every parameter, patches of a tenth to the
whole of the image with an aspect ratio of 0.8 to 1.25 scaled to 64×64, horizontal flips, Kaiming normal;
lottery ticket rewinding goes back to step 1000.
""",
)

PAI_MODIFIED_TINYIMAGENET = RecipeComponent(
    "pai-modified-tinyimagenet",
    PAI_TINYIMAGENET.recipe.model_copy(update={"augment": ("flip", "shift4")}),
    text="""Modified ResNet-18 on Modified TinyImageNet as in Frankle et al. (2021), App. A and L.

`pai-tinyimagenet` with horizontal flips and shifts by up to four pixels instead of patches. The same is the
second TinyImageNet row of Table 7 (learning rate 0.2, batches of 256, 200 epochs).
""",
)

PAI_MODIFIED_CIFAR10 = RecipeComponent(
    "pai-modified-cifar10",
    PAI_CIFAR10.recipe.model_copy(update={"batch": 256, "lr": 0.2}),
    inferred=("epochs", "momentum", "weight_decay", "drops", "augment"),
    text="""Modified ResNet-18 on CIFAR-10, second recipe of Frankle et al. (2021), Table 7; in part inferred.

Learning rate 0.2, batches of 256, divided by ten, as the table says; 160 epochs, drops at epochs 80 and 120,
momentum 0.9, weight decay 1e-4 and the augmentation are inferred from their other CIFAR-10 networks.
""",
)

PAI_IMAGENET = RecipeComponent(
    "pai-imagenet",
    Recipe(
        epochs=90,
        batch=1024,
        lr=0.4,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(30, 60, 80),
        init="kaiming-normal",
        rewind=AtStep(step=6255),
        augment=("resized-crop", "flip"),
        last_batch="drop",
    ),
    text="""ResNet-50 on ImageNet as in Frankle et al. (2021), App. A.

90 epochs of 1251 batches of 1024 (the last part batch is dropped, which gives the table's number of steps),
SGD with momentum 0.9, learning rate 0.4 divided by ten at epochs 30, 60 and 80, no warm-up, weight decay 1e-4
on every parameter, patches of a tenth to the whole of the image with an aspect ratio of 0.8 to 1.25 scaled to
224×224, horizontal flips, Kaiming normal; lottery ticket rewinding goes back to step 6255, the end of epoch
5. Where 1024 images do not fit in memory, `micro_batch` makes a cell of its own: BatchNorm sees it.
""",
)
