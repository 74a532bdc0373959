"""Built-in initializations."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Initialization, hookimpl
from prunebench_plugins.initializations.kaiming import (
    kaiming_normal,
    kaiming_normal_fan_out,
    kaiming_normal_fan_out_gamma_one,
    kaiming_normal_gamma_one,
    kaiming_uniform,
    kaiming_uniform_fan_out,
    kaiming_uniform_fan_out_gamma_one,
    kaiming_uniform_gamma_one,
    unit_variance,
)
from prunebench_plugins.initializations.tanaka import (
    tanaka_cifar_vgg,
    tanaka_resnet18,
    tanaka_tinyimagenet_vgg,
)

__all__ = ["kaiming_normal", "kaiming_uniform", "prunebench_initializations", "unit_variance"]

_DRAWN = {
    "kaiming-normal": kaiming_normal,
    "kaiming-normal-gamma-one": kaiming_normal_gamma_one,
    "kaiming-normal-fan-out": kaiming_normal_fan_out,
    "kaiming-normal-fan-out-gamma-one": kaiming_normal_fan_out_gamma_one,
    "kaiming-uniform": kaiming_uniform,
    "kaiming-uniform-gamma-one": kaiming_uniform_gamma_one,
    "kaiming-uniform-fan-out": kaiming_uniform_fan_out,
    "kaiming-uniform-fan-out-gamma-one": kaiming_uniform_fan_out_gamma_one,
    "tanaka-cifar-vgg": tanaka_cifar_vgg,
    "tanaka-resnet18": tanaka_resnet18,
    "tanaka-tinyimagenet-vgg": tanaka_tinyimagenet_vgg,
    "unit-variance": unit_variance,
}

_OWN = """The values that the architecture's own constructor gives, run under a seeded torch generator.

Everything is left to the constructor: weights, biases, normalisation layers. The values come from torch's
generator, not from prunebench's streams.
"""


@hookimpl
def prunebench_initializations() -> Sequence[Initialization]:
    """Return the built-in initializations."""
    return [
        *(Initialization(name, draw, version="1") for name, draw in _DRAWN.items()),
        Initialization("own", None, version="1", text=_OWN),
    ]
