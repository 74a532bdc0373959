"""What of a record's provenance is published: an allow-list, by name and by what a value may look like.

Everything else that a record says of where it came from stays with who ran it: no path, no host's or user's
name is published, whatever an earlier or another program wrote into a record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["allowed", "published_provenance", "software"]

_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f/\\@~]{1,200}")
"""Names, versions, models of processors: no separator of paths, no address, one line."""

_HEX = re.compile(r"[0-9a-f]{7,64}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00")

software = (
    "prunebench",
    "python",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "pandas",
    "pillow",
    "safetensors",
)
"""Distributions whose versions are published."""

Allowed = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str) and _TEXT.fullmatch(value) is not None and value.isprintable()


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _matches(pattern: re.Pattern[str]) -> Allowed:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


_IDENTITY: Mapping[str, Any] = {
    "name": _text,
    "version": _text,
    "digest": _matches(_HEX),
    "rule": _number,
    "values": _matches(_HEX),
    "fingerprint": _text,
    "depends": {None: _text},
}
_PLUGIN: Mapping[str, Any] = {
    "distribution": _text,
    "version": _text,
    "entries": _texts,
    "file": _text,
    "digest": _matches(_HEX),
}
_PROVENANCE: Mapping[str, Any] = {
    "suite": {"name": _text, "version": _text, "digest": _matches(_HEX)},
    "components": {None: _IDENTITY},
    "plugins": [_PLUGIN],
    "software": dict.fromkeys(software, _text),
    "numerics": _text,
    "normalization": {
        name: lambda value: isinstance(value, list) and all(map(_number, value)) for name in ("mean", "std")
    },
    "hardware": {"machine": _text, "cpus": _number, "device": _text, "gpu": _text, "gpu_shared_by": _number},
    "time": {
        "finished": _matches(_TIME),
        **dict.fromkeys(("train_seconds", "trained_steps", "scoring_seconds"), _number),
    },
    "commit": _matches(_HEX),
    "by_position": _number,
    "seconds": {None: _number},
}
"""Names and what stands behind them; None: any name that is a text itself; a list: of such tables."""


def published_provenance(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a provenance is published, in its order; null stays null."""
    kept: dict[str, Any] = _kept(provenance, _PROVENANCE)
    return kept


def allowed(provenance: Mapping[str, Any]) -> str | None:
    """Return the first name in a provenance that is not published, or None."""
    kept = published_provenance(provenance)
    for name, value in provenance.items():
        if name not in kept or kept[name] != value:
            return str(name)
    return None


def _kept(value: Any, rule: Any) -> Any:
    if isinstance(rule, list):
        return (
            [_kept(item, rule[0]) for item in value if isinstance(item, dict)]
            if isinstance(value, list)
            else []
        )
    if not isinstance(value, dict):
        return {}
    kept: dict[str, Any] = {}
    for name, item in value.items():
        inner = rule.get(name, rule.get(None) if _label(name) else None)
        if inner is None:
            continue
        if item is None or (callable(inner) and inner(item)):
            kept[name] = item
        elif not callable(inner) and isinstance(item, dict | list):
            kept[name] = _kept(item, inner)
    return kept


def _label(name: Any) -> bool:
    """True for the label of a component: its kind and its name, perhaps with parameters."""
    return isinstance(name, str) and len(name) <= 400 and name.isprintable()
