"""TorchVision's networks for ImageNet, and the ResNet-18 made of one of them for small images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import nn

from prunebench_plugins.architectures._checks import sides
from prunebench_plugins.architectures._layers import AveragesOfMap, halved

__all__ = ["modified_resnet18", "resnet18", "resnet50", "vgg16_bn_imagenet", "vgg16_imagenet"]


def _first(inputs: int, kernel: int, stride: int, padding: int, bias: bool = False) -> nn.Conv2d:
    """Return a first convolution of 64 channels with the values that TorchVision's constructors give one."""
    made = nn.Conv2d(inputs, 64, kernel, stride, padding, bias=bias)
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    if made.bias is not None:
        nn.init.zeros_(made.bias)
    return made


def _resnet(depth: int, input_shape: Sequence[int], classes: int) -> Any:
    # here, not above: the import takes a second, and only who builds one needs it
    from prunebench.vision import torchvision

    build = {18: torchvision.models.resnet18, 50: torchvision.models.resnet50}[depth]
    network = build(weights=None, num_classes=classes)
    if input_shape[0] != 3:
        network.conv1 = _first(input_shape[0], 7, 2, 3)
    return network


def resnet18(input_shape: Sequence[int], classes: int) -> nn.Module:
    """ResNet-18 for ImageNet, TorchVision's: eight blocks of two 3×3 convolutions (He et al. 2016).

    As in Frankle et al. (2021), who use it on TinyImageNet unchanged: a 7×7 convolution of stride 2 and a
    3×3 max-pool of stride 2 first, then 64, 128, 256 and 512 channels, BatchNorm before each ReLU, 1×1
    convolutions with BatchNorm where the shape changes (`downsample`), the mean over positions (TorchVision's
    adaptive pool to one position, which torch computes as a mean, with a deterministic gradient). Takes
    images of any size and number of channels. Layers: `conv1`, `bn1`, `layer1.0.conv1`, …,
    `layer2.0.downsample.0`, …, `fc`. 11,678,912 prunable weights and 11,689,512 parameters with 1000 classes,
    11,269,312 and 11,279,112 with 200.
    """
    network: nn.Module = _resnet(18, input_shape, classes)
    return network


def resnet50(input_shape: Sequence[int], classes: int) -> nn.Module:
    """ResNet-50 for ImageNet, TorchVision's: sixteen bottleneck blocks (He et al. 2016).

    As in Frankle et al. (2021). TorchVision's variant has the stride in a block's 3×3 convolution, not in its
    first 1×1 one. Everything else is as in `resnet18`; blocks have `conv1`, `conv2`, `conv3`. 25,502,912
    prunable weights and 25,557,032 parameters with 1000 classes. The network of depth 50 for CIFAR is
    `cifar-resnet50`.
    """
    network: nn.Module = _resnet(50, input_shape, classes)
    return network


def modified_resnet18(input_shape: Sequence[int], classes: int) -> nn.Module:
    """ResNet-18 for small images: `resnet18` with a 3×3 first convolution of stride 1 and no max-pool.

    The modified ResNet-18 of Frankle et al. (2021, App. D and L), made to match the one of Tanaka et al.
    (2020). TorchVision's network otherwise, names included. Prunable weights and parameters: 11,164,352 and
    11,173,962 with 10 classes, 11,210,432 and 11,220,132 with 100, 11,261,632 and 11,271,432 with 200.
    """
    network: Any = _resnet(18, input_shape, classes)
    network.conv1 = _first(input_shape[0], 3, 1, 1)
    network.maxpool = nn.Identity()
    return cast("nn.Module", network)


def _vgg16(norm: bool, input_shape: Sequence[int], classes: int, who: str) -> nn.Module:
    height, width = (halved(side, 5) for side in sides(input_shape, 32, who, "five max-pools"))
    from prunebench.vision import torchvision

    build = torchvision.models.vgg16_bn if norm else torchvision.models.vgg16
    network: Any = build(weights=None, num_classes=classes)
    if input_shape[0] != 3:
        network.features[0] = _first(input_shape[0], 3, 1, 1, bias=True)
    pool = nn.Identity() if (height, width) == (7, 7) else AveragesOfMap(height, width, 7)
    network.avgpool = pool
    return cast("nn.Module", network)


def vgg16_imagenet(input_shape: Sequence[int], classes: int) -> nn.Module:
    """VGG-16 for ImageNet, TorchVision's without BatchNorm (Simonyan and Zisserman 2015, configuration D).

    Frankle et al. (2021, Table 4) list it among the networks of the GraSP paper. 13 convolutions with bias,
    five max-pools, linear layers 25088–4096–4096–classes with dropout of one half after the two hidden ones.
    TorchVision's adaptive average pool to 7×7 is left out where the map is 7×7 (images of 224 to 255), else
    it is computed as two matrix products: the same averages, with a gradient that is deterministic on GPUs.
    Layers: `features.0`, …, `classifier.0`, `classifier.3`, `classifier.6`. 138,344,128 prunable weights and
    138,357,544 parameters with 1000 classes.

    Raises: UsageError for images with a side below 32.
    """
    return _vgg16(False, input_shape, classes, "architecture 'vgg16-imagenet'")


def vgg16_bn_imagenet(input_shape: Sequence[int], classes: int) -> nn.Module:
    """VGG-16 for ImageNet, TorchVision's with BatchNorm after every convolution.

    Everything else is as in `vgg16-imagenet`. 138,344,128 prunable weights and 138,365,992 parameters with
    1000 classes.

    Raises: UsageError for images with a side below 32.
    """
    return _vgg16(True, input_shape, classes, "architecture 'vgg16-bn-imagenet'")
