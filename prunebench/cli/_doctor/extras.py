"""What prunebench can use where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib import metadata

from prunebench.cli._doctor import Finding

__all__ = ["findings"]

_EXTRAS = {
    "slurm": ("submitit", "run --engine slurm"),
    "ray": ("ray", "run --engine ray"),
    "gpu": ("pynvml", "GPUs, their memory and MIG parts from NVIDIA's driver (else by `nvidia-smi`)"),
    "report": ("vl_convert", "figures as SVG, PDF and PNG files"),
}
"""Each extra: what it installs, as it is imported, and what that is for."""

_NAMES = {"vl_convert": "vl-convert-python", "pynvml": "nvidia-ml-py"}


def findings() -> Iterator[Finding]:
    """Yield which extras are there, and what installs those that are not."""
    for extra, (module, used_for) in _EXTRAS.items():
        if importlib.util.find_spec(module) is None:
            yield Finding(
                "extras",
                "note",
                f"{module} is not installed: no {used_for}",
                f'pip install "prunebench[{extra}]"',
            )
            continue
        try:
            version = metadata.version(_NAMES.get(module, module))
        except metadata.PackageNotFoundError:
            version = "of unknown version"
        yield Finding("extras", "ok", f"{module} {version}: {used_for}")
