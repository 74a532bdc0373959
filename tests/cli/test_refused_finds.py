"""A find that cannot be ends in a sentence and exit 2; nothing has been started, nothing is on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import TINY, make_place

CHAIN = (
    '{as = "chain", scorer = "magnitude", score_at = "end", schedule = {levels = 0.2}, train_from = "init"}'
)


@pytest.mark.parametrize(
    ("find", "methods", "told"),
    [
        ("{lrr = 0.1}", CHAIN, "matrix[0].find[0].lrr: is no part of a recipe; did you mean 'lr'?"),
        ('{architecture = "tiny-net"}', CHAIN, "matrix[0].find[0].architecture: cannot be changed by find"),
        ("{epochs = 2, drops = [3]}", CHAIN, "matrix[0].find[0].drops: goes to epoch 3, beyond the schedule"),
        (
            "{lr = 0.01}",
            '"magnitude"',
            "matrix[0].methods[0]: find makes no difference to 'magnitude': the method is scored at 'init', before any",
        ),
        (
            "{epochs = 2}",
            '{as = "late", scorer = "magnitude", score_at = {epoch = 5}}',
            "matrix[0].methods[0].score_at: epoch 5 lies beyond the schedule of 2 epochs",
        ),
    ],
)
def test_a_find_that_cannot_be_starts_nothing(tmp_path: Path, find: str, methods: str, told: str) -> None:
    """With the file and the key that is wrong."""
    place = make_place(tmp_path)
    text = TINY.replace('["random", "own", "magnitude-after-training"]', f"[{methods}]")
    place.write("finds.toml", f"{text.replace('[0.5]', '[0.2]')}find = [{find}]\n")
    store = place.folder / "none"
    suite = str(place.folder / "finds.toml")
    result = place.call("run", suite, *place.plugin, "--no-table", "--store", str(store), code=2)
    said = " ".join(str(result.stderr).split())
    assert f"finds.toml: {told}" in said
    assert "Traceback" not in result.output
    assert not store.exists()
