"""Curves of weights over training, from the measure's values."""

from __future__ import annotations

from typing import Any

import pytest

from prunebench.analysis import COURSES, courses

VALUE = {
    "curve": [[0, 1.0], [10, 0.5], [20, 0.5]],
    "retroactive": {"curve": [[0, 0.5], [10, 0.5]]},
    "area": 15.0,
}


def row(measured: Any, **changes: Any) -> dict[str, Any]:
    labels = {"architecture": "net", "dataset": "digits", "method": "snip", "density": "0.5", "sparsity": 0.5}
    return {
        **labels,
        "seed": 1,
        "status": "finished",
        "measure": "weights-remaining",
        "measured": measured,
        **changes,
    }


def test_each_point_of_both_curves_is_a_row() -> None:
    found = courses([row(VALUE)])
    assert list(found) == list(COURSES)
    assert found[["part", "step", "share"]].to_numpy().tolist() == [
        ["all", 0.0, 1.0], ["all", 10.0, 0.5], ["all", 20.0, 0.5],
        ["retroactive", 0.0, 0.5], ["retroactive", 10.0, 0.5],
    ]  # fmt: skip
    assert set(found["method"]) == {"snip"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        3.0,
        "text",
        [],
        {},
        {"curve": None},
        {"curve": [[1], ["a", 2], [True, 1], None]},
        {"retroactive": 1},
    ],
)
def test_a_value_without_such_a_curve_has_no_rows(value: Any) -> None:
    """Measures are other people's input: what is no curve is passed over."""
    assert courses([row(value)]).empty


def test_other_measures_and_unfinished_ones_have_no_rows() -> None:
    assert courses(
        [row(VALUE, measure="flops"), row(VALUE, status="missing"), row(VALUE, status="diverged")]
    ).empty
    assert list(courses([])) == list(COURSES)
