"""The recipes of Frankle et al., "Pruning Neural Networks at Initialization" (ICLR 2021), App. A."""

from __future__ import annotations

from prunebench import Recipe, RecipeComponent
from prunebench.training.recipe import AtStep

__all__ = ["PAI_CIFAR10", "PAI_LENET"]

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
shifts by up to four pixels, Kaiming normal; lottery ticket rewinding goes back to step 1000. Their VGG-16
is trained alike and rewound to step 2000: `{name = "pai-cifar10", rewind = {step = 2000}}`.
""",
)
