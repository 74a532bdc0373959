"""Ways to spoil a file of a store, each drawn from a seed: bytes, JSON values, and what stands at its path."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prunebench.canonical import digest

KINDS = (
    *("record", "measure", "plan", "artifact", "checkpoint"),
    *("attempt", "claim", "log", "note", "store", "cache"),
)


def files(store: Path, kind: str) -> list[Path]:
    """Return the files of a kind."""
    places = {
        "record": "records/*/*.json",
        "measure": "measures/*/*.json",
        "plan": "plans/*.json",
        "checkpoint": "artifacts/*/*.checkpoint.safetensors",
        "attempt": "attempts/*/*.json",
        "claim": "claims/*.json",
        "log": "logs/*.log",
        "note": "set-aside/*.note.json",
        "store": "store.json",
        "cache": "pytest-cache/v/cache/*",
    }
    if kind == "artifact":
        return sorted(p for p in store.glob("artifacts/*/*.safetensors") if ".checkpoint." not in p.name)
    return sorted(store.glob(places[kind]))


def mutate(store: Path, kind: str, rng: random.Random) -> str:
    """Spoil one file of a kind; return what was done, in words."""
    path = rng.choice(files(store, kind))
    ways: list[Callable[[Path, str, random.Random], str]] = [_bytes, _bytes, _place, _other_file]
    if kind not in ("log", "cache"):
        ways += [_value, _value, _value]
    done = rng.choice(ways)(path, kind, rng)
    if kind == "claim" and path.exists():
        os.utime(path, (1, 1))  # a claim that cannot be read is waited for until it is stale
    return f"{path.relative_to(store)}: {done}"


# -- bytes -----------------------------------------------------------------------------------------------


def _bytes(path: Path, kind: str, rng: random.Random) -> str:
    content = bytearray(path.read_bytes()) or bytearray(b"x")
    place, other = rng.randrange(len(content)), rng.randrange(len(content))
    start, end = min(place, other), max(place, other) + 1
    flipped = bytes([content[place] ^ (1 << rng.randrange(8))])
    name, changed = rng.choice(
        [
            ("a bit flipped", content[:place] + flipped + content[place + 1 :]),
            ("a byte drawn", content[:place] + rng.randbytes(1) + content[place + 1 :]),
            ("cut off", content[:place]),
            ("a part cut out", content[:start] + content[end:]),
            ("a part twice", content[:end] + content[start:]),
            ("a part zeroed", content[:start] + bytes(end - start) + content[end:]),
            ("bytes added", content + rng.randbytes(rng.randrange(1, 100))),
            ("zeros", bytes(len(content))),
            ("empty", b""),
            ("noise", rng.randbytes(len(content))),
            ("deep", b"[" * 100_000),
            ("deep and closed", b'{"a":' * 500 + b"1" + b"}" * 500),
        ]
    )
    path.write_bytes(changed)
    return f"{name} ({start}–{end})"


# -- what stands at the path -----------------------------------------------------------------------------


def _place(path: Path, kind: str, rng: random.Random) -> str:
    path.unlink()
    way = rng.choice(["gone", "folder", "full folder", "dangling", "circle", "pipe", "zero", "null"])
    if way.endswith("folder"):
        path.mkdir()
        if way == "full folder":
            (path / "x").write_text("x")
    elif way == "pipe":
        os.mkfifo(path)
    elif way != "gone":
        path.symlink_to({"dangling": "nowhere", "circle": path.name}.get(way, f"/dev/{way}"))
    return way


def _other_file(path: Path, kind: str, rng: random.Random) -> str:
    """Another file in its place: of the same kind (perhaps changing places with it), or of another."""
    store = path.parents[0 if kind == "store" else 3 if kind == "cache" else 1]
    store = next(parent for parent in path.parents if (parent / "store.json").exists())
    others = [p for p in files(store, kind) if p != path]
    way = rng.choice(["swapped", "copied", "another kind's"])
    if way == "another kind's" or not others:
        other = rng.choice([p for k in KINDS if k != kind for p in files(store, k)])
        shutil.copyfile(other, path)
        return f"another kind's file {other.name}"
    other = rng.choice(others)
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    if way == "swapped":
        other.write_bytes(mine)
    if kind in ("record", "measure") and rng.random() < 0.7:  # and each made to say that it is the other
        for one in (path, other):
            _write(one, {**json.loads(one.read_bytes()), "key": one.stem}, kind, seal=True)
        return f"{way} with {other.name}, digests made right"
    return f"{way} with {other.name}"


# -- values ----------------------------------------------------------------------------------------------


def _strange(rng: random.Random) -> Any:
    """Return a value that is of none of the kinds that a store writes anywhere."""
    return rng.choice(
        [
            *(-1, 2**63, 2**64 - 1, 10**30, -(2**70), -1.5, float("nan"), float("inf"), 1e308),
            *("\x1b[31mred\x07", "\u202eturned", "\ud800", "x" * 30_000, "../../../etc/passwd", "\x00"),
            *([], {}, [[]], {"": {}}, [None] * 100_000, {str(i): i for i in range(20_000)}),
            *(_nested(40), _nested(200), _nested(900), {"$": -1}, {"$": 10**9}, {"$": "x"}, True),
        ]
    )


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) of everything in a value."""
    stack = [value]
    while stack:
        container = stack.pop()
        for key in list(container) if isinstance(container, dict) else range(len(container)):
            yield container, key
            if isinstance(container[key], dict | list) and container[key]:
                stack.append(container[key])


def _value(path: Path, kind: str, rng: random.Random) -> str:
    document = _read(path, kind)
    part = document
    if isinstance(document, dict) and rng.random() < 0.5:  # else the many small values hide the few large
        part = document.get(rng.choice([k for k, v in document.items() if v and isinstance(v, dict)] or [""]))
    spots = list(_spots(part or document))
    container, key = rng.choice(spots)
    way = rng.choice(["strange", "strange", "strange", "removed", "renamed", "two changed places"])
    if way == "strange":
        container[key] = _strange(rng)
    elif way == "removed" or not isinstance(container, dict):
        del container[key]
    elif way == "renamed":
        container[f"{key}x"] = container.pop(key)
    else:
        there, other = rng.choice(spots)
        if isinstance(there, list | dict) and not _within(container[key], there[other]):
            container[key], there[other] = there[other], container[key]
    # two values of one kind, both right and in each other's place, are a forgery that nobody can find out
    seal = rng.random() < 0.6 and way != "two changed places"
    _write(path, document, kind, seal=seal)
    return f"{way} at {key!r:.40}{', digests made right' if seal else ''}"


def _within(one: Any, other: Any) -> bool:
    """Whether one of two values holds the other: they cannot change places then."""
    return any(
        any(container[key] is inner for container, key in _spots([outer]))
        for outer, inner in ((one, other), (other, one))
        if isinstance(outer, dict | list)
    )


def _read(path: Path, kind: str) -> Any:
    if kind not in ("artifact", "checkpoint"):
        return json.loads(path.read_bytes())
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    header["__metadata__"]["prunebench"] = json.loads(header["__metadata__"]["prunebench"])
    return header


def _write(path: Path, document: Any, kind: str, *, seal: bool) -> None:
    """Write a document back; with `seal` every digest in it is made right where one can be made."""
    if kind in ("artifact", "checkpoint"):
        _write_artifact(path, document, seal)
        return
    if seal and kind in ("record", "measure") and isinstance(document, dict):
        bound = {name: document.get(name) for name in ("schema", "key", "result")}
        document["digest"] = _digest(bound if document.get("schema") != 1 else document.get("result"))
        if "seal" in document:
            document["seal"] = _digest([document.get(n) for n in ("schema", "key", "digest", "provenance")])
    text = json.dumps(document, separators=(",", ":"))
    if seal and kind == "plan" and isinstance(document, dict):
        plan = json.dumps(document.get("plan"), separators=(",", ":"))
        checksum = hashlib.sha256(f"{path.stem}\n{plan}".encode()).hexdigest()
        text = f'{{"format":2,"sha256":"{checksum}","plan":{plan}}}\n'
    path.write_text(text)


def _digest(value: Any) -> str:
    """Return a value's digest, or any where it has none (a number that is not finite, too deep)."""
    try:
        return digest(value)
    except (TypeError, ValueError):
        return "0" * 64


def _write_artifact(path: Path, header: Any, seal: bool) -> None:
    raw = path.read_bytes()
    data = raw[8 + int.from_bytes(raw[:8], "little") :]
    inner = header.get("__metadata__")
    entry = inner.get("prunebench") if isinstance(inner, dict) else None
    if seal and isinstance(entry, dict):
        tensors = {name: item for name, item in header.items() if name != "__metadata__"}
        entry["digest"] = _artifact_digest(entry.get("meta"), tensors, data)
        entry["seal"] = _digest([entry.get(name) for name in ("key", "digest", "order", "meta")])
    if isinstance(inner, dict) and "prunebench" in inner:
        inner["prunebench"] = json.dumps(entry)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def _artifact_digest(meta: Any, tensors: Any, data: bytes) -> str:
    from prunebench.canonical import canonical

    try:
        sha = hashlib.sha256(canonical({k: v for k, v in meta.items() if k != "provenance"}))
        for name in sorted(tensors):
            begin, end = tensors[name]["data_offsets"]
            sha.update(canonical([name, tensors[name]["dtype"], tensors[name]["shape"], end - begin]))
            sha.update(data[begin:end])
    except Exception:  # no artifact any more: any digest will do
        return "0" * 64
    return sha.hexdigest()
