"""What every component has, and where it came from (imports no torch)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["Component", "Origin", "keyword_parameters"]


@dataclass(frozen=True)
class Origin:
    """Where a component came from: the distribution and its version, or a plugin file."""

    plugin: str
    distribution: str | None = None
    version: str | None = None
    digest: str | None = None
    """Of a plugin file: the SHA-256 of its bytes."""

    @property
    def builtin(self) -> bool:
        """True if it comes with prunebench itself."""
        return self.distribution == "prunebench"

    def __str__(self) -> str:
        if self.distribution:
            return f"{self.distribution} {self.version} ({self.plugin})"
        return self.plugin


@dataclass(frozen=True)
class Component:
    """Base of the ten kinds. `source` is what the identity's digest is taken of (a function, class, …)."""

    kind: ClassVar[str]
    name: str

    @property
    def source(self) -> object:
        """The object whose module is digested where no version is declared."""
        raise NotImplementedError

    @property
    def documentation(self) -> str:
        """The text that `prunebench show` prints: the source's docstring."""
        return inspect.getdoc(self.source) or ""

    @property
    def summary(self) -> str:
        """The first line of the documentation."""
        return self.documentation.strip().split("\n")[0]


def keyword_parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the keyword-only arguments that have defaults: a component's parameters."""
    return {
        p.name: p.default
        for p in inspect.signature(function).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.default is not p.empty
    }
