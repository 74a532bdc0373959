"""Components and data as keys spell them: by name, parameters and identity (imports no torch)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from prunebench.plan.plain import Plain

__all__ = ["DataUse", "DiagnosticUse", "Identity", "InitUse", "NetworkUse", "ScorerUse"]

Identity = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkUse(Plain):
    """A network as keys spell it."""

    identity: Identity
    name: str
    parameters: Mapping[str, Any]
    input: tuple[int, ...]
    classes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataUse(Plain):
    """A split of a data set as keys spell it."""

    name: str
    fingerprint: str
    identity: Identity
    split: Literal["test", "val"]
    task: str | None = None
    """What networks are trained for on it; None: classification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitUse(Plain):
    """An initialization, and the stream that it draws from: "init", or "fresh" for weights drawn again."""

    name: str
    identity: Identity
    purpose: Literal["init", "fresh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerUse(Plain):
    """A scorer with its parameters, and the device that it works on."""

    name: str
    identity: Identity
    parameters: Mapping[str, Any]
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticUse(Plain):
    """A diagnostic as keys spell it."""

    name: str
    identity: Identity
