"""Which sparsities a check's range means in a setting."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from prunebench.analysis import SETTING, Ranges, find_ranges
from prunebench.baselines import Baselines
from prunebench.checks.grammar import PaperRange, Range, Span
from prunebench.labels import FAMILY
from prunebench.reading.grid import density_on_grid

__all__ = ["Meant", "Spans", "percent", "words"]

_CLOSE = 5e-4
"""Papers print 98.2 % for 1 − 0.8^18."""


@dataclass(frozen=True)
class Meant:
    """The densities of a range, sparsities rising; or why they are not known."""

    densities: tuple[str, ...] = ()
    unknown: str = ""
    baselines: _Cells = ()
    """The keys of the cells with which it is found, and whether each has a result."""


def percent(density: str) -> str:
    """Return the sparsity of a density as people read it.

    >>> percent("0.262144")
    '73.8 %'
    """
    return f"{100 * (1 - float(density)):.3g} %"


def words(one: Range, meant: Sequence[str] = ()) -> str:
    """Return a range in words, with the sparsities that it means; without these as the check has it.

    >>> words([0.2, 0.59]), words("all", ["0.8", "0.41"])
    ('20 % … 59 %', 'all (20 % … 59 %)')
    """
    name = one if isinstance(one, str) else "the paper's" if isinstance(one, PaperRange) else ""
    if not meant:
        return _spelled(one)
    shown = _from_to([percent(density) for density in meant])
    return f"{name} ({shown})" if name else shown


def _spelled(one: Range) -> str:
    if isinstance(one, str):
        return one
    if isinstance(one, Span):
        start, end = (None if s is None else f"{100 * s:.3g} %" for s in (one.start, one.to))
        return f"{start} … {end}" if start and end else f"from {start}" if start else f"up to {end}"
    listed = one.paper if isinstance(one, PaperRange) else one
    shown = _from_to([f"{100 * s:.3g} %" for s in sorted(listed)])
    return f"the paper's ({shown})" if isinstance(one, PaperRange) else shown


def _from_to(shown: Sequence[str]) -> str:
    return shown[0] if len(shown) == 1 else f"{shown[0]} … {shown[-1]}"


class Spans:
    """The ranges of a table's settings."""

    def __init__(self, cells: pd.DataFrame, baselines: Baselines, margins: Any) -> None:
        self._baselines, self._margins = baselines, margins
        roles = (baselines.none, baselines.random, baselines.after_training)
        plain = cells["method"].isin(roles) & (cells["ablations"] == "") & (cells["score_at"] == "")
        self._rows = cells[plain]
        self.of = cache(self._of)

    def meant(self, one: Range, grid: Collection[str], family: tuple[str, ...], find: str) -> Meant:
        """Return the densities of a grid that a range means in a setting."""
        pruned = sorted((d for d in grid if float(d) < 1), key=float, reverse=True)
        if isinstance(one, str) and one != "all":
            return self._named(one, pruned, family, find)
        if isinstance(one, str):
            return Meant(tuple(pruned))
        if isinstance(one, Span):
            start = -1.0 if one.start is None else one.start - _CLOSE
            end = 2.0 if one.to is None else one.to + _CLOSE
            return Meant(tuple(d for d in pruned if start <= 1 - float(d) <= end))
        listed = one.paper if isinstance(one, PaperRange) else one
        every = sorted(grid, key=float, reverse=True)
        meant = {density_on_grid(s, every, sparsity=True) for s in listed}
        return Meant(tuple(d for d in every if d in meant))

    def _named(self, name: str, pruned: Iterable[str], family: tuple[str, ...], find: str) -> Meant:
        ranges, cells = self.of(family, find)
        ends = [border.lost_from for border in ranges.borders]
        baselines = cells["trivial" if name == "trivial" else "matching"]
        if ranges.unknown is not None:
            return Meant(unknown=f"the {name} range is not known: {ranges.unknown}", baselines=baselines)
        first, last = ends[0], max(ends)
        start, end = {"trivial": (0.0, first), "matching": (first, ends[1]), "extreme": (last, 2.0)}[name]
        densities = tuple(d for d in pruned if start <= round(1 - float(d), 12) < end)
        return Meant(densities, "" if densities else f"the {name} range is empty in this setting", baselines)

    def _of(self, family: tuple[str, ...], find: str) -> tuple[Ranges, Mapping[str, _Cells]]:
        """Return a setting's ranges, and the cells that the trivial and the matching one are found with."""
        mine = self._rows[(self._rows[list(FAMILY)] == list(family)).all(axis=1)]
        parts = []
        for method in (self._baselines.none, self._baselines.random, self._baselines.after_training):
            rows = mine[mine["method"] == method]
            own = rows[rows["find"] == find]
            parts.append(
                own if len(own) else rows[rows["find"] == rows["find"].iloc[0]] if len(rows) else own
            )
        rows = pd.concat(parts).assign(find=find, score_at="")
        setting = tuple(
            {**dict(zip(FAMILY, family, strict=True)), "find": find, "score_at": ""}[k] for k in SETTING
        )
        by_setting = find_ranges(rows, baselines=self._baselines, margins=self._margins, resampled=False)
        lacking = Ranges(setting, 0.0, (), unknown="this setting has no baselines")
        ranges = by_setting.get(setting, lacking)
        ends = [border.lost_from for border in ranges.borders]
        asked = {"trivial": ends[:1], "matching": ends}
        return ranges, {name: tuple(_needed(rows, each, self._baselines)) for name, each in asked.items()}


_Cells = tuple[tuple[str, bool], ...]
"""Keys, and whether each has a result."""


def _needed(rows: pd.DataFrame, ends: Sequence[float], names: Baselines) -> Iterable[tuple[str, bool]]:
    """Yield the cells that decide where ranges end: up to one sparsity past each border."""
    until = dict(zip((names.random, names.after_training), ends, strict=False))
    for method, mine in rows.groupby("method", sort=False):
        grid = sorted(mine["sparsity"].unique())
        past = [s for s in grid if s > until.get(str(method), float("inf"))]
        last = past[0] if past else float("inf")
        for key, sparsity, status in zip(mine["key"], mine["sparsity"], mine["status"], strict=True):
            if sparsity <= last and (not ends or method in (*until, names.none)):
                yield key, status in ("finished", "diverged")
