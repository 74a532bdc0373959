"""A state of a run as an artifact, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prunebench.pruning.mask import Mask
from prunebench.store import Artifact
from prunebench.training.state import State

if TYPE_CHECKING:
    import torch

    from prunebench.pruning.filters import FilterGroups

__all__ = ["mask_from", "mask_layers", "mask_tensors", "pack_state", "trained_by", "unpack_state"]


def trained_by(meta: Mapping[str, Any]) -> str | None:
    """Return the numerics classes that trained what an artifact comes from; None where none did.

    Artifacts of before 2026-12 say of a state only which class wrote it.
    """
    provenance = meta.get("provenance") or {}
    trained = provenance.get("trained")
    if trained is None and meta.get("kind") == "state" and meta.get("step"):
        trained = provenance.get("numerics")
    return trained if isinstance(trained, str) else None


def mask_tensors(mask: Mask, part: str = "mask") -> tuple[dict[str, torch.Tensor], dict[str, list[int]]]:
    """Return a mask's bits, named part/layer, eight weights a byte, and its layers' shapes."""
    tensors = {f"{part}/{name}": packed for name, packed in mask.pack().items()}
    return tensors, {name: list(mask[name].shape) for name in mask}


def mask_layers(mask: Mask, groups: FilterGroups | None = None) -> list[dict[str, Any]]:
    """Return each layer's name and counts, as records hold them: of weights, and with groups of filters.

    Raises: UsageError for a mask that is not of whole filters, as they are tied.
    """
    layers = [{name: layer[name] for name in ("name", "kept", "prunable")} for layer in mask.layers()]
    if groups is not None:
        kept = groups.kept(mask)
        for layer in layers:
            own = groups.groups[layer["name"]]
            layer["filters"] = {"kept": int(kept[own].sum()), "prunable": len(own)}
    return layers


def mask_from(artifact: Artifact, part: str = "mask") -> Mask:
    """Return the mask of a mask artifact or of a pruned state, or another that it holds."""
    shapes = artifact.meta[f"{part}_shapes"]
    return Mask.unpack({name: artifact.tensors[f"{part}/{name}"] for name in shapes}, shapes)


def pack_state(state: State) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return a state's tensors and its metadata.

    The tensors are named parameters/…, buffers/…, mask/…, and by the optimiser's slots: momentum/….
    """
    parts = {"parameters": state.parameters, "buffers": state.buffers, **state.slots}
    tensors = {f"{part}/{name}": tensor for part, held in parts.items() for name, tensor in held.items()}
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

    parts: dict[str, dict[str, torch.Tensor]] = {"parameters": {}, "buffers": {}, "mask": {}}
    for path, tensor in artifact.tensors.items():
        part, _, name = path.partition("/")
        parts.setdefault(part, {})[name] = tensor
    del parts["mask"]  # packed: `mask_from`
    meta: Mapping[str, Any] = artifact.meta
    return State(
        parameters=parts.pop("parameters"),
        buffers=parts.pop("buffers"),
        slots=parts,
        mask=mask_from(artifact) if meta.get("mask_shapes") else None,
        step=meta["step"],
        curve=list(meta["curve"]),
        meter=dict(meta["meter"]),
        history=list(meta.get("history", [])),
    )
