"""Questions put to a method, what became of each at every place where it was asked, and in sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from prunebench.analysis import holm
from prunebench.checks.compounds import combine, judged
from prunebench.checks.judge import ALPHA
from prunebench.checks.outcomes import Outcome, Verdict
from prunebench.percent import percent_labels

__all__ = ["QUESTIONS", "Answer", "Asked", "Question", "spanned"]


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
    sparsities: tuple[float, ...] = ()
    """What the range is in this setting."""

    @property
    def word(self) -> str:
        """The answer: "yes", "no", "cannot be told", "not run"."""
        return _WORDS[self.outcome.verdict]

    @property
    def opposite(self) -> bool:
        """True if the bounds of this place say that the difference is the other way round, and beyond the
        margin."""
        outcome = self.outcome
        if outcome.verdict != "fails" or outcome.upper is None or outcome.effect is None:
            return False
        return outcome.upper < 0 and outcome.effect < -(outcome.margin or 0.0)

    @property
    def ran(self) -> bool:
        """True if all of its cells are there."""
        return self.outcome.verdict != "not run"

    @property
    def p_values(self) -> tuple[float, float]:
        """The p values of a yes and of the opposite; 1 where nothing is known, NaN of what has not run."""
        if not self.ran:
            return math.nan, math.nan
        yes, evidence = self.outcome.p_holds, self.outcome.evidence
        return 1.0 if yes is None else yes, 1.0 if evidence is None else evidence.p_at_least(0.0)


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
        some_yes = any(one.word == "yes" for one in self._certain[0])
        some_no = combine([judged(one.outcome) for one in self.asked if one.ran], "every").verdict == "fails"
        if some_yes and some_no:
            return "it depends"
        return "yes, in places" if some_yes else "no, in places" if some_no else "cannot be told"

    @property
    def turned(self) -> tuple[Asked, ...]:
        """The places where the difference is the other way round, also after Holm over all and both ways."""
        return tuple(one for one in self._certain[1] if one.opposite)

    @cached_property
    def _certain(self) -> tuple[list[Asked], list[Asked]]:
        """The places where a yes, and where its opposite, has p < 5 % after Holm over all and both ways."""
        both = [one.p_values for one in self.asked]
        ways = 2 if self.question.opposite else 1
        adjusted = holm([p[way] for way in range(ways) for p in both]).reshape(ways, -1)
        sure = [[one for one, p in zip(self.asked, row, strict=True) if p < ALPHA] for row in adjusted]
        return sure[0], sure[1] if ways == 2 else []

    @property
    def over(self) -> str:
        """Which places say what, as "yes in 1 of 2 places (extreme, 80–95 %), cannot be told in 1 (…)"."""
        parts: list[str] = []
        for word in _WORDS.values():
            ones = [one for one in self.asked if one.word == word]
            of = "" if parts else f" of {_places(len(self.asked))}"
            parts += [f"{word} in {len(ones)}{of}{_where(ones)}"] if ones else []
        return ", ".join(parts)

    @property
    def sentence(self) -> str:
        """What that means for the method, at which sparsities, and which places say so."""
        if not self.asked:
            return f"{self.question.asks} Not asked: {self.reason}."
        texts = {"yes": self.question.yes, "no": self.question.no, "it depends": self.question.mixed}
        said = self._at(texts[self.word]) if self.word in texts else self.question.asks
        if self.turned and self.word in ("no", "it depends", "no, in places"):
            places = f"{len(self.turned)} of {_places(len(self.asked))}{_where(self.turned)}"
            opposite = f"{self.question.opposite} in {places}."
            said = opposite if self.word != "it depends" else f"{said} {opposite}"
        return f"{said} {self.over[0].upper()}{self.over[1:]}{self._more}."

    def _at(self, said: str) -> str:
        """Return a sentence that says of which sparsities it speaks, where it was asked over one range."""
        ranges = {one.range for one in self.asked}
        if len(ranges) > 1 or not ranges <= {"matching", "extreme"}:
            return said
        shown = spanned(s for one in self.asked for s in one.sparsities)
        return f"At {min(ranges)} sparsities{shown and f' ({shown})'}, {said[0].lower()}{said[1:]}"

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


def spanned(sparsities: Iterable[float]) -> str:
    """Return the sparsities from the lowest to the highest in percent; "" of none.

    >>> spanned([0.95, 0.8]), spanned([0.5]), spanned([])
    ('80–95 %', '50 %', '')
    """
    labels = list(percent_labels(sparsities).values())
    return f"{'–'.join(dict.fromkeys((labels[0], labels[-1])))} %" if labels else ""


def _where(places: Sequence[Asked]) -> str:
    """Return over which ranges of sparsity places are, as " (matching, 50 %; extreme, 80–95 %)"."""
    by_range: dict[str, list[float]] = {}
    for one in places:
        by_range.setdefault(one.range, []).extend(one.sparsities)
    named = [", ".join(filter(None, (name, spanned(points)))) for name, points in by_range.items()]
    return f" ({'; '.join(named)})"


def _places(number: int) -> str:
    return f"{number} place{'s' * (number != 1)}"
