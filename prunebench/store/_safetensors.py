"""One artifact as one safetensors file whose metadata hold a digest of everything else."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from prunebench.canonical import canonical
from prunebench.errors import StoreError
from prunebench.store import _fields
from prunebench.store._bounds import check_bounds, parse_json, shown
from prunebench.store._errors import Flaw

if TYPE_CHECKING:
    import torch

__all__ = ["FORMAT", "Fits", "decode", "encode", "read_header"]

Fits = Callable[[Mapping[str, Any]], str | None]
"""Says why an artifact's meta are not those that are wanted, in words; None where they are."""

FORMAT = 1
"""Version of what the metadata hold."""

_ENTRY = "prunebench"
"""The one metadata entry: {"format", "key", "digest", "seal", "order", "meta"} as JSON."""

_LARGEST_HEADER = 100_000_000
"""The bound of the safetensors format itself."""

_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2", "F8_E5M2FNUZ"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}
"""Bytes of one value of each of the format's types."""


class _Tensor(BaseModel):
    """A tensor's entry in the header."""

    model_config = ConfigDict(strict=True, extra="forbid")

    dtype: Literal[tuple(_BYTES)]  # type: ignore[valid-type]
    shape: Annotated[list[_fields.Count], Field(max_length=64)]
    data_offsets: Annotated[list[_fields.Count], Field(min_length=2, max_length=2)]


class _Entry(BaseModel):
    """Our entry in the header."""

    model_config = ConfigDict(strict=True, extra="allow")

    key: str
    digest: _fields.Hash
    seal: _fields.Hash
    order: list[str]
    meta: dict[str, Any]


_TENSORS = TypeAdapter(dict[str, _Tensor])


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
    try:
        check_bounds(spelled)
        _fields.Meta.model_validate(spelled)
    except ValidationError as error:
        raise ValueError(f"no artifact's meta: {_fields.explained(error)}") from None
    except Flaw as flaw:
        raise ValueError(f"no artifact's meta: {flaw}") from None
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


def _header(file: BinaryIO, key: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Return where the tensors' bytes start, the tensors' entries and ours; all is checked but the digest.

    Nothing is read before its length is known to be possible.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(8)
    length = int.from_bytes(head, "little")
    if len(head) < 8 or length > min(_LARGEST_HEADER, size - 8):
        raise Flaw(f"cut off in its header, at {size} bytes")
    text = file.read(length)
    if len(text) < length:
        raise Flaw(f"cut off in its header, at {size} bytes")
    header = parse_json(text, longest=_LARGEST_HEADER)
    said = header.pop("__metadata__", None)
    said = said.get(_ENTRY) if isinstance(said, dict) else None
    if not isinstance(said, str):
        raise Flaw("its header says nothing of an artifact")
    entry = parse_json(said.encode())
    version = entry.get("format")
    if type(version) is int and version > FORMAT:
        raise StoreError(
            f"artifact {key} has format {version}, this prunebench knows up to {FORMAT}: use a newer one"
        )
    if type(version) is not int or version != FORMAT:
        raise Flaw("its metadata are not an artifact's")
    try:
        _Entry.model_validate(entry)
        tensors = _TENSORS.validate_python(header)
        if entry["seal"] != _seal(entry["key"], entry["digest"], entry["order"], entry["meta"]):
            raise Flaw("its metadata were altered")
        _fields.Meta.model_validate(entry["meta"])
    except ValidationError as error:
        raise Flaw(f"its header cannot be read ({_fields.explained(error)})") from None
    if entry["key"] != key:
        raise Flaw(f"it says that it is {shown(entry['key'])!r}, not {key!r}")
    _check_layout(tensors, size - 8 - length)
    return 8 + length, header, entry


def _check_layout(tensors: Mapping[str, _Tensor], size: int) -> None:
    """Refuse tensors that do not lie one after the other in exactly `size` bytes."""
    place = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        begin, end = tensor.data_offsets
        if begin != place or end - begin != math.prod(tensor.shape) * _BYTES[tensor.dtype]:
            raise Flaw(f"tensor {shown(name)!r} of shape {tensor.shape} is said to lie at {begin} to {end}")
        place = end
    if place != size:
        raise Flaw(f"its tensors have {size} bytes, its header says {place}")


def read_header(file: BinaryIO, key: str, fits: Fits | None = None) -> dict[str, Any]:
    """Return an artifact's meta and, as "digest", its digest, from the header alone (imports no torch).

    Raises: Flaw for a file that is cut off or no artifact of this key, or that does not fit.
    """
    _, _, entry = _header(file, key)
    if fits is not None and (wrong := fits(entry["meta"])) is not None:
        raise Flaw(wrong)
    return {**entry["meta"], "digest": entry["digest"]}


def decode(file: BinaryIO, key: str) -> tuple[dict[str, torch.Tensor], dict[str, Any], str]:
    """Return an artifact's tensors, meta and digest, which is verified.

    Raises: Flaw for a file that is cut off, altered or no artifact of this key.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    start, header, entry = _header(file, key)
    file.seek(0)
    raw = file.read()
    computed = _digest(entry["meta"], header, memoryview(raw)[start:])
    if computed != entry["digest"]:
        raise Flaw(f"its contents have digest {computed[:12]}…, it says {entry['digest'][:12]}…")
    order = entry["order"]
    if sorted(order) != sorted(header):
        raise Flaw("its list of tensors is not that of the tensors in it")
    try:
        tensors = load(raw)
    except (SafetensorError, KeyError, ValueError) as error:
        raise Flaw(f"its tensors cannot be read ({error})") from None
    return {name: tensors[name] for name in order}, entry["meta"], entry["digest"]
