"""Rows of the table of cells, as the plan and the records of a store give them."""

from __future__ import annotations

from typing import Any

import orjson

from prunebench.analysis import EmptyLayer, compare, empty_layers, summarize, table
from prunebench.inventory.frozen import freeze, newest_frozen
from prunebench.inventory.rows import _layers, rows
from prunebench.plan.frozen import frozen, thawed


def test_records_say_which_layers_are_empty_and_plans_how_many_classes(project: Any) -> None:
    """SynFlow's highest scores lie in the small output layer: inverted it is gone."""
    engine = project.run(project.suite(["synflow"], ablations=["none", "invert"], sparsities=[0.9]))
    found = {(row["method"], row["ablations"]): row for row in rows(engine.plan, engine.store)}
    assert {row["classes"] for row in found.values()} == {10}
    record = engine.store.read_record(found["synflow", "invert"]["key"])
    empty = [layer["name"] for layer in record.result["mask"]["layers"] if layer["kept"] == 0]
    output = record.result["mask"]["layers"][-1]["name"]
    assert output in empty
    assert found["synflow", "invert"]["empty_layers"] == empty
    assert found["synflow", "invert"]["output_layer"] == output
    assert found["synflow", ""]["empty_layers"] == []
    assert found["none", ""]["output_layer"] == ""
    (layers,) = empty_layers(table(rows(engine.plan, engine.store))).values()
    assert EmptyLayer(output, 1, True) in layers


def test_the_last_layer_is_no_output_layer_where_layers_are_left_out() -> None:
    """Only convolutions are pruned, or one layer is excepted: nobody knows from the mask which is the output."""
    mask = {"layers": [{"name": "a", "kept": 0, "prunable": 5}, {"name": "b", "kept": 0, "prunable": 5}]}
    for prunable, output in (
        (None, "b"),
        ({"of": "weights", "except": []}, "b"),
        ({"of": "weights", "except": ["c"]}, ""),
        ({"of": "convolutions", "except": []}, ""),
    ):
        form = {} if prunable is None else {"prunable": prunable}
        found = _layers({"cell": {"form": form}, "mask": mask})
        assert found == {"empty_layers": ["a", "b"], "output_layer": output}
    of_filters = _layers({"cell": {"form": {"unit": "filter"}}, "mask": mask})
    assert of_filters == {"empty_layers": ["a", "b"], "output_layer": ""}
    assert _layers({"cell": {}, "mask": None}) == {"empty_layers": [], "output_layer": ""}


def test_two_names_of_one_cell_share_its_key_in_a_real_plan(project: Any) -> None:
    """grasp-inverted is grasp under invert: 3 methods have 4 names."""
    path = project.suite(["grasp", "grasp-inverted"], ablations=["none"], more=OTHERS)
    session = project.session(path)
    frame = table(
        [row | {"status": "finished", "accuracy": 90.0} for row in rows(session.plan, project.store())]
    )
    summary = summarize(frame[frame["sparsity"] > 0])
    assert dict(zip(summary["method"], summary["also"], strict=True)) == {
        "grasp": (),
        "grasp-inverted": ("grasp + invert",),
    }
    assert len(compare(frame[frame["sparsity"] > 0])) == 1


OTHERS = """
[[matrix]]
name = "inverted"
architecture = "digits-mlp"
dataset = "digits"
recipe = {name = "digits", epochs = 1}
methods = ["grasp"]
ablations = ["invert"]
sparsities = [0.5]
seeds = 1
dense = false
"""


def test_a_frozen_plan_that_does_not_know_the_classes_is_not_taken(project: Any) -> None:
    """Plans of before that: the suite is planned anew. Those of today are taken."""
    path = project.suite(["snip"])
    session, store = project.session(path), project.store()
    session.freeze(store)
    found = newest_frozen(str(path), store)
    assert found is not None
    assert found[0].suite["classes"] == {"digits": 10}
    old = thawed(orjson.loads(orjson.dumps(frozen(session.plan))))
    old.suite = {name: value for name, value in old.suite.items() if name != "classes"}
    other = project.store("other")
    freeze(old, other)
    assert newest_frozen(str(path), other) is None
