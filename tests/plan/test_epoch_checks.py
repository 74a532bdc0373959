"""Checks that ask for measures by epoch that there are not: refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from prunebench.errors import SuiteError

ONE = {"as": "one", "scorer": "magnitude", "score_at": "end", "train_from": "init"}
DONOR = {key: value for key, value in ONE.items() if key != "as"}
LIKE = {**ONE, "as": "like", "allocation": {"like": DONOR}}
CHECK = """
[[check]]
name = "near"
quantity = "{quantity}"
of = {{method = "{method}"}}
against = 1.0
range = "all"
expect = "not-above"
margin = 0.1
"""


def planned(project: Any, quantity: str, method: str = "one", **options: Any) -> Any:
    """Plan a suite of two epochs with a check of this quantity."""
    more = CHECK.format(quantity=quantity, method=method)
    path = project.suite([ONE, LIKE], epochs=2, measures=["ratios-by-epoch"], more=more, **options)
    return project.session(path).plan


@pytest.mark.parametrize("field", ["distance.0", "distance.2", "moved.first", "layers.fc1.weight.at.2"])
def test_epochs_of_the_training_that_is_scored_are_there(project: Any, field: str) -> None:
    assert planned(project, f"measure:ratios-by-epoch.{field}")


@pytest.mark.parametrize(
    "field", ["measure:ratios-by-epoch.distance.3", "mean:ratios-by-epoch.layers.*.at.3"]
)
def test_an_epoch_beyond_it_is_refused_with_those_that_there_are(project: Any, field: str) -> None:
    told = r"check 'near': quantity: found epoch 3 of 'ratios-by-epoch', which no network that 'one' scores has; "
    with pytest.raises(SuiteError, match=told + "allowed: 0 to 2"):
        planned(project, field)


def test_a_method_without_such_measures_is_refused(project: Any) -> None:
    """With the reasons that there can be."""
    with pytest.raises(SuiteError, match=r"no cell of 'like' has the measure 'ratios-by-epoch': .* counts"):
        planned(project, "measure:ratios-by-epoch.distance.1", "like")
