"""Layers without any weight left, as the table of cells has them."""

from __future__ import annotations

from typing import Any

from prunebench.analysis import EmptyLayer, empty_layers, table

ROW = {"architecture": "a", "dataset": "d", "method": "snip", "density": "0.1", "status": "finished"}


def row(seed: int, layers: list[str], **labels: Any) -> dict[str, Any]:
    return {**ROW, "seed": seed, "accuracy": 90.0, "empty_layers": layers, "output_layer": "fc3", **labels}


def test_seeds_are_counted_layer_by_layer() -> None:
    """Two of three seeds lack the output layer, one another."""
    rows = [row(0, ["fc3"]), row(1, ["fc1", "fc3"]), row(2, []), row(0, [], method="grasp")]
    (found,) = empty_layers(table(rows)).values()
    assert found == (EmptyLayer("fc3", 2, True), EmptyLayer("fc1", 1, False))


def test_a_cell_under_two_names_is_counted_once() -> None:
    """And stands under its first name."""
    rows = [row(0, ["fc1"], key="k"), row(0, ["fc1"], key="k", method="again")]
    ((place, found),) = empty_layers(table(rows)).items()
    assert "snip" in place
    assert found == (EmptyLayer("fc1", 1, False),)


def test_diverged_cells_count_too() -> None:
    """Their masks are what they are."""
    (found,) = empty_layers(table([row(0, ["fc1"], status="diverged")])).values()
    assert found == (EmptyLayer("fc1", 1, False),)
