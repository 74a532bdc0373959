"""Recipes for trying things out."""

from __future__ import annotations

from prunebench import Recipe, RecipeComponent
from prunebench.training.recipe import AtEpoch

__all__ = ["DIGITS"]

DIGITS = RecipeComponent(
    "digits",
    Recipe(
        epochs=10,
        batch=64,
        lr=0.05,
        momentum=0.9,
        weight_decay=1e-4,
        drops=(6, 8),
        init="kaiming-normal",
        rewind=AtEpoch(epoch=1),
        evaluate=5,
    ),
    text="""The embedded digits in about a second: for trials and quick suites, from no paper.

10 epochs of batches of 64 (23 steps each, the last batch smaller), SGD with momentum 0.9, learning rate 0.05
divided by ten at epochs 6 and 8, weight decay 1e-4 on every parameter, no augmentation, Kaiming normal;
lottery ticket rewinding goes back to the end of epoch 1. Chosen so that `digits-mlp` and `digits-convnet`
reach 95 % (about 97 %) without pruning.
""",
)
