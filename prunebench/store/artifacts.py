"""Artifacts: what jobs make, one safetensors file each (states, scores, masks)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from prunebench.errors import StoreError
from prunebench.store import _safetensors
from prunebench.store._commit import commit, hide, listing, unhide, writing
from prunebench.store._errors import Damaged, Flaw, Missing
from prunebench.store._folder import Folder, check_key

if TYPE_CHECKING:
    from pathlib import Path

    import torch

__all__ = ["Artifact", "Artifacts"]

_NAME = re.compile(
    r"(?P<key>[0-9a-f]{64}(?:@(?P<step>0|[1-9][0-9]*))?)(?P<checkpoint>\.checkpoint)?\.safetensors"
)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A job's output: tensors on the CPU, and a meta that says what made it, from what, on what machine.

    `digest` is the SHA-256 of the tensors and the meta less its "provenance": that is where all belongs that
    may differ between two makings of the same bits, such as a time.
    """

    key: str
    tensors: dict[str, torch.Tensor]
    meta: dict[str, Any]
    digest: str


class Artifacts:
    """Artifacts: artifacts/ab/<key>.safetensors; checkpoints <key>.checkpoint.safetensors."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def path(self, key: str, checkpoint: bool = False) -> Path:
        """Return where an artifact is or would be."""
        suffix = ".checkpoint.safetensors" if checkpoint else ".safetensors"
        return self._folder.path("artifacts", check_key(key, state=True), suffix)

    def write(
        self, key: str, tensors: Mapping[str, torch.Tensor], meta: Mapping[str, Any], checkpoint: bool
    ) -> Artifact:
        """Commit an artifact, or return the one that was committed first."""
        path = self.path(key, checkpoint)
        self._folder.changing()
        pieces, plain, spelled, digest = _safetensors.encode(key, tensors, meta)
        for _ in range(8):
            if commit(path, pieces):
                return Artifact(key, plain, spelled, digest)
            try:
                return self.read(key, checkpoint)
            except (Missing, Damaged):
                continue  # the first one is dropped or set aside by now: ours may stand
        raise StoreError(f"{path} can be neither written nor read: it is there, and gone when it is opened")

    def read(self, key: str, checkpoint: bool, fits: _safetensors.Fits | None = None) -> Artifact:
        """Return an artifact; its digest is verified, and with `fits` that it is the one that is wanted."""

        def parse(file: BinaryIO) -> Artifact:
            artifact = Artifact(key, *_safetensors.decode(file, key))
            if fits is not None and (wrong := fits(artifact.meta)) is not None:
                raise Flaw(wrong)
            return artifact

        return self._folder.read(self.path(key, checkpoint), parse)

    def meta(
        self, key: str, checkpoint: bool, fits: _safetensors.Fits | None = None
    ) -> dict[str, Any] | None:
        """Return an artifact's meta with its "digest", from the header; None where missing or damaged."""
        parse = partial(_safetensors.read_header, key=key, fits=fits)
        try:
            return self._folder.read(self.path(key, checkpoint), parse)
        except (Missing, Damaged):
            return None

    def drop(self, key: str, checkpoint: bool, unless: Callable[[], bool] | None = None) -> bool:
        """Remove an artifact; return whether it was there, and is gone.

        `unless` is asked once nobody can see the artifact any more; where it says so, that is put back.
        """
        path = self.path(key, checkpoint)
        self._folder.changing()
        with writing(path):
            hidden = hide(path)
            if hidden is None:
                return False
            back = True
            try:
                back = unless is not None and unless()
            finally:
                if back:
                    unhide(hidden, path)
                else:
                    hidden.unlink(missing_ok=True)
        return not back

    def keys(self) -> set[str]:
        """Return the keys of all artifacts but checkpoints."""
        matches = map(_NAME.fullmatch, self._folder.names("artifacts"))
        return {match["key"] for match in matches if match and not match["checkpoint"]}

    def states(self, run: str) -> list[tuple[int, bool]]:
        """Return the states of a run: (step, whether it is a checkpoint), by rising step."""
        check_key(run)
        matches = map(_NAME.fullmatch, listing(self._folder.root / "artifacts" / run[:2]))
        return sorted(
            (int(match["step"]), bool(match["checkpoint"]))
            for match in matches
            if match and match["step"] and match["key"].startswith(f"{run}@")
        )
