"""Figures as files beside a page: each for every setting that it can be chosen for."""

from __future__ import annotations

from collections.abc import Iterator

from prunebench.report.escapes import file_name
from prunebench.report.figures.files import can_convert, picture
from prunebench.report.page.content import FORMATS, Content

__all__ = ["FORMATS", "figure_files"]


def figure_files(content: Content) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the files of figures, where vl-convert is installed; else nothing.

    `figures/FIGURE.svg` shows all settings together, `figures/SETTING/FIGURE.svg` one of them.
    """
    if not can_convert():
        return
    ids = {setting.name.title: setting.name.id for setting in content.settings}
    for figure in content.figures:
        for setting in figure.settings or ("",):
            spec = figure.spec(setting or None)
            place = f"figures/{ids[setting]}" if setting else "figures"
            for form in content.formats(figure.id):
                yield f"{place}/{file_name(figure.id)}.{form}", picture(spec, form)
