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
    form: str = ""
    """How numbers are written: "number" (as they are), "points" (two decimals), "difference" (with a sign),
    "share" (in percent), "p", "count"; "" where it is text.
    """
    about: str = ""


_SETTING = Column("setting", "setting")
METHOD = Column("name", "method")
SPARSITY = Column("percent", "sparsity, %", "number", "share of the prunable weights that is removed")
_SEEDS = Column("n", "seeds", "count", "runs in the mean")
_RUNS = (
    _SEEDS,
    Column("planned", "seeds planned", "count"),
    Column("diverged", "diverged", "count", "runs that ended with a loss that is not finite"),
    Column("absent", "not there", "count", "runs that are missing, failed or not selected"),
)


def interval(of: str, form: str, unit: str = "", low: str = "low", high: str = "high") -> tuple[Column, ...]:
    """Return the columns of the ends of a 95 % interval of a mean, `of` something."""
    about = f"95 % interval of the mean {of}"
    return (
        Column(low, f"from{unit}", form, f"{about}, lower end"),
        Column(high, f"to{unit}", form, f"{about}, upper end"),
    )


def accuracies(*more: Column, at: tuple[Column, ...] = ()) -> tuple[Column, ...]:
    """Return the columns of a table of accuracies; `more` stand first, `at` beside the sparsity."""
    return (
        *(*more, _SETTING, METHOD, SPARSITY, *at),
        Column("mean", "accuracy, %", "points", "mean over the seeds that finished"),
        *interval("accuracy", "points", ", %"),
        *_RUNS,
        Column("empty", "layers without a weight"),
    )


def measured(title: str, form: str, *at: Column) -> tuple[Column, ...]:
    """Return the columns of a table of means of a measure; `at` stand beside the sparsity."""
    ends = interval("", form)
    return (_SETTING, METHOD, SPARSITY, *at, Column("mean", title, form, "mean over seeds"), *ends, *_RUNS)


def differences(after: str) -> tuple[Column, ...]:
    """Return the columns of a table of differences to a method."""
    return (
        *(_SETTING, METHOD, SPARSITY),
        Column("difference", "difference, points", "difference", f"accuracy less that of {after}, by seed"),
        *interval("difference", "difference", ", points"),
        Column("p", "p", "p", "of no difference, two-sided"),
        Column("p_holm", "p (Holm)", "p", "over all pairs of the setting"),
        _SEEDS,
    )


def places() -> tuple[Column, ...]:
    """Return the columns of a table of places."""
    return (
        *(_SETTING, Column("range", "range of sparsities"), METHOD),
        Column("best", "place from", "count", "1 + how many methods are significantly better"),
        Column("worst", "place to", "count", "how many there are less those significantly worse"),
        Column("mean", "accuracy, %", "points", "mean over the range"),
        *interval("accuracy", "points", ", %"),
        _SEEDS,
    )


def across() -> tuple[Column, ...]:
    """Return the columns of a table of differences averaged over settings."""
    return (
        *(Column("range", "range of sparsities"), METHOD),
        Column("difference", "difference, points", "difference", "mean over settings"),
        *interval("difference over settings", "difference", ", points"),
        Column("improvement", "probability of improvement", "number", "over settings, ties count half"),
        Column("settings", "settings", "count"),
    )


def profiles() -> tuple[Column, ...]:
    """Return the columns of a table of performance profiles."""
    return (
        *(Column("range", "range of sparsities"), METHOD),
        Column("margins", "margins below the best", "number"),
        Column("share", "share of settings", "share", "in which the method is at most so far below"),
        Column("settings", "settings", "count"),
    )


def courses() -> tuple[Column, ...]:
    """Return the columns of a table of weights by training step."""
    return (
        *(_SETTING, METHOD, SPARSITY),
        Column("part", "counted", "", "all that is trained, or what leads to the network alone"),
        Column("step", "from training step", "count"),
        Column("share", "weights there", "share", "of the prunable weights"),
        Column("mean", "accuracy, %", "points", "of the network that is made"),
    )
