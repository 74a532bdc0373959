"""A finished cell's weights and mask as one file that needs no prunebench to read."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from prunebench._version import __version__
from prunebench.errors import StoreError, UsageError
from prunebench.inventory.estimate import marginal
from prunebench.inventory.finished import FinishedCell
from prunebench.jobs.binding import artifact_of
from prunebench.store import Damaged, Missing, Store

if TYPE_CHECKING:
    import torch
    from torch import nn

    from prunebench.training.state import State

__all__ = ["check_output", "export", "export_mask"]

Format = Literal["safetensors", "pt"]


def export(
    finished: FinishedCell,
    network: nn.Module,
    state: State,
    output: Path,
    *,
    format: Format = "safetensors",
    force: bool = False,
) -> bool:
    """Write a cell's weights and mask to a file, atomically; True if they evaluate as the record says.

    safetensors: the module's own state dict, boolean tensors `mask.NAME`, and metadata about the cell.
    pt: a dict {"state_dict": …, "mask": {NAME: …}}. Of an unpruned cell there is no mask.
    `network` holds the values of `state`, the cell's end state.

    Raises: UsageError where the file exists; StoreError where it cannot be written.
    """
    check_output(output, force)
    weights = {name: tensor.detach().contiguous().clone() for name, tensor in network.state_dict().items()}
    masks = {name: state.mask[name].clone() for name in state.mask} if state.mask is not None else {}
    agrees = _agrees(state.curve, finished.record.result)
    _write(output, weights, masks, _metadata(finished, agrees), format, force)
    return agrees


def check_output(output: Path, force: bool) -> None:
    """Refuse a file that cannot be written, before anything is made for it. Raises: UsageError."""
    if output.is_dir():
        raise UsageError(f"{output} is a folder: give a file in it with -o FILE")
    if output.exists() and not force:
        raise UsageError(f"{output} exists: give another name with -o FILE, or --force to replace it")
    if not output.parent.is_dir() or not os.access(output.parent, os.W_OK):
        there = "cannot be written to" if output.parent.is_dir() else "does not exist"
        raise UsageError(f"the folder {output.parent} {there}: give another file with -o FILE")


def export_mask(
    finished: FinishedCell, store: Store, output: Path, *, format: Format = "safetensors", force: bool = False
) -> None:
    """Write a cell's mask to a file, atomically, as it is in the store: nothing is made again.

    safetensors: boolean tensors `mask.NAME`, and metadata about the cell; pt: a dict {"mask": {NAME: …}}.
    A cell that diverged has its mask too.

    Raises: UsageError where the cell is unpruned or the file exists; StoreError where the mask is not in the
    store, saying what it takes to make it again, or where the file cannot be written.
    """
    check_output(output, force)
    masks = _stored_mask(finished, store)
    _write(output, {}, masks, _metadata(finished, True), format, force)


def _stored_mask(finished: FinishedCell, store: Store) -> dict[str, torch.Tensor]:
    """Return the mask that the record names, or that of the end state where that was kept."""
    from prunebench.jobs.states import mask_from

    about = finished.record.result.get("mask")
    if about is None:
        raise UsageError(f"{finished.cell.id} has no mask: nothing of it was pruned")
    for key in (about["key"], finished.state):
        with contextlib.suppress(Missing, Damaged):
            artifact = store.read_artifact(key, fits=artifact_of(finished.plan.jobs[key]))
            if artifact.meta.get("mask_shapes"):
                mask = mask_from(artifact)
                return {name: mask[name].clone() for name in mask}
    plan = finished.plan
    jobs = plan.remaining([about["key"]], store.has_artifact)
    kinds = Counter(plan.jobs[key].kind for key in jobs)
    macs = sum(marginal(plan, key) for key in jobs)
    made = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    raise StoreError(
        f"the mask of {finished.cell.id} is not in {store.root} any more. To make it again takes {len(jobs)} "
        f"job{'s' * (len(jobs) != 1)} ({made}; {macs / 1e9:.3g} GMAC), and the weights the whole training: "
        f"`prunebench export {finished.cell.key[:12]}` without --mask does both"
    )


def _agrees(curve: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> bool:
    names = ("correct", "examples", "loss")
    return bool(curve) and all(curve[-1].get(name) == result["test"][name] for name in names)


def _metadata(finished: FinishedCell, agrees: bool) -> dict[str, str]:
    """Return what the file says of itself: strings, as safetensors wants."""
    record, plan = finished.record, finished.plan
    about = {
        "cell": finished.cell.id,
        "key": finished.cell.key,
        "suite": {name: plan.suite.get(name) for name in ("name", "version", "digest")},
        "resolved": record.result["cell"],
        "outcome": record.result["outcome"],
        "test": record.result.get("test"),
        "made_again_with_other_bits": not agrees,
        "components": record.provenance.get("components"),
        "numerics": record.provenance.get("numerics"),
        "prunebench": __version__,
    }
    return {"format": "pt", "prunebench": orjson.dumps(about).decode()}


def _write(
    output: Path,
    weights: Mapping[str, torch.Tensor],
    masks: Mapping[str, torch.Tensor],
    metadata: dict[str, str],
    format: Format,
    force: bool,
) -> None:
    if format == "pt":
        import torch

        buffer = io.BytesIO()
        parts = {"state_dict": dict(weights)} if weights else {}
        torch.save({**parts, "mask": dict(masks)}, buffer)
        content = buffer.getvalue()
    else:
        from safetensors.torch import save

        named = {f"mask.{name}": mask for name, mask in masks.items()}
        content = save({**weights, **named}, metadata=metadata)
    temporary = output.with_name(f".{output.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _publish(temporary, output, force)
    except FileExistsError as error:
        raise UsageError(f"{output} exists: give another name with -o FILE, or --force") from error
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _publish(temporary: Path, output: Path, force: bool) -> None:
    """Make the file visible whole; without `force` never in place of another."""
    if force:
        os.replace(temporary, output)
        return
    try:
        os.link(temporary, output)
    except FileExistsError:
        raise
    except OSError:  # no hard links here
        if output.exists():
            raise FileExistsError(str(output)) from None
        os.replace(temporary, output)
