"""One artifact as one safetensors file whose metadata hold a digest of everything else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from prunebench.canonical import canonical
from prunebench.errors import StoreError
from prunebench.store._errors import Flaw

if TYPE_CHECKING:
    import torch

__all__ = ["FORMAT", "decode", "encode", "read_header"]

FORMAT = 1
"""Version of what the metadata hold."""

_ENTRY = "prunebench"
"""The one metadata entry: {"format", "key", "digest", "seal", "order", "meta"} as JSON."""

_LARGEST_HEADER = 100_000_000
"""The bound of the safetensors format itself."""


def _digest(meta: Mapping[str, Any], tensors: Mapping[str, Any], data: memoryview) -> str:
    """Return the SHA-256 of the canonical meta, then, in name order, of what each tensor is and its bytes.

    The meta's "provenance" stays out: what may differ between two makings of the same bits (times, machine).
    """
    sha = hashlib.sha256(canonical({name: value for name, value in meta.items() if name != "provenance"}))
    for name in sorted(tensors):
        begin, end = tensors[name]["data_offsets"]
        sha.update(canonical([name, tensors[name]["dtype"], tensors[name]["shape"], end - begin]))
        sha.update(data[begin:end])
    return sha.hexdigest()


def _seal(key: str, digest: str, order: Sequence[str], meta: Mapping[str, Any]) -> str:
    """Return a checksum of all metadata, so that they can be trusted without reading the tensors."""
    return hashlib.sha256(canonical([key, digest, order, meta])).hexdigest()


def _plain(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return CPU tensors that are contiguous and share no memory, as the format wants them."""
    plain: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        storage = value.untyped_storage().data_ptr()
        plain[name] = value.clone() if storage in seen else value
        seen.add(storage)
    return plain


def encode(
    key: str, tensors: Mapping[str, torch.Tensor], meta: Mapping[str, Any]
) -> tuple[list[bytes | memoryview], dict[str, torch.Tensor], dict[str, Any], str]:
    """Return the pieces of the file, the tensors and the meta as they will be read back, and the digest.

    Raises: ValueError, TypeError for a meta that has no canonical JSON or an entry "digest" of its own.
    """
    from safetensors.torch import save

    if "digest" in meta:
        raise ValueError("the entry 'digest' of an artifact's meta is the store's own")
    canonical(meta)  # refuses what has no canonical JSON; stored is the order that was given
    spelled: dict[str, Any] = orjson.loads(orjson.dumps(meta))
    plain = _plain(tensors)
    raw = memoryview(save(plain))
    length = int.from_bytes(raw[:8], "little")
    header: dict[str, Any] = orjson.loads(raw[8 : 8 + length])
    data = raw[8 + length :]
    header.pop("__metadata__", None)
    digest = _digest(spelled, header, data)
    order = list(plain)  # the format sorts tensors by type; readers get them as they were given
    entry = {
        "format": FORMAT,
        "key": key,
        "digest": digest,
        "seal": _seal(key, digest, order, spelled),
        "order": order,
        "meta": spelled,
    }
    text = orjson.dumps({"__metadata__": {_ENTRY: orjson.dumps(entry).decode()}, **header})
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of eight bytes
    return [len(text).to_bytes(8, "little"), text, data], plain, spelled, digest


def _header(head: bytes, size: int, key: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Return where the tensors' bytes start, the tensors' entries and ours; all is checked but the digest."""
    length = int.from_bytes(head[:8], "little")
    if len(head) < 8 or length > _LARGEST_HEADER or len(head) < 8 + length:
        raise Flaw(f"cut off in its header, at {size} bytes")
    try:
        header = orjson.loads(head[8 : 8 + length])
        entry = orjson.loads(header.pop("__metadata__")[_ENTRY])
        version, found, order = entry["format"], entry["key"], entry["order"]
        meta, digest = entry["meta"], entry["digest"]
        end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Flaw(f"its header cannot be read ({type(error).__name__}: {error})") from None
    if isinstance(version, int) and version > FORMAT:
        raise StoreError(
            f"artifact {key} has format {version}, this prunebench knows up to {FORMAT}: use a newer one"
        )
    if version != FORMAT or not isinstance(meta, dict) or not isinstance(digest, str):
        raise Flaw("its metadata are not an artifact's")
    if entry.get("seal") != _seal(found, digest, order, meta):
        raise Flaw("its metadata were altered")
    if found != key:
        raise Flaw(f"it says that it is {found!r}, not {key!r}")
    if not isinstance(end, int) or size != 8 + length + end:
        raise Flaw(f"{size} bytes long, its header says {8 + length}+{end}")
    return 8 + length, header, entry


def read_header(file: BinaryIO, key: str) -> dict[str, Any]:
    """Return an artifact's meta and, as "digest", its digest, from the header alone (imports no torch).

    Raises: Flaw for a file that is cut off or no artifact of this key.
    """
    head = file.read(8)
    length = min(int.from_bytes(head, "little"), _LARGEST_HEADER)
    _, _, entry = _header(head + file.read(length), os.fstat(file.fileno()).st_size, key)
    return {**entry["meta"], "digest": entry["digest"]}


def decode(file: BinaryIO, key: str) -> tuple[dict[str, torch.Tensor], dict[str, Any], str]:
    """Return an artifact's tensors, meta and digest, which is verified.

    Raises: Flaw for a file that is cut off, altered or no artifact of this key.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    raw = file.read()
    start, header, entry = _header(raw, len(raw), key)
    try:
        found = _digest(entry["meta"], header, memoryview(raw)[start:])
    except (KeyError, TypeError, ValueError) as error:
        raise Flaw(f"its header cannot be read ({type(error).__name__}: {error})") from None
    if found != entry["digest"]:
        raise Flaw(f"its contents have digest {found[:12]}…, it says {entry['digest'][:12]}…")
    order = entry["order"]
    if not isinstance(order, list) or sorted(order, key=str) != sorted(header):
        raise Flaw("its list of tensors is not that of the tensors in it")
    try:
        tensors = load(raw)
    except (SafetensorError, KeyError, ValueError) as error:
        raise Flaw(f"its tensors cannot be read ({error})") from None
    return {name: tensors[name] for name in order}, entry["meta"], entry["digest"]
