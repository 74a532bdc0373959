"""The one spelling of what is hashed: keys and digests are as good as it is fixed."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest

from prunebench.canonical import canonical, digest
from prunebench.training.recipe import AtEpoch, AtName, AtShare, AtStep

SPELLED = {
    "numbers": (
        [1, 1.0, -0.5, 0.1, 1e-05, 1.5e-07, 5e-324, 1e15, 1e16, 6.7e16, 2**53],
        "[1,1.0,-0.5,0.1,0.00001,1.5e-7,5e-324,1000000000000000.0,1e+16,6.7e+16,9007199254740992]",
    ),
    "nothing": (None, "null"),
    "the rest": ({"b": [True, None, "é\n"], "a": {}, "Z": ()}, '{"Z":[],"a":{},"b":[true,null,"é\\n"]}'),
}


@pytest.mark.parametrize(("value", "text"), SPELLED.values(), ids=SPELLED)
def test_every_version_of_the_library_spells_alike(value: Any, text: str) -> None:
    """Other bytes, from another version of orjson, would be other keys and damaged records."""
    assert canonical(value).decode() == text
    assert digest(value) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_what_json_cannot_spell_is_refused(value: Any) -> None:
    """NaN and infinities would be spelled as None is."""
    with pytest.raises(ValueError, match="not a finite number"):
        canonical(value)


def test_a_point_is_spelled_as_it_was_given() -> None:
    """The epoch 1 is not the epoch 1.0, whatever pydantic makes of a number that may be either."""
    points = [
        AtEpoch(epoch=1),
        AtEpoch(epoch=1.0),
        AtShare(share=1),
        AtStep(step=3),
        AtName(at="end", run="find"),
    ]
    assert [point.model_dump(mode="json") for point in points] == [
        {"epoch": 1}, {"epoch": 1.0}, {"share": 1}, {"step": 3}, {"run": "find", "at": "end"},
    ]  # fmt: skip
    assert (
        canonical([point.model_dump(mode="json") for point in points[:2]]) == b'[{"epoch":1},{"epoch":1.0}]'
    )
