"""Figures as files: SVG, PDF and PNG for papers, HTML that opens offline, JSON for other programs."""

from __future__ import annotations

import html
import importlib.util
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from prunebench.errors import UsageError, nearest

__all__ = ["FORMATS", "MISSING", "can_convert", "format_of", "picture"]

FORMATS = ("svg", "pdf", "png", "html", "json")

MISSING = (
    "SVG, PDF and PNG files are made by vl-convert (84 MB, no network), which is not installed: "
    'pip install "prunebench[report]"; .html and .json need nothing'
)

_SCALE = 2.0
"""Pixels of a PNG for each of the figure's: sharp on screens of today and at 300 dots an inch in a column."""


def can_convert() -> bool:
    """Return whether vl-convert is there, which SVG, PDF and PNG are made with."""
    return importlib.util.find_spec("vl_convert") is not None


def format_of(path: str) -> str:
    """Return the format that a file's name asks for by its suffix.

    Raises: UsageError for another suffix.

    >>> format_of("answer.PDF")
    'pdf'
    """
    suffix = PurePath(path).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        given = f"'.{suffix}'" if suffix else "none"
        raise UsageError(
            f"{path}: a figure's format is its file's suffix, found {given}{nearest(suffix, FORMATS)}"
        )
    return suffix


def picture(spec: Mapping[str, Any], format: str) -> bytes:
    """Return a figure (`Figure.spec`) in one of FORMATS; PDF has its fonts embedded.

    Raises: UsageError for SVG, PDF and PNG where vl-convert is not there.
    """
    if format == "json":
        return (json.dumps(spec, indent=1, ensure_ascii=False) + "\n").encode()
    if format == "html":
        return _page(spec).encode()
    if not can_convert():
        raise UsageError(MISSING)
    import vl_convert

    if format == "svg":
        return str(vl_convert.vegalite_to_svg(dict(spec))).encode()
    if format == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(dict(spec)))
    return bytes(vl_convert.vegalite_to_png(dict(spec), scale=_SCALE))


def _page(spec: Mapping[str, Any]) -> str:
    """Return a page that draws a figure with the runtime that the report has too; it loads nothing."""
    runtime = files("prunebench.report.page").joinpath("vega.js").read_text("utf-8")
    text = str(spec.get("description", ""))
    data = json.dumps(spec, ensure_ascii=False)
    for character in "<>&\u2028\u2029":  # no text in it can end the element, or begin another
        data = data.replace(character, f"\\u{ord(character):04x}")
    ground = (spec.get("config") or {}).get("background", "#ffffff")
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>prunebench</title>\n'
        f"<style>body {{ margin: 1rem; background: {ground} }}</style>\n"
        f'<div id="figure" role="img" aria-label="{html.escape(text)}"></div>\n'
        f"<script>{runtime}</script>\n"
        f'<script type="application/json" id="spec">{data}</script>\n'
        '<script>vegaEmbed("#figure", JSON.parse(document.getElementById("spec").textContent), '
        '{renderer: "svg"})</script>\n</html>\n'
    )
