"""What all figures of a suite's results share: tables made once, one look for each method."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from prunebench.analysis import VARIANT, variant_name
from prunebench.report.figures.look import Look
from prunebench.report.figures.style import Style, styles
from prunebench.report.figures.tables import accuracies, differences, range_spans, shown, titles
from prunebench.report.figures.training_tables import pruning_points

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.figures.law import Laws
    from prunebench.report.results import Results

__all__ = ["Source"]


class Source:
    """Results as figures see them."""

    def __init__(self, results: Results) -> None:
        self.results = results

    @cached_property
    def titles(self) -> dict[tuple[str, ...], str]:
        """What each setting is called, by its labels."""
        return titles(self.results)

    @cached_property
    def accuracies(self) -> pd.DataFrame:
        """`tables.accuracies`."""
        return accuracies(self.results)

    @cached_property
    def spans(self) -> pd.DataFrame:
        """`tables.range_spans`."""
        return range_spans(self.results)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """`tables.differences`."""
        return differences(self.results)

    @cached_property
    def pruning_points(self) -> pd.DataFrame:
        """`training_tables.pruning_points`."""
        return pruning_points(self.results)

    @cached_property
    def laws(self) -> Laws:
        """Figures of the scaling laws of the suite's families, and what is missing for them."""
        from prunebench.report.figures.law import laws

        return laws(self.results.laws, self.titles)

    @cached_property
    def curved(self) -> tuple[str, ...]:
        """Settings in which some method has results at two sparsities or more."""
        accuracies = self.accuracies
        there = accuracies[
            (accuracies["sparsity"] > 0) & ((accuracies["n"] > 0) | (accuracies["diverged"] > 0))
        ]
        points = there.groupby(["setting", "name"], sort=False)["density"].nunique()
        several = set(points[points > 1].index.get_level_values("setting"))
        return tuple(setting for setting in self.titles.values() if setting in several)

    @cached_property
    def styles(self) -> dict[str, Style]:
        """How each row of the suite is drawn, also one that is not shown now: colours hang on all of them."""
        pairs = self.results.summary[list(VARIANT)].drop_duplicates().itertuples(index=False, name=None)
        return styles([*self.accuracies["name"], *(shown(variant_name(*pair)) for pair in pairs)])

    def look(self, names: Iterable[str], *, legend: bool = False) -> Look:
        """Return the colours and marks of these rows, those without pruning first, in the suite's order."""
        wanted = set(names)
        return Look({name: style for name, style in self.styles.items() if name in wanted}, legend)

    def having(self, rows: pd.DataFrame, of: Iterable[str] | None = None) -> tuple[str, ...]:
        """Return the settings, all or those of `of`, that have some of these rows, in the suite's order."""
        there = set(rows["setting"]) if len(rows) else set()
        among = self.titles.values() if of is None else of
        return tuple(setting for setting in among if setting in there)
