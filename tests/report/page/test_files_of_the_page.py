"""Files of figures beside a page: those that are there are linked, and no others."""

from __future__ import annotations

import re

import pytest

from prunebench.report.page import Content, figure_files, render
from prunebench.report.results import Results


def test_a_page_links_the_files_that_lie_beside_it(small: Results) -> None:
    """One format of one figure, in a folder a setting; the same bytes each time."""
    pytest.importorskip("vl_convert")
    content = Content(small, files={"accuracy": ("svg",)})
    files = dict(figure_files(content))
    figure = next(each for each in content.figures if each.id == "accuracy")
    ids = {setting.name.title: setting.name.id for setting in content.settings}
    assert list(files) == [f"figures/{ids[setting]}/accuracy.svg" for setting in figure.settings]
    assert all(file.startswith(b"<svg") for file in files.values())
    assert dict(figure_files(content)) == files
    assert re.findall('data-file="([^"]*)"', render(content)) == ["accuracy.svg"]
