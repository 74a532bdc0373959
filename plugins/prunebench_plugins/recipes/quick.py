"""Recipes for trying things out."""

from __future__ import annotations

from prunebench import Recipe, RecipeComponent

__all__ = ["DIGITS"]

DIGITS = RecipeComponent(
    "digits",
    Recipe(epochs=20, batch=64, lr=0.1, momentum=0.9, weight_decay=1e-4, drops=(10, 15), evaluate=5),
    text="""x""",
)
