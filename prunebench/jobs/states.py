"""A state of a run as an artifact, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prunebench.pruning.mask import Mask
from prunebench.store import Artifact
from prunebench.training.state import State

if TYPE_CHECKING:
    import torch

__all__ = ["mask_from", "mask_layers", "mask_tensors", "pack_state", "unpack_state"]


def mask_tensors(mask: Mask, part: str = "mask") -> tuple[dict[str, torch.Tensor], dict[str, list[int]]]:
    """Return a mask's bits, named part/layer, eight weights a byte, and its layers' shapes."""
    tensors = {f"{part}/{name}": packed for name, packed in mask.pack().items()}
    return tensors, {name: list(mask[name].shape) for name in mask}


def mask_layers(mask: Mask) -> list[dict[str, Any]]:
    """Return each layer's name and counts, as records hold them."""
    return [{name: layer[name] for name in ("name", "kept", "prunable")} for layer in mask.layers()]


def mask_from(artifact: Artifact, part: str = "mask") -> Mask:
    """Return the mask of a mask artifact or of a pruned state, or another that it holds."""
    shapes = artifact.meta[f"{part}_shapes"]
    return Mask.unpack({name: artifact.tensors[f"{part}/{name}"] for name in shapes}, shapes)


def pack_state(state: State) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return a state's tensors, named parameters/…, buffers/…, momentum/…, mask/…, and its metadata."""
    tensors: dict[str, torch.Tensor] = {}
    for prefix in ("parameters", "buffers", "momentum"):
        tensors |= {f"{prefix}/{name}": tensor for name, tensor in getattr(state, prefix).items()}
    meta: dict[str, Any] = {"step": state.step, "curve": state.curve, "meter": state.meter}
    if state.history:
        meta["history"] = state.history
    if state.mask is not None:
        bits, shapes = mask_tensors(state.mask)
        tensors |= bits
        meta["mask_shapes"] = shapes
    return tensors, meta


def unpack_state(artifact: Artifact) -> State:
    """Return the state that `pack_state` wrote (of a finished part of a run, not of a diverged one)."""

    def part(prefix: str) -> dict[str, Any]:
        cut = len(prefix) + 1
        return {
            name[cut:]: tensor for name, tensor in artifact.tensors.items() if name.startswith(prefix + "/")
        }

    meta: Mapping[str, Any] = artifact.meta
    return State(
        parameters=part("parameters"),
        buffers=part("buffers"),
        momentum=part("momentum"),
        mask=mask_from(artifact) if meta.get("mask_shapes") else None,
        step=meta["step"],
        curve=list(meta["curve"]),
        meter=dict(meta["meter"]),
        history=list(meta.get("history", [])),
    )
