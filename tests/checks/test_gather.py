"""Curves: from the table of cells to arrays, and what can be asked of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.curves import NAN, curves

from prunebench.analysis import measures, table
from prunebench.analysis.borders import resamples
from prunebench.checks.gather import Line, gather, step_of


def row(method: str, density: str, seed: int, accuracy: float | None, **more: Any) -> dict[str, Any]:
    """Return a row of the table; None is a run that diverged."""
    result = {"status": "diverged"} if accuracy is None else {"status": "finished", "accuracy": accuracy}
    place = {"architecture": "lenet", "dataset": "mnist", "recipe": "short", "split": "test"}
    key = f"{method}-{density}-{seed}-{more.get('score_at', '')}-{more.get('find', '')}"
    return {
        **place,
        "method": method,
        "density": density,
        "seed": seed,
        "key": key,
        "classes": 10,
        **result,
        **more,
    }


ROWS = [
    row("none", "1", 3, 98.0),
    row("none", "1", 5, 99.0),
    row("snip", "0.5", 3, 97.0),
    row("snip", "0.2", 5, None),
    row("snip", "0.2", 3, 95.0),
    row("snip", "0.2", 3, 96.0, score_at="step 20"),
    row("snip", "0.2", 5, 1.0, status="missing"),
    row("random", "0.2", 5, 90.0, find="lr=0.05"),
]
ROWS[6]["score_at"] = "step 20"
ROWS[6]["key"] = "other"


def line(method: str, find: str = "") -> Line:
    return Line("lenet", "mnist", "short", "test", find, method, "")


def test_a_table_becomes_one_set_of_curves_for_each_method_and_setting() -> None:
    """Places in the order of first appearance, seeds of the setting; a diverged run counts as a guess."""
    found = gather(table(ROWS))
    assert list(found) == [line("none"), line("snip"), line("random", "lr=0.05")]
    snip = found[line("snip")]
    assert snip.seeds == (3, 5)
    assert snip.sparsities.tolist() == [0.5, 0.8, 0.8]
    np.testing.assert_equal(snip.steps, [NAN, NAN, 20.0])
    np.testing.assert_equal(snip.accuracy, [[97.0, NAN], [95.0, 10.0], [96.0, NAN]])
    np.testing.assert_equal(snip.diverged, [[0.0, NAN], [0.0, 1.0], [0.0, NAN]])
    assert snip.planned.tolist() == [[True, False], [True, True], [True, True]]
    assert snip.dense.tolist() == [98.0, 99.0]
    assert (snip.margin, snip.weights.tolist()) == (0.5, [[1.0, 1.0]])


def test_only_the_fields_that_are_asked_for_are_gathered() -> None:
    """Under the measure's name and the field's; a measure that is not there is NaN."""
    names = {"measure": "layers", "measured": {"a": {"kept": 3}, "b": {"kept": 5, "share": 0.5}}}
    cells = [{k: v for k, v in one.items() if k not in ("accuracy", "classes")} for one in ROWS[2:5]]
    rows = [{**one, **names} for one in cells]
    rows[1] |= {"status": "missing", "measured": None}
    found = gather(table(ROWS), measures=measures(rows), fields=["layers.*.kept"])
    snip = found[line("snip")].measures
    assert list(snip) == ["layers.a.kept", "layers.b.kept"]
    np.testing.assert_equal(snip["layers.b.kept"], [[5.0, NAN], [5.0, NAN], [NAN, NAN]])
    assert not gather(table(ROWS), measures=measures(rows))[line("snip")].measures


def test_resamples_stand_below_the_seeds_as_they_are() -> None:
    """The same samples as those of the ranges' borders."""
    weights = gather(table(ROWS), count=50)[line("snip")].weights
    assert weights.shape == (51, 2)
    assert weights[0].tolist() == [1.0, 1.0]
    np.testing.assert_equal(weights[1:], resamples(2, 50))


def test_steps_are_those_that_labels_say() -> None:
    """What only the recipe knows is asked for, or refused."""
    assert (step_of("step 1000"), step_of("init")) == (1000.0, 0.0)
    rows = [row("snip", "0.2", 3, 95.0, score_at="end")]
    with pytest.raises(ValueError, match="the step of the point 'end' is not known"):
        gather(table(rows))
    steps = gather(table(rows), step=lambda label, cell: {"end": 60.0}[label])[line("snip")].steps
    assert steps.tolist() == [60.0]


def test_the_mean_of_a_resample_counts_its_seeds_as_often_as_they_are_drawn() -> None:
    """By hand: a seed that is missing stays out; where all drawn seeds are missing there is no mean."""
    one = curves([[1.0, 2.0, 6.0], [NAN, 4.0, NAN]], [0.5, 0.8], weights=np.array(
        [[1, 1, 1], [2, 1, 0], [3, 0, 0]], dtype=float
    ))  # fmt: skip
    np.testing.assert_allclose(one.mean(), [[3.0, 4.0], [4 / 3, 4.0], [1.0, NAN]])


def test_lines_run_along_an_axis_in_rising_order() -> None:
    """A line for each value of the other axis; the method's own point is no place along the steps."""
    one = curves([[1.0], [2.0], [3.0], [4.0]], [0.8, 0.5, 0.8, 0.8], [20.0, 20.0, 0.0, NAN])
    found = [(at.tolist(), places.tolist()) for at, places in one.lines("score_at")]
    assert found == [([0.0, 20.0], [2, 0]), ([20.0], [1])]
    found = [(at.tolist(), places.tolist()) for at, places in one.lines("sparsity")]
    assert found == [([0.5, 0.8], [1, 0]), ([0.8], [2]), ([0.8], [3])]


def test_places_answer_by_sparsity_and_step_else_by_the_own_point() -> None:
    """LTR has no pruning step: its curve answers at every step of another method."""
    steps = curves([[1.0], [2.0], [3.0]], [0.8, 0.8, 0.5], [0.0, 20.0, 20.0])
    own = curves([[1.0], [2.0]], [0.9, 0.8])
    assert own.places_of(steps).tolist() == [1, 1, -1]
    assert steps.places_of(steps).tolist() == [0, 1, 2]


def test_curves_cannot_be_written_to() -> None:
    """Several checks are given the same ones; what was passed in stays as it was, and writable."""
    values = np.array([[1.0]])
    one = curves(values, [0.5], measures={"a": values})
    for array in (one.accuracy, one.measures["a"], one.at([0]).accuracy):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 2.0
    values[0, 0] = 3.0
    assert one.accuracy.tolist() == [[1.0]]
