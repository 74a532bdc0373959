"""Checks of what makes a network: architectures, initializations."""

from __future__ import annotations

import torch
from torch import nn

from prunebench.host.components import Architecture, Initialization
from prunebench.pruning import prunable_weights
from prunebench.testing._common import (
    at_last_documented,
    ensure,
    ensure_callable,
    ensure_common,
    said,
    sample_networks,
    untouched,
)
from prunebench.training.initialize import make_network

__all__ = ["check_architecture", "check_initialization"]


@at_last_documented
def check_architecture(
    architecture: Architecture, *, input_shape: tuple[int, int, int] = (3, 32, 32), classes: int = 10
) -> None:
    """Check an architecture at one input shape.

    It must give N×classes finite float32 outputs in both modes, for any number of classes; have prunable
    weights; be the same network when built again from the same random state; and be built on the meta device
    as well, where parameters are counted without memory.

    Raises: AssertionError.
    """
    who = ensure_common(architecture)
    ensure_callable(who, "build", architecture.build, "input_shape", "classes", parameters=True)

    def build(wanted: int = classes) -> nn.Module:
        module = architecture.build(input_shape, wanted, **architecture.parameters)
        ensure(
            isinstance(module, nn.Module), f"{who} builds a {type(module).__name__}, not a torch.nn.Module"
        )
        return module

    with said(who), untouched(who):
        network = make_network(build, None, seed=0)
        prunable_weights(network)  # refuses a network without any
        again = make_network(build, None, seed=0)
    _ensure_same(who, network, again)
    with said(who):
        other = make_network(lambda: build(classes + 1), None, seed=0)
    inputs = torch.linspace(-1, 1, 2 * torch.Size(input_shape).numel()).reshape(2, *input_shape)
    _ensure_outputs(who, network, inputs, classes)
    _ensure_outputs(who, other, inputs, classes + 1)
    _ensure_meta(who, build, network, inputs, classes)


def _ensure_same(who: str, network: nn.Module, again: nn.Module) -> None:
    first, second = network.state_dict(), again.state_dict()
    ensure(
        {name: tensor.shape for name, tensor in first.items()}
        == {name: tensor.shape for name, tensor in second.items()},
        f"{who} has other parameters when it is built again",
    )
    for name, tensor in first.items():
        ensure(
            torch.equal(tensor, second[name]), f"{who}: {name!r} differs when built again from the same seed"
        )


def _ensure_outputs(who: str, network: nn.Module, inputs: torch.Tensor, classes: int) -> None:
    for training in (True, False):
        network.train(training)
        mode = "training" if training else "evaluation"
        with said(f"{who} in {mode} mode"), torch.no_grad():
            outputs = network(inputs)
        shape = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        wanted = (len(inputs), classes)
        ensure(shape == wanted, f"{who} gives outputs of shape {shape} in {mode} mode, expected {wanted}")
        ensure(
            outputs.dtype == torch.float32, f"{who} gives outputs of {outputs.dtype}, expected torch.float32"
        )
        ensure(torch.isfinite(outputs).all(), f"{who} gives outputs that are not finite in {mode} mode")


def _ensure_meta(who: str, build: object, network: nn.Module, inputs: torch.Tensor, classes: int) -> None:
    assert callable(build)
    try:
        with torch.device("meta"):
            counted = build()
            shape = tuple(counted(inputs.to("meta")).shape)
    except (RuntimeError, NotImplementedError) as error:
        raise AssertionError(f"{who} cannot be built on the meta device: {error}") from error
    ensure(shape == (len(inputs), classes), f"{who} gives outputs of shape {shape} on the meta device")
    for name, parameter in counted.named_parameters():
        ensure(
            parameter.is_meta, f"{who} puts {name!r} on {parameter.device}, whatever the default device is"
        )
    shapes = {name: parameter.shape for name, parameter in counted.named_parameters()}
    expected = {name: parameter.shape for name, parameter in network.named_parameters()}
    ensure(shapes == expected, f"{who} has other parameters on the meta device")


@at_last_documented
def check_initialization(initialization: Initialization) -> None:
    """Check an initialization on two small networks.

    It must give finite values of each parameter's shape and type, the same for one seed, others for another,
    the same for a layer whatever else is in the network, and leave global states as they were.

    Raises: AssertionError.
    """
    who = ensure_common(initialization)
    if initialization.draw is not None:
        ensure_callable(who, "draw", initialization.draw, "module", "name", "parameter", "rng")
    for kind, sample in sample_networks().items():
        with said(who), untouched(who):
            first = _drawn(initialization, sample, seed=0)
        again, other = _drawn(initialization, sample, seed=0), _drawn(initialization, sample, seed=1)
        for name, values in first.items():
            ensure(torch.isfinite(values).all(), f"{who} gives {name!r} of {kind} values that are not finite")
            ensure(
                torch.equal(values, again[name]),
                f"{who} gives {name!r} of {kind} other values for the same seed",
            )
        moved = [name for name, values in first.items() if not torch.equal(values, other[name])]
        ensure(moved, f"{who} gives {kind} the same values for every seed")
    if initialization.draw is not None:
        _ensure_independent(who, initialization)


def _drawn(initialization: Initialization, sample: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    network = make_network(lambda: _rebuilt(sample), initialization.draw, seed)
    return {name: parameter.detach() for name, parameter in network.named_parameters()}


def _rebuilt(sample: nn.Module) -> nn.Module:
    """Return a network of the same layers with their constructors' own values, drawn anew."""
    layers = []
    for layer in sample.children():
        match layer:
            case nn.Conv2d():
                made: nn.Module = nn.Conv2d(
                    layer.in_channels,
                    layer.out_channels,
                    layer.kernel_size,  # type: ignore[arg-type]
                    layer.stride,  # type: ignore[arg-type]
                    bias=layer.bias is not None,
                )
            case nn.Linear():
                made = nn.Linear(layer.in_features, layer.out_features)
            case nn.BatchNorm2d():
                made = nn.BatchNorm2d(layer.num_features)
            case _:
                made = layer
        layers.append(made)
    return nn.Sequential(*layers)


def _ensure_independent(who: str, initialization: Initialization) -> None:
    """A layer's values may depend on the layer, not on what was drawn before it."""
    alone = make_network(lambda: nn.Sequential(nn.Conv2d(3, 6, 3)), initialization.draw, 0)
    among = make_network(
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3)), initialization.draw, 0
    )
    first, second = next(alone.parameters()), next(among.parameters())
    ensure(torch.equal(first, second), f"{who} gives a layer other values when a layer is added after it")
