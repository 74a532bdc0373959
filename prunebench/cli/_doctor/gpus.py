"""GPUs and torch: looked at in a process of its own, which a broken driver may hang or kill."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from prunebench.amounts import spelled_bytes
from prunebench.cli._doctor import Finding

__all__ = ["findings", "judged"]

PATIENCE = 120
"""Seconds that importing torch and asking for GPUs may take."""

_ASK = """
import json, sys
said = {}
try:
    import torch
    said["torch"] = torch.__version__
    said["cuda"] = torch.version.cuda or getattr(torch.version, "hip", None)
    said["threads"] = torch.get_num_threads()
    from prunebench.training.numerics import numerics_class
    said["numerics"] = numerics_class("cpu", 1)
    try:
        from prunebench.vision import torchvision
        said["torchvision"] = torchvision.__version__
    except Exception as error:
        said["torchvision_error"] = f"{type(error).__name__}: {error}"
    gpus = []
    if said["cuda"]:
        try:
            torch.cuda.init()
            for n in range(torch.cuda.device_count()):
                free, total = torch.cuda.mem_get_info(n)
                x = torch.ones(8, device=f"cuda:{n}")
                good = float((x + x).sum()) == 16.0
                name = torch.cuda.get_device_name(n)
                gpus.append({"name": name, "free": free, "total": total, "works": good})
        except Exception as error:
            said["cuda_error"] = f"{type(error).__name__}: {error}"
    said["gpus"] = gpus
except Exception as error:
    said["error"] = f"{type(error).__name__}: {error}"
print("\\n" + json.dumps(said))
"""


def findings() -> Iterator[Finding]:
    """Yield what torch is, and which GPUs it and the driver see."""
    yield from judged(_torch(), _driver(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def _torch() -> dict[str, Any]:
    """Return what torch says of itself; `error` where it does not."""
    command = [sys.executable, "-c", _ASK]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"importing torch and asking for GPUs took more than {PATIENCE} s"}
    try:
        said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return {"error": f"importing torch ended its process: {last}"}
    return said


def _driver() -> list[str] | None:
    """Return the names of the GPUs that NVIDIA's driver sees; None where there is no driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (
        [line.strip() for line in done.stdout.splitlines() if line.strip()] if not done.returncode else None
    )


def judged(said: Mapping[str, Any], driver: list[str] | None, visible: str | None) -> Iterator[Finding]:
    """Yield findings from what torch and the driver say, and CUDA_VISIBLE_DEVICES (None: not set)."""
    if "error" in said:
        yield Finding(
            "torch", "bad", said["error"], "install torch anew: https://pytorch.org/get-started/locally"
        )
        return
    build = f"for CUDA {said['cuda']}" if said["cuda"] else "for the CPU alone"
    vision = f", torchvision {said['torchvision']}" if "torchvision" in said else ""
    what = f"torch {said['torch']}, built {build}{vision}; numerics class: {said['numerics']}"
    yield Finding("torch", "ok", what)
    if "torchvision_error" in said:
        yield Finding(
            "torch", "bad", f"torchvision does not go with it: {said['torchvision_error']}",
            "install the two together: pip install --upgrade torch torchvision",
        )  # fmt: skip
    if driver and not said["cuda"]:
        yield Finding(
            "gpus", "bad",
            f"the driver sees {_named(driver)}, and torch {said['torch']} is built without CUDA",
            "install a build with CUDA (https://pytorch.org/get-started/locally), or use --device cpu",
        )  # fmt: skip
        return
    if visible is not None and not visible.strip():
        yield Finding(
            "gpus", "note", "CUDA_VISIBLE_DEVICES is empty, so no GPU is seen", "unset it to use GPUs"
        )
    elif visible is not None:
        yield Finding(
            "gpus", "note", f"CUDA_VISIBLE_DEVICES={visible}: workers get their GPUs from this list"
        )
    yield from _gpus(said, driver, hidden=visible is not None and not visible.strip())


def _gpus(said: Mapping[str, Any], driver: list[str] | None, *, hidden: bool) -> Iterator[Finding]:
    gpus = said["gpus"]
    if "cuda_error" in said and driver:
        yield Finding(
            "gpus", "bad",
            f"the driver sees {_named(driver)}, and torch cannot use them: {said['cuda_error']}",
            f"update the driver, or install a torch for its CUDA ({said['cuda']} is this one's)",
        )  # fmt: skip
    elif not gpus and not hidden:
        yield Finding("gpus", "ok", "no GPU here: everything runs on the CPU")
    for number, gpu in enumerate(gpus):
        free = f"{spelled_bytes(gpu['free'])} of {spelled_bytes(gpu['total'])}"
        what = f"cuda:{number}: {gpu['name']}, {free} free"
        if not gpu["works"]:
            yield Finding("gpus", "bad", f"{what}: adds wrongly", "take it out with CUDA_VISIBLE_DEVICES")
        elif gpu["free"] < 0.5 * gpu["total"]:
            yield Finding("gpus", "warning", f"{what}: others use it", "choose another with --device cuda:N")
        else:
            yield Finding("gpus", "ok", what)


def _named(names: list[str]) -> str:
    kinds = {name: names.count(name) for name in names}
    return ", ".join(f"{count} × {name}" for name, count in kinds.items())
