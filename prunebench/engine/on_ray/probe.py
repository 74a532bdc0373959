"""What a node is asked before it is given work: sent as source, so that one without prunebench can answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["look_around", "versions_here"]

WANTED = ("prunebench", "torch")
"""What the same results are made with: every node must have the driver's versions."""

MOMENT, PAUSE = 5.0, 0.2
"""Seconds after which a file that another machine has written must be there, and between two looks for it."""


def versions_here() -> dict[str, str]:
    """Return the versions of what results are made with; what is not installed is left out."""
    from importlib import metadata

    versions = {}
    for name in WANTED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def look_around(asked: Mapping[str, str]) -> dict[str, Any]:
    """Answer on a node: its versions, whether it reads the driver's file in the store, and can write there.

    `asked` has the store's folder, the driver's file and what is in it, and the name of the answer's file.
    """
    import os
    import socket
    import time

    answer: dict[str, Any] = {"host": socket.gethostname(), "versions": versions_here(), "store": ""}
    path = os.path.join(asked["store"], asked["question"])
    until = time.monotonic() + MOMENT
    while True:  # another machine's file may take a moment to show
        try:
            with open(path, encoding="utf-8") as file:
                seen = file.read()
            break
        except OSError as error:
            if time.monotonic() > until:
                there = os.path.isdir(asked["store"])
                answer["store"] = f"does not see what the driver writes there ({error.strerror})"
                if not there:
                    answer["store"] = "has no such folder"
                return answer
            time.sleep(PAUSE)
    if seen != asked["content"]:
        answer["store"] = "has another folder of that name"
        return answer
    try:
        with open(os.path.join(asked["store"], asked["answer"]), "x", encoding="utf-8") as file:
            file.write(asked["content"])
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        answer["store"] = f"cannot write there ({error.strerror})"
    return answer
