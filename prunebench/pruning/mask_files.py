"""Masks as safetensors files: a bool tensor a layer, under the weight's own name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from prunebench.errors import UsageError

__all__ = ["read_mask", "write_mask"]

_ENTRY = "prunebench-mask"
"""The metadata entry: {"version", "layers" in module order, "digest"} as JSON."""
_VERSION = 1


def write_mask(path: str | os.PathLike[str], tensors: Mapping[str, Tensor]) -> None:
    """Write contiguous CPU bool tensors to a file, whole or not at all.

    Raises: UsageError where it cannot be written.
    """
    target = Path(path)
    entry = {"version": _VERSION, "layers": list(tensors), "digest": _digest(tensors)}
    # tied masks may share memory, which the format does not take
    data = save({name: tensor.clone() for name, tensor in tensors.items()}, {_ENTRY: json.dumps(entry)})
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(name, 0o666 & ~umask)  # as any other file of the user's
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(f"the mask cannot be written to '{target}': {error.strerror or error}") from error


def read_mask(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the bool tensors of a file by name, in the order they were written in.

    Raises: UsageError for a file that cannot be read, is damaged or holds anything but bool tensors.
    """
    where = f"'{Path(path)}'"
    try:
        with Path(path).open("rb"):
            pass  # says what is wrong with a path better than the library does
        with safe_open(path, framework="pt") as file:
            kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
            other = [name for name, kind in kinds.items() if kind != "BOOL"]
            if other:
                raise UsageError(
                    f"{where} holds no mask: '{other[0]}' is {kinds[other[0]]}, and a mask has bool tensors "
                    f"alone ({len(other)} of {len(kinds)} tensors are others)"
                )
            metadata = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in kinds}
    except OSError as error:
        raise UsageError(f"no mask can be read from {where}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise UsageError(
            f"{where} is no safetensors file, or is damaged ({error}): a mask is one that mask.save has "
            "written; what torch.save has written is read by torch.load"
        ) from error
    if not tensors and _ENTRY not in metadata:
        raise UsageError(f"{where} holds no mask: it has no tensors")
    if any(bool((tensor.view(torch.uint8) > 1).any()) for tensor in tensors.values()):
        raise UsageError(f"{where} is damaged: not all of its entries are true or false")
    return _in_order(tensors, metadata[_ENTRY], where) if _ENTRY in metadata else tensors


def _in_order(tensors: Mapping[str, Tensor], text: str, where: str) -> dict[str, Tensor]:
    """Return the layers in module order, after comparing them with what the metadata say."""
    try:
        entry: Any = json.loads(text)
        version, layers, digest = entry["version"], entry["layers"], entry["digest"]
        whole = sorted(layers) == sorted(tensors)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"{where} is damaged: its metadata cannot be read") from None
    if isinstance(version, int) and version > _VERSION:
        raise UsageError(
            f"{where} is a mask of version {version}; this prunebench reads up to {_VERSION}: use a newer one"
        )
    ordered = {name: tensors[name] for name in layers} if whole else {}
    if not whole or _digest(ordered) != digest:
        raise UsageError(f"{where} is damaged: its contents are not those that were written")
    return ordered


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, shapes and bits, in order."""
    sha = hashlib.sha256()
    for name, tensor in tensors.items():
        sha.update(json.dumps([name, list(tensor.shape)]).encode())
        sha.update(np.packbits(tensor.numpy().reshape(-1)).tobytes())
    return sha.hexdigest()
