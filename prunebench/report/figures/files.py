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


_STYLE = """
body { margin: 1rem; background: GROUND; color: INK; font: 14px/1.5 system-ui, sans-serif }
svg { max-width: 100%; height: auto }
#tooltip { position: fixed; padding: 0.3rem 0.5rem; background: GROUND; border: 1px solid INK }
#tooltip { font-size: 12px; pointer-events: none }
"""

_SCRIPT = """
const warn = console.warn.bind(console);
console.warn = (first, ...rest) => first === "WARN" || warn(first, ...rest); // Vega's, of good charts
const refused = () => Promise.reject(new Error("nothing is loaded"));
const loader = { load: refused, sanitize: refused, http: null, file: null };
const box = document.getElementById("tooltip");
function tooltip(_, event, item, value) {
  box.hidden = !value;
  if (box.hidden) return;
  box.replaceChildren(...Object.entries(value).map(([name, text]) => {
    const line = document.createElement("div");
    line.textContent = `${name}: ${text}`;
    return line;
  }));
  box.style.left = `${Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8)}px`;
  box.style.top = `${Math.min(event.clientY + 14, innerHeight - box.offsetHeight - 8)}px`;
}
const spec = JSON.parse(document.getElementById("spec").textContent);
const view = { mode: "vega-lite", renderer: "svg", actions: false, ast: true };
vegaEmbed("#figure", spec, { ...view, defaultStyle: false, logLevel: 1, tooltip, loader });
"""


def _page(spec: Mapping[str, Any]) -> str:
    """Return a page that draws a figure with the runtime that the report has too; it loads nothing."""
    from prunebench.report.page.policy import policy

    runtime = files("prunebench.report.page").joinpath("vega.js").read_text("utf-8")
    config = spec.get("config") or {}
    ink = (config.get("title") or {}).get("color", "#1d2127")
    style = _STYLE.replace("GROUND", config.get("background", "#ffffff")).replace("INK", ink)
    text = html.escape(str(spec.get("description", "")))
    data = json.dumps(spec, ensure_ascii=False)
    for character in "<>&\u2028\u2029":  # no text in it can end the element, or begin another
        data = data.replace(character, f"\\u{ord(character):04x}")
    allowed = html.escape(policy([runtime, _SCRIPT], [style]))
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>prunebench</title>\n'
        f"<style>{style}</style>\n"
        f'<div id="figure" role="img" aria-label="{text}"></div>\n<div id="tooltip" hidden></div>\n'
        f"<script>{runtime}</script>\n"
        f'<script type="application/json" id="spec">{data}</script>\n'
        f"<script>{_SCRIPT}</script>\n</html>\n"
    )
