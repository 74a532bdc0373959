"""What all checks share: sample networks and batches, the global state, rules for every component."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import random
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

import numpy as np
import torch
from torch import nn

from prunebench.errors import PluginError, PrunebenchError
from prunebench.host.components import Component
from prunebench.host.identity import component_identity
from prunebench.isolation import Watch, listed
from prunebench.training.streams import stream

__all__ = [
    "CLASSES",
    "SHAPE",
    "MadeWhenAsked",
    "at_last_documented",
    "ensure",
    "ensure_callable",
    "ensure_common",
    "sample_batch",
    "sample_networks",
    "said",
    "untouched",
]

P = ParamSpec("P")

SHAPE = (3, 8, 8)
CLASSES = 4


def ensure(condition: object, sentence: str) -> None:
    """Raise AssertionError with the sentence unless the condition holds."""
    if not condition:
        raise AssertionError(sentence)


def ensure_common(component: Component) -> str:
    """Check what holds for every kind and return how to call the component in a sentence."""
    who = f"{component.kind} {component.name!r}"
    try:
        component_identity(component)
    except PluginError as error:
        raise AssertionError(str(error)) from error
    return who


def at_last_documented(check: Callable[P, None]) -> Callable[P, None]:
    """Return the check of a kind, followed by one that its component says what it is."""

    @functools.wraps(check)
    def whole(*args: P.args, **kwargs: P.kwargs) -> None:
        check(*args, **kwargs)
        component: Any = next(iter((*args, *kwargs.values())))
        printed = "`prunebench show` prints its docstring or text"
        ensure(component.summary, f"{component.kind} {component.name!r} has no documentation: {printed}")

    return whole


def ensure_callable(who: str, what: str, function: object, *names: str, parameters: bool = False) -> None:
    """Check that a component's function can be called as the host does: these arguments by position.

    Whatever else it takes are parameters, each with a default; where a suite can set them (`parameters`) by
    keyword alone. What is wrong is said in the function's own names.
    """
    ensure(callable(function), f"{who}: {what} is a {type(function).__name__}; a function is wanted")
    assert callable(function)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # a builtin, which cannot be asked
    try:
        signature.bind(*names)
    except TypeError as error:
        spelled = (
            f"{getattr(function, '__name__', what)}{signature.replace(return_annotation=signature.empty)}"
        )
        raise AssertionError(
            f"{who}: {what} must take ({', '.join(names)}), and parameters by keyword alone, each with a "
            f"default; it is {spelled} ({error})"
        ) from error
    late = [p.name for p in list(signature.parameters.values())[len(names) :] if p.kind in _BY_POSITION]
    ensure(
        not (late and parameters),
        f"{who}: {', '.join(map(repr, late))} of {what} can be given by position, so no suite can set it; "
        "put a * before it",
    )


_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@contextlib.contextmanager
def said(who: str) -> Iterator[None]:
    """Turn an error of the component's into an AssertionError about it."""
    try:
        yield
    except AssertionError:
        raise
    except PrunebenchError as error:
        text = str(error)
        raise AssertionError(text if text.startswith(who) else f"{who}: {text}") from error
    except Exception as error:
        raise AssertionError(f"{who} fails: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def untouched(who: str) -> Iterator[None]:
    """Assert that what all components share is left as it was; put it back before that."""
    before, watch = _global_state(), Watch()
    yield
    after, changed = _global_state(), watch.put_back()
    for (what, old), (_, new) in zip(before, after, strict=True):
        ensure(old == new, f"{who} changes {what}")
    ensure(not changed, f"{who} {listed(changed)}" if changed else "")


def _global_state() -> list[tuple[str, object]]:
    numpy = np.random.get_state(legacy=False)["state"]
    return [
        ("torch's global random state", torch.get_rng_state().numpy().tobytes()),
        ("numpy's global random state", (numpy["key"].tobytes(), numpy["pos"])),
        ("Python's global random state", random.getstate()),
        ("torch's default type", torch.get_default_dtype()),
        ("torch's gradient mode", torch.is_grad_enabled()),
        ("torch's deterministic mode", torch.are_deterministic_algorithms_enabled()),
        ("torch's number of threads", torch.get_num_threads()),
        ("the environment's variables", dict(os.environ)),
        ("the working directory", os.getcwd()),
    ]


def sample_networks() -> dict[str, nn.Module]:
    """Return a small convolutional network with BatchNorm and a fully connected one, with fixed weights."""
    networks: dict[str, nn.Module] = {
        "a convolutional network": nn.Sequential(
            nn.Conv2d(SHAPE[0], 6, 3, padding=1, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, CLASSES),
        ),
        "a fully connected network": nn.Sequential(
            nn.Flatten(), nn.Linear(3 * 8 * 8, 12), nn.ReLU(), nn.Linear(12, CLASSES)
        ),
    }
    with torch.no_grad():
        for network in networks.values():
            for name, parameter in network.named_parameters():
                values = torch.from_numpy(stream(0, "conformance", name).normal(tuple(parameter.shape)))
                parameter.copy_(values.abs().add(0.1) if parameter.ndim == 1 else values.mul(0.3))
    return networks


def sample_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return three examples of each class, in order of class: (float32 images, int64 labels)."""
    labels = torch.arange(CLASSES).repeat_interleave(3)
    images = torch.from_numpy(stream(0, "conformance").normal((len(labels), *SHAPE)))
    return images, labels


class MadeWhenAsked:
    """Examples as a lazy scorer gets them: `len`, `shape` and x[numbers], nothing else of a tensor's."""

    def __init__(self, x: torch.Tensor) -> None:
        self._x = x
        self.shape = x.shape

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, numbers: slice | torch.Tensor) -> torch.Tensor:
        return self._x[numbers]
