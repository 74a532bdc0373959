"""Fetching original files: to a temporary name, verified, then renamed, so that half a file never counts."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
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

_RESUMED = 5
"""How often a transfer that broke off goes on where it was, if the server can do that."""

_PAUSE = 1.0
"""Seconds before it does."""


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


def fetch(
    urls: Sequence[str],
    target: Path,
    md5: str,
    dataset: str,
    *,
    timeout: float | None = None,
    most: int = 1 << 30,
) -> None:
    """Fetch one file from the first address that has it whole; what sends more than `most` bytes has not.

    Raises: DataError where no address does (each named with what went wrong), or the folder is not writable.
    """
    failures = []
    try:
        for url in urls:
            part = target.with_name(f".{target.name}.{os.getpid()}.part")
            try:
                computed = _stream(url, part, TIMEOUT if timeout is None else timeout, most)
                if computed == md5:
                    os.replace(part, target)
                    return
                failures.append(f"{url}: not the published file: expected MD5 {md5}, found {computed}")
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


def _stream(url: str, part: Path, timeout: float, most: int) -> str:
    """Write what an address holds to a file and return its MD5; refuses a shorter content than announced.

    A transfer that breaks off goes on where it was when the server says that it can do that.
    """
    md5, received = hashlib.md5(usedforsecurity=False), 0
    for left in range(_RESUMED, -1, -1):
        begun, headers = received, {"User-Agent": "prunebench"}
        if begun:
            time.sleep(_PAUSE)
            headers["Range"] = f"bytes={begun}-"
        with _open(urllib.request.Request(url, headers=headers), timeout) as response:
            length = response.headers.get("Content-Length")
            announced = None if length is None else begun + int(length)
            if begun and not response.headers.get("Content-Range", "").startswith(f"bytes {begun}-"):
                raise http.client.HTTPException(f"the transfer broke off after {begun} bytes")
            _refuse_large(announced or 0, most)
            resumes = bool(begun) or response.headers.get("Accept-Ranges") == "bytes"
            part.parent.mkdir(parents=True, exist_ok=True)  # not before there is something to put there
            broken: http.client.HTTPException | None = None
            with part.open("ab" if begun else "wb") as file:
                try:
                    while chunk := _next(response):
                        received += len(chunk)
                        _refuse_large(received, most)
                        file.write(chunk)
                        md5.update(chunk)
                except http.client.HTTPException as error:
                    broken = error
        if broken is None and announced is not None and received != announced:
            broken = http.client.HTTPException(
                f"the transfer broke off after {received} of {announced} bytes"
            )
        if broken is None:
            break
        if not resumes or not left or received == begun:
            raise broken
    return md5.hexdigest()


def _refuse_large(size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"not the published file: it has more than {most:,} bytes")


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
