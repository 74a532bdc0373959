"""Inputs, targets and outputs that hold tensors inside: one walk through them for whatever is done to them.

Walked through are mappings (dict, OrderedDict, the mappings that transformers return), tuples, named tuples,
lists and dataclasses, one in the other. Anything else is a leaf; what is no tensor stays as it is.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import operator
from collections import UserDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from prunebench.errors import UsageError

__all__ = [
    "arguments",
    "batch_in_shape",
    "called",
    "checked_shape",
    "described",
    "leaves",
    "mapped",
    "taken",
    "tensors",
]


def mapped(function: Callable[[Tensor], Any], value: Any) -> Any:
    """Return the value with `function` of each tensor in its place; containers are new, of their types.

    >>> mapped(lambda tensor: tensor + 1, {"a": torch.zeros(1), "b": ("as it is", torch.ones(1))})
    {'a': tensor([1.]), 'b': ('as it is', tensor([2.]))}
    """
    return _rebuilt(lambda leaf: function(leaf) if isinstance(leaf, Tensor) else leaf, value)


def tensors(value: Any) -> list[Tensor]:
    """Return the tensors inside, in order."""
    return [leaf for leaf in leaves(value) if isinstance(leaf, Tensor)]


def leaves(value: Any) -> Iterator[Any]:
    """Yield what is no container, in order."""
    parts = _parts(value)
    if parts is None:
        yield value
    else:
        for part in parts:
            yield from leaves(part)


def taken(value: Any, part: Tensor, examples: int, name: str) -> Any:
    """Return these examples of a batch's inputs or targets.

    Each tensor has one entry an example; those without dimensions, and numbers, texts and the like, belong to
    all examples. A leaf that is no tensor but has length, shape and indexing is asked for the examples as a
    tensor would be. `name` is the value's in messages.

    Raises: UsageError where it cannot be told what belongs to which example.
    """

    def take(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            if leaf.dim() == 0:
                return leaf
            if len(leaf) != examples:
                raise UsageError(
                    f"chunk: {name} holds a tensor of shape {tuple(leaf.shape)}, the batch has {examples} "
                    "examples: with a chunk each tensor must have one entry an example; leave out the chunk"
                )
            return leaf[part.to(leaf.device)]
        length = _length(leaf)
        if length == examples and hasattr(leaf, "shape") and hasattr(leaf, "__getitem__"):
            return leaf[part]
        if length is not None:
            raise UsageError(
                f"chunk: {name} holds a {type(leaf).__name__}, which cannot be taken apart by example: give "
                "tensors, or leave out the chunk"
            )
        return leaf

    for held in _sequences(value):
        if len(held) == examples and not tensors(held):
            raise UsageError(
                f"chunk: {name} holds a {type(held).__name__} of {len(held)} {type(held[0]).__name__}, of "
                "which it cannot be told whether they go by example: give tensors, or leave out the chunk"
            )
    return _rebuilt(take, value)


def called(network: nn.Module, x: Any) -> Any:
    """Return the network's outputs for the inputs x, passed as `arguments` says."""
    positional, named = arguments(network, x)
    return network(*positional, **named)


def arguments(network: nn.Module, x: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and named arguments by which the network's `forward` takes the inputs x.

    A tuple is unpacked, network(*x), where forward takes so many positional arguments; a dict is passed by
    name, network(**x), where forward names all its keys (or takes nothing but **keywords). Otherwise, and for
    anything else, x is the one argument.

    Raises: UsageError for a tuple or dict that forward takes neither way.
    """
    one: tuple[tuple[Any, ...], dict[str, Any]] = ((x,), {})
    if not isinstance(x, tuple | Mapping):
        return one
    try:
        signature = inspect.signature(network.forward)
    except (TypeError, ValueError):  # no Python function: nothing is known of what it takes
        return one
    if isinstance(x, tuple):
        named_tuple = hasattr(x, "_fields") and _binds(signature, x)
        if _binds(signature, *x) and not named_tuple:
            return x, {}
    elif all(isinstance(key, str) for key in x) and _binds(signature, **x):
        kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
        takes_more = inspect.Parameter.VAR_KEYWORD in kinds.values() and not _binds(signature, x)
        if takes_more or kinds.keys() >= x.keys():
            return (), dict(x)
    if not _binds(signature, x):
        given = f"a tuple of {len(x)}" if isinstance(x, tuple) else f"a dict of {', '.join(map(str, x))}"
        raise UsageError(
            f"batch: x is {given}, and the network's forward takes {signature}: give a tuple with a value "
            "for each positional argument, or a dict by the arguments' names"
        )
    return one


def described(value: Any) -> str:
    """Return the shapes of the tensors inside, for messages."""
    inputs = tensors(value)
    if len(inputs) == 1:
        return f"of shape {tuple(inputs[0].shape)}"
    return (
        f"of shapes {', '.join(str(tuple(tensor.shape)) for tensor in inputs)}"
        if inputs
        else "without tensors"
    )


def checked_shape(shape: Sequence[int] | None) -> tuple[int, ...] | None:
    """Return the shape of one input as a tuple."""
    if shape is None:
        return None
    given: Any = shape
    try:
        sizes = tuple(operator.index(size) for size in given)
    except TypeError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise UsageError(f"input_shape must be the shape of one input, such as (3, 32, 32); found {given!r}")
    return sizes


def batch_in_shape(run: Callable[[Tensor], Any], x: Tensor) -> UsageError | None:
    """Return what to say where the shape of one input was given with the batch in it; None where it was not.

    x: a batch of inputs of that shape, with which `run` fails; that it does not with one of them says so
    """
    if x.dim() < 3:
        return None
    try:
        run(x[0])
    except Exception:
        return None
    given, one = tuple(x.shape[1:]), tuple(x.shape[2:])
    return UsageError(f"input_shape: found {given}; allowed: one input's shape, without the batch, as {one}")


def _binds(signature: inspect.Signature, /, *positional: Any, **named: Any) -> bool:
    try:
        signature.bind(*positional, **named)
    except TypeError:
        return False
    return True


def _rebuilt(function: Callable[[Any], Any], value: Any) -> Any:
    """Return the value with `function` of each leaf in its place."""
    if isinstance(value, Mapping):
        new = {key: _rebuilt(function, part) for key, part in value.items()}
        if type(value) is dict or not isinstance(value, dict | UserDict):
            return new
        return _renewed(value, new)
    if isinstance(value, tuple | list):
        parts = [_rebuilt(function, part) for part in value]
        if hasattr(value, "_fields"):
            return type(value)._make(parts)  # type: ignore[union-attr]
        if type(value) in (tuple, list) or hasattr(value, "n_sequence_fields"):  # torch.max's and the like
            return type(value)(parts)
        return tuple(parts) if isinstance(value, tuple) else parts
    if _is_dataclass(value):
        made = copy.copy(value)
        for field in dataclasses.fields(value):
            object.__setattr__(made, field.name, _rebuilt(function, getattr(value, field.name)))
        return made
    return function(value)


def _renewed(value: Any, new: Mapping[Any, Any]) -> Any:
    """Return a mapping of the same type with these entries; attributes that are entries follow them.

    Entries are set one by one: outputs of transformers refuse `update`.
    """
    made = copy.copy(value)
    for key, part in new.items():
        made[key] = part
    names = getattr(value, "__dict__", {})
    for key, old in value.items():
        for name in [name for name, held in names.items() if held is old and isinstance(name, str)]:
            object.__setattr__(made, name, new[key])
    return made


def _parts(value: Any) -> list[Any] | None:
    """Return what a container holds, in order; None for a leaf."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, tuple | list):
        return list(value)
    if _is_dataclass(value):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    return None


def _sequences(value: Any) -> Iterator[Any]:
    """Yield the tuples and lists inside that hold leaves alone."""
    parts = _parts(value)
    if parts is None:
        return
    if isinstance(value, tuple | list) and all(_parts(part) is None for part in parts):
        yield value
    for part in parts:
        yield from _sequences(part)


def _length(leaf: Any) -> int | None:
    """Return the length of what has one and is no text."""
    if isinstance(leaf, str | bytes):
        return None
    try:
        return len(leaf)
    except TypeError:
        return None


def _is_dataclass(value: Any) -> bool:
    """Return True if a value is walked through as a dataclass: one that is indexed by example is a leaf."""
    as_a_tensor = all(hasattr(value, name) for name in ("shape", "__len__", "__getitem__"))
    return dataclasses.is_dataclass(value) and not isinstance(value, type) and not as_a_tensor
