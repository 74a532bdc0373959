"""What kind of method is this? The questions that Frankle et al. (2021) put to methods, put to any.

Made of results alone: of a suite that was made to ask (`prunebench judge`), or of any in which the method
stands beside random pruning, its own ablations, magnitude after training and lottery-ticket rewinding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from prunebench.analysis import SETTING, VARIANT, variant_name
from prunebench.analysis.ranges import Ranges
from prunebench.checks.compounds import combine, judged
from prunebench.checks.outcomes import Outcome, Verdict
from prunebench.report.results import Results

__all__ = ["JUDGES", "OTHER_BATCH", "QUESTIONS", "Answer", "Asked", "Portrait", "Question", "judged_method"]

OTHER_BATCH = "other-batch"
"""The end of the name of the method that scores on another batch."""

JUDGES = "-judges-"
"""Stands in the name of a suite that judges a method, before the method's."""

Variant = tuple[str, str]


class Question(NamedTuple):
    """A question, and what an answer means for the method."""

    id: str
    asks: str
    yes: str
    no: str
    mixed: str
    """What is said where settings or ranges answer differently."""
    opposite: str = ""
    """What is said of places where the difference is beyond the margin the other way round."""


QUESTIONS = (
    Question(
        "random",
        "Is it above random pruning?",
        "It is above random pruning.",
        "It is not above random pruning: nothing that it computes is of use.",
        "It is above random pruning in some places and not in others.",
        "It is worse than random pruning",
    ),
    Question(
        "shuffle",
        "Does it matter which weights of a layer it keeps?",
        "Which weights of a layer it keeps matters: with its masks shuffled within layers it does worse.",
        "Which weights of a layer it keeps does not matter: its masks shuffled within layers do as well. It "
        "is a way to choose how many weights each layer keeps.",
        "Shuffling its masks within layers loses something in some places and nothing in others.",
        "Its masks do better when they are shuffled within layers",
    ),
    Question(
        "reinit",
        "Do the initial values of the kept weights matter?",
        "The initial values of the kept weights matter: drawn anew they do worse.",
        "The initial values of the kept weights do not matter: drawn anew they do as well.",
        "Drawing the kept weights anew loses something in some places and nothing in others.",
        "The kept weights do better when they are drawn anew",
    ),
    Question(
        "invert",
        "Do its scores tell good weights from bad?",
        "Its scores tell good weights from bad: keeping the lowest instead does worse.",
        "Its scores do not tell good weights from bad: keeping the lowest instead does as well.",
        "Keeping the lowest scores instead loses something in some places and nothing in others.",
        "Keeping the lowest scores does better, so they point the wrong way",
    ),
    Question(
        "batch",
        "Does another scoring batch change it?",
        "Another scoring batch changes its accuracy.",
        "Another scoring batch does not change its accuracy.",
        "Another scoring batch changes its accuracy in some places and not in others.",
    ),
    Question(
        "after-training",
        "Does it fall short of magnitude pruning after training?",
        "It falls short of magnitude pruning after training.",
        "It does not fall short of magnitude pruning after training.",
        "It falls short of magnitude pruning after training in some places and not in others.",
        "It is better than magnitude pruning after training",
    ),
    Question(
        "ltr",
        "Does it fall short of lottery-ticket rewinding?",
        "It falls short of lottery-ticket rewinding.",
        "It does not fall short of lottery-ticket rewinding.",
        "It falls short of lottery-ticket rewinding in some places and not in others.",
        "It is better than lottery-ticket rewinding",
    ),
)

_WORDS: dict[Verdict, str] = {
    "holds": "yes",
    "fails": "no",
    "undecided": "cannot be told",
    "not run": "not run",
}


@dataclass(frozen=True)
class Asked:
    """A question at one place: what the seeds say there."""

    setting: dict[str, str]
    range: str
    outcome: Outcome

    @property
    def word(self) -> str:
        """The answer: "yes", "no", "cannot be told", "not run"."""
        return _WORDS[self.outcome.verdict]

    @property
    def opposite(self) -> bool:
        """True if the difference is the other way round, for sure and by more than the margin."""
        outcome = self.outcome
        if outcome.verdict != "fails" or outcome.upper is None or outcome.effect is None:
            return False
        return outcome.upper < 0 and outcome.effect < -(outcome.margin or 0.0)


@dataclass(frozen=True)
class Answer:
    """The answer to a question over all places where it could be asked."""

    question: Question
    asked: tuple[Asked, ...]
    reason: str = ""
    """Why it was asked nowhere."""

    @property
    def counts(self) -> Counter[str]:
        """How many places say "yes", "no", "cannot be told", "not run"."""
        return Counter(one.word for one in self.asked)

    @property
    def word(self) -> str:
        """The answer in a word or two, by the rule of compounds (`checks.compounds.combine`).

        "yes" and "no": every place says so. "it depends", "yes, in places", "no, in places": some place says
        yes, or no, also after Holm over all of them, so that chance alone hardly ever makes these.
        """
        if not self.asked:
            return "not asked"
        if self.counts["not run"] == len(self.asked):
            return "not run"
        for word in ("yes", "no"):
            if self.counts[word] == len(self.asked):
                return word
        judgements = [judged(one.outcome) for one in self.asked if one.word != "not run"]
        some_yes = combine(judgements, "some").verdict == "holds"
        some_no = combine(judgements, "every").verdict == "fails"
        if some_yes and some_no:
            return "it depends"
        return "yes, in places" if some_yes else "no, in places" if some_no else "cannot be told"

    @property
    def over(self) -> str:
        """In how many places what is said, as "yes in 2 of 5 places, cannot be told in 3"."""
        said = [f"{word} in {self.counts[word]}" for word in _WORDS.values() if self.counts[word]]
        return ", ".join([f"{said[0]} of {_places(len(self.asked))}", *said[1:]])

    @property
    def sentence(self) -> str:
        """What that means for the method, and in how many places which answer is seen."""
        if not self.asked:
            return f"{self.question.asks} Not asked: {self.reason}."
        texts = {"yes": self.question.yes, "no": self.question.no, "it depends": self.question.mixed}
        said = texts.get(self.word, self.question.asks)
        turned = sum(one.opposite for one in self.asked) if self.question.opposite else 0
        if turned and self.word in ("no", "it depends", "no, in places"):
            opposite = f"{self.question.opposite} in {turned} of {_places(len(self.asked))}."
            said = opposite if self.word != "it depends" else f"{said} {opposite}"
        return f"{said} ({self.over[0].upper()}{self.over[1:]}{self._more}.)"

    @property
    def _more(self) -> str:
        """What else there is to be said: seeds that would tell, cells that are missing, what chance makes."""
        needed = [one.outcome.seeds_needed for one in self.asked if one.outcome.seeds_needed]
        missing = sum(one.outcome.missing for one in self.asked)
        more = [f"{missing:,} cells are missing"] if missing else []
        if needed and self.counts["cannot be told"]:
            ends = dict.fromkeys((min(needed), max(needed)))
            more.append(f"{' to '.join(f'{n:,}' for n in ends)} seeds would tell there")
        if self.word == "cannot be told" and self.counts["yes"] + self.counts["no"]:
            more.append("chance alone may make so few")
        return "".join(f"; {each}" for each in more)


def _places(number: int) -> str:
    return f"{number} place{'s' * (number != 1)}"


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
                    Asked(*place, outcomes[question.id, i])
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
        return [*(answer.sentence for answer in self.answers), *_likeness(self.answers)]

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


def _likeness(answers: Sequence[Answer]) -> list[str]:
    """Return which methods of the paper answer alike, as far as the answers are plain.

    The paper asked at matching sparsities: what is said of its methods is compared with the answers there.
    """
    by_id = {answer.question.id: answer for answer in answers}
    matching = {name: _over_matching(answer) for name, answer in by_id.items()}
    shuffle, reinit = (matching[name].word for name in ("shuffle", "reinit"))
    turned = any(one.opposite for name in ("shuffle", "reinit") for one in matching[name].asked)
    after = by_id["after-training"].word
    if after == "not asked":
        return []  # it is that baseline, or nothing says what it is like beside it
    if shuffle == "no" and reinit == "no" and not turned:
        return [
            "In that it is like SNIP, GraSP, SynFlow and magnitude pruning at initialization in Frankle et "
            "al. (2021): none of them lost accuracy when its masks were shuffled within layers or the "
            "weights drawn anew."
        ]
    if shuffle == "yes" and after == "no":
        return [
            "In that it is like magnitude pruning after training in Frankle et al. (2021), which loses "
            "accuracy when its masks are shuffled; methods before training did not."
        ]
    if shuffle in ("yes", "it depends", "yes, in places"):
        return [
            "In that it is unlike the methods before training that Frankle et al. (2021) looked at: none of "
            "them lost accuracy at matching sparsities when its masks were shuffled within layers."
        ]
    return []


def _over_matching(answer: Answer) -> Answer:
    """Return the answer over matching sparsities alone."""
    return replace(answer, asked=tuple(one for one in answer.asked if one.range == "matching"))
