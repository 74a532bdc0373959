"""What kind of method is this? The questions that Frankle et al. (2021) put to methods, put to any.

Made of results alone: of a suite that was made to ask (`prunebench judge`), or of any in which the method
stands beside random pruning, its own ablations, magnitude after training and lottery-ticket rewinding.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pandas as pd

from prunebench.analysis import SETTING, VARIANT, variant_name
from prunebench.analysis.ranges import Ranges
from prunebench.checks.judge import ALPHA
from prunebench.numbers import spelled
from prunebench.report.answers import QUESTIONS, Answer, Asked, Question, spanned
from prunebench.report.likeness import likeness
from prunebench.report.results import Results

__all__ = ["ENOUGH", "JUDGES", "OTHER_BATCH", "Portrait", "judged_method"]

ENOUGH = 3
"""With fewer seeds little can be said, and that is said."""

OTHER_BATCH = "other-batch"
"""The end of the name of the method that scores on another batch."""

JUDGES = "-judges-"
"""Stands in the name of a suite that judges a method, before the method's."""

Variant = tuple[str, str]


class Portrait:
    """A method's answers, masks and costs, from the results of a suite."""

    def __init__(self, results: Results, method: str, overlaps: pd.DataFrame | None = None) -> None:
        """Draw what is known of `method`; `overlaps` is what `inventory.overlaps` found of its masks."""
        self.results = results
        self.method = method
        self.overlaps = overlaps
        self._known = {
            tuple(map(str, names))
            for names in results.cells[list(VARIANT)].itertuples(index=False, name=None)
        }

    @cached_property
    def places(self) -> list[tuple[dict[str, str], str]]:
        """The settings with the method, and the ranges in which questions are asked there.

        Matching and extreme, as far as they are not empty; the whole grid where they are not known.
        """
        asked = []
        for names, ranges in self.results.board.ranges.items():
            labels = dict(zip(SETTING, names, strict=True))
            if labels["find"] or labels["score_at"] or not self._has((self.method, ""), labels):
                continue
            asked += [(labels, name) for name in _asked_ranges(ranges)]
        return asked

    @cached_property
    def answers(self) -> list[Answer]:
        """The answer to each of QUESTIONS."""
        checks = {
            (question.id, i): check
            for question in QUESTIONS
            for i, place in enumerate(self.places)
            if (check := self._check(question, place, i)) is not None
        }
        judged = self.results.judged(list(checks.values()))
        outcomes = dict(zip(checks, judged.outcomes, strict=True))
        return [
            Answer(
                question,
                tuple(
                    Asked(*place, outcomes[question.id, i], self._points(*place))
                    for i, place in enumerate(self.places)
                    if (question.id, i) in outcomes
                ),
                self._reason(question),
            )
            for question in QUESTIONS
        ]

    @property
    def missing(self) -> list[str]:
        """The keys of the cells that an answer still needs, each once."""
        asked = (one.outcome for answer in self.answers for one in answer.asked)
        return list(dict.fromkeys(key for outcome in asked for key in outcome.absent))

    @property
    def kind(self) -> list[str]:
        """What kind of method it is, in sentences: the answers, then what kinds of methods are like it."""
        return [*(answer.sentence for answer in self.answers), *likeness(self.answers, self.method)]

    @property
    def cautions(self) -> list[str]:
        """How far the answers can be trusted: how many chance explains, and that the seeds are few."""
        judged = [one.outcome for answer in self.answers for one in answer.asked if one.ran]
        if not judged:
            return []
        chance = spelled(round(ALPHA * len(judged), 10), "quantity")
        said = [
            f"{len(judged):,} answer{'s' * (len(judged) != 1)} at single places were looked for, each with "
            f"5 % bounds: chance explains up to {chance} of those that say yes or no."
        ]
        fewest = min(outcome.n for outcome in judged)
        if fewest < ENOUGH:
            some = "The" if max(outcome.n for outcome in judged) < ENOUGH else "Some"
            said.append(
                f"{some} answers rest on {fewest} seed{'s' * (fewest != 1)}: little can be said with fewer "
                f"than {ENOUGH}, whatever the words are."
            )
        return said

    @cached_property
    def sparsities(self) -> list[tuple[dict[str, str], dict[str, tuple[float, ...]]]]:
        """The settings with the method, and which sparsities are trivial, matching and extreme there."""
        named = ("trivial", "matching", "extreme")
        every = self.results.board.ranges
        settings = {tuple(place.values()): place for place, _ in self.places}
        return [(place, {name: every[key].points(name) for name in named}) for key, place in settings.items()]

    def ranges_told(self, labels: dict[str, str]) -> str:
        """Return which sparsities are matching and which extreme in a setting, in words."""
        ranges = self.results.board.ranges[tuple(labels.values())]
        if ranges.unknown:
            return f"which sparsities are matching is not known ({ranges.unknown})"
        shown = {name: spanned(ranges.points(name)) for name in ("matching", "extreme")}
        return ", ".join(
            f"{name} sparsities: {points}" if points else f"no sparsity is {name} here"
            for name, points in shown.items()
        )

    def _points(self, labels: dict[str, str], range: str) -> tuple[float, ...]:
        return self.results.board.ranges[tuple(labels.values())].points(range)

    def _has(self, variant: Variant, labels: dict[str, str]) -> bool:
        cells = self.results.board.cells
        here = (cells["method"] == variant[0]) & (cells["ablations"] == variant[1])
        for name, value in labels.items():
            here &= cells[name] == value
        return bool(here.any())

    def _against(self, question: Question) -> Variant:
        baselines = self.results.baselines
        other = {
            "random": (baselines.random, ""),
            "batch": (f"{self.method}-{OTHER_BATCH}", ""),
            "after-training": (baselines.after_training, ""),
            "ltr": ("ltr", ""),
        }
        return other.get(question.id, (self.method, question.id))

    def _check(
        self, question: Question, place: tuple[dict[str, str], str], number: int
    ) -> dict[str, Any] | None:
        """Return the check that asks a question at a place; None where the cells are not part of it."""
        labels, range = place
        other = self._against(question)
        if other == (self.method, "") or not self._has(other, labels):
            return None
        of = {"method": self.method}
        against = {"method": other[0], "ablations": [other[1]] if other[1] else []}
        above = question.id not in ("after-training", "ltr")
        return {
            "name": f"{question.id}-{number}",
            "of": of if above else against,
            "against": against if above else of,
            "where": {
                key: [labels[key]] for key in ("architecture", "dataset", "recipe", "split") if labels[key]
            },
            "range": range,
            "expect": "not-same" if question.id == "batch" else "above",
        }

    def _reason(self, question: Question) -> str:
        other = self._against(question)
        if other == (self.method, ""):
            return "it is this method"
        if question.id == "batch" and other not in self._known:
            return "its scorer reads no data, or the suite has no other batch"
        return f"the suite has no {variant_name(*other)} beside it"


def judged_method(results: Results) -> str | None:
    """Return the method that a suite was made to judge (`prunebench judge`); None of any other suite."""
    _, judges, method = results.name.partition(JUDGES)
    return method if judges and method in set(results.cells["method"]) else None


def _asked_ranges(ranges: Ranges) -> Iterator[str]:
    named = [name for name in ("matching", "extreme") if ranges.points(name)]
    yield from named or (["all"] if ranges.grid else [])
