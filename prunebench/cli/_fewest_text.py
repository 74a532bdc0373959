"""The answer to which network has the fewest weights, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prunebench.cli._law_text import number, percent, shown_as, table
from prunebench.cli._output import counted

if TYPE_CHECKING:
    from prunebench.scaling.law import Law
    from prunebench.scaling.law.fewest import Choice, Measurement
    from prunebench.scaling.law.members import Member

__all__ = ["fewest_text"]


def fewest_text(
    law: Law,
    most: float,
    choices: Sequence[Choice],
    solved: tuple[Member, float, float] | None,
    measured: Measurement | None,
    among: int,
) -> str:
    """Return the answer to which member, pruned how far, has the fewest weights, in words."""
    best = choices[0]
    weights = "" if best.kept is None else f": {best.kept:,} weights ({_between(best)})"
    pruned = "not pruned" if best.unpruned else f"pruned to density {number(best.density)}"
    lines = [
        f"error at most {shown_as(law)(most)}: {best.member.name}, {pruned}{weights}",
        "",
        _choices(law, choices[:8]),
        f"  {len(choices)} of {counted(among, 'member')} can reach it",
        "",
        *([] if solved is None else [_analytic(law, best, *solved)]),
        *([] if measured is None else _measured(law, best, measured)),
    ]
    if best.kept is None:
        lines.append(
            "weights are not counted: the points have no column prunable, and no architecture was named"
        )
    return "\n".join(lines).rstrip() + "\n"


def _size(law: Law) -> str:
    """Return what stands for weights in the analytic solution, of the scales that the points have."""
    names = law.points.names()
    powers = [power for name, power in (("depth", "depth"), ("width", "width²")) if name in names]
    return " · ".join([*powers, "density"])


def _analytic(law: Law, best: Choice, member: Member, density: float, _: float) -> str:
    same = "the same member" if member == best.member else member.name
    kept = "" if member.prunable is None else f", {math.ceil(density * member.prunable):,} weights"
    return f"analytic solution (least {_size(law)}): {same}, density {number(density)}{kept}"


def _measured(law: Law, best: Choice, made: Measurement) -> Iterator[str]:
    error = shown_as(law)
    values = {"depth": made.depth, "width": made.width, "density": made.density}
    name = ", ".join(f"{key} {number(value)}" for key, value in values.items() if value == value)
    yield (
        f"measured: {counted(made.among, 'network')} as good; the smallest is {name}, "
        f"with {made.kept:,} weights and error {error(made.error)}"
    )
    if made.next_density == made.next_density:
        lower = f"{number(made.next_density)}, the next below at which it was measured"
        yield f"  its error at density {lower}, is {error(made.next_error)}"
    if best.kept is not None:
        off = best.kept / made.kept - 1
        than = f"{percent(abs(off))} {'fewer' if off < 0 else 'more'} than these {made.kept:,}"
        said = than if best.kept != made.kept else "as many"
        yield f"  the law's {best.kept:,} weights, which may lie between measured densities, are {said}"


def _between(one: Choice) -> str:
    low = "" if one.kept_low is None else f"{one.kept_low:,}"
    return (
        f"95 %: {low} to {one.kept_high:,}"
        if one.kept_high is not None
        else f"95 %: {low} or more, perhaps none"
    )


def _choices(law: Law, choices: Sequence[Choice]) -> str:
    rows = [
        {
            "member": one.member.name,
            "unpruned": _unpruned(law, one.member),
            "prunable": one.member.prunable,
            "density": "1, not pruned" if one.unpruned else number(one.density),
            "kept": "" if one.kept is None else f"{one.kept:,}",
            "interval": "" if one.kept is None else _between(one).removeprefix("95 %: "),
            "size": number(one.size),
        }
        for one in choices
    ]
    columns = {
        "member": "member", "unpruned": "unpruned", "prunable": "prunable", "density": "density",
        "kept": "weights left", "interval": "95 %", "size": _size(law),
    }  # fmt: skip
    starred = any(_star(one.member) for one in choices)
    notes = ["  * not trained: by the law of unpruned networks"] if starred else []
    if any(one.unpruned for one in choices):
        notes.append("  not pruned: good enough unpruned, though the law says more at density 1")
    return "\n".join([table(rows, columns), *notes])


def _unpruned(law: Law, one: Member) -> str:
    if one.error_unpruned != one.error_unpruned:  # the law does not read it
        return ""
    return shown_as(law)(one.error_unpruned) + _star(one)


def _star(one: Member) -> str:
    """Return a star where somebody is to be told that an unpruned error was not measured."""
    known = one.error_unpruned == one.error_unpruned
    return " *" if known and one.source != "measured" else ""
