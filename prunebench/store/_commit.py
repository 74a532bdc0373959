"""Atomic commits on any file system: a file is visible whole or not at all, and a name's first commit wins.

A file is written under a temporary name in its own folder, flushed to disk, and linked to its final name,
which fails where that name exists. Where the file system knows no hard links, the final name is created
exclusively and filled; a mark beside it (the temporary file, now named `.copying`) says that this is going
on, so that readers wait instead of taking it for damaged.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from prunebench.errors import StoreError
from prunebench.store._errors import Flaw, Unwritable
from prunebench.store._process import Owner

__all__ = [
    "Leftover",
    "being_copied",
    "commit",
    "exists",
    "folders_for_a_moment",
    "hide",
    "listing",
    "make_folder",
    "oddity",
    "open_fresh",
    "reading",
    "replace",
    "server_now",
    "share",
    "sync_folder",
    "temporary",
    "unhide",
    "writing",
]

STORE_OPTION = "store with --store DIR or PRUNEBENCH_STORE"
"""What a user may give another of, where nothing else is said."""

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
"""What file systems without hard links answer (FAT, some network and user-space ones)."""

_SPACE = "free some space and run again: what is finished is kept"
_LIMIT = "raise the limit on files' sizes (ulimit -f), or give another {other}"
_FOLDER = "a file stands where a folder is needed; give another {other}"
_GONE = "its disk or file server fails: run again once that works; what is finished is kept"

_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _SPACE),
    errno.EFBIG: _LIMIT,
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), _FOLDER),
    **dict.fromkeys((errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT), _GONE),
}
"""What is said of an error, by its number."""

_TEMPORARY = re.compile(
    r"\.(?P<name>.+)\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.(?P<start>\d+)\.[0-9a-f]{8}\.(?P<kind>tmp|copying)"
)


class Leftover:
    """A temporary file's name, read: the file it was to become, who made it, and what was going on."""

    __slots__ = ("copying", "name", "owner")

    def __init__(self, name: str, owner: Owner, copying: bool) -> None:
        self.name, self.owner, self.copying = name, owner, copying

    @classmethod
    def parse(cls, filename: str) -> Leftover | None:
        """Return None for any other file's name."""
        match = _TEMPORARY.fullmatch(filename)
        if match is None:
            return None
        owner = Owner(match["host"], int(match["pid"]), int(match["start"]))
        return cls(match["name"], owner, match["kind"] == "copying")


@contextlib.contextmanager
def writing(path: Path, other: str = STORE_OPTION) -> Iterator[None]:
    """Turn an OSError into an Unwritable that says what to do; `other` is what a user may give instead."""
    try:
        yield
    except OSError as error:
        what = error.strerror or str(error)
        advice = _ADVICE.get(error.errno or 0, "make it writable, or give another {other}")
        raise Unwritable(f"cannot write {path}: {what}; {advice.format(other=other)}") from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot read {path}: {error.strerror or error}; "
            f"make it readable, or give another store with --store DIR or PRUNEBENCH_STORE"
        ) from error


def temporary(path: Path) -> Path:
    """Return a new temporary name beside `path` that tells whose it is."""
    me = Owner.me()
    return path.with_name(f".{path.name}.{me.host}.{me.pid}.{me.start}.{secrets.token_hex(4)}.tmp")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, where its file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder where there is none; in a store, with the permissions of the one above.

    A store that a group may write to stays so in all its folders, whatever the umask of who makes them.
    """
    if folder.is_dir():
        return
    above = folder.parent
    make_folder(above)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        share(folder, above)
    sync_folder(above)


@contextlib.contextmanager
def folders_for_a_moment(folder: Path) -> Iterator[None]:
    """Remove those of a folder and the ones above that are made meanwhile, unless somebody uses them."""
    lacking = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # in use: so are those above
            for one in lacking:
                one.rmdir()


def share(path: Path, folder: Path) -> None:
    """Let those write to a new file or folder of a store who may write to the folder that it is in."""
    store = any((one / "store.json").exists() for one in (folder, folder.parent, folder.parent.parent))
    with contextlib.suppress(OSError):  # some file systems know no permissions
        above, mode = os.stat(folder).st_mode, stat.S_IMODE(os.stat(path).st_mode)
        more = (0o060 if above & 0o020 else 0) | (0o006 if above & 0o002 else 0)
        if path.is_dir():
            more |= (above & 0o011 if more else 0) | (above & stat.S_ISGID)
        if store and mode | more != mode:
            os.chmod(path, mode | more)


def _write_temporary(path: Path, chunks: Iterable[bytes | memoryview]) -> Path:
    """Write and flush a temporary file beside `path`; leaves nothing behind where that fails."""
    make_folder(path.parent)
    hidden = temporary(path)
    try:
        with hidden.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    return hidden


def commit(path: Path, chunks: Iterable[bytes | memoryview]) -> bool:
    """Make `path` with these bytes visible, whole. Return False, changing nothing, where the name exists.

    Raises: StoreError where the folder cannot be written.
    """
    with writing(path):
        try:
            won = _commit(path, chunks)
        except FileNotFoundError:  # the temporary file was swept: a clock has jumped by days
            if not isinstance(chunks, Sequence):
                raise
            won = _commit(path, chunks)
        if won:
            sync_folder(path.parent)
        return won


def _commit(path: Path, chunks: Iterable[bytes | memoryview]) -> bool:
    hidden = _write_temporary(path, chunks)
    try:
        return _link(hidden, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _copy(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)


def _link(hidden: Path, path: Path) -> bool:
    try:
        os.link(hidden, path)
    except FileExistsError:
        # A network server may have linked it and lost its answer: then there are two names for our file.
        return os.stat(hidden).st_nlink == 2
    return True


def _copy(hidden: Path, path: Path) -> bool:
    """Create `path` exclusively and fill it; a mark beside it says so meanwhile."""
    mark = hidden.with_name(hidden.name.removesuffix(".tmp") + ".copying")
    os.rename(hidden, mark)
    try:
        try:
            target = path.open("xb")
        except FileExistsError:
            return False
        try:
            with target, mark.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return True
    finally:
        mark.unlink(missing_ok=True)


def replace(path: Path, content: bytes, other: str = STORE_OPTION) -> None:
    """Write `path` anew, whole: readers see the old content or the new.

    `other` is what a user may give another of. Raises: StoreError where the folder cannot be written.
    """
    with writing(path, other):
        hidden = _write_temporary(path, [content])
        try:
            os.replace(hidden, path)
        finally:
            hidden.unlink(missing_ok=True)
        sync_folder(path.parent)


def hide(path: Path) -> Path | None:
    """Give a file a temporary name, which readers do not see, and return that; None where it is not there."""
    hidden = temporary(path)
    with contextlib.suppress(OSError):  # an old one would be swept by other hosts; another user's can be none
        os.utime(path)
    try:
        os.rename(path, hidden)
    except FileNotFoundError:
        return None
    return hidden


def unhide(hidden: Path, path: Path) -> None:
    """Give a file its name back, unless somebody has committed another of that name meanwhile."""
    try:
        os.link(hidden, path)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.rename(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)


def listing(folder: Path, *, strict: bool = True) -> list[str]:
    """Return a folder's entries as the server has them now (opening a folder ends what a client cached).

    Of a folder that is not there: none. Raises: StoreError where it cannot be read, or, with `strict`, where
    something else stands in its place.
    """
    with reading(folder):
        try:
            return os.listdir(folder)
        except FileNotFoundError:
            return []
        except NotADirectoryError:
            if not strict or not os.path.lexists(folder):
                return []
            raise StoreError(
                f"{folder} is no folder, and one is needed there: move it away, or give another store "
                f"with --store DIR or PRUNEBENCH_STORE"
            ) from None


def _listed(root: Path, path: Path) -> bool:
    """True if fresh listings from `root` down to `path` have it."""
    folder = root
    for part in path.relative_to(root).parts:
        if part not in listing(folder, strict=False):
            return False
        folder = folder / part
    return True


def oddity(path: Path) -> str | None:
    """Return what stands in a file's place and is none; None for a file, or where nothing is.

    Opening a pipe would wait for ever for somebody to write into it.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "a link that leads nowhere stands in its place" if path.is_symlink() else None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link that leads to itself stands in its place"
        raise
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return f"{kinds.get(stat.S_IFMT(mode), 'a device')} stands in its place"


def exists(root: Path, path: Path) -> bool:
    """True if a file is there. Network file systems cache absence: a fresh listing says no."""
    return os.path.exists(path) or _listed(root, path)


def open_fresh(root: Path, path: Path) -> BinaryIO | None:
    """Open a file for reading; None where it is missing in a fresh listing too.

    Raises: Flaw where something else than a file stands in its place; OSError.
    """
    for _ in range(3):  # listed, and gone again: somebody is setting it aside
        odd = oddity(path)
        if odd is not None:
            raise Flaw(odd)
        try:
            return path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            if not _listed(root, path):
                return None
    return None


def server_now(folder: Path) -> float:
    """Return the time of the server that holds `folder`: that of a file touched now (seconds)."""
    make_folder(folder)
    probe = temporary(folder / "now")
    try:
        with probe.open("xb") as file:
            os.utime(file.fileno() if os.utime in os.supports_fd else probe)
            return os.stat(probe).st_mtime
    finally:
        probe.unlink(missing_ok=True)


def being_copied(path: Path) -> bool:
    """True if a writer that is not certainly dead is filling `path` (no hard links there)."""
    leftovers = map(Leftover.parse, listing(path.parent, strict=False))
    return any(one.copying and one.name == path.name and not one.owner.dead() for one in leftovers if one)
