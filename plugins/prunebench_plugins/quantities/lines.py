"""Quantities that are read off a whole curve: along sparsities, or along the steps that are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunebench import Curves
    from prunebench.checks.axes import Axis

__all__ = ["crossing", "crossing_tests", "range_end", "range_end_tests", "slope"]


def range_end(curves: Curves) -> Any:
    """The last sparsity up to which the accuracy stays within δ of the unpruned network's; 0 where none does.

    By the rule that ends the matching range: a sparsity is lost when the mean is more than δ below the
    unpruned mean there and at the next sparsity, or when half of the runs diverged.
    """
    import numpy as np

    ends = [_end(curves.at(line)) for _, line in curves.lines("sparsity")]
    return np.mean(ends, axis=0) if ends else np.full(len(curves.weights), np.nan)


def _end(curves: Curves) -> Any:
    """Return each resample's last sparsity before the first lost one; `curves` are of rising sparsities."""
    import numpy as np

    from prunebench.analysis.borders import Baseline, first_lost

    at = curves.at(np.flatnonzero(curves.sparsities > 0))
    if not len(at.sparsities):
        return np.full(len(curves.weights), np.nan)
    line = Baseline("", at.sparsities.tolist(), at.accuracy, at.diverged == 1, at.planned)
    first = first_lost(at.dense, line, at.margin, at.weights)
    ends = np.array([0.0, *at.sparsities])
    return np.where(np.isnan(first), np.nan, ends[np.nan_to_num(first).astype(np.intp)])


def range_end_tests(curves: Curves) -> Any:
    """Test each sparsity, and 0, as the end of each line: by the accuracy there and at the next sparsity.

    If a range ends at a sparsity, accuracy is not lost there, and it is lost at the next one. So the end is
    surely further where the next is surely not lost, and surely earlier where the sparsity itself surely
    is.
    """
    import numpy as np

    from prunebench.checks.tested import p_not_above, p_not_below

    lines = []
    for at, line in curves.lines("sparsity"):
        own = curves.at(line[at > 0])
        lost = own.dense - own.accuracy - own.margin
        lost = np.where(np.abs(lost) <= _ROUNDING, 0.0, lost)
        values = np.array([0.0, *own.sparsities])
        more = np.append(p_not_below(lost), 1.0)  # nothing lies beyond the last one
        kept = ~np.isnan(lost).any(axis=1) & (np.ptp(lost, axis=1) <= _ROUNDING) & (lost.mean(axis=1) <= 0)
        more[:-1][kept] = 0.0  # just δ lower at every seed is not lost
        lines.append((values, more, np.insert(p_not_above(lost), 0, 1.0)))
    return lines


def crossing(curves: Curves, *, along: Axis, reaches: Curves) -> Any:
    """Where the mean accuracy first reaches that of `reaches` less δ: a sparsity, or a training step.

    Between two neighbours on the axis `along` both curves are straight lines. Infinite where the curve never
    reaches the other one; of several curves (one for each sparsity, along "score_at") the mean.
    """
    import numpy as np

    places = reaches.places_of(curves)
    other = np.where(places < 0, np.nan, reaches.mean()[:, places])
    ahead = curves.mean() - other + curves.margin
    crossings = [_first_root(at, ahead[:, line]) for at, line in curves.lines(along)]
    return np.mean(crossings, axis=0) if crossings else np.full(len(ahead), np.nan)


_PARTS = 200
"""Into how many steps each piece between two places is divided where crossings are tested."""


def crossing_tests(curves: Curves, *, along: Axis, reaches: Curves) -> Any:
    """Test positions along each line as where the curve first reaches the other one, by the curves there.

    At a crossing the curve is exactly as high as the other less δ. So the crossing surely comes later where
    the curve is surely below that, and surely came before where it is surely above; after the last place,
    by the last.
    """
    import numpy as np

    from prunebench.checks.tested import p_not_above, p_not_below

    places = reaches.places_of(curves)
    other = np.where((places < 0)[:, None], np.nan, reaches.accuracy[places])
    ahead = curves.accuracy - other + curves.margin
    lines = []
    for at, line in curves.lines(along):
        share = np.linspace(0.0, len(at) - 1.0, _PARTS * (len(at) - 1) + 1)
        left = np.minimum(share.astype(np.intp), max(len(at) - 2, 0))
        right = np.minimum(left + 1, len(at) - 1)
        apart = (share - left)[:, None]
        between = (1 - apart) * ahead[line][left] + apart * ahead[line][right]
        more, less = p_not_below(between), p_not_above(between)
        open_ = np.ptp(between, axis=1) > _ROUNDING  # else the crossing of all seeds is the value itself
        later, sooner = np.append((more * open_)[1:], 0.0), np.insert((less * open_)[:-1], 0, 0.0)
        less[0] = 1.0  # nothing lies before the first place
        values = np.append(at[left] + apart[:, 0] * (at[right] - at[left]), np.inf)
        beyond = less[-1] if len(at) > 1 else p_not_above(ahead[line])[-1]
        # what lies between two steps is refused where both are
        lines.append(
            (values, np.append(np.maximum(more, later), 1.0), np.append(np.maximum(less, sooner), beyond))
        )
    return lines


def _first_root(at: Any, ahead: Any) -> Any:
    """Return where each row of `ahead`, linear between the positions `at`, is first at least 0.

    Infinite where it never is, NaN where a missing value stands before the first such position.
    """
    import numpy as np

    rows = np.arange(len(ahead))
    decided = np.isnan(ahead) | (ahead >= -_ROUNDING)
    first = decided.argmax(axis=1)
    before = np.maximum(first - 1, 0)
    low, high = ahead[rows, before], ahead[rows, first]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(first == 0, 1.0, np.clip(-low / (high - low), 0.0, 1.0))
    root = np.where(np.isnan(high), np.nan, at[before] + share * (at[first] - at[before]))
    return np.where(decided.any(axis=1), root, np.inf)


_ROUNDING = 1e-9
"""Points of accuracy, so that "exactly δ below" is reached."""


def slope(curves: Curves, *, along: Axis) -> Any:
    """The least-squares slope of a seed's accuracy: points for each unit of sparsity, or for 1,000 steps.

    Of several curves (one for each sparsity, along "score_at") the mean; NaN where one has a single place.
    """
    import numpy as np

    unit = 1.0 if along == "sparsity" else 1000.0
    unknown = np.full(len(curves.seeds), np.nan)
    slopes = []
    for at, line in curves.lines(along):
        apart = (at - at.mean()) / unit
        square = (apart**2).sum()
        slopes.append(apart @ curves.accuracy[line] / square if square else unknown)
    return np.mean(slopes, axis=0) if slopes else unknown
