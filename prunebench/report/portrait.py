"""What kind of method is this? The questions that Frankle et al. (2021) put to methods, put to any.

Made of results alone: of a suite that was made to ask (`prunebench judge`), or of any in which the method
stands beside random pruning, its own ablations, magnitude after training and lottery-ticket rewinding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from prunebench.analysis import SETTING, VARIANT, variant_name
from prunebench.analysis.ranges import Ranges
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
        """The answer in a word or two; "it depends" where places that are decided differ."""
        decided = {word for word in ("yes", "no") if self.counts[word]}
        if len(decided) == 2:
            return "it depends"
        if decided:
            return decided.pop()
        if not self.asked:
            return "not asked"
        return "cannot be told" if self.counts["cannot be told"] else "not run"

    @property
    def sentence(self) -> str:
        """What that means for the method."""
        texts = {"yes": self.question.yes, "no": self.question.no, "it depends": self.question.mixed}
        turned = sum(one.opposite for one in self.asked) if self.question.opposite else 0
        if turned:
            said = f"{self.question.opposite} (in {turned} of {len(self.asked)} places)."
            return said if self.word == "no" else f"{texts[self.word]} {said}"
        if self.word in texts:
            return texts[self.word]
        if self.word == "cannot be told":
            needed = [one.outcome.seeds_needed for one in self.asked if one.outcome.seeds_needed]
            more = f" ({min(needed):,} to {max(needed):,} would)" if needed else ""
            return f"{self.question.asks} These seeds cannot tell{more}."
        if self.word == "not run":
            missing = sum(one.outcome.missing for one in self.asked)
            return f"{self.question.asks} Not run: {missing:,} cells are missing."
        return f"{self.question.asks} Not asked: {self.reason}."


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
        words = {
            answer.question.id: "the opposite" if any(one.opposite for one in answer.asked) else answer.word
            for answer in self.answers
        }
        return [*(answer.sentence for answer in self.answers), *_likeness(words)]

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


def _likeness(words: dict[str, str]) -> list[str]:
    """Return which methods of the paper answer alike, as far as the answers are plain."""
    if words["shuffle"] == "no" and words["reinit"] == "no":
        return [
            "In that it is like SNIP, GraSP, SynFlow and magnitude pruning at initialization in Frankle et "
            "al. (2021): none of them lost accuracy when its masks were shuffled within layers or the "
            "weights drawn anew."
        ]
    if words["shuffle"] == "yes" and words["after-training"] == "no":
        return [
            "In that it is like magnitude pruning after training in Frankle et al. (2021), which loses "
            "accuracy when its masks are shuffled; methods before training did not."
        ]
    if words["shuffle"] == "yes":
        return [
            "In that it is unlike the methods before training that Frankle et al. (2021) looked at: none of "
            "them lost accuracy at matching sparsities when its masks were shuffled within layers."
        ]
    return []


def _means(frame: pd.DataFrame, keys: Sequence[str], name: str) -> pd.DataFrame:
    """Return the mean over seeds of `value`."""
    return frame.groupby(list(keys), sort=False, dropna=False)["value"].mean().rename(name).reset_index()


_MASK_FIELDS = {
    ("effective-density", "density"): "effective_density",
    ("disconnected", "weights"): "disconnected",
    ("disconnected", "share"): "disconnected_share",
    ("neuron-sparsity", "collapsed"): "neurons_collapsed",
    ("layer-sparsity", "output"): "output_sparsity",
}


def mask_rows(portrait: Portrait) -> pd.DataFrame:
    """Return a row a setting, method and sparsity of what masks are like: the method's, and baselines'.

    Columns: SETTING, method, density, sparsity; means over seeds of `effective_density`, `disconnected`
    (weights), `disconnected_share` (of the kept ones), `neurons_collapsed` (share of all), `output_sparsity`;
    `empty_layers` (name and in how many seeds).
    """
    results, own = portrait.results, portrait.method
    wanted = [own, results.baselines.random, results.baselines.after_training]
    keys = [*SETTING, "method", "density", "sparsity"]
    rows = results.summary
    rows = rows[(rows["at"] == "sparsity") & (rows["ablations"] == "") & rows["method"].isin(wanted)]
    rows = rows[(rows["sparsity"] > 0) & (rows["find"] == "") & (rows["score_at"] == "")]
    frame = rows[[*keys, "n", "diverged", "empty_layers"]].reset_index(drop=True)
    values = results.measures
    values = values[(values["ablations"] == "") & values["method"].isin(wanted)]
    for (measure, field), name in _MASK_FIELDS.items():
        mine = values[(values["measure"] == measure) & (values["field"] == field)]
        frame = frame.merge(_means(mine, keys, name), on=keys, how="left")
    order = {name: i for i, name in enumerate(wanted)}
    frame["_order"] = frame["method"].map(order)
    return frame.sort_values("_order", kind="stable").drop(columns="_order").reset_index(drop=True)


def cost_rows(portrait: Portrait) -> pd.DataFrame:
    """Return the method's costs, a row a setting and sparsity: means over seeds of the columns of costs."""
    costs = portrait.results.costs
    mine = costs[(costs["method"] == portrait.method) & (costs["ablations"] == "")]
    names = [
        "scoring_rounds",
        "scoring_passes",
        "scoring_seconds",
        "train_seconds",
        "relative_dense",
        "relative_sparse",
    ]
    keys = [*SETTING, "density", "sparsity"]
    means: pd.DataFrame = mine.groupby(keys, sort=False, dropna=False)[names].mean().reset_index()
    return means
