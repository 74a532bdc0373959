"""No network that comes with prunebench needs an operation that torch refuses where results have to repeat.

torch's own list of those is in the documentation of `use_deterministic_algorithms`, by the names of modules and
functions. What a network runs is seen on torch's meta device: forward, backward, and backward once more, as
GraSP needs it.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from one_device import OneDevice
from torch.nn import functional

from prunebench.host.registry import Host

HOST = Host.load(third_party=False)

REFUSED: dict[str, set[str]] = {
    "torch.nn.AvgPool3d": {"avg_pool3d_backward"},
    "torch.nn.AdaptiveAvgPool2d": {"_adaptive_avg_pool2d_backward"},
    "torch.nn.AdaptiveAvgPool3d": {"_adaptive_avg_pool3d_backward"},
    "torch.nn.MaxPool3d": {"max_pool3d_with_indices_backward"},
    "torch.nn.AdaptiveMaxPool2d": {"adaptive_max_pool2d_backward"},
    "torch.nn.FractionalMaxPool2d": {"fractional_max_pool2d_backward"},
    "torch.nn.FractionalMaxPool3d": {"fractional_max_pool3d_backward"},
    "torch.nn.MaxUnpool1d": {"max_unpool2d"},
    "torch.nn.MaxUnpool2d": {"max_unpool2d"},
    "torch.nn.MaxUnpool3d": {"max_unpool3d"},
    "torch.nn.functional.interpolate": {
        *("upsample_linear1d_backward", "upsample_bilinear2d_backward"),
        *("upsample_bicubic2d_backward", "upsample_trilinear3d_backward"),
    },
    "torch.nn.ReplicationPad1d": {"replication_pad1d_backward"},
    "torch.nn.ReplicationPad2d": {"replication_pad2d_backward"},
    "torch.nn.ReplicationPad3d": {"replication_pad3d_backward"},
    "torch.nn.ReflectionPad1d": {"reflection_pad1d_backward"},
    "torch.nn.ReflectionPad2d": {"reflection_pad2d_backward"},
    "torch.nn.ReflectionPad3d": {"reflection_pad3d_backward"},
    "torch.nn.NLLLoss": {"nll_loss2d_forward", "nll_loss2d"},  # of a loss for each of several places alone
    "torch.nn.CTCLoss": {"_ctc_loss_backward", "_cudnn_ctc_loss"},
    "torch.nn.EmbeddingBag": {"_embedding_bag_dense_backward", "_embedding_bag_backward"},
    "torch.Tensor.put_": {"put_"},
    "torch.histc": {"histc"},
    "torch.bincount": {"bincount"},
    "torch.kthvalue": {"kthvalue"},
    "torch.median": {"median", "nanmedian"},
    "torch.nn.functional.grid_sample": {"grid_sampler_2d_backward", "grid_sampler_3d_backward"},
    "torch.cumsum": {"cumsum", "cumsum_"},
    "torch.Tensor.scatter_reduce": {"scatter_reduce", "scatter_reduce_"},
    "torch.Tensor.resize_": {"resize_"},
}
"""What torch's list names, and the operations that it comes to."""

EVERY = frozenset(operation for operations in REFUSED.values() for operation in operations)


def listed() -> set[str]:
    """What torch's documentation says that it refuses."""
    text = str(torch.use_deterministic_algorithms.__doc__)
    section = text.split("operations will throw a")[1].split("In addition")[0]
    return set(re.findall(r"^\s*\* :\w+:`([\w.]+)`", section, re.MULTILINE))


def operations(module: torch.nn.Module, x: Any, y: Any) -> set[str]:
    """The operations of a network's forward pass, of its gradient, and of the gradient of that."""
    with OneDevice("meta") as seen:
        weights = list(module.parameters())
        loss = functional.cross_entropy(module(x), y)
        gradients = torch.autograd.grad(loss, weights, create_graph=True)
        torch.autograd.grad(sum((g * g).sum() for g in gradients), weights, materialize_grads=True)
    return set(seen.counted)


def test_everything_that_torch_lists_is_known_here():
    """A release that refuses more says so here first."""
    assert len(listed()) > 15
    assert listed() <= set(REFUSED)


def takes_long(name: str) -> bool:
    """True of 121 layers, differentiated twice, and of presets, which are deeper or wider of what is tested anyway."""
    return name == "cifar-densenet" or HOST.get("architecture", name).preset is not None


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if takes_long(name) else ())
        for name in HOST.names("architectures")
    ],
)
def test_a_network_runs_no_operation_that_torch_refuses(name: str):
    """Forward, backward, and backward once more, on images of the first size that it takes."""
    architecture: Any = HOST.get("architectures", name)
    for shape in ((3, 32, 32), (1, 28, 28), (1, 8, 8), (3, 64, 64), (3, 224, 224)):
        try:
            with torch.device("meta"):
                module, x = architecture.build(shape, 10), torch.ones(2, *shape)
                module(x)
        except Exception:
            continue
        break
    ran = operations(module, x, torch.zeros(2, dtype=torch.int64, device="meta"))
    assert "addmm" in ran
    assert ran & EVERY == set()


@pytest.mark.parametrize(
    ("module", "refused"),
    [
        (torch.nn.AdaptiveAvgPool2d(3), "_adaptive_avg_pool2d_backward"),
        (torch.nn.ReflectionPad2d(2), "reflection_pad2d_backward"),
        (torch.nn.Upsample(scale_factor=2, mode="bilinear"), "upsample_bilinear2d_backward"),
    ],
)
def test_one_that_does_is_seen(module: torch.nn.Module, refused: str):
    """The test above can fail."""
    first = torch.nn.Conv2d(3, 4, 3, padding=1)
    last = torch.nn.LazyLinear(10)
    network = torch.nn.Sequential(first, module, torch.nn.Flatten(), last)
    network(torch.ones(2, 3, 8, 8))
    network.to("meta")
    x, y = torch.ones(2, 3, 8, 8, device="meta"), torch.zeros(2, dtype=torch.int64, device="meta")
    assert operations(network, x, y) & EVERY == {refused}
