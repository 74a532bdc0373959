"""Claims: who is working on what. They only save work; correctness never rests on them."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from prunebench.errors import StoreError
from prunebench.store._bounds import parse_json
from prunebench.store._commit import commit, listing, open_fresh, reading, server_now, writing
from prunebench.store._errors import Flaw
from prunebench.store._folder import Folder, check_label, logger, now_text
from prunebench.store._process import Owner

__all__ = ["STALE_AFTER", "Claim", "Claims"]

STALE_AFTER = 60.0
"""Seconds without a heartbeat after which a claim of another host counts as abandoned."""

_BEAT = 5.0
"""Seconds between heartbeats."""

_CONFIRMED = 12.0
"""Seconds for which an old claim is watched before it counts as abandoned: a living claimant touches it twice
in that time, whatever clocks say."""

_LOOK = 0.5
"""Seconds between two looks at claims that are watched."""

_LARGEST = 10_000
"""Bytes of a claim that are read."""

_ROOM = 600
"""Bytes of a claim's second line, which tells how far the work is. It is written over in place, so that it
takes no new file; whoever reads it half written reads nothing told."""


class _Said(BaseModel):
    """What a claim says."""

    model_config = ConfigDict(strict=True)

    host: Annotated[str, StringConstraints(max_length=200)]
    pid: Annotated[int, Field(ge=0, lt=2**31)]
    start: Annotated[int, Field(ge=0, lt=2**63)]
    token: str
    time: Annotated[str, StringConstraints(max_length=100)] = ""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A claim file as it was found: whose, which one, when it was last touched, when it was made."""

    owner: Owner | None
    token: str
    touched: float
    time: str = ""
    told: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Claim:
    """One's own claim on a key, kept alive by a heartbeat until it is released (or its process dies).

    Use it as a context manager. `lost` becomes true where another process has taken it over, which happens
    only when heartbeats did not reach the file system for long, or the process was suspended: going on is
    waste then, not damage.
    """

    def __init__(self, path: Path, key: str, token: str, every: float) -> None:
        self.key = key
        self.lost = False
        self._path = path
        self._token = token
        self._pid = os.getpid()
        self._over = threading.Event()
        # An open file keeps its inode: touching it can never touch another's claim of the same name.
        self._descriptor = os.open(path, os.O_RDWR)
        self._end = os.fstat(self._descriptor).st_size
        self._said: Mapping[str, Any] | None = None
        self._written: Mapping[str, Any] | None = None
        self._thread = threading.Thread(
            target=self._heartbeat, args=(every,), name=f"claim-{key[:12]}", daemon=True
        )
        self._thread.start()

    def tell(self, said: Mapping[str, Any]) -> None:
        """Say who works here and how far that is: `Store.running` shows it. Plain JSON values, of few bytes.

        It is written down the first time, and then with each heartbeat, however often it is said.
        """
        first, self._said = self._said is None, said
        if first:
            with contextlib.suppress(OSError):
                self._write()

    def _write(self) -> None:
        said = self._said
        if said is self._written or said is None:
            return
        line = orjson.dumps(said, default=str)
        if len(line) < _ROOM and hasattr(os, "pwrite"):
            os.pwrite(self._descriptor, line.ljust(_ROOM - 1) + b"\n", self._end)
        self._written = said

    def _heartbeat(self, every: float) -> None:
        while not self._over.wait(every):
            try:
                self._write()
                self._touch()
                taken = not os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
            except OSError as error:  # else the file system is away; the next beat may reach it
                taken = error.errno in (errno.ENOENT, errno.ESTALE)
            if taken and self._is_anothers():
                self.lost = True
                logger.warning("the claim on %s was taken over by another process", self.key)
                return

    def _is_anothers(self) -> bool:
        """True if the claim is certainly not this one any more. A file that another host removed is stale on
        NFS, and so is one whose server has started anew: its name says which it is."""
        try:
            seen = _look(self._path)
        except (OSError, StoreError):
            return False
        return seen is None or seen.token != self._token

    def _touch(self) -> None:
        """Let the claim's time be now: by writing where a file system sets no times."""
        try:
            os.utime(self._descriptor)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
                raise
            os.pwrite(self._descriptor, os.pread(self._descriptor, 1, 0), 0)

    def release(self) -> None:
        """Give the claim up; a second call does nothing, nor does one in a forked child."""
        if self._over.is_set() or os.getpid() != self._pid:
            return
        self._over.set()
        self._thread.join()
        with contextlib.suppress(OSError, StoreError):
            seen = _look(self._path)
            if seen is not None and seen.token == self._token:
                self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _look(path: Path) -> _Seen | None:
    """Return a claim as it stands, or None where there is none."""
    with reading(path):
        try:
            file = open_fresh(path.parent, path)
        except Flaw as flaw:
            raise StoreError(f"{path}: {flaw}; move it away") from None
        if file is None:
            return None
        with file:
            status = os.fstat(file.fileno())
            content = file.read(_LARGEST)
    first, _, second = content.partition(b"\n")
    try:
        said = _Said.model_validate_json(first)
        owner = Owner(said.host, said.pid, said.start)
        return _Seen(owner, check_label(said.token), status.st_mtime, said.time, _told(second))
    except (ValidationError, StoreError):  # being filled, or cut off: only time can tell
        return _Seen(None, f"unreadable-{status.st_ino}", status.st_mtime)


def _told(line: bytes) -> dict[str, Any]:
    """Return what a claim's second line says; nothing where that is half written, or no object."""
    try:
        told = parse_json(line.strip(), longest=_ROOM) if line.strip() else None
    except Flaw:
        return {}
    return told if isinstance(told, dict) else {}


class Claims:
    """The claims of a store: claims/<key>.json."""

    def __init__(self, folder: Folder, died: Callable[[str, Owner, str], object] | None = None) -> None:
        self._folder = folder
        self._died = died
        """Told of every claim that is removed because its claimant, a process of this host, is dead: of what
        key, whose, and since when it held it."""
        self._claims = folder.root / "claims"
        self._watched: dict[Path, tuple[_Seen, float]] = {}
        """Claims as they were last seen, and since when they have stood so, by a clock that never jumps."""

    def _path(self, key: str) -> Path:
        return self._claims / f"{check_label(key)}.json"

    def take(self, key: str, stale_after: float) -> Claim | None:
        """Return the claim on `key`, or None while somebody living holds it."""
        path = self._path(key)
        self._folder.changing()
        for _ in range(8):
            if not self._clear(path, stale_after):
                return None
            token = secrets.token_hex(8)
            with writing(path):
                if commit(path, [_content(key, token)]):
                    return Claim(path, key, token, min(_BEAT, stale_after / 4))
        return None  # others are quicker every time: one of them works on it

    def _stale(self, path: Path, seen: _Seen, after: float) -> bool:
        """True if a claimant is certainly dead; or was watched, and has given no sign for `after` seconds.

        What nothing certain is known of is watched: other hosts' processes, and suspended ones. No two clocks
        are compared for that, but to shorten it: a claim that looks older than `after` by the file server's
        clock has been so silent before, and is only watched for a moment.
        """
        if seen.owner is not None and seen.owner.here:
            if seen.owner.dead():
                return True
            if seen.owner.works():
                self._watched.pop(path, None)
                return False
        silent = self._silent(path, seen)
        return silent > after or (
            silent > min(_CONFIRMED, after) and self._looks_old(seen, after, self._now())
        )

    def _silent(self, path: Path, seen: _Seen) -> float:
        """Return for how long a claim has been watched, and has given no sign."""
        now = time.monotonic()
        known = self._watched.get(path)
        if known is None or known[0] != seen:
            known = self._watched[path] = (seen, now)
        return now - known[1]

    def _now(self) -> float:
        """Return the file server's time; this host's where nothing may be written."""
        return server_now(self._claims) if self._folder.write else time.time()

    def _looks_old(self, seen: _Seen, after: float, now: float) -> bool:
        """True if the last sign is not of these last seconds; whichever way this host's clock is off."""
        age = now - seen.touched
        return age > after or (age < -after and not self._folder.write)

    def running(self, stale_after: float, *, sure: bool = False) -> list[dict[str, object]]:
        """Return the living claims, oldest first: key, host, pid, time, and what they have told.

        `told` is what was given to `Claim.tell`, `touched` the time of the last sign of life. Another host's
        claim lives until it has been watched and gave no sign: by an object that looks again and again that
        comes by itself; to be `sure` at once, those that look old are watched now, for seconds.
        """
        first = seen = self._seen()
        until = time.monotonic() + 2 * _CONFIRMED
        while sure and time.monotonic() < until and self._doubtful(seen, first, stale_after):
            time.sleep(_LOOK)
            seen = self._seen()
        claims = [
            {
                "key": path.stem,
                "host": one.owner.host,
                "pid": one.owner.pid,
                "time": one.time,
                "touched": one.touched,
                "told": one.told,
            }
            for path, one in seen.items()
            if one.owner is not None and not self._is_over(path, one, stale_after)
        ]
        return sorted(claims, key=lambda claim: (str(claim["time"]), str(claim["key"])))

    def _seen(self) -> dict[Path, _Seen]:
        """Return the claims that can be read, as they stand."""
        with reading(self._claims):
            names = [name for name in listing(self._claims) if not name.startswith(".")]
        looks = ((path, _look(path)) for path in (self._claims / name for name in names))
        return {path: seen for path, seen in looks if seen is not None and seen.owner is not None}

    def _is_over(self, path: Path, seen: _Seen, after: float) -> bool:
        """True if nobody works on a claim any more; suspended processes of this host do."""
        assert seen.owner is not None
        return seen.owner.dead() if seen.owner.here else self._stale(path, seen, after)

    def _doubtful(self, seen: Mapping[Path, _Seen], first: Mapping[Path, _Seen], after: float) -> bool:
        """True if there is a claim of another host that may be dead, and has not been watched for long."""
        unknown = [
            one
            for path, one in seen.items()
            if one.owner is not None and not one.owner.here and one == first.get(path)
            if not self._stale(path, one, after)
        ]
        now = self._now() if unknown else 0.0
        return any(self._looks_old(one, after, now) for one in unknown)

    def keys(self) -> set[str]:
        """Return the keys that are claimed, by the living or the dead."""
        with reading(self._claims):
            names = listing(self._claims)
        return {name.removesuffix(".json") for name in names if not name.startswith(".")}

    def sweep(self, stale_after: float) -> list[Path]:
        """Remove stale claims; return their paths."""
        removed = []
        with reading(self._claims):
            names = listing(self._claims)
        for name in names:
            path = self._claims / name
            if name.startswith("."):
                if name.endswith(".takeover") and self._clear_mark(path, stale_after):
                    removed.append(path)
            elif name.endswith(".json"):
                seen = _look(path)
                if (
                    seen is not None
                    and self._stale(path, seen, stale_after)
                    and self._clear(path, stale_after)
                ):
                    removed.append(path)
        return removed

    def _clear(self, path: Path, stale_after: float) -> bool:
        """Remove a claim if it is stale. Return False where it is held, or another process is removing it.

        Who may remove it is settled by a mark that names that very claim and is created exclusively, so that
        a claim made after the stale one was seen is never removed in its stead.
        """
        with writing(path):
            seen = _look(path)
            if seen is None:
                return True
            if not self._stale(path, seen, stale_after):
                return False
            mark = path.with_name(f".{path.stem}.{seen.token}.takeover")
            if not commit(mark, [_content(path.stem, seen.token)]):
                return self._clear_mark(mark, stale_after)
            try:
                again = _look(path)
                if again is not None and again.token == seen.token and self._stale(path, again, stale_after):
                    logger.info("removing the claim on %s: its claimant is gone", path.stem)
                    if self._died is not None and seen.owner is not None and seen.owner.dead():
                        self._died(path.stem, seen.owner, seen.time)
                    path.unlink(missing_ok=True)
            finally:
                mark.unlink(missing_ok=True)
            return True

    def _clear_mark(self, mark: Path, stale_after: float) -> bool:
        """Remove the mark of a process that died while it took a claim over; return whether it is gone."""
        seen = _look(mark)
        if seen is not None and not self._stale(mark, seen, stale_after):
            return False
        mark.unlink(missing_ok=True)
        return True


def _content(key: str, token: str) -> bytes:
    me = Owner.me()
    claim = {
        "key": key,
        "host": me.host,
        "pid": me.pid,
        "start": me.start,
        "token": token,
        "time": now_text(),
    }
    return orjson.dumps(claim) + b"\n"
