"""What the page says in a sentence or a number: what there is, what is missing, where it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from prunebench import smoke
from prunebench.numbers import spelled
from prunebench.report.escapes import plain

if TYPE_CHECKING:
    from prunebench.checks.outcomes import Verdicts
    from prunebench.report.page.content import Content

__all__ = ["Fact", "claims_words", "facts", "provenance", "remarks"]


class Fact(NamedTuple):
    """A number and what it counts."""

    number: str
    words: str

    @property
    def text(self) -> str:
        """Both, as a sentence has them."""
        return f"{self.number} {self.words}"


def facts(content: Content) -> list[Fact]:
    """Return how much of what is in the page: methods, settings, sparsities, seeds, runs, verdicts."""
    cells = content.results.cells
    dense = plain(content.results.baselines.none)
    counts = content.counts
    there = counts.get("finished", 0) + counts.get("diverged", 0)
    found = [
        _fact(len({name.split(" + ")[0] for name in content.variants} - {dense}), "method"),
        _fact(len(content.settings), "setting"),
        _fact(len(set(cells.loc[cells["sparsity"] > 0, "density"])), "sparsity", "sparsities"),
        _fact(cells["seed"].nunique(), "seed"),
        _fact(there, "run"),
    ]
    if counts.get("diverged"):
        found.append(Fact(f"{counts['diverged']:,}", "diverged"))
    if content.claims is not None:
        found += _verdicts(content.claims)
    return found


def _verdicts(verdicts: Verdicts) -> list[Fact]:
    """Return how many claims came out how; then how many of the checks that belong to no claim."""
    counts: Counter[tuple[str, str]] = Counter(
        ("check" if claim.own else "claim", claim.verdict) for claim in verdicts.claims
    )
    return [
        _fact(number, f"{noun} {word}", f"{noun}s {_PLURAL.get(word, word)}")
        for noun in ("claim", "check")
        for word in _ORDER
        if (number := counts[noun, word])
    ]


_ORDER = ("holds", "fails", "not contradicted", "open", "not run")
_PLURAL = {"holds": "hold", "fails": "fail"}


def _fact(number: int, one: str, more: str = "") -> Fact:
    return Fact(f"{number:,}", one if number == 1 else more or f"{one}s")


def remarks(content: Content) -> list[str]:
    """Return what a reader must know before all else: that runs are missing, failed, or of a smoke run."""
    counts = content.counts
    planned = sum(counts.values())
    lacking = counts.get("missing", 0) + counts.get("failed", 0) + counts.get("unselected", 0)
    said = []
    if note := smoke.note(content.results.suite):
        said.append(f"{note[0].upper()}{note[1:]}.")
    if lacking:
        failed = f", {counts['failed']:,} of them failed" if counts.get("failed") else ""
        running = " The suite is running: this page is written again as it goes on." if content.follow else ""
        said.append(
            f"{planned - lacking:,} of {planned:,} runs are there; {lacking:,} are not{failed}.{running}"
        )
    numerics = sorted({name for setting in content.settings for name in setting.standing.numerics})
    if len(numerics) > 1:
        said.append(f"Runs of {len(numerics)} numerics classes are mixed: {'; '.join(map(plain, numerics))}.")
    return said


def claims_words(content: Content) -> str:
    """Return what stands above the claims: how many there are, and how many failures chance explains."""
    if content.claims is None:
        return ""
    claims, outcomes = content.claims.claims, content.claims.outcomes
    judged, failing, chance = content.claims.judged, content.claims.failures, content.claims.chance
    return (
        f"{_fact(len(claims), 'claim').text}, made of {_fact(len(outcomes), 'check').text}. A check asks of "
        f"a difference paired by seed, with 95 % one-sided bounds. Of {judged:,} that were judged "
        f"{failing:,} fail; chance alone explains up to {spelled(chance, 'quantity')}, besides differences "
        "too small to matter. “Not contradicted” and “open” are no verdicts: more seeds would decide."
    )


def provenance(content: Content) -> Sequence[tuple[str, str]]:
    """Return names and values of what the page was made from."""
    suite = content.results.suite
    numerics = sorted({name for setting in content.settings for name in setting.standing.numerics})
    counts = ", ".join(f"{number:,} {status}" for status, number in sorted(content.counts.items()))
    pairs = [
        ("suite", f"{content.results.name}, version {suite.get('version', '')}"),
        ("digest of the suite", str(suite.get("digest") or "")),
        ("runs", counts),
        ("numerics", "; ".join(numerics)),
        *content.about,
    ]
    return [(plain(name), plain(value)) for name, value in pairs if value]
