"""Built-in recipes."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import RecipeComponent, hookimpl
from prunebench_plugins.recipes import frankle, lan, quick, rosenfeld, tanaka

__all__ = ["prunebench_recipes"]


@hookimpl
def prunebench_recipes() -> Sequence[RecipeComponent]:
    """Return the built-in recipes."""
    return [
        frankle.PAI_LENET,
        frankle.PAI_CIFAR10,
        frankle.PAI_CIFAR10_VGG,
        frankle.PAI_MODIFIED_CIFAR10,
        frankle.PAI_TINYIMAGENET,
        frankle.PAI_MODIFIED_TINYIMAGENET,
        frankle.PAI_IMAGENET,
        tanaka.TANAKA_CIFAR_VGG,
        tanaka.TANAKA_RESNET18_CIFAR10,
        tanaka.TANAKA_RESNET18_TINYIMAGENET,
        tanaka.TANAKA_TINYIMAGENET_VGG,
        tanaka.PAI_TABLE7_RESNET18_CIFAR10,
        tanaka.PAI_TABLE7_RESNET18_TINYIMAGENET,
        rosenfeld.ROSENFELD_CIFAR10,
        rosenfeld.ROSENFELD_SVHN,
        rosenfeld.ROSENFELD_DENSENET_CIFAR10,
        rosenfeld.ROSENFELD_DENSENET_SVHN,
        rosenfeld.ROSENFELD_TINYIMAGENET,
        rosenfeld.ROSENFELD_IMAGENET,
        lan.LAN_RESNET50_TINYIMAGENET,
        lan.LAN_RESNET50_MINIPLACES,
        lan.LAN_RESNET18_TINYIMAGENET,
        lan.LAN_STRUCTURED,
        lan.LAN_LENET,
        quick.DIGITS,
    ]
