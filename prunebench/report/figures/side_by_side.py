"""Results in which the finds of one recipe of evaluation stand side by side, as rows of one setting.

Elsewhere each find is a setting of its own: there methods are compared, here what their masks were found
under.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from prunebench.analysis import SETTING
from prunebench.errors import UsageError, nearest
from prunebench.report.escapes import plain
from prunebench.report.figures.series import COLOUR_ORDER
from prunebench.report.figures.source import Source
from prunebench.report.figures.style import COLOURS, DASHES, MARKS, SOLID, Style
from prunebench.report.figures.tables import shown
from prunebench.report.finds import AS_EVAL, Finds, finds_of
from prunebench.report.naming import setting_names

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SideBySide", "row_names"]


class SideBySide(Source):
    """Results as figures see them, where settings that differ in nothing but the find are one.

    A row there is called as the leaderboard's tables of finds call it, "chain, find lr=0.05"; what no find
    concerns keeps its name. Settings that have no other find beside them are as they were.
    """

    @cached_property
    def _apart(self) -> Source:
        return Source(self.results)

    @cached_property
    def finds(self) -> list[Finds]:
        """The settings that have become one, with their finds."""
        every = self.results.standings
        return finds_of((standing, standing.rows.to_dict("records")) for standing in every)

    @cached_property
    def titles(self) -> dict[tuple[str, ...], str]:
        """What each setting is called, by its labels; of those that are one, without the find."""
        joined = {_key(find.labels): finds.labels for finds in self.finds for find in finds.finds}
        own = [_key(standing.labels) for standing in self.results.standings]
        labels = {key: joined.get(key, dict(zip(SETTING, key, strict=True))) for key in own}
        distinct = {_key(each): each for each in labels.values()}
        names = setting_names(list(distinct.values()))
        called = {key: name.title for key, name in zip(distinct, names, strict=True)}
        return {key: called[_key(each)] for key, each in labels.items()}

    @cached_property
    def accuracies(self) -> pd.DataFrame:
        """`Source.accuracies` with the rows of several finds in one setting.

        Columns beside: `bare`, the row's name without its find; `find`, "" where no find concerns it.
        """
        whole, own, joined = self._apart.accuracies, self._own, self._joined
        places = list(zip(whole["setting"], whole["name"], strict=True))
        among = {setting for setting, _ in own}
        kept = [place in own or place[0] not in among for place in places]
        finds = [own.get(place, "") for place in places]
        named = [_called(name, find) for (_, name), find in zip(places, finds, strict=True)]
        settings = whole["setting"].map(joined)
        rows = whole.assign(setting=settings, bare=whole["name"], find=finds, name=named)
        return rows[np.array(kept, dtype=bool)].reset_index(drop=True)  # a list might be empty, and no mask

    @cached_property
    def _joined(self) -> dict[str, str]:
        """What each setting's own title becomes."""
        return {title: self.titles[key] for key, title in self._apart.titles.items()}

    @cached_property
    def _own(self) -> dict[tuple[str, str], str]:
        """The find of each row of settings with several, by the setting's own title and the row's name."""
        own, titles = {}, self._apart.titles
        for finds in self.finds:
            for name, find, _ in finds.rows():
                called = shown(find.label or AS_EVAL) if finds.concerned(name) else ""
                own[titles[_key(find.labels)], shown(name)] = called
            dense = next((f for f in finds.finds if f.methods.row(f.dense, 0.0)[0] is not None), None)
            if dense is not None:
                own[titles[_key(dense.labels)], shown(dense.dense)] = ""
        return own

    @cached_property
    def spans(self) -> pd.DataFrame:
        """`Source.spans` of the settings that are as they were: others have a range for each find."""
        rows, titles = self._apart.spans, self._apart.titles
        several = {titles[_key(find.labels)] for finds in self.finds for find in finds.finds}
        rows = rows[~rows["setting"].isin(several)]
        return rows.assign(setting=rows["setting"].map(self._joined))

    @cached_property
    def styles(self) -> dict[str, Style]:
        """How each row is drawn: a colour a find, a mark and a dash a method of several."""
        rows = self.accuracies
        looks = {
            name: self._apart.styles[bare] for name, bare in zip(rows["name"], rows["bare"], strict=True)
        }
        concerned = rows[rows["find"] != ""]
        finds, methods = (list(dict.fromkeys(concerned[column])) for column in ("find", "bare"))
        for name, bare, find in concerned[["name", "bare", "find"]].drop_duplicates().itertuples(index=False):
            i, j = finds.index(find), methods.index(bare)
            dash = SOLID if j == 0 else DASHES[(j - 1) % len(DASHES)]
            colour = COLOURS[COLOUR_ORDER[i % len(COLOUR_ORDER)]]
            looks[name] = Style(colour, MARKS[(i + 3 * j) % len(MARKS)], dash)
        return looks


def row_names(rows: pd.DataFrame, methods: Collection[str], finds: Iterable[str] = ()) -> list[str]:
    """Return the names of the rows that show these methods: of two that are the same cells one row is both's.

    A method that has several finds is all of its rows, or those that are found under one of `finds`; one of
    them is "chain, find lr=0.05". `rows` are `SideBySide.accuracies`.

    Raises: UsageError for a method that no row is of, and for a find that none of the methods has.
    """
    finds = list(finds)
    pairs = rows[["name", "also", "bare", "find"]].drop_duplicates().itertuples(index=False, name=None)
    named: dict[str, dict[str, str]] = {}
    for name, also, bare, find in pairs:
        for one in (bare, *filter(None, also.split(", "))):
            for called in (one, _called(one, find)):
                named.setdefault(called, {})[name] = find
    chosen: dict[str, None] = {}
    for method in methods:
        if method not in named:
            raise UsageError(f"no results of '{method}'{nearest(method, named)}")
        mine = named[method]
        under = {name for name, find in mine.items() if find in finds} if finds else set(mine)
        chosen |= dict.fromkeys(name for name in mine if name in under or not mine[name])
    known = list(dict.fromkeys(find for one in methods for find in named[one].values() if find))
    for find in finds:
        if find not in known:
            if not known:
                raise UsageError(f"no find '{find}': {', '.join(methods)} is not found under several")
            raise UsageError(f"no find '{find}' of {', '.join(methods)}{nearest(find, known)}")
    return list(chosen)


def _key(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels[name] for name in SETTING)


def _called(name: str, find: str) -> str:
    return plain(f"{name}, find {find}") if find else name
