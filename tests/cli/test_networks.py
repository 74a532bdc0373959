"""Networks that a suite cannot use: one line that says why, before anything is computed."""

from __future__ import annotations

from typing import Any

import pytest

PLUGIN = '''
import torch
from torch import nn
import prunebench

class Scale(nn.Module):
    """A factor for each class."""

    def __init__(self, classes):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(classes))

    def forward(self, x):
        return x.flatten(1)[:, : len(self.factor)] * self.factor

def scale(input_shape, classes):
    """A network without convolutions and linear layers."""
    return Scale(classes)

@prunebench.hookimpl
def prunebench_architectures():
    return [prunebench.Architecture("scale", scale)]
'''

SUITE = """
schema = 1
name = "bad"
version = "1"
description = "A network that cannot be used."

[[matrix]]
name = "m"
architecture = {architecture}
dataset = "digits"
recipe = "digits"
methods = ["magnitude"]
sparsities = [0.5]
seeds = 1
"""


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ('"scale"', "nothing to prune: the network has no convolution and no linear layer"),
        ('"vgg16"', "images of 1×8×8 (channels×height×width); allowed: sides of at least 32"),
        ('"lenet-5"', "images of 1×8×8 (channels×height×width); allowed: sides of at least 16"),
        ('{name = "alexnet", k = 0}', "k = 0; allowed: an integer above 0"),
        ('{name = "cifar-resnet", depth = 21}', "depth = 21; allowed: 6B + 2"),
        ('{name = "vgg-d", hidden_norm = 1}', "hidden_norm"),
        ('"resnet21"', "found 'resnet21', which is no architecture; did you mean"),
    ],
)
def test_a_network_that_cannot_be_used_is_refused_when_planned(architecture, said, place: Any) -> None:
    """The error names the file and the key, what was found and what is allowed; nothing is begun."""
    (place.folder / "scale.py").write_text(PLUGIN)
    (place.folder / "bad.toml").write_text(SUITE.replace("{architecture}", architecture))
    error = place.call("plan", "bad.toml", "--plugin", "scale.py", code=2).stderr
    assert error.count("Error:") == 1
    assert "bad.toml" in error
    assert "architecture" in error
    assert said in error
    assert "Traceback" not in error
