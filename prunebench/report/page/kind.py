"""What kind of method is this, in the page of a suite that `prunebench judge` made."""

from __future__ import annotations

import pandas as pd

from prunebench.report.page.listed import NUMBER, Column, Listed
from prunebench.report.portrait import Portrait, judged_method
from prunebench.report.results import Results
from prunebench.report.settings import heading

__all__ = ["kind"]


def kind(results: Results) -> list[Listed]:
    """Return a row a question that was asked of the method; none of a suite that judges nobody."""
    method = judged_method(results)
    if method is None:
        return []
    portrait = Portrait(results, method)
    rows = [
        {
            "asks": answer.question.asks,
            "answer": answer.word,
            "says": answer.sentence,
            **{name: answer.counts[word] for name, word in _COUNTED.items()},
        }
        for answer in portrait.answers
    ]
    columns = [
        Column("asks", "question"),
        Column("answer", "answer"),
        Column("says", "what that means"),
        *(
            Column(name, word, f"settings and ranges that say so: {word}", NUMBER)
            for name, word in _COUNTED.items()
        ),
    ]
    asked = "The questions of Frankle et al. (2021), over each setting's matching and extreme sparsities."
    where = [f"{heading(labels)}: {portrait.ranges_told(labels)}." for labels, _ in portrait.sparsities]
    about = " ".join([asked, *where, *portrait.cautions])
    return [
        Listed("kind", f"What kind of method is {method}?", about, columns, pd.DataFrame(rows), chosen=False)
    ]


_COUNTED = {"yes": "yes", "no": "no", "open": "cannot be told", "absent": "not run"}
