"""Built-in architectures: fully connected networks, CIFAR ResNets, a small convolutional network."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Architecture, hookimpl
from prunebench_plugins.architectures.cifar_resnet import PRESETS, cifar_resnet
from prunebench_plugins.architectures.convnet import small_convnet
from prunebench_plugins.architectures.mlp import lenet_300_100, mlp

__all__ = ["cifar_resnet", "lenet_300_100", "mlp", "prunebench_architectures", "small_convnet"]


@hookimpl
def prunebench_architectures() -> Sequence[Architecture]:
    """Return the built-in architectures."""
    presets = [
        Architecture(name, cifar_resnet, preset=("cifar-resnet", {"depth": depth}), version="1")
        for name, depth in PRESETS.items()
    ]
    return [
        Architecture("lenet-300-100", lenet_300_100, version="1"),
        Architecture("cifar-resnet", cifar_resnet, version="1"),
        *presets,
        Architecture("mlp", mlp, version="1"),
        Architecture("small-convnet", small_convnet, version="1"),
        Architecture("digits-mlp", mlp, preset=("mlp", {"hidden": [64, 32]}), version="1"),
        Architecture(
            "digits-convnet", small_convnet, preset=("small-convnet", {"channels": [8, 16, 32]}), version="1"
        ),
    ]
