"""Image files of any source, opened by one rule: known formats, eight bits a channel, no bomb."""

from __future__ import annotations

import io
import re
import struct
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from prunebench.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FORMATS", "MOST_PIXELS", "decode_image"]

FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's names of the formats that are read, whatever a file is called: it is known of each where it says
how many bits a channel has."""

MOST_PIXELS = 178_956_970
"""Pixels above which an image is refused before they are decoded: a few kilobytes can claim any number."""

_LONGEST = 1000
"""How many times longer than wide an image may be: scaled to a square's side it would not fit into memory."""

_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "LAB")
"""Pillow's kinds of pixels of eight bits at most. Wider files are opened in these too, their low bits
dropped: so what counts is what the file says."""

_WIDE_TILE = re.compile(r"[;:](?:12|16|24|32|64)[A-Z]*[BLNSF]")
"""How Pillow spells samples that it cuts to eight bits, as RGB;16B (BGR;16 has 5 or 6 bits each)."""

_LARGE = 1 << 24
_one_at_a_time = threading.Lock()
"""Held while an image of more pixels than that is decoded, so that no number of threads fills the memory."""


def decode_image(
    content: bytes, where: str, mode: str, *, size: tuple[int, int] | None = None
) -> Image.Image:
    """Return the image in a file's content, decoded and converted to Pillow's `mode` ("RGB" or "L").

    Palettes and greys become colours, a transparency is dropped. Of a file with several images the first.

    Args:
        content: the whole file.
        where: what errors call it.
        mode: of the result.
        size: width and height that it must have.

    Raises: DataError naming the file where it holds no whole image in a known format, says that it has more
        than eight bits a channel, or other pixels than whole numbers, or is larger than can be meant.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=_readable()) as image:
            _refuse_wide(image, content)
            _refuse_size(image.size, size)
            if image.width * image.height <= _LARGE:
                return image.convert(mode)
            with _one_at_a_time:
                return image.convert(mode)
    except UnidentifiedImageError as error:
        why = f"it is no image in a format that is known ({', '.join(FORMATS)}; 8 bits for each channel)"
        raise _refused(where, content, why) from error
    except _NotTaken as error:
        raise DataError(f"{where} cannot be used: {error}") from error
    except Exception as error:  # decoders raise what they like
        raise _refused(where, content, str(error) or type(error).__name__) from error


class _NotTaken(Exception):
    """A whole image, and yet none for us."""


@lru_cache(maxsize=1)
def _readable() -> tuple[str, ...]:
    """Return those of the formats that this build of Pillow can read."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _refused(where: str, content: bytes, why: str) -> DataError:
    return DataError(f"{where} ({len(content):,} bytes) cannot be used: {why}; put the whole original there")


def _refuse_size(size: tuple[int, int], wanted: tuple[int, int] | None) -> None:
    width, height = size
    if wanted is not None and size != wanted:
        raise _NotTaken(f"it is {width}×{height} pixels, expected {wanted[0]}×{wanted[1]}")
    if width * height > MOST_PIXELS:
        raise _NotTaken(f"it says that it has {width:,}×{height:,} pixels, allowed are {MOST_PIXELS:,}")
    if max(size) > _LONGEST * min(size):
        raise _NotTaken(f"it is {width:,}×{height:,} pixels: more than {_LONGEST:,} times as long as wide")


def _refuse_wide(image: Image.Image, content: bytes) -> None:
    """Refuse what the file itself says to have more than eight bits a channel."""
    bits, kind = _bits(image, content)
    tiles = {str(part) for tile in getattr(image, "tile", ()) for part in _parts(tile[3])}
    wide = next((text for text in sorted(tiles) if _WIDE_TILE.search(text)), "")
    if bits <= 8 and not kind and not wide and image.mode in _MODES:
        return
    samples = f"{bits} bits for each channel" if bits > 8 else f"pixels of kind {wide or image.mode}"
    if kind:
        samples = f"{kind} of {bits} bits"
    raise _NotTaken(f"it has {samples}, expected are whole numbers of 8 bits at most; convert it first")


def _parts(arguments: object) -> tuple[object, ...]:
    return arguments if isinstance(arguments, tuple) else (arguments,)


def _bits(image: Image.Image, content: bytes) -> tuple[int, str]:
    """Return a file's bits for each channel and, where they are no unsigned whole numbers, what they are."""
    match image.format:
        case "PNG":
            if content[12:16] != b"IHDR":
                raise ValueError("it does not begin with its header")
            return content[24], ""
        case "TIFF":
            return _tiff_bits(image)
        case "PPM":
            return _netpbm_bits(content)
        case "JPEG2000":
            return _jpeg2000_bits(content)
        case "AVIF":
            return _avif_bits(content), ""
        case _:  # the others have no more than eight, or Pillow does not read them
            return 8, ""


_BITS_PER_SAMPLE, _SAMPLE_FORMAT = 258, 339
_SAMPLES = {2: "signed numbers", 3: "floating-point numbers", 5: "complex numbers", 6: "complex numbers"}


def _tiff_bits(image: Image.Image) -> tuple[int, str]:
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits, samples = (_parts(tags.get(tag, (1,))) for tag in (_BITS_PER_SAMPLE, _SAMPLE_FORMAT))
    kind = next((_SAMPLES[sample] for sample in samples if sample in _SAMPLES), "")
    return max(int(bit) for bit in bits), kind  # type: ignore[call-overload]


def _netpbm_bits(content: bytes) -> tuple[int, str]:
    """The header's words: kind, width, height and, unless it is a bitmap, the greatest value."""
    words = re.sub(rb"#[^\r\n]*", b" ", content[:4096]).split(maxsplit=4)
    if words[0] in (b"Pf", b"PF"):
        return 32, "floating-point numbers"
    if words[0] in (b"P1", b"P4"):
        return 1, ""
    return int(words[3]).bit_length(), ""


def _jpeg2000_bits(content: bytes) -> tuple[int, str]:
    """The codestream's SIZ segment ends with three bytes for each channel, the first its bits less one."""
    start = content.find(b"\xff\x4f\xff\x51")
    if start < 0:
        raise ValueError("it has no codestream")
    (channels,) = struct.unpack_from(">H", content, start + 40)
    depths = content[start + 42 : start + 42 + 3 * channels : 3]
    return max(depth & 0x7F for depth in depths) + 1, "signed numbers" if max(depths) & 0x80 else ""


def _avif_bits(content: bytes) -> int:
    """The third byte of each AV1 configuration (image, transparency) has flags: high depth, twelve bits."""
    inner = [content]
    for kind, skipped in ((b"meta", 4), (b"iprp", 0), (b"ipco", 0), (b"av1C", 0)):
        inner = [box[skipped:] for around in inner for name, box in _boxes(around) if name == kind]
    return max((12 if box[2] & 0x20 else 10 for box in inner if box[2] & 0x40), default=8)


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the boxes of an ISO base media file, (kind, content), as far as they are whole."""
    place = 0
    while place + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        start = place + 8
        if size == 1 and place + 16 <= len(content):
            (size,), start = struct.unpack_from(">Q", content, start), place + 16
        end = place + size if size else len(content)
        if end < start:
            return
        yield kind, content[start:end]
        place = end
