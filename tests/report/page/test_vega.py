"""The runtime of Vega in the package is the one that vl-convert makes, for the charts that altair makes."""

from __future__ import annotations

import importlib.util
import re
from importlib.resources import files
from pathlib import Path

import altair
import pytest

TOOL = Path(__file__).parents[3] / "tools" / "vega.py"
RUNTIME = files("prunebench.report.page").joinpath("vega.js")


def test_the_runtime_is_the_one_that_the_tool_makes() -> None:
    """Byte for byte, where vl-convert is here in the version that the file's first line speaks of."""
    vl_convert = pytest.importorskip("vl_convert")
    if not TOOL.is_file():
        pytest.skip("tools/ is not part of a source archive")
    spec = importlib.util.spec_from_file_location("vega_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    first, made = RUNTIME.read_text("utf-8").split("\n", 1)
    versions = (vl_convert.get_vega_version(), vl_convert.get_vega_embed_version())
    if not all(version in first for version in versions):
        pytest.skip(f"another vl-convert, with Vega {versions[0]}; the file is of {first}")
    assert tool.runtime() == f"{first}\n{made}"


def test_the_runtime_reads_the_charts_that_altair_makes() -> None:
    """Of one major version of Vega-Lite: another would warn in the console of everyone who opens a page."""
    first = RUNTIME.read_text("utf-8").split("\n", 1)[0]
    lite = re.search(r"Vega-Lite (\d+)\.", first)
    assert lite is not None
    supported = altair.SCHEMA_VERSION.removeprefix("v").split(".")[0]
    if supported != lite[1] and int(altair.__version__.split(".")[0]) < 6:
        pytest.skip(f"altair {altair.__version__} makes charts of Vega-Lite {supported}, which are read, too")
    assert supported == lite[1]


def test_the_runtime_ends_no_script_element_and_has_its_licences() -> None:
    text = RUNTIME.read_text("utf-8")
    assert "</script" not in text.lower()
    assert "<!--" not in text
    licenses = files("prunebench.report.page").joinpath("vega.licenses.txt").read_text("utf-8")
    for name in (
        "vega-lite",
        "vega-embed",
        "vega-interpreter",
        "d3-scale",
        "topojson-client",
        "lodash.debounce",
    ):
        assert name in licenses.replace("-\n", "-")
    for first in ("Redistribution and use in source and binary forms", "Permission to use, copy, modify"):
        assert first in licenses
