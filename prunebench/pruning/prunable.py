"""Which weights of a network can be pruned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy

from prunebench.errors import UsageError, nearest

__all__ = ["prunable_weights", "uncovered"]

_LAYERS: dict[str, tuple[type[nn.Module], ...]] = {
    "weights": (_ConvNd, nn.Linear),
    "convolutions": (_ConvNd,),
}
_NORMALISATIONS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def prunable_weights(
    module: nn.Module,
    of: Literal["weights", "convolutions"] = "weights",
    except_: Iterable[str] = (),
) -> dict[str, nn.Parameter]:
    """Return the prunable weights by name, in module order.

    These are the weights of every convolution (1-D to 3-D, transposed too) and linear layer, the output
    layer among them; never biases or normalisation layers. A weight that several layers share counts once,
    under its first name. `except_` names parameters, or modules for everything in them.

    Raises: UsageError for an exception that names nothing, for weights without a shape yet (lazy layers),
    and where nothing is left to prune. Networks on the meta device have shapes and are fine.
    """
    if of not in _LAYERS:
        raise UsageError(f"unknown kind of prunable weights '{of}'{nearest(of, _LAYERS)}")
    excepted = _excepted(module, except_)
    layers = [layer for layer in module.modules() if isinstance(layer, _LAYERS[of])]
    own = {id(layer._parameters.get("weight")) for layer in layers}
    weights = {n: p for n, p in module.named_parameters() if id(p) in own and id(p) not in excepted}
    if not weights:
        raise UsageError(
            f"nothing to prune: of {len(layers)} convolutions and linear layers no weight is left"
            if layers
            else "nothing to prune: the network has no convolution and no linear layer"
            if of == "weights"
            else "nothing to prune: the network has no convolution"
        )
    for name, weight in weights.items():
        if is_lazy(weight):
            raise UsageError(f"weight '{name}' has no values yet: give the network its weights first")
    return weights


def uncovered(module: nn.Module, except_: Iterable[str] = ()) -> list[str]:
    """Return the names of parameters of two or more dimensions that are no prunable weight.

    Attention's packed projections, embeddings, recurrent weights, re-parametrised layers: a density over
    the prunable weights says nothing of these, so whoever prunes has to know of them.
    """
    excepted = _excepted(module, except_)
    covered = {
        id(layer._parameters.get("weight"))
        for layer in module.modules()
        if isinstance(layer, _LAYERS["weights"])
    }
    covered |= {
        id(parameter)
        for layer in module.modules()
        if isinstance(layer, _NORMALISATIONS)
        for parameter in layer.parameters(recurse=False)
    }
    return [
        name
        for name, parameter in module.named_parameters()
        if id(parameter) not in covered
        and id(parameter) not in excepted
        and not is_lazy(parameter)
        and parameter.dim() >= 2
    ]


def _excepted(module: nn.Module, names: Iterable[str]) -> set[int]:
    """Return the ids of the parameters that the names of parameters and modules stand for."""
    if isinstance(names, str):
        names = (names,)
    parameters = dict(module.named_parameters(remove_duplicate=False))
    modules = {name for name, _ in module.named_modules(remove_duplicate=False) if name}
    found: set[int] = set()
    for name in names:
        if name in parameters:
            found.add(id(parameters[name]))
        elif name in modules:
            found |= {id(p) for n, p in parameters.items() if n.startswith(f"{name}.")}
        else:
            hint = nearest(name, [*parameters, *modules])
            raise UsageError(f"no parameter or module is called '{name}', which is to be excepted{hint}")
    return found
