"""Tables behind figures as readers have them: columns with names and units, not the drawing's own."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    *("METHOD", "SPARSITY", "Column", "accuracies", "across", "courses", "differences", "interval"),
    *("measured", "places", "profiles"),
]


@dataclass(frozen=True)
class Column:
    """A column of the table behind a figure."""

    id: str
    """What the tables that charts read call it."""
    title: str
    """Its heading, with the unit where it has one."""
    about: str = ""
    """What more is said of it."""
    form: str = ""
    """How its numbers are written, a key of `prunebench.numbers.FORMS`, or "number"; "" of texts."""


_SETTING = Column("setting", "setting")
METHOD = Column("name", "method")
SPARSITY = Column("percent", "sparsity, %", "share of the prunable weights that is removed", "number")
_SEEDS = Column("n", "seeds", "runs in the mean", "count")
_RUNS = (
    _SEEDS,
    Column("diverged", "diverged", "runs that ended with a loss that is not finite", "count"),
    Column("absent", "not there", "runs that are missing, failed or not selected", "count"),
)


def interval(of: str, form: str, unit: str = "", low: str = "low", high: str = "high") -> tuple[Column, ...]:
    """Return the columns of the ends of a 95 % interval of a mean, `of` something."""
    about = f"95 % interval of the mean {of}"
    return (
        Column(low, f"from{unit}", f"{about}, lower end", form),
        Column(high, f"to{unit}", f"{about}, upper end", form),
    )


def accuracies(*more: Column, at: tuple[Column, ...] = ()) -> tuple[Column, ...]:
    """Return the columns of a table of accuracies; `more` stand first, `at` beside the sparsity."""
    return (
        *(*more, _SETTING, METHOD, SPARSITY, *at),
        Column("mean", "accuracy, %", "mean over the seeds that finished", "points"),
        *interval("accuracy", "points", ", %"),
        *_RUNS,
        Column("empty", "layers without a weight"),
    )


def measured(title: str, form: str, *at: Column) -> tuple[Column, ...]:
    """Return the columns of a table of means of a measure; `at` stand beside the sparsity."""
    ends = interval("", form)
    return (_SETTING, METHOD, SPARSITY, *at, Column("mean", title, "mean over seeds", form), *ends, *_RUNS)


def differences(after: str) -> tuple[Column, ...]:
    """Return the columns of a table of differences to a method."""
    return (
        *(_SETTING, METHOD, SPARSITY),
        Column("difference", "difference, points", f"accuracy less that of {after}, by seed", "difference"),
        *interval("difference", "difference", ", points"),
        Column("p", "p", "of no difference, two-sided", "p"),
        Column("p_holm", "p (Holm)", "over all pairs of the setting", "p"),
        _SEEDS,
    )


def places() -> tuple[Column, ...]:
    """Return the columns of a table of places."""
    return (
        *(_SETTING, Column("range", "range of sparsities"), METHOD),
        Column("best", "place from", "1 + how many methods are significantly better", "count"),
        Column("worst", "place to", "how many there are less those significantly worse", "count"),
        Column("mean", "accuracy, %", "mean over the range", "points"),
        *interval("accuracy", "points", ", %"),
        _SEEDS,
    )


def across() -> tuple[Column, ...]:
    """Return the columns of a table of differences averaged over settings."""
    return (
        *(Column("range", "range of sparsities"), METHOD),
        Column("difference", "difference, points", "mean over settings", "difference"),
        *interval("difference over settings", "difference", ", points"),
        Column("improvement", "probability of improvement", "over settings, ties count half", "number"),
        Column("settings", "settings", form="count"),
    )


def profiles() -> tuple[Column, ...]:
    """Return the columns of a table of performance profiles."""
    return (
        *(Column("range", "range of sparsities"), METHOD),
        Column("margins", "margins below the best", form="number"),
        Column("share", "share of settings", "in which the method is at most so far below", "share"),
        Column("settings", "settings", form="count"),
    )


def courses() -> tuple[Column, ...]:
    """Return the columns of a table of weights by training step."""
    return (
        *(_SETTING, METHOD, SPARSITY),
        Column("part", "counted", "all that is trained, or what leads to the network alone"),
        Column("step", "from training step", form="count"),
        Column("share", "weights there", "of the prunable weights", "share"),
        Column("mean", "accuracy, %", "of the network that is made", "points"),
    )
