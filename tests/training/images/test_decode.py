"""Image files are opened by what they say: more than eight bits a channel are refused."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, features

from prunebench.errors import DataError
from prunebench.training.images.decode import MOST_PIXELS, _avif_bits, decode_image
from prunebench.training.images.prepare import open_image

DRAWS = np.random.default_rng(0).integers(0, 256, (8, 12, 4), dtype=np.uint8)
COLOURS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Channels of PNG's colour types."""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    bits: int, colour: int, size: tuple[int, int] = (8, 8), pixels: bytes | None = None, before: bytes = b""
) -> bytes:
    """A PNG file by its specification."""
    row = b"\0" + b"\x9c" * ((size[0] * COLOURS[colour] * bits + 7) // 8)
    head = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0)
    data = zlib.compress(row * size[1]) if pixels is None else pixels
    return b"\x89PNG\r\n\x1a\n" + before + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def tiff(bits: list[int], sample: int = 1, size: int = 8) -> bytes:
    """An uncompressed TIFF file by its specification, little-endian, in one strip."""
    pixels = b"\x40" * (size * size * sum(bits) // 8)
    tags = [(256, 3, [size]), (257, 3, [size]), (258, 3, bits), (259, 3, [1])]
    tags += [(262, 3, [2 if len(bits) >= 3 else 1]), (273, 4, [0]), (277, 3, [len(bits)]), (278, 3, [size])]
    tags += [(279, 4, [len(pixels)])] + ([(338, 3, [2])] if len(bits) in (2, 4) else [])
    tags += [(339, 3, [sample] * len(bits))]
    after = 8 + 2 + 12 * len(tags) + 4
    extra, entries = b"", b""
    for tag, kind, values in tags:
        packed = struct.pack(f"<{len(values)}{'HI'[kind - 3]}", *values)
        if tag == 273:
            packed = struct.pack("<I", after + 64)
        if len(packed) > 4:
            place, extra = after + len(extra), extra + packed
            packed = struct.pack("<I", place)
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"
    return head + extra.ljust(64, b"\0") + pixels


def netpbm(kind: str, greatest: int, comment: str = "") -> bytes:
    values = 64 * (3 if kind in "P3P6" else 1)
    plain = kind in ("P2", "P3")
    body = " ".join(["7"] * values).encode() if plain else b"\x07" * (values * (2 if greatest > 255 else 1))
    return f"{kind}\n{comment}8 8\n{greatest}\n".encode() + body


def saved(form: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(DRAWS, "RGBA").convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def wide_jpeg2000() -> bytes:
    """The sizes that a codestream of 16 bits has; opened, never decoded."""
    code = saved("JPEG2000", no_jp2=True)
    place = code.find(b"\xff\x51") + 2 + 38
    return code[:place] + b"\x0f" + code[place + 1 :]


def wide_avif() -> bytes:
    """An AVIF file that says ten bits."""
    content = saved("AVIF")
    place = content.find(b"av1C") + 4 + 2
    return content[:place] + bytes([content[place] | 0x40]) + content[place + 1 :]


WIDE: dict[str, Callable[[], bytes]] = {
    "png grey": lambda: png(16, 0),
    "png grey and transparency": lambda: png(16, 4),
    "png colour": lambda: png(16, 2),
    "png colour and transparency": lambda: png(16, 6),
    "png with a chunk before its header": lambda: png(16, 2, before=chunk(b"tEXt", b"a\0b")),
    "tiff grey": lambda: tiff([16]),
    "tiff colour": lambda: tiff([16, 16, 16]),
    "tiff colour and transparency": lambda: tiff([16, 16, 16, 16]),
    "tiff 32 bits": lambda: tiff([32]),
    "tiff float": lambda: tiff([32], sample=3),
    "tiff float colour": lambda: tiff([32, 32, 32], sample=3),
    "tiff signed": lambda: tiff([8], sample=2),
    "pgm": lambda: netpbm("P5", 65535),
    "pgm of ten bits": lambda: netpbm("P5", 1023),
    "ppm": lambda: netpbm("P6", 65535),
    "ppm of nine bits": lambda: netpbm("P6", 256, comment="# 255\n"),
    "plain ppm": lambda: netpbm("P3", 4095),
    "plain pgm": lambda: netpbm("P2", 300),
    "pfm": lambda: b"Pf\n8 8\n-1.0\n" + b"\0" * 256,
    "jpeg 2000": wide_jpeg2000,
    "avif": wide_avif,
}
NARROW: dict[str, Callable[[], bytes]] = {
    "png grey of one bit": lambda: png(1, 0),
    "png grey of four bits": lambda: png(4, 0),
    "png grey": lambda: png(8, 0),
    "png grey and transparency": lambda: png(8, 4),
    "png colour": lambda: png(8, 2),
    "png colour and transparency": lambda: png(8, 6),
    "png palette": lambda: saved("PNG", "P"),
    "tiff grey": lambda: tiff([8]),
    "tiff colour": lambda: tiff([8, 8, 8]),
    "tiff colour and transparency": lambda: tiff([8, 8, 8, 8]),
    "tiff bitmap": lambda: saved("TIFF", "1"),
    "tiff deflated": lambda: saved("TIFF", compression="tiff_adobe_deflate"),
    "tiff cmyk": lambda: saved("TIFF", "CMYK"),
    "pgm": lambda: netpbm("P5", 255),
    "ppm of seven bits": lambda: netpbm("P6", 127, comment="# 65535\n"),
    "plain ppm": lambda: netpbm("P3", 255),
    "pbm": lambda: saved("PPM", "1"),
    "bmp": lambda: saved("BMP"),
    "gif": lambda: saved("GIF", "P"),
    "webp": lambda: saved("WEBP", lossless=True),
    "jpeg": lambda: saved("JPEG"),
    "jpeg cmyk": lambda: saved("JPEG", "CMYK"),
    "jpeg 2000": lambda: saved("JPEG2000"),
    "avif": lambda: saved("AVIF"),
}


def can(name: str) -> None:
    if name == "avif" and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")


def test_an_avif_file_says_its_bits_in_its_boxes() -> None:
    """Pillow decodes ten bits to eight without a word; it writes only eight."""
    can("avif")
    assert (_avif_bits(saved("AVIF")), _avif_bits(saved("AVIF", "RGBA")), _avif_bits(wide_avif())) == (
        8,
        8,
        10,
    )


@pytest.mark.parametrize("name", WIDE)
def test_more_than_eight_bits_are_refused_by_what_the_file_says(name: str) -> None:
    """In colour too, where Pillow opens the file in a kind of eight bits; the file is named."""
    can(name)
    with pytest.raises(DataError, match=r"^x\.png .*cannot be used: it ") as caught:
        decode_image(WIDE[name](), "x.png", "RGB")
    assert "8 bits" in str(caught.value) or "begin with its header" in str(caught.value)


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_eight_bits_and_fewer_are_what_pillow_converts_them_to(name: str, mode: str) -> None:
    """Bit for bit: the rule refuses, and changes nothing."""
    can(name)
    content = NARROW[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of palettes with transparency
        theirs = Image.open(io.BytesIO(content)).convert(mode)
    assert np.array_equal(np.asarray(decode_image(content, "x", mode)), np.asarray(theirs))


@pytest.mark.parametrize("name", ["png colour", "tiff colour", "ppm"])
def test_every_way_of_reading_has_the_rule(name: str, tmp_path: Path) -> None:
    """Held in memory (as folders and archives are) and streamed, with one sentence."""
    from prunebench_plugins.datasets._pixels import decoded, fitted

    path = tmp_path / "a.png"
    path.write_bytes(WIDE[name]())
    said = r"a\.png cannot be used: it has 16 bits for each channel, expected are whole numbers"
    with pytest.raises(DataError, match=said):
        open_image(path, 3)
    for shape in (None, fitted(8)):
        with pytest.raises(DataError, match=said):
            decoded(1, lambda _: path.read_bytes(), lambda _: str(path), 8, shape)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no image in a format that is known"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n", "no image in a format that is known"),
        (saved("JPEG")[:200], "[Tt]runcated|broken"),
        (saved("PNG")[:-40], "truncated|broken|stream"),
        (saved("SGI"), "no image in a format that is known"),
    ],
    ids=["empty", "postscript", "half a jpeg", "half a png", "a format without a rule"],
)
def test_what_is_no_whole_image_of_a_known_format_is_named(content: bytes, message: str) -> None:
    """Nothing else is tried: some of Pillow's formats start programs or drop bits."""
    with pytest.raises(DataError, match=f"^x \\(.*cannot be used: .*({message})"):
        decode_image(content, "x", "RGB")


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((20_000, 20_000), r"exceeds limit|20,000×20,000 pixels"),
        ((1, 60_000), "more than 1,000 times as long as wide"),
        ((16_000, 12_000), rf"16,000×12,000 pixels, allowed are {MOST_PIXELS:,}"),
    ],
)
def test_an_image_that_claims_too_many_pixels_is_refused_before_they_are_decoded(
    size: tuple[int, int], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a caller has switched Pillow's own limit off."""
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    if size[0] == 16_000:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match=message):
            decode_image(png(1, 0, size, pixels=zlib.compress(b"\0" * 1000)), "bomb.png", "RGB")


def test_an_image_of_another_size_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a data set says how large its images are."""
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError, match="it is 4000×4000 pixels, expected 64×64"):
        decode_image(png(8, 2, (4000, 4000)), "x", "RGB", size=(64, 64))


def test_large_images_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that decode share the memory; small images do not wait for each other."""
    from prunebench.training.images import decode

    monkeypatch.setattr(decode, "_LARGE", 95)
    content, seen = saved("PNG"), []
    real = Image.Image.convert
    monkeypatch.setattr(
        Image.Image, "convert", lambda *a: (seen.append(decode._one_at_a_time.locked()), real(*a))[1]
    )
    decode_image(content, "x", "RGB")
    decode_image(png(8, 2), "x", "RGB")
    assert seen == [True, False]


def test_streamed_images_are_tensors_of_the_same_pixels(tmp_path: Path) -> None:
    """The rule stands before torchvision's transforms, which see the same image as before."""
    path = tmp_path / "a.png"
    path.write_bytes(saved("PNG"))
    assert torch.equal(
        torch.from_numpy(np.asarray(open_image(path, 3)).copy()),
        torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).copy()),
    )
