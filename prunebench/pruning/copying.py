"""A private copy of somebody's network, whatever it holds: copied, or refused with the reason.

What Python's deepcopy does not do: it stops at tensors that are results (kept from a forward pass), at locks
and at compiled modules; it shares functions, and through their closures the original's tensors; and it takes
the user's hooks along, which would then see passes that are none of theirs.
"""

from __future__ import annotations

import copy
import functools
import sys
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock, RLock
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.parameter import is_lazy
from torch.nn.utils.prune import BasePruningMethod
from torch.overrides import TorchFunctionMode

from prunebench.errors import UsageError
from prunebench.pruning.prunable import named_weights, plain_name
from prunebench.pruning.torch_masks import bake, masked_by_torch

__all__ = ["private_copy", "undisturbed"]

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
_HOOK_FLAGS = {
    "_forward_hooks_with_kwargs": "_forward_hooks",
    "_forward_hooks_always_called": "_forward_hooks",
    "_forward_pre_hooks_with_kwargs": "_forward_pre_hooks",
}
_LOCKS = (type(Lock()), type(RLock()))


def private_copy(
    module: nn.Module, convert: Callable[[Tensor], Tensor] | None = None, purpose: str = "scored"
) -> nn.Module:
    """Return a copy of a network that shares nothing that computing with it could change.

    Compiled modules are copied as what they were compiled from; weights that torch.nn.utils.prune has masked
    are plain parameters with zeros. Tensors kept from a forward pass come along as values. The user's hooks
    stay behind; those of torch's own (weight_norm, spectral_norm) come along. `convert` is applied to every
    tensor that is no parameter. The original is not touched. `purpose` says in a message what it is for.

    Raises: UsageError that names the tensor without values yet, the attribute that cannot be copied, or what
    the copy would share.
    """
    _refuse_lazy(module, purpose)
    _refuse_half_masked(module)
    memo = _Memo(module)
    try:
        with torch.inference_mode(False), _Tensors(convert):  # else the copy could not be differentiated
            copied: nn.Module = copy.deepcopy(module, memo)
        with torch.no_grad():
            bake(copied)
        _refuse_shared(module, copied)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"the network cannot be copied to be {purpose}: {_culprit(module) or error}"
        ) from error
    return copied


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let modules run without the user's global hooks, and what is compiled as it was written.

    Global hooks that are registered within stay registered.
    """
    dicts = [value for name, value in vars(torch_module).items() if name in _GLOBAL]
    before = [dict(hooks) for hooks in dicts]
    for hooks in dicts:
        hooks.clear()
    try:
        with _eager():
            yield
    finally:
        for hooks, own in zip(dicts, before, strict=True):
            since = dict(hooks)
            hooks.clear()
            hooks.update({**own, **since})


_GLOBAL = (
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
)


def _eager() -> AbstractContextManager[Any]:
    """Return a context in which torch.compile does nothing; it is not imported where it was never used."""
    return torch.compiler.set_stance("force_eager") if _dynamo() else nullcontext()


def _refuse_lazy(module: nn.Module, purpose: str) -> None:
    for layer_name, layer in module.named_modules():
        for name, tensor in (*layer._parameters.items(), *layer._buffers.items()):
            if tensor is not None and is_lazy(tensor):
                full = plain_name(f"{layer_name}.{name}" if layer_name else name)
                raise UsageError(
                    f"the network cannot be {purpose}: '{full}' has no values yet; its layer "
                    f"({type(layer).__name__}) takes its shape from its first input, so run the network once"
                )


def _refuse_half_masked(module: nn.Module) -> None:
    """Refuse a weight of several layers that torch.nn.utils.prune masks in some of them, or differently."""
    masks: dict[int, list[Tensor | None]] = {}
    for layer in module.modules():
        if isinstance(layer, torch.jit.ScriptModule):
            continue
        masked = masked_by_torch(layer) is not None
        for name, parameter in layer._parameters.items():
            if parameter is not None:
                own = layer.get_buffer("weight_mask") if masked and name == "weight_orig" else None
                masks.setdefault(id(parameter), []).append(own)
    names = {id(parameter): name for name, parameter in named_weights(module).items()}
    for key, of_layers in masks.items():
        first = of_layers[0]
        if any((mask is None) != (first is None) for mask in of_layers) or any(
            mask is not None and first is not None and not torch.equal(mask, first) for mask in of_layers
        ):
            raise UsageError(
                f"layers share the weight '{names[key]}', and torch.nn.utils.prune masks it differently in "
                "each: take the masks off with torch.nn.utils.prune.remove, or mask all alike"
            )


def _refuse_shared(module: nn.Module, copied: nn.Module) -> None:
    """Refuse a copy that shares layers or tensors with the original, as the user's own __deepcopy__ may."""
    ours = {id(layer) for layer in module.modules()}
    alive = [*module.parameters(), *module.buffers()]  # else an id could be given again
    tensors = {id(tensor) for tensor in alive}
    for name, layer in copied.named_modules():
        own = (*layer._parameters.values(), *layer._buffers.values())
        if id(layer) in ours or any(t is not None and id(t) in tensors for t in own):
            raise UsageError(
                f"the network cannot be copied: its '{plain_name(name) or type(layer).__name__}' (a "
                f"{type(layer).__name__}) is not copied with it; has it a __deepcopy__ of its own?"
            )


class _Tensors(TorchFunctionMode):
    """Within it, deepcopy takes the values of tensors that are results, and applies `convert` to all."""

    def __init__(self, convert: Callable[[Tensor], Tensor] | None) -> None:
        super().__init__()
        self._convert = convert

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is not Tensor.__deepcopy__ or id(args[0]) in args[1]:
            return func(*args, **(kwargs or {}))
        tensor, memo = args
        value = (
            func(tensor, memo)  # type: ignore[no-untyped-call]
            if tensor.is_leaf
            else tensor.detach().clone()
        )
        if self._convert is not None:
            value = self._convert(value)
        memo[id(tensor)] = value
        return value


class _Memo(dict[Any, Any]):
    """What deepcopy has copied, by id. What it would copy wrongly is copied here when it asks for it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._instead: dict[int, Callable[[], Any]] = {}
        self._alive: list[Any] = []
        self._ours = {id(layer) for layer in module.modules()}
        self._look(module)

    def get(self, key: Any, default: Any = None) -> Any:
        make = self._instead.pop(key, None)
        if make is not None:
            made = make()
            self.setdefault(key, made)
        return super().get(key, default)

    def _look(self, start: Any) -> None:
        """Go through all that hangs on an object."""
        seen: set[int] = set()
        todo = [start]
        while todo:
            value = todo.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            todo += self._inside(value)

    def _inside(self, value: Any) -> list[Any]:
        """Return what hangs on an object directly, and note how it is copied where deepcopy would not do."""
        if _dynamo() and isinstance(value, torch._dynamo.OptimizedModule):
            self._copy_instead(value, value._orig_mod)
            return [value._orig_mod]
        if isinstance(value, nn.Module):
            return self._of_module(value)
        if isinstance(value, (*_LOCKS, types.ModuleType)):
            self._instead[id(value)] = lambda: value  # shared: it has nothing of the network's
        elif isinstance(value, types.FunctionType):
            return self._of_function(value)
        elif isinstance(value, weakref.ref):
            target = value()
            if target is not None and id(target) in self._ours:
                self._instead[id(value)] = lambda: weakref.ref(copy.deepcopy(target, self))
        elif isinstance(value, _CONTAINERS):
            return list(value)
        elif isinstance(value, dict):
            return list(value.values())
        elif isinstance(value, types.MethodType):
            return [value.__self__]
        elif isinstance(value, functools.partial):
            return [value.func, *value.args, *value.keywords.values()]
        elif not isinstance(value, (type, Tensor)):
            return list(getattr(value, "__dict__", {}).values())
        return []

    def _of_module(self, layer: nn.Module) -> list[Any]:
        kept = {
            name: {key: hook for key, hook in getattr(layer, name, {}).items() if _is_torchs(hook)}
            for name in _HOOKS
        }
        for name, flagged in _HOOK_FLAGS.items():
            own = getattr(layer, name, {})
            kept[name] = {key: flag for key, flag in own.items() if key in kept[flagged]}
        for name, hooks in kept.items():
            if name in vars(layer):
                self._instead[id(vars(layer)[name])] = functools.partial(self._hooks, hooks)
        values = [value for name, value in vars(layer).items() if name not in kept]
        return [*values, *kept.values()]

    def _hooks(self, hooks: dict[int, Any]) -> OrderedDict[int, Any]:
        return OrderedDict((key, copy.deepcopy(hook, self)) for key, hook in hooks.items())

    def _of_function(self, function: types.FunctionType) -> list[Any]:
        plain = getattr(function, "_torchdynamo_orig_callable", None)
        if plain is not None:  # what torch.compile returns for a function
            self._copy_instead(function, plain)
            return [plain]
        held = _held(function)
        outside = [
            value for value in _globals(function).values() if _is_own(value, self._ours, changed=False)
        ]
        if outside or any(_is_own(value, self._ours) for value in held):
            self._instead[id(function)] = functools.partial(self._rebuilt, function)
            return [*held, *outside]
        return []

    def _rebuilt(self, function: types.FunctionType) -> types.FunctionType:
        """Return the function over copies of what it closes over, and of what it names of the network."""
        names = {**function.__globals__}
        cells = tuple(types.CellType() for _ in function.__closure__ or ())
        copied = types.FunctionType(
            function.__code__,
            names,
            function.__name__,
            copy.deepcopy(function.__defaults__, self),
            cells,
        )
        self[id(function)] = copied  # before the cells: it may close over itself
        for name, value in _globals(function).items():
            if _is_own(value, self._ours, changed=False):
                names[name] = copy.deepcopy(value, self)
        copied.__kwdefaults__ = copy.deepcopy(function.__kwdefaults__, self)
        copied.__dict__.update(function.__dict__)
        for cell, own in zip(cells, function.__closure__ or (), strict=True):
            if own != types.CellType():
                cell.cell_contents = copy.deepcopy(own.cell_contents, self)
        return copied

    def _copy_instead(self, value: Any, plain: Any) -> None:
        self._alive.append(plain)
        self._instead[id(value)] = lambda: copy.deepcopy(plain, self)


_CONTAINERS = (list, tuple, set, frozenset, deque)


def _dynamo() -> bool:
    return "torch._dynamo" in sys.modules


def _held(function: types.FunctionType) -> list[Any]:
    """Return what a function closes over and has as defaults."""
    cells = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
    return [*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _globals(function: types.FunctionType) -> dict[str, Any]:
    """Return the global variables that a function names, functions within it too."""
    names: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return {name: function.__globals__[name] for name in names if name in function.__globals__}


def _is_own(value: Any, ours: set[int], *, changed: bool = True, depth: int = 3) -> bool:
    """Return True if a function that holds this could reach one of these modules.

    changed: or could change something else, a tensor or a container.
    """
    if id(value) in ours or (changed and isinstance(value, (Tensor, list, dict, set, deque))):
        return True
    inside: list[Any] = []
    if isinstance(value, types.MethodType):
        inside = [value.__self__]
    elif isinstance(value, functools.partial):
        inside = [value.func, *value.args, *value.keywords.values()]
    elif isinstance(value, types.FunctionType):
        plain = getattr(value, "_torchdynamo_orig_callable", None)
        inside = _held(value) if plain is None else [plain]
    return depth > 0 and any(_is_own(part, ours, changed=changed, depth=depth - 1) for part in inside)


def _is_torchs(hook: Any) -> bool:
    """Return True if a hook is part of how torch computes a layer, and none of the user's."""
    hook = getattr(hook, "hook", hook)  # as torch wraps those of load_state_dict
    if isinstance(hook, BasePruningMethod):
        return True
    if isinstance(hook, types.MethodType):
        hook = hook.__func__
    where = hook.__module__ if isinstance(hook, types.FunctionType) else type(hook).__module__
    return str(where).partition(".")[0] == "torch"


def _culprit(module: nn.Module) -> str | None:
    """Return which attribute of which module cannot be copied, or which module, and why."""
    layers = dict(module.named_modules())
    for name, layer in reversed(layers.items()):
        where = f"module '{plain_name(name)}'" if plain_name(name) else "the network"
        kept = {id(other): other for other in layers.values()}
        for key, value in vars(layer).items():
            if key in ("_parameters", "_buffers", "_modules"):
                continue
            error = _fails(value, module, kept)
            if error is not None:
                return (
                    f"attribute '{key}' of {where} ({type(value).__name__}) cannot be: {error}. Take it off "
                    "before, and put it back afterwards"
                )
        error = _fails(layer, module, {key: other for key, other in kept.items() if other is not layer})
        if error is not None:
            return f"{where} ({type(layer).__name__}) cannot be: {type(error).__name__}: {error}"
    return None


def _fails(value: Any, module: nn.Module, kept: dict[int, nn.Module]) -> Exception | None:
    """Return the error that copying a value raises, where `kept` modules are not copied; None without one."""
    memo = _Memo(module)
    memo.update(kept)
    try:
        with torch.inference_mode(False), _Tensors(None):
            copy.deepcopy(value, memo)
    except Exception as error:
        return error
    return None
