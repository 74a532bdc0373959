"""Which weights of a network can be pruned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized

from prunebench.errors import UsageError, nearest
from prunebench.pruning.torch_masks import masked_by_torch

__all__ = ["computed_weights", "named_weights", "own_weight", "plain_name", "prunable_weights", "uncovered"]

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
    under its first name. `except_` names parameters, or modules for everything in them. Names are those of
    the network before torch.compile or torch.nn.utils.prune: "fc.weight" for "_orig_mod.fc.weight_orig".

    Raises: UsageError for an exception that names nothing, for weights without a shape yet (lazy layers),
    and where nothing is left to prune. Networks on the meta device have shapes and are fine.
    """
    if of not in _LAYERS:
        raise UsageError(f"unknown kind of prunable weights '{of}'{nearest(of, _LAYERS)}")
    _refuse_scripted(module)
    excepted = _excepted(module, except_)
    layers = [layer for layer in module.modules() if isinstance(layer, _LAYERS[of])]
    own = {id(own_weight(layer)) for layer in layers}
    names = {id(parameter): name for name, parameter in reversed(named_weights(module).items())}
    chosen = [p for p in module.parameters() if id(p) in own and id(p) not in excepted]
    weights = {names[id(parameter)]: parameter for parameter in chosen}
    for name, weight in weights.items():
        if is_lazy(weight):
            raise UsageError(f"weight '{name}' has no values yet: give the network its weights first")
    if not any(weight.numel() for weight in weights.values()):
        raise UsageError(f"nothing to prune: {_why_nothing(module, layers, of, bool(weights))}")
    return weights


def _why_nothing(module: nn.Module, layers: list[nn.Module], of: str, empty: bool) -> str:
    if not layers:
        lacking = "no convolution" if of == "convolutions" else "no convolution and no linear layer"
        return f"the network has {lacking}"
    if empty:
        return f"the weights of {len(layers)} convolutions and linear layers have no entries"
    computed = "".join(f"; {reason}" for reason in computed_weights(module).values())
    return f"of {len(layers)} convolutions and linear layers no weight is left{computed}"


def _refuse_scripted(module: nn.Module) -> None:
    if isinstance(module, torch.jit.ScriptModule):
        raise UsageError(
            "the network was compiled by torch.jit, which hides its layers: give the network it was made from"
        )


def plain_name(name: str) -> str:
    """Return the name that a parameter or module has in the network before torch.compile."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def refuse_other(module: object) -> None:
    """Raise UsageError for what is no module."""
    if not isinstance(module, nn.Module):
        raise UsageError(f"model must be a torch.nn.Module; found {type(module).__name__}")


def own_weight(layer: nn.Module) -> nn.Parameter | None:
    """Return the parameter that is a layer's weight; None where the weight is computed from others."""
    return layer._parameters.get("weight_orig" if masked_by_torch(layer) else "weight")


def named_weights(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return all parameters by the names that masks have for them; one that is shared has all its names.

    Raises: UsageError for what is no module.
    """
    refuse_other(module)
    masked = {id(layer._parameters["weight_orig"]) for layer in module.modules() if masked_by_torch(layer)}
    return {
        plain_name(name.removesuffix("_orig") if id(parameter) in masked else name): parameter
        for name, parameter in module.named_parameters(remove_duplicate=False)
    }


def computed_weights(module: nn.Module) -> dict[str, str]:
    """Return by layer why its weight cannot be pruned: what computes it from others, and what to do."""
    reasons = {}
    for name, layer in module.named_modules():
        if not isinstance(layer, _LAYERS["weights"]) or own_weight(layer) is not None:
            continue
        name = plain_name(name)
        hooks = [type(hook).__name__ for hook in layer._forward_pre_hooks.values()]
        old = next((_OLD[hook] for hook in hooks if hook in _OLD), None)
        if is_parametrized(layer, "weight"):
            steps = layer.parametrizations["weight"]  # type: ignore[index]
            by = ", ".join(type(step).__name__.lstrip("_") for step in steps)
            undo = "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')"
        elif old is not None:
            by, undo = old, f"torch.nn.utils.remove_{old}(layer)"
        else:
            reasons[name] = f"the weight of layer '{name}' is no parameter"
            continue
        reasons[name] = (
            f"the weight of layer '{name}' is no parameter, {by} computes it from others: {undo} makes it one"
        )
    return reasons


_OLD = {"WeightNorm": "weight_norm", "SpectralNorm": "spectral_norm"}


def uncovered(module: nn.Module, except_: Iterable[str] = ()) -> list[str]:
    """Return the names of parameters of two or more dimensions that are no prunable weight.

    Attention's packed projections, embeddings, recurrent weights, re-parametrised layers: a density over
    the prunable weights says nothing of these, so whoever prunes has to know of them.
    """
    _refuse_scripted(module)
    excepted = _excepted(module, except_)
    covered = {id(own_weight(layer)) for layer in module.modules() if isinstance(layer, _LAYERS["weights"])}
    covered |= {
        id(parameter)
        for layer in module.modules()
        if isinstance(layer, _NORMALISATIONS)
        for parameter in layer.parameters(recurse=False)
    }
    return [
        plain_name(name)
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
    refuse_other(module)
    parameters = {plain_name(n): p for n, p in module.named_parameters(remove_duplicate=False)}
    parameters |= named_weights(module)
    modules = {plain_name(name) for name, _ in module.named_modules(remove_duplicate=False)} - {""}
    ids: set[int] = set()
    for name in map(plain_name, names):
        if name in parameters:
            ids.add(id(parameters[name]))
        elif name in modules:
            ids |= {id(p) for n, p in parameters.items() if n.startswith(f"{name}.")}
        else:
            hint = nearest(name, [*parameters, *modules])
            raise UsageError(f"no parameter or module is called '{name}', which is to be excepted{hint}")
    return ids
