"""Fetching original files: to a temporary name, verified, then renamed, so that half a file never counts."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prunebench.errors import DataError

__all__ = ["TIMEOUT", "fetch", "sources"]

TIMEOUT = 30.0
"""Seconds without a byte after which a source is given up."""

_CHUNK = 1 << 20


def sources(urls: Sequence[str], name: str, path: str) -> list[str]:
    """Return the addresses of a file, in order of trial: the user's mirrors, then its publishers.

    PRUNEBENCH_MIRROR holds base addresses separated by blanks; below each lies what a data root holds, so
    `path` is the file's path under the root. A publisher's folder holds `name`. Where a mirror is set the
    publishers are not asked.
    """
    mirrors = os.environ.get("PRUNEBENCH_MIRROR", "").split()
    if mirrors:
        return [f"{mirror.rstrip('/')}/{path}" for mirror in mirrors]
    return [f"{url.rstrip('/')}/{name}" for url in urls]


def fetch(urls: Sequence[str], target: Path, md5: str, dataset: str, *, timeout: float | None = None) -> None:
    """Fetch one file from the first address that has it whole.

    Raises: DataError where no address does (each named with what went wrong), or the folder is not writable.
    """
    failures = []
    try:
        for url in urls:
            part = target.with_name(f".{target.name}.{os.getpid()}.part")
            try:
                found = _stream(url, part, TIMEOUT if timeout is None else timeout)
                if found == md5:
                    os.replace(part, target)
                    return
                failures.append(f"{url}: not the published file: expected MD5 {md5}, found {found}")
            except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ValueError) as error:
                failures.append(f"{url}: {getattr(error, 'reason', None) or error}")
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"data set {dataset!r}: {target} cannot be written: {error.strerror or error}; name a folder "
            "that can be with --data or PRUNEBENCH_DATA"
        ) from error
    tried = "\n  ".join(failures)
    raise DataError(
        f"data set {dataset!r}: {target.name} could not be fetched:\n  {tried}\nWithout a network put the "
        f"original file at {target} yourself, or name a mirror in PRUNEBENCH_MIRROR (docs/data.md)"
    )


def _stream(url: str, part: Path, timeout: float) -> str:
    """Write what an address holds to a file and return its MD5; refuses a shorter content than announced."""
    request = urllib.request.Request(url, headers={"User-Agent": "prunebench"})
    md5 = hashlib.md5(usedforsecurity=False)
    with _open(request, timeout) as response:
        announced, received = response.headers.get("Content-Length"), 0
        part.parent.mkdir(parents=True, exist_ok=True)  # not before there is something to put there
        with part.open("wb") as file:
            while chunk := _next(response):
                file.write(chunk)
                md5.update(chunk)
                received += len(chunk)
    if announced is not None and received != int(announced):
        raise http.client.HTTPException(f"the transfer broke off after {received} of {announced} bytes")
    return md5.hexdigest()


def _open(request: urllib.request.Request, timeout: float) -> Any:
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.URLError:
        raise
    except OSError as error:  # a connection that breaks before the answer
        raise http.client.HTTPException(str(error)) from error


def _next(response: Any) -> bytes:
    """Read on; a broken connection is the address's failure, not the disk's."""
    try:
        chunk: bytes = response.read(_CHUNK)
        return chunk
    except OSError as error:
        raise http.client.HTTPException(str(error)) from error
