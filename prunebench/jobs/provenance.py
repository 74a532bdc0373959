"""What may be published of where and when a result came out: an allow-list, without paths, hosts or users."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import PurePath
from typing import Any

from prunebench._version import __version__
from prunebench.host.components import Origin
from prunebench.jobs.context import Context
from prunebench.process import shared_by

__all__ = ["provenance"]

_DISTRIBUTIONS = ("torch", "torchvision", "numpy", "scipy", "pandas", "pillow", "safetensors")


def provenance(
    context: Context, of_state: Mapping[str, Any], diagnostic: str | None = None
) -> dict[str, Any]:
    """Return suite, components, plugins, software, numerics class, hardware, time … of a result.

    Of the diagnostics that the cell is measured with only the one named is listed: a record has used none.
    """
    from prunebench.training.numerics import numerics_class

    used = {
        label: identity
        for label, identity in context.identities.items()
        if not label.startswith("diagnostic ") or label == f"diagnostic {diagnostic}"
    }
    return {
        "suite": {name: context.suite.get(name) for name in ("name", "version", "digest")},
        "components": used,
        "plugins": _plugins(context.host.plugins),
        "software": _software(),
        "numerics": of_state.get("numerics") or numerics_class(context.device, context.threads),
        "normalization": of_state.get("normalization"),
        "hardware": _hardware(context.device),
        "time": {
            "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            **of_state.get("time", {}),
        },
        "commit": _commit(),
        **{name: of_state[name] for name in ("by_position", "seconds") if name in of_state},
    }


def _plugins(origins: Sequence[Origin]) -> list[dict[str, Any]]:
    """Return what was loaded: distributions with version and entry points, plugin files with their digest."""
    plugins: dict[tuple[str, str | None], dict[str, Any]] = {}
    for origin in origins:
        if origin.distribution is None:
            file = {"file": PurePath(origin.plugin).name, "digest": origin.digest}
            plugins[origin.plugin, None] = file
            continue
        key = (origin.distribution, origin.version)
        new: dict[str, Any] = {"distribution": origin.distribution, "version": origin.version, "entries": []}
        plugins.setdefault(key, new)["entries"].append(origin.plugin)
    return list(plugins.values())


@cache
def _software() -> dict[str, str]:
    versions = {"prunebench": __version__, "python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


@cache
def _hardware(device: str) -> dict[str, Any]:
    import os

    import torch

    machine: dict[str, Any] = {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "device": device.split(":")[0],
    }
    if device.startswith("cuda"):
        machine["gpu"] = torch.cuda.get_device_name(device)
        if shared_by() > 1:
            machine["gpu_shared_by"] = shared_by()
    return machine


@cache
def _commit() -> str | None:
    """Return the commit of the checkout that prunebench runs from, or None for an installed one."""
    import subprocess
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
