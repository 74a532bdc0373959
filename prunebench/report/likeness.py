"""Which methods of Frankle et al. (2021) a method is like, by what they found at matching sparsities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prunebench.report.answers import Answer

__all__ = ["LOOKED_AT", "likeness"]

LOOKED_AT = ("snip", "grasp", "synflow", "magnitude", "random", "magnitude-after-training", "ltr")
"""The methods that the paper looked at, by their names here: they are not like themselves."""


def likeness(answers: Sequence[Answer], method: str) -> list[str]:
    """Return which methods of the paper answer alike, as far as the answers at matching sparsities are plain.

    Only there the paper asked; where the answers are open there, and of a method of its own, nothing is said.
    """
    at_matching = {answer.question.id: _over_matching(answer) for answer in answers}
    shuffle, reinit = (at_matching[name].word for name in ("shuffle", "reinit"))
    turned = any(at_matching[name].turned for name in ("shuffle", "reinit"))
    after = at_matching["after-training"].word
    if method in LOOKED_AT or not next(a.asked for a in answers if a.question.id == "after-training"):
        return []  # it is that baseline, or nothing says what it is like beside it
    if shuffle == "no" and reinit == "no" and not turned:
        return [
            "At matching sparsities it is like SNIP, GraSP, SynFlow and magnitude pruning at initialization "
            "in Frankle et al. (2021): none of them lost accuracy there when its masks were shuffled within "
            "layers or the weights drawn anew."
        ]
    if shuffle == "yes" and after == "no":
        return [
            "At matching sparsities it is like magnitude pruning after training in Frankle et al. (2021), "
            "which loses accuracy there when its masks are shuffled; methods before training did not."
        ]
    if shuffle in ("yes", "it depends", "yes, in places"):
        return [
            "At matching sparsities it is unlike the methods before training that Frankle et al. (2021) "
            "looked at: none of them lost accuracy there when its masks were shuffled within layers."
        ]
    return []


def _over_matching(answer: Answer) -> Answer:
    """Return the answer over matching sparsities alone."""
    return replace(answer, asked=tuple(one for one in answer.asked if one.range == "matching"))
