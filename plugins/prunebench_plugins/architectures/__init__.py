"""Built-in architectures: ResNets, VGGs and DenseNets for CIFAR, ImageNet's networks, LeNets, small ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from prunebench import Architecture, hookimpl
from prunebench_plugins.architectures.alexnet import PRESETS as ALEXNETS
from prunebench_plugins.architectures.alexnet import alexnet
from prunebench_plugins.architectures.cifar_resnet import PRESETS, WIDE_PRESETS, cifar_resnet
from prunebench_plugins.architectures.convnet import small_convnet
from prunebench_plugins.architectures.densenet import cifar_densenet
from prunebench_plugins.architectures.imagenet import (
    modified_resnet18,
    resnet18,
    resnet50,
    vgg16_bn_imagenet,
    vgg16_imagenet,
)
from prunebench_plugins.architectures.imagenet_resnet import imagenet_resnet
from prunebench_plugins.architectures.lenet5 import lenet5
from prunebench_plugins.architectures.mlp import lenet_300_100, mlp
from prunebench_plugins.architectures.vgg import PRESETS as VGGS
from prunebench_plugins.architectures.vgg import TINYIMAGENET_PRESETS as TINYIMAGENET_VGGS
from prunebench_plugins.architectures.vgg import vgg, vgg_c, vgg_d, vgg_like, vgg_tinyimagenet

__all__ = [
    "alexnet",
    "cifar_densenet",
    "cifar_resnet",
    "imagenet_resnet",
    "lenet5",
    "lenet_300_100",
    "mlp",
    "modified_resnet18",
    "prunebench_architectures",
    "resnet18",
    "resnet50",
    "small_convnet",
    "vgg",
    "vgg16_bn_imagenet",
    "vgg16_imagenet",
    "vgg_c",
    "vgg_d",
    "vgg_like",
    "vgg_tinyimagenet",
]

MNIST = ((1, 28, 28), 10)
DIGITS = ((1, 8, 8), 10)
CIFAR = ((3, 32, 32), 10)
TINY_IMAGENET = ((3, 64, 64), 200)
IMAGENET = ((3, 224, 224), 1000)

Input = tuple[tuple[int, int, int], int]


def _family(
    name: str,
    build: Callable[..., nn.Module],
    presets: Mapping[str, Mapping[str, Any]],
    made_for: Input = CIFAR,
) -> list[Architecture]:
    """Return an architecture and its presets."""
    return [
        Architecture(name, build, version="1", made_for=made_for),
        *(
            Architecture(preset, build, preset=(name, values), version="1", made_for=made_for)
            for preset, values in presets.items()
        ),
    ]


def _torchvision(name: str, build: Callable[..., nn.Module], made_for: Input = IMAGENET) -> Architecture:
    """Return an architecture that TorchVision builds: its release is part of what it is."""
    return Architecture(name, build, version="1", depends=("torchvision",), made_for=made_for)


@hookimpl
def prunebench_architectures() -> Sequence[Architecture]:
    """Return the built-in architectures."""
    return [
        Architecture("lenet-300-100", lenet_300_100, version="1", made_for=MNIST),
        Architecture("lenet-5", lenet5, version="1", made_for=MNIST),
        *_family(
            "cifar-resnet", cifar_resnet, {**{n: {"depth": d} for n, d in PRESETS.items()}, **WIDE_PRESETS}
        ),
        *_family("vgg", vgg, {n: {"depth": d} for n, d in VGGS.items()}),
        *_family("vgg-d", vgg_d, {"vgg2-16": {}}),
        Architecture("vgg-c", vgg_c, version="1"),
        Architecture("vgg-like", vgg_like, version="1"),
        *_family("alexnet", alexnet, {n: {"k": k} for n, k in ALEXNETS.items()}),
        Architecture("cifar-densenet", cifar_densenet, version="1"),
        _torchvision("resnet18", resnet18, TINY_IMAGENET),
        _torchvision("modified-resnet18", modified_resnet18, TINY_IMAGENET),
        _torchvision("resnet50", resnet50),
        _torchvision("imagenet-resnet", imagenet_resnet),
        *_family(
            "vgg-tinyimagenet",
            vgg_tinyimagenet,
            {n: {"depth": d} for n, d in TINYIMAGENET_VGGS.items()},
            TINY_IMAGENET,
        ),
        _torchvision("vgg16-imagenet", vgg16_imagenet),
        _torchvision("vgg16-bn-imagenet", vgg16_bn_imagenet),
        *_family("mlp", mlp, {"digits-mlp": {"hidden": [64, 32]}}, DIGITS),
        *_family("small-convnet", small_convnet, {"digits-convnet": {"channels": [8, 16, 32]}}, DIGITS),
    ]
