"""The store: a folder, no server, safe on a shared file system. This class only hands on to its parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import orjson

from prunebench.errors import StoreError
from prunebench.store._aside import aside_since
from prunebench.store._commit import (
    commit,
    folders_for_a_moment,
    reading,
)
from prunebench.store._errors import Missing
from prunebench.store._folder import Folder, SetAside
from prunebench.store._format import FORMAT, format_of
from prunebench.store._logs import Logs
from prunebench.store._process import Owner
from prunebench.store._safetensors import Fits as MetaFits
from prunebench.store._safety import check_safe
from prunebench.store.artifacts import Artifact, Artifacts
from prunebench.store.attempts import Attempts
from prunebench.store.claims import STALE_AFTER, Claim, Claims
from prunebench.store.plans import Plans
from prunebench.store.records import Fits, Record, Results
from prunebench.store.runs import Runs
from prunebench.store.sweep import OLD, sweep_temporary
from prunebench.store.times import Times

if TYPE_CHECKING:
    import torch

__all__ = ["FORMAT", "Store"]

T = TypeVar("T")

_OPTION = " with --store DIR or PRUNEBENCH_STORE"


class Store:
    """Artifacts, records, measures, attempts, plans, claims and logs under one folder.

    Every file is written under a temporary name, flushed, and made visible whole by a step that fails where
    the name exists: the first commit wins, and who comes second gets what the first one wrote. What is read
    is verified; damaged files are set aside, said in the log, and then count as missing.

    Several threads, processes and hosts may use one store at the same time.
    """

    def __init__(self, root: Path, *, write: bool, mend: bool = False) -> None:
        self.root = root
        self.writable = write
        self._folder = Folder(root, write, mend)
        self._artifacts = Artifacts(self._folder)
        self._records = Results(self._folder, "records")
        self._measures = Results(self._folder, "measures")
        self._attempts = Attempts(self._folder)
        self._plans = Plans(self._folder)
        self._logs = Logs(self._folder)
        self._claims = Claims(self._folder, self._died)
        self._ended: Mapping[int, int] = {}
        self.times = Times(self._folder)
        """How long jobs took."""
        self.runs = Runs(self._folder, self._attempts)
        """How runs began."""

    @classmethod
    def open(
        cls,
        root: Path | str,
        *,
        create: bool = True,
        write: bool = True,
        absent_ok: bool = False,
        mend: bool = False,
        option: str = _OPTION,
    ) -> Store:
        """Open the store at `root`; with `create`, make it where there is none.

        With `write=False` nothing is created or changed; with `absent_ok` too, a store that is not there
        reads as an empty one; with `mend` too, damaged files are set aside all the same, where that can be.
        `option` says how a user gives another store; "" where an argument names it.

        Raises: Missing where there is no store and none is to be made; StoreError where it is a file, a
        folder with something else in it, not writable, damaged, or of a newer format, with what to do.
        """
        root = Path(root)
        there = cls._is_there(root, option)
        if not there and not (write and create):
            if write or not absent_ok:
                raise Missing(f"no store at {root}; `prunebench run SUITE` makes one; name another{option}")
        elif write:
            with folders_for_a_moment(root):
                check_safe(root, option, new=not there)
                if not there:
                    commit(root / "store.json", [orjson.dumps({"format": FORMAT}) + b"\n"])
        return cls(root, write=write, mend=mend)

    @classmethod
    def check(cls, root: Path | str, *, option: str = _OPTION) -> None:
        """Refuse what `open` would refuse to write to, or to make; all is left as it was.

        Raises: StoreError.
        """
        root = Path(root)
        with folders_for_a_moment(root):
            check_safe(root, option, new=not cls._is_there(root, option))

    @classmethod
    def _is_there(cls, root: Path, option: str) -> bool:
        """True if there is a store. Raises: StoreError for a file, and one that this version cannot use."""
        with reading(root):
            if os.path.exists(root) and not root.is_dir():
                raise StoreError(f"the store {root} is a file; give a folder{option}")
        return format_of(root, option) is not None

    # -- artifacts ---------------------------------------------------------------------------------------

    def write_artifact(
        self,
        key: str,
        tensors: Mapping[str, torch.Tensor],
        meta: Mapping[str, Any],
        *,
        checkpoint: bool = False,
    ) -> Artifact:
        """Commit an artifact; where one of this key is there, return that one instead.

        `key` is 64 hexadecimal digits, for a state of a run with "@" and its step. `meta` is plain JSON: what
        made it, from what. Its entry "provenance" is kept but not part of the digest; "digest" is refused.
        A checkpoint never collides with the state of the same key.

        Raises: StoreError; ValueError or TypeError for a meta without a canonical JSON (NaN among them).
        """
        return self._artifacts.write(key, tensors, meta, checkpoint)

    def read_artifact(self, key: str, *, checkpoint: bool = False, fits: MetaFits | None = None) -> Artifact:
        """Return an artifact, its digest verified; `fits` says why its meta are not those that are wanted.

        Raises: Missing; Damaged, once the file has been set aside; StoreError for a newer format.
        """
        return self._artifacts.read(key, checkpoint, fits)

    def artifact_meta(
        self, key: str, checkpoint: bool = False, fits: MetaFits | None = None
    ) -> dict[str, Any] | None:
        """Return an artifact's meta and, as "digest", its digest, from the header alone; None where missing.

        The meta is verified, the tensors are not; a file found damaged is set aside and counts as missing.
        """
        return self._artifacts.meta(key, checkpoint, fits)

    def has_artifact(self, key: str, checkpoint: bool = False) -> bool:
        """True if an artifact's file is there (it is verified when it is read)."""
        return self._folder.has(self._artifacts.path(key, checkpoint))

    def artifact_path(self, key: str, checkpoint: bool = False) -> Path:
        """Return where an artifact is or would be."""
        return self._artifacts.path(key, checkpoint)

    def artifact_keys(self) -> set[str]:
        """Return the keys of all artifacts, without checkpoints."""
        return self._artifacts.keys()

    def states(self, run: str) -> list[tuple[int, bool]]:
        """Return the states of a run that are there: (step, whether it is a checkpoint), by rising step."""
        return self._artifacts.states(run)

    def drop_artifact(
        self, key: str, checkpoint: bool = False, *, unless: Callable[[], bool] | None = None
    ) -> bool:
        """Remove an artifact that nobody needs; return whether it was there, and is gone.

        `unless` is asked once nobody can see it any more; where it returns True, the artifact is put back. So
        whoever has seen it there had said before, where `unless` looks, that it is needed.
        """
        return self._artifacts.drop(key, checkpoint, unless)

    def set_aside(
        self,
        key: str,
        reason: str,
        *,
        checkpoint: bool = False,
        part: Literal["artifact", "record", "measure"] = "artifact",
    ) -> Path | None:
        """Move a file that may not be used to set-aside/, with a note of the reason: it is missing then.

        Returns its new path, None where it was not there.
        """
        self._folder.changing()
        if part == "artifact":
            path = self._artifacts.path(key, checkpoint)
        else:
            path = (self._records if part == "record" else self._measures).path(key)
        return self._folder.set_aside(path, reason)

    @property
    def mends(self) -> bool:
        """True if what is found damaged is set aside, where that can be."""
        return self._folder.write or self._folder.mend

    def mend(self) -> None:
        """Set aside what this object has found damaged while it only read, and what it will find."""
        self._folder.set_found_aside()

    @property
    def damaged(self) -> list[SetAside]:
        """What this object has found damaged or unusable so far: it counts as missing."""
        return list(self._folder.found)

    def set_aside_files(self, since: str = "") -> list[SetAside]:
        """Return what lies in set-aside/, oldest first, whichever process put it there.

        `since` is a time as `now_text` spells it. A file that was set aside twice is there twice.
        """
        return aside_since(self._folder, since)

    # -- records and measures ----------------------------------------------------------------------------

    def write_record(self, key: str, result: Mapping[str, Any], provenance: Mapping[str, Any]) -> Record:
        """Commit a finished cell's result; where one of this key is there, return that one instead.

        Raises: StoreError; ValueError or TypeError for values without a canonical JSON (NaN among them), or
        for what is no cell's result.
        """
        return self._records.write(key, result, provenance)

    def read_record(self, key: str, fits: Fits | None = None) -> Record:
        """Return a record, its digest verified; `fits` says why one is not what is wanted, None where it is.

        Raises: Missing; Damaged, once the file has been set aside; StoreError for a newer schema.
        """
        return self._records.read(key, fits)

    def has_record(self, key: str) -> bool:
        """True if a record is there."""
        return self._records.has(key)

    def record_keys(self) -> set[str]:
        """Return the keys of all records (one listing per folder, no file is opened)."""
        return self._records.keys()

    def write_measure(self, key: str, result: Mapping[str, Any], provenance: Mapping[str, Any]) -> Record:
        """Commit a diagnostic's result; like `write_record`."""
        return self._measures.write(key, result, provenance)

    def read_measure(self, key: str, fits: Fits | None = None) -> Record:
        """Return a measure; like `read_record`."""
        return self._measures.read(key, fits)

    def has_measure(self, key: str) -> bool:
        """True if a measure is there."""
        return self._measures.has(key)

    def measure_keys(self) -> set[str]:
        """Return the keys of all measures."""
        return self._measures.keys()

    # -- attempts, plans, logs ---------------------------------------------------------------------------

    def write_attempt(
        self,
        key: str,
        error: str,
        log_tail: str = "",
        signal: int | str | None = None,
        job: Mapping[str, Any] | None = None,
        worker: int | None = None,
    ) -> Path:
        """Write a failure down, apart from all results: asking again tries again.

        `worker` is the number of the process that failed, where that is another of this host.
        """
        return self._attempts.write(key, error, log_tail, signal, job, worker)

    def attempts(self, key: str) -> list[dict[str, Any]]:
        """Return the failures of a key, newest last."""
        return self._attempts.of(key)

    def attempt_keys(self) -> set[str]:
        """Return the keys that have failures (one listing, no file is opened)."""
        return self._attempts.keys()

    def has_attempts(self, key: str) -> bool:
        """True if a key has failures."""
        return self._attempts.any(key)

    def write_plan(self, name: str, plan: bytes) -> Path:
        """Write a frozen plan, one JSON value, or replace it whole; return its path."""
        return self._plans.write(name, plan)

    def keep_states(self, plan: str) -> None:
        """Let everybody who works on a plan keep the weights of pruned networks, from now on."""
        self._plans.keep_states(plan)

    def keeps_states(self, plan: str) -> bool:
        """True if everybody who works on a plan is to keep the weights of pruned networks."""
        return self._plans.keeps_states(plan)

    def read_plan(self, path: Path, parse: Callable[[bytes], T], *, unsealed: bool = False) -> T | None:
        """Return what `parse` makes of a frozen plan, its checksum verified; ValueError says that it is none.

        None for a plan of another format: a newer one, or, unless `unsealed`, one of format 1, which has no
        checksum and must not be trusted. Raises: Missing; Damaged, once it has been set aside; StoreError.
        """
        return self._plans.read(path, parse, unsealed=unsealed)

    def plans(self, suite: str | None = None) -> list[Path]:
        """Return the frozen plans of a suite, or all, newest last."""
        return self._plans.of(suite)

    def log_path(self, key: str) -> Path:
        """Return where a job's log is; its folder exists then if the store may be written."""
        return self._logs.path(key)

    def begin_log(self, key: str) -> Path:
        """Return where a job's log is, once it is there; one that this user may not write to is set aside."""
        return self._logs.begin(key)

    def log_tail(self, key: str, lines: int = 50) -> str:
        """Return the last lines of a job's log; nothing where it cannot be read."""
        return self._logs.tail(key, lines)

    def _died(self, key: str, owner: Owner, since: str) -> None:
        """Write down that a process died while it worked on a key, unless who killed it has said why."""
        if any(
            (one["host"], one["pid"]) == (owner.host, owner.pid) and one["time"] >= since
            for one in self._attempts.of(key)
        ):
            return
        self._attempts.write_death(key, owner.pid, self._ended.get(owner.pid), self.log_tail(key))

    # -- claims ------------------------------------------------------------------------------------------

    def claim(self, key: str, *, stale_after: float = STALE_AFTER) -> Claim | None:
        """Claim the work on a key, or return None while somebody living holds it.

        A claim whose claimant on this host is dead, or on another host has not touched it for `stale_after`
        seconds (by the file server's clock), is taken over. Look again whether the work is done once you
        hold the claim: whoever held it before may have finished.
        """
        return self._claims.take(key, stale_after)

    def running(self, *, stale_after: float = STALE_AFTER, sure: bool = False) -> list[dict[str, object]]:
        """Return who is working on what, oldest first: living claims (key, host, pid, time, touched, told).

        `touched` is the last sign of life, in seconds, `told` what `Claim.tell` was given last. What another
        host claimed counts as living until an object that looks again and again has seen no sign of life for
        long; to be `sure` at once, claims that look old are watched for seconds. No two clocks are compared
        for that.
        """
        return self._claims.running(stale_after, sure=sure)

    def claimed_keys(self) -> set[str]:
        """Return the keys that are claimed, by the living or the dead (one listing, no file is opened)."""
        return self._claims.keys()

    def bury(self, ended: Mapping[int, int] | None = None) -> list[Path]:
        """Remove the claims of dead processes of this host, with an attempt for each; return their paths.

        `ended` are the exit codes, a signal negative, of processes that the caller has seen end, by number.
        """
        self._ended = {} if ended is None else ended
        try:
            return self._claims.sweep(OLD)
        finally:
            self._ended = {}

    def sweep(self, *, old: float = OLD) -> list[Path]:
        """Remove and return what dead processes of this host, or others over `old` seconds ago, left."""
        return [*sweep_temporary(self._folder, old), *self._claims.sweep(old)]
