"""The answer in words: for each setting and range, who is best, and who cannot be told from the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prunebench.analysis import Ranges, variant_name
from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.standings import Standing, seeds_words

__all__ = ["RANGES", "Answer", "answer", "span"]

RANGES = ("matching", "trivial", "extreme", "all")
"""In the order in which a reader wants them."""

_NAMED = 4
"""So many methods are named in a sentence; of more, their number is said."""


@dataclass(frozen=True)
class Answer:
    """What is said of one setting over one range."""

    range: str
    points: str
    """The range's sparsities, as "59–89.3 %"."""
    best: tuple[str, ...]
    """Methods that nobody is significantly better than, the highest mean first."""
    of: int
    """So many methods are compared."""
    words: str
    few: tuple[str, ...] = ()
    """Those of the best that are named in a table; of the others, their number is said."""

    doubted: Mapping[str, str] = field(default_factory=dict)
    """Of the best those that came out otherwise when somebody ran them again, with what that is called."""

    @property
    def doubts(self) -> str:
        """What is said of those, in words."""
        return " ".join(f"{method}: {word}." for method, word in self.doubted.items())

    @property
    def more(self) -> int:
        """How many of the best are not named."""
        return len(self.best) - len(self.few)


def answer(standing: Standing) -> list[Answer]:
    """Return what is said of a setting, for each of its ranges over which methods are compared."""
    rows: Sequence[Mapping[Any, Any]] = standing.rows.to_dict("records")
    answers = []
    for name in RANGES:
        every = [row for row in rows if row["at"] == "range" and row["range"] == name]
        placed = [row for row in every if row["of"]]
        if placed:
            answers.append(_answer(name, placed, standing, lacking=len(every) > int(placed[0]["of"])))
    return answers


def span(ranges: Ranges, name: str) -> str:
    """Return the sparsities of a range in percent.

    >>> from types import SimpleNamespace
    >>> span(SimpleNamespace(grid=(0.2, 0.36, 0.488), points=lambda name: (0.36, 0.488)), "matching")
    '36–48.8 %'
    """
    labels = percent_labels(ranges.grid)
    ends = [labels[point] for point in (ranges.points(name) or ())]
    return f"{'–'.join(dict.fromkeys((ends[0], ends[-1])))} %" if ends else ""


def _answer(name: str, rows: Sequence[Mapping[Any, Any]], standing: Standing, *, lacking: bool) -> Answer:
    falling = sorted(rows, key=lambda row: -row["mean"] if row["mean"] == row["mean"] else float("inf"))
    means = {variant_name(row["method"], row["ablations"]): row["mean"] for row in falling}
    best = [variant_name(row["method"], row["ablations"]) for row in falling if row["best"] == 1]
    best = [method for method in best if means[method] == means[method]]
    of = int(rows[0]["of"])
    plain = [method for method in best if " + " not in method] or best
    words = _words(best, plain, means, of)
    ablated = sum(" + " in method for method in means)
    if ablated and of > 2:
        words += f" ({ablated} of the {of} are methods with an ablation.)"
    if lacking and any(row["missing"] or row["failed"] for row in standing.rows.to_dict("records")):
        words = f"So far, of the {of} methods that can be compared: {words}"
    if len(best) > 1 and (seeds := seeds_words(standing, [name])):
        words += f" {seeds}"
    return Answer(name, span(standing.ranges, name), tuple(best), of, words, tuple(plain[:_NAMED]))


def _words(best: Sequence[str], plain: Sequence[str], means: Mapping[str, float], of: int) -> str:
    if not best:
        return "Nothing to compare yet."
    first = best[0]
    mean = spelled(means[first], "points")
    if of == 1:
        return f"{first} is alone here ({mean} %)."
    if len(best) == 1:
        others = f"each of the {of - 1} others" if of > 2 else "the other one"
        return f"{first} is best ({mean} %): significantly better than {others}."
    if len(best) == of:
        if of == 2:
            return f"The two cannot be told apart; {first} has the higher mean ({mean} %)."
        return f"None of the {of} methods can be told from the best; {first} has the highest mean ({mean} %)."
    rest = [method for method in plain if method != first][: _NAMED - 1]
    named = ", ".join(f"{method} ({spelled(means[method], 'points')})" for method in rest)
    more = len(best) - 1 - len(rest)
    also = [named] if named else []
    also += [f"{more} more"] if more else []
    return (
        f"{first} has the highest mean ({mean} %); nobody is significantly better than "
        f"{' and '.join(also)} either: {len(best)} of {of} may be best."
    )
