"""What stands in a page: everything that is shown, as plain values."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from prunebench.analysis import SETTING, variant_name
from prunebench.checks.outcomes import Verdicts
from prunebench.report.escapes import plain
from prunebench.report.figures import Figure, config, figures_of, styles
from prunebench.report.figures.law.told import Told
from prunebench.report.figures.smaller import left
from prunebench.report.figures.source import Source
from prunebench.report.naming import SettingName, setting_names
from prunebench.report.page.answer import RANGES, Answer, answer, span
from prunebench.report.page.behind import behind
from prunebench.report.page.columns import packed, safe
from prunebench.report.page.finds import FindsPart, first_setting, parts_of_finds
from prunebench.report.page.kind import kind
from prunebench.report.page.listed import Listed
from prunebench.report.page.smaller import smaller_networks
from prunebench.report.page.tables import listed, there
from prunebench.report.page.trusted import DIFFERS, Trust
from prunebench.report.page.verdicts import checks, claims
from prunebench.report.results import Results
from prunebench.report.standings import Standing

__all__ = ["FORMATS", "Content", "Setting"]

FORMATS = ("svg", "pdf")
"""Of the files of figures beside a page."""


@dataclass(frozen=True)
class Setting:
    """A setting as the page speaks of it."""

    name: SettingName
    standing: Standing
    answers: Sequence[Answer]

    def answer(self, name: str) -> Answer | None:
        """Return what is said of a range; None where nothing is compared there."""
        return next((each for each in self.answers if each.range == name), None)


class Content:
    """Everything that a page shows of a suite's results."""

    def __init__(
        self,
        results: Results,
        *,
        suite: str | None = None,
        about: Sequence[tuple[str, str]] = (),
        follow: int | None = None,
        files: bool | Mapping[str, Sequence[str]] = True,
        published: str | None = None,
    ) -> None:
        """Gather a page's content.

        Args:
            results: the suite's tables.
            suite: how the suite is given to commands; None: its name.
            about: more names and values of where the results come from.
            follow: a running suite's page looks at its file again after so many seconds.
            files: figures are there as files, too: all of them, none, or of some the formats that are there.
            published: the folder that the results are published in, as commands take it; None: they are
                one's own.
        """
        self.results = results
        self.command = plain(suite or results.name)
        self.about = about
        self.follow = follow
        self.files = files
        self.published = published

    def formats(self, figure: str) -> Sequence[str]:
        """Return the formats in which a figure lies beside the page as a file."""
        if isinstance(self.files, bool):
            return FORMATS if self.files else ()
        return self.files.get(figure, ())

    @cached_property
    def settings(self) -> list[Setting]:
        """The settings, in the suite's order."""
        settings = zip(self._names, self.results.standings, strict=True)
        return [Setting(name, one, self._answers(name, one)) for name, one in settings]

    @cached_property
    def _names(self) -> list[SettingName]:
        return setting_names([standing.labels for standing in self.results.standings])

    @cached_property
    def finds(self) -> list[FindsPart]:
        """What finds say, for each recipe of evaluation; nothing where no setting has several finds."""
        return parts_of_finds(self.results, self._names)

    @cached_property
    def first(self) -> int:
        """The number of the setting that the page opens with: in a study of finds one that has a find."""
        labels = [standing.labels["find"] for standing in self.results.standings]
        return first_setting(self.finds, self._names, labels)

    @cached_property
    def trust(self) -> Trust:
        """Which rows were run again; it knows nothing of one's own results."""
        return Trust(self.results, self._names)

    def _answers(self, name: SettingName, standing: Standing) -> list[Answer]:
        """Return what is said of a setting, with the best that a rerun does not confirm."""
        answers = answer(standing)
        if not self.trust.known:
            return answers
        words = [
            {method: self.trust.over(name.title, method, each.range) for method in each.best}
            for each in answers
        ]
        return [
            replace(each, doubted={m: word for m, word in said.items() if word.startswith(DIFFERS)})
            for each, said in zip(answers, words, strict=True)
        ]

    @cached_property
    def ranges(self) -> list[str]:
        """The ranges of which something is said."""
        said = {each.range for setting in self.settings for each in setting.answers}
        return [name for name in RANGES if name in said]

    @cached_property
    def variants(self) -> list[str]:
        """Every row of the leaderboards: methods with their ablations."""
        pairs = self.results.summary[["method", "ablations"]].drop_duplicates()
        return [plain(variant_name(*pair)) for pair in pairs.itertuples(index=False, name=None)]

    @cached_property
    def tables(self) -> list[Listed]:
        """The page's tables, those that have rows."""
        names = {tuple(each.standing.labels[n] for n in SETTING): each.name.title for each in self.settings}
        tables = listed(self.results, names, {n: t for each in self.figures for n, t in each.tables.items()})
        if self.claims is not None and self.claims.outcomes:
            tables = [claims(self.claims), checks(self.claims, there(self.results.cells)), *tables]
        tables = [*smaller_networks(left(self._source)), *tables]
        return [*kind(self.results), *map(self.trust.listed, tables)]

    @cached_property
    def figures(self) -> list[Figure]:
        """The figures for which there are data."""
        return figures_of(self._source)

    @cached_property
    def _source(self) -> Source:
        return Source(self.results)

    @property
    def missing_laws(self) -> list[str]:
        """What is missing for scaling laws and their figures, a sentence or two a family."""
        return self._source.laws.missing

    @property
    def laws(self) -> list[Told]:
        """The scaling laws in words and numbers."""
        return self._source.laws.told

    @property
    def single(self) -> bool:
        """True if there is one method beside no pruning, so that nothing is compared."""
        dense = plain(self.results.baselines.none)
        return len({name for name in self.variants if name != dense}) < 2

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many cells of each status there are; cells of one key count once."""
        cells = self.results.cells.drop_duplicates("key")
        return {str(status): int(count) for status, count in cells["status"].value_counts().items()}

    @cached_property
    def claims(self) -> Verdicts | None:
        """What became of the suite's claims and checks; None where it has none."""
        suite = self.results.suite
        return self.results.verdicts if suite.get("checks") or suite.get("claims") else None

    @property
    def commands(self) -> str:
        """What runs everything again, and shows it."""
        suite = shlex.quote(self.command)
        run = f"prunebench run {suite} --store again"
        return f"{run}\nprunebench report {suite} --store again --out report-again"

    @property
    def rerun(self) -> str:
        """The command that runs a cell again; {cell} stands for its name."""
        return f"prunebench run {shlex.quote(self.command)} --store again -k {{cell}}"

    @property
    def verify(self) -> str:
        """The command that runs a row again and says whether it agrees; {row} stands for its name."""
        source = f"--from {shlex.quote(plain(self.published))}" if self.published else ""
        return f"prunebench verify {{row}} {source or f'--suite {shlex.quote(self.command)}'}"

    def plain(self) -> dict[str, Any]:
        """Return the data of the page."""
        methods = list(dict.fromkeys(name.split(" + ")[0] for name in self.variants))
        ablations = dict.fromkeys(part for name in self.variants for part in name.split(" + ")[1:])
        looks = {
            name: {"colour": style.colour, "mark": style.mark, "dash": list(style.dash)}
            for name, style in styles([*methods, *self.variants]).items()
        }
        return {
            "schema": 1,
            "suite": {name: safe(self.results.suite.get(name)) for name in ("name", "version", "digest")},
            "rerun": self.rerun,
            "verify": self.verify,
            "check": f"prunebench check {shlex.quote(self.command)} -k {{check}}",
            "baseline": plain(self.results.baselines.after_training),
            "settings": [_plain_setting(setting) for setting in self.settings],
            "first": self.first,
            "ranges": self.ranges,
            "methods": methods,
            "ablations": list(ablations),
            "styles": looks,
            "config": {ground: config(dark=ground == "dark") for ground in ("light", "dark")},
            "tables": [table.plain() for table in self.tables],
            **_plain_figures(self.figures, looks, self.trust),
            "follow": self.follow,
        }


def _plain_setting(setting: Setting) -> dict[str, Any]:
    ranges = setting.standing.ranges
    return {
        "id": setting.name.id,
        "name": setting.name.title,
        "title": setting.name.title,
        "ranges": {name: span(ranges, name) for name in RANGES},
        "said": [each.range for each in setting.answers],
    }


def _plain_figures(
    drawn: Sequence[Figure], looks: Mapping[str, Mapping[str, Any]], trust: Trust
) -> dict[str, Any]:
    """Return figures without their data, and each of the tables that they read once."""
    datasets = {name: table for figure in drawn for name, table in figure.tables.items()}
    if "accuracy" in datasets:  # the page's own table of accuracies is this one
        datasets["accuracy"] = trust.told(datasets["accuracy"])
    return {
        "datasets": {name: _dataset(table) for name, table in datasets.items()},
        "figures": [
            {
                "id": figure.id,
                "title": plain(figure.title),
                "alts": safe(figure.alts),
                "spec": _spec(figure, looks),
                "tables": list(figure.tables),
                "columns": [column.plain() for column in behind(figure)],
                "keep": safe(figure.keep),
                "settings": list(figure.settings),
                **({"among": list(figure.among)} if figure.among else {}),
            }
            for figure in drawn
        ],
    }


def _dataset(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table that figures read; sparsities in percent, too, as tables show them."""
    return packed(table.assign(percent=100 * table["sparsity"]) if "sparsity" in table else table)


def _spec(figure: Figure, looks: Mapping[str, Mapping[str, Any]]) -> Any:
    whole = figure.chart.to_dict(validate=False)  # validation takes seconds: tests do it
    kept = {name: value for name, value in whole.items() if name not in ("$schema", "config", "datasets")}
    return _styled(safe(kept, float), looks)


def _styled(part: Any, looks: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return a part of a specification in which no scale lists methods: the page has their looks once."""
    if isinstance(part, list):
        return [_styled(each, looks) for each in part]
    if not isinstance(part, dict):
        return part
    part = {name: _styled(value, looks) for name, value in part.items()}
    scale = part.get("scale")
    if part.get("field") == "name" and isinstance(scale, dict):
        told = _look_of(scale, looks)
        if told:
            rest = {name: value for name, value in scale.items() if name not in ("domain", "range")}
            unmodified = all(" + " not in name for name in scale["domain"])
            return {**part, "scale": {**rest, "styled": told, "unmodified": unmodified}}
    return part


def _look_of(scale: Mapping[str, Any], looks: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return which part of its methods' looks a scale gives, colour, mark or dash; None where none."""
    domain, given = scale.get("domain"), scale.get("range")
    if not isinstance(domain, list) or not isinstance(given, list) or not set(domain) <= set(looks):
        return None
    for name in ("colour", "mark", "dash"):
        if [looks[method][name] for method in domain] == given:
            return name
    return None
