"""A network as torch.fx's graph of elementary operations, traced as it runs, without data."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from prunebench.errors import PrunebenchError, UsageError
from prunebench.faults import told
from prunebench.pruning import nested
from prunebench.pruning.copying import private_copy, undisturbed
from prunebench.pruning.prunable import plain_name

__all__ = ["UNIT", "Traced", "example_for", "like", "numbers_of", "on_cpu", "trace", "trained_without_chance"]

UNIT = "unit = 'filter'"
EXAMPLES = 2
_SIDES = (32, 28, 64, 224, 96, 128, 8, 16, 48, 256, 299, 512)
"""Sides of images that are tried where the input's shape is not known."""


@dataclass(frozen=True)
class Traced:
    """A graph, and the parameters and buffers that its first placeholders stand for.

    held: by name, in the placeholders' order, each one's shape and whether it is a buffer
    shapes: of the inputs that it was traced with
    training: whether it is of training mode
    """

    graph: fx.Graph
    held: dict[str, tuple[tuple[int, ...], bool]]
    shapes: tuple[tuple[int, ...], ...]
    training: bool = False

    @property
    def used(self) -> list[str]:
        """The parameters and buffers that some operation takes, in order."""
        placeholders = [node for node in self.graph.nodes if node.op == "placeholder"]
        return [name for name, node in zip(self.held, placeholders, strict=False) if node.users]


def trace(module: nn.Module, inputs: Any, training: bool = False) -> Traced:
    """Return the graph of a network on inputs like these (nested tensors; shapes alone), in a mode.

    The network may be on any device, the meta device too: it runs on tensors without values. Of batches two
    examples do; inputs that it does not take so (a graph's adjacency is as long as its nodes, and no batch)
    stay as they are.

    training: as it runs in training mode, but for BatchNorm and dropout, whose channels go the same way

    Raises: UsageError for a network whose way depends on values, or that does not take the inputs.
    """
    own = tuple(tuple(tensor.shape) for tensor in nested.tensors(inputs))
    few = tuple((EXAMPLES, *s[1:]) if s and s[0] == own[0][0] else s for s in own)
    if few != own:
        try:
            return _traced(module, inputs, few, training)
        except UsageError:
            pass  # said below, of the inputs as they are
    return _traced(module, inputs, own, training)


def _traced(module: nn.Module, inputs: Any, shapes: tuple[tuple[int, ...], ...], training: bool) -> Traced:
    """Return the graph of a network on inputs of these shapes."""
    # here, not above: the import takes a second, and only who prunes filters needs it
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx

    copied = private_copy(module, on_cpu, purpose="traced").eval()
    if training:
        trained_without_chance(copied)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), undisturbed():
        parameters = dict(copied.named_parameters())
        held = {**parameters, **dict(copied.named_buffers())}
        dtype = numbers_of(module)
        blank = [_blank(tensor, tuple(tensor.shape), dtype) for tensor in held.values()]
        examples = [_blank(t, shape, dtype) for t, shape in zip(nested.tensors(inputs), shapes, strict=True)]

        def run(*tensors: Tensor) -> list[Tensor]:
            values = dict(zip(held, tensors, strict=False))
            rest = iter(tensors[len(held) :])
            x = nested.mapped(lambda tensor: next(rest), inputs)
            positional, named = nested.arguments(copied, x)
            return nested.tensors(functional_call(copied, values, positional, named))

        try:
            with _silent("torch._subclasses.fake_tensor"):  # which logs the traceback of what is raised
                graph = make_fx(run)(*blank, *examples).graph
        except PrunebenchError:
            raise
        except Exception as error:
            raise UsageError(
                f"{UNIT}: which filters go together cannot be traced, as the network does not run on inputs "
                f"{nested.described(inputs)} without their values: {told(error)}"
            ) from error
    own = {plain_name(name): (tuple(t.shape), name not in parameters) for name, t in held.items()}
    return Traced(graph, own, shapes, training)


def trained_without_chance(net: nn.Module) -> nn.Module:
    """Put a network into training mode, but for what draws or depends on the batch: dropout, BatchNorm."""
    net.train()
    for layer in net.modules():
        if isinstance(layer, _NormBase | _DropoutNd):
            layer.eval()
    return net


def like(inputs: Any, shapes: Sequence[tuple[int, ...]]) -> Any:
    """Return inputs with tensors of these shapes, without values, in the places of their own."""
    rest = iter(shapes)
    return nested.mapped(lambda t: torch.empty(next(rest), dtype=t.dtype, device="meta"), inputs)


@contextmanager
def _silent(logger: str) -> Iterator[None]:
    """Let a logger say nothing."""
    log = logging.getLogger(logger)
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def on_cpu(tensor: Tensor) -> Tensor:
    """Return a tensor on the CPU; one without values stays where it is."""
    return tensor if tensor.is_meta else tensor.cpu()


def _blank(tensor: Tensor, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return a tensor without values, on the CPU for every device's operations look alike there."""
    own = dtype if tensor.is_floating_point() else tensor.dtype
    return torch.empty(tuple(shape), dtype=own, device="cpu")


def numbers_of(module: nn.Module) -> torch.dtype:
    """Return the type that a network is run in here: single precision, or double where it has that."""
    double = any(parameter.dtype == torch.float64 for parameter in module.parameters())
    return torch.float64 if double else torch.float32


def example_for(module: nn.Module, input_shape: Sequence[int] | None) -> Any:
    """Return an input of the shape given, or of the first common one that the network takes.

    Raises: UsageError where none is taken.
    """
    if input_shape is not None:
        return torch.empty((EXAMPLES, *input_shape), device="meta", dtype=numbers_of(module))
    for device in ("meta", "cpu"):  # on tensors without values first: they cost nothing
        if device == "cpu" and any(parameter.is_meta for parameter in module.parameters()):
            continue
        copied = private_copy(module, on_cpu, purpose="traced").to(device, numbers_of(module)).eval()
        for shape in _guesses(module):
            x = torch.zeros((EXAMPLES, *shape), device=device, dtype=numbers_of(module))
            try:
                with torch.no_grad(), undisturbed():
                    nested.called(copied, x)
            except Exception:
                continue
            return x
    raise UsageError(
        f"{UNIT}: the shape of the network's input is not known, and to trace which filters go together the "
        "network has to run: give input_shape=(channels, height, width)"
    )


def _guesses(module: nn.Module) -> Iterator[tuple[int, ...]]:
    for layer in module.modules():
        if isinstance(layer, _ConvNd):
            for side in _SIDES:
                yield (layer.in_channels, *[side] * (layer.weight.dim() - 2))
            return
        if isinstance(layer, nn.Linear):
            yield (layer.in_features,)
            return
