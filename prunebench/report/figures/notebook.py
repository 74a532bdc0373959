"""The same figures as functions for notebooks: results in, an altair chart with its data out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from prunebench.errors import UsageError, nearest
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.side_by_side import SideBySide, row_names
from prunebench.report.figures.source import Source

if TYPE_CHECKING:
    import altair as alt

    from prunebench.report.results import Results

__all__ = [
    *("curve", "curve_figure", "drawn", "figure", "find_eval", "mediation", "setting_of"),
]


def figure(
    results: Results,
    name: str,
    *,
    setting: str | None = None,
    methods: Collection[str] | None = None,
    dark: bool = False,
) -> alt.Chart:
    """Return a figure as an altair chart that a notebook shows; `name` is its id, as "accuracy".

    Args:
        results: what `prunebench.results` returns.
        name: which one; `figures(results)` lists those that there are data for.
        setting: part of the setting's title, as "resnet20"; None: the first.
        methods: rows that are shown, as "snip" or "snip + shuffle"; None: all that the figure has.
        dark: for dark ground.

    Raises: UsageError for a figure, setting or method that is not there, with the nearest name.
    """
    from prunebench.report.figures import figures

    by_id = {each.id: each for each in figures(results)}
    if name not in by_id:
        raise UsageError(
            f"no figure '{name}' of these results{_lacking(name, results) or nearest(name, by_id)}"
        )
    return drawn(by_id[name], setting, methods, dark)


def curve(
    results: Results,
    methods: Collection[str],
    *,
    setting: str | None = None,
    finds: Collection[str] = (),
    dark: bool = False,
) -> alt.Chart:
    """Return accuracy against density of these rows alone, ablations too: "snip", "snip + shuffle".

    Finds of one recipe stand side by side: a method that has several is a line for each, or for each of
    `finds`; "chain, find lr=0.05" is one of them. Settings are those that are left when these are one.
    The other arguments and errors are those of `figure`.
    """
    made, _ = curve_figure(results, methods, finds)
    if made is None:
        raise UsageError(f"nothing of {', '.join(methods)} has been run yet")
    return drawn(made, setting, None, dark)


def find_eval(results: Results, density: float | None = None, *, dark: bool = False) -> alt.Chart:
    """Return mean accuracies by find and evaluation recipe at one density, a panel a method.

    density: the share of weights kept, as 0.512; unless given the middle one of those that all finds have

    Raises: UsageError where no method has several finds, and for a density that none has.
    """
    from prunebench.report.figures import finds

    made = finds.find_eval(Source(results), density)
    if made is None:
        raise UsageError("no method of these results has several finds")
    return drawn(made, None, None, dark)


Cells = str | Mapping[str, Any]
"""A method's name, or a selection as checks have it: {"method": "imp", "find": {"lr": 0.5}}."""


def mediation(
    results: Results,
    *,
    base: Cells,
    ratios: Cells,
    weights: Cells,
    both: Cells,
    random: tuple[Cells, Cells] | None = None,
    dark: bool = False,
) -> alt.Chart:
    """Return accuracies and effects of the weights and the ratios of two finds, A and B, against density.

    Args:
        results: what `prunebench.results` returns.
        base: the cells with weights and ratios of A.
        ratios: those with A's weights and B's ratios.
        weights: those with B's weights and A's ratios.
        both: those with weights and ratios of B.
        random: random masks at A's and at B's ratios.
        dark: for dark ground.

    Raises: UsageError where they have no results in one setting.
    """
    from prunebench.report.figures import ratio_effects

    made = ratio_effects.effects_of(Source(results), ratio_effects.asked(base, ratios, weights, both, random))
    if made is None:
        raise UsageError("these cells have no results in one setting")
    return drawn(made, None, None, dark)


def curve_figure(
    results: Results, methods: Collection[str], finds: Collection[str] = ()
) -> tuple[Figure | None, list[str]]:
    """Return the figure of `curve`, for all settings, and the names of its rows; None where none has a
    result.

    Raises: UsageError for a method or find that the suite does not have.
    """
    from prunebench.report.figures.accuracy import accuracy

    source = SideBySide(results)
    names = row_names(source.accuracies, methods, finds)
    return accuracy(source, [*names, results.baselines.none]), names


_MEASURED_BY = {
    "layers": "layer-sparsity",
    "neurons": "neuron-sparsity",
    "neurons-collapsed": "neuron-sparsity",
    "effective": "effective-density",
    "effective-share": "effective-density",
    "ratios-by-epoch": "ratios-by-epoch",
    "distance-by-epoch": "ratios-by-epoch",
}
"""The measure without which there is no such figure."""


def _lacking(name: str, results: Results) -> str:
    """Return what is said of a figure whose measure the results lack; nothing for any other."""
    measure = _MEASURED_BY.get(name)
    if measure is None or measure in set(results.measures["measure"]):
        return ""
    return f": it shows the measure '{measure}', which they lack (`measures` of a [[matrix]] takes it)"


def drawn(made: Figure, setting: str | None, methods: Collection[str] | None, dark: bool) -> alt.Chart:
    """Return a figure with the data of one setting as an altair chart."""
    import altair as alt

    spec = made.spec(setting_of(made, setting), methods, dark=dark)
    wrap: Callable[..., alt.Chart] = alt.Chart.from_dict
    return wrap(spec)


def setting_of(made: Figure, part: str | None) -> str | None:
    """Return the setting whose title is `part` or holds it: the first one that does.

    Raises: UsageError where none does.
    """
    if part is None or not made.settings:
        return None
    for setting in made.settings:
        if setting == part:
            return setting
    for setting in made.settings:
        if part in setting:
            return setting
    raise UsageError(f"no setting '{part}' in this figure{nearest(part, made.settings)}")
