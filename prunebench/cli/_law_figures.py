"""Figures of a law as files, with the tables behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunebench.scaling.form import Form
    from prunebench.scaling.law import Law

__all__ = ["write_figures"]


def write_figures(folder: str, law: Law, forms: Mapping[str, Form]) -> list[str]:
    """Write every figure of a law as SVG and PDF, else as HTML, and its table; return what to say of it.

    Raises: UsageError where the folder cannot be written.
    """
    from pathlib import Path

    from prunebench.report.figures.files import MISSING, can_convert, picture
    from prunebench.report.figures.law import law_figures
    from prunebench.report.page.folder import write
    from prunebench.scaling.drawing import Study

    formats = ("svg", "pdf") if can_convert() else ("html",)
    study = Study(law, forms, law.about)
    made = law_figures(study)
    for figure in made:
        for format in formats:
            write(Path(folder), f"{figure.id}.{format}", picture(figure.spec(), format))
        write(Path(folder), f"{figure.id}.csv", figure.table.to_csv(index=False, float_format="%.12g"))
    kinds = " and ".join(map(str.upper, formats))
    said = [f"{folder}: {len(made)} figures as {kinds}, and the tables behind them"]
    return [*(said if made else []), *study.missing, *([] if can_convert() else [MISSING])]
