"""Which names mean what: functions of torch, numpy, Python and prunebench that results are made with."""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterator
from itertools import chain
from operator import attrgetter, is_, methodcaller
from types import FunctionType, ModuleType
from typing import Any

__all__ = ["Names", "settle"]

_MODULES = frozenset(
    {
        *("builtins", "copy", "math", "numpy", "numpy.linalg", "numpy.random", "random"),
        *("torch", "torch._C._nn", "torch._tensor", "torch.autograd", "torch.autograd.function"),
        *("torch.autograd.grad_mode", "torch.autograd.graph", "torch.func", "torch.functional"),
        *("torch.linalg", "torch.nn", "torch.nn.functional", "torch.nn.grad", "torch.nn.init"),
        *("torch.nn.parameter", "torch.random", "torch.special", "torch.overrides"),
    }
)
_OWN = ("torch", "prunebench.pruning", "prunebench.training", "prunebench_plugins")
"""Packages whose classes are watched too.

Plugins of others are not: they may keep in names of their own modules what they have computed, which a change
cannot be told from. The built-in ones keep nothing there.
"""
_CODE = ("torch.nn.functional", "torch.nn.init", *_OWN[1:])
"""Where functions are watched for other code or defaults under the same name."""
_PACKAGES = ("torch.nn.modules", "torch.optim", "prunebench", "prunebench_plugins")
_BEFORE_PLUGINS = ("torch.optim", "prunebench.pruning", "prunebench.training.loop", "prunebench.jobs.run")
_MISSING: Any = object()


def settle() -> None:
    """Import what results are made with, where torch is there: what is not imported yet cannot be watched."""
    if "torch" in sys.modules:
        for name in _BEFORE_PLUGINS:
            importlib.import_module(name)


class Names:
    """The meaning of every name in the watched modules and classes at one moment.

    Watched are the modules above as far as they are imported, the classes of torch and prunebench in them
    that compute, of some functions the code and defaults, so of all constructors. Names that a module gains
    are nobody's business unless they hide a builtin; those that a class gains count where they hide what it
    inherits.
    """

    _last: Names | None = None

    def __init__(self) -> None:
        self._modules = len(sys.modules)
        self._owners = _owners()
        self._imported = [(label, owner) for owner, label in self._owners if isinstance(owner, ModuleType)]
        self._live = [vars(owner) for owner, _ in self._owners]
        self._names = [dict(live) for live in self._live]
        self._values = list(chain.from_iterable(map(_values, self._names)))
        self._functions = [
            value
            for (_, label), names in zip(self._owners, self._names, strict=True)
            for name, value in names.items()
            if isinstance(value, FunctionType) and (label.startswith(_CODE) or name == "__init__")
        ]
        self._parts = [list(map(part, self._functions)) for part in _PARTS]

    @classmethod
    def now(cls) -> Names:
        """Return the names as they are: what was seen last where nothing has changed since."""
        if cls._last is None or cls._last._modules != len(sys.modules) or not cls._last._hold():
            cls._last = cls()
        return cls._last

    def _hold(self) -> bool:
        """True if nothing is another object than it was; a fraction of a millisecond for 10,000 names."""
        return (
            all(sys.modules.get(name) is module for name, module in self._imported)
            and sum(map(len, self._live)) == len(self._values)
            and all(map(is_, chain.from_iterable(map(_values, self._live)), self._values))
            and all(
                all(map(is_, map(part, self._functions), was))
                for part, was in zip(_PARTS, self._parts, strict=True)
            )
        )

    def put_back(self) -> list[str]:
        """Give the names their meanings back; return what had been done to them, in words."""
        return [] if self._hold() else [f"replaced {name}" for name in self._restored()]

    def _restored(self) -> Iterator[str]:
        for name, module in self._imported:
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                yield f"the module {name}"
        for (owner, label), live, names in zip(self._owners, self._live, self._names, strict=True):
            for name, was in names.items():
                now = live.get(name, _MISSING)
                if now is not was and not _pythons_own(name) and not _torchs_own(was, now):
                    setattr(owner, name, was)
                    yield f"{label}.{name}"
            for name in [name for name in live if name not in names]:
                hidden = _inherited(owner, name)
                if _hides(owner, name) and not _pythons_own(name) and not _torchs_own(hidden, live[name]):
                    delattr(owner, name)
                    yield f"{label}.{name}"
        for function, *parts in zip(self._functions, *self._parts, strict=True):
            if any(part(function) is not was for part, was in zip(_PARTS, parts, strict=True)):
                function.__code__, function.__defaults__, function.__kwdefaults__ = parts
                yield f"the code of {function.__module__}.{function.__qualname__}"


_PARTS = [attrgetter(name) for name in ("__code__", "__defaults__", "__kwdefaults__")]
_values = methodcaller("values")


def _hides(owner: Any, name: str) -> bool:
    """True if a name that is new here stands before one that code here has meant until now."""
    if isinstance(owner, type):
        return any(name in vars(base) for base in owner.__mro__[1:])
    value = vars(owner)[name]
    return name in vars(builtins) and not name.startswith("__") and not isinstance(value, ModuleType)


def _inherited(owner: Any, name: str) -> Any:
    """Return what a name would mean in a class that did not have it itself."""
    bases = owner.__mro__[1:] if isinstance(owner, type) else ()
    return next((vars(base)[name] for base in bases if name in vars(base)), _MISSING)


def _pythons_own(name: str) -> bool:
    """True if it is a name that Python or pydantic gives a class when it is first looked at closely."""
    return name.startswith(("__annotations", "__annotate", "__pydantic", "_abc_")) or name in (
        *("__doc__", "__signature__", "__abstractmethods__", "__static_attributes__", "__class_vars__"),
    )


def _torchs_own(was: Any, now: Any) -> bool:
    """True if torch itself has put this there: its compiler and its optimizers wrap methods at first use."""
    home = str(getattr(now, "__globals__", {}).get("__name__"))
    wraps = getattr(now, "__wrapped__", _MISSING) is was and was is not _MISSING
    return home.startswith(("torch._dynamo.", "torch._compile")) or (
        wraps and home == "torch.optim.optimizer"
    )


def _owners() -> list[tuple[Any, str]]:
    """Return the modules and classes to watch, and what they are called."""
    owners: dict[int, tuple[Any, str]] = {}
    for name, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or not _watched(name):
            continue
        owners.setdefault(id(module), (module, name))
        if name.startswith(_OWN):
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__.startswith(_OWN) and _computes(value):
                    owners.setdefault(id(value), (value, f"{value.__module__}.{value.__qualname__}"))
    return list(owners.values())


def _watched(name: str) -> bool:
    package = any(name == one or name.startswith(f"{one}.") for one in _PACKAGES)
    return name in _MODULES or (package and not name.startswith("prunebench.isolation"))


def _computes(cls: type) -> bool:
    """True if a class is prunebench's, or one of torch's that networks and training are made of."""
    if not cls.__module__.startswith("torch"):
        return True
    torch: Any = sys.modules["torch"]
    bases: tuple[type, ...] = (torch.nn.Module, torch.Tensor, torch._C.TensorBase, torch.autograd.Function)
    optimizer = getattr(sys.modules.get("torch.optim"), "Optimizer", None)
    return issubclass(cls, (*bases, *([optimizer] if optimizer else [])))
