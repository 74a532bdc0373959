"""What is told of the network that was scored for a mask: how accurate it was, when, with how many weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from little_suites import CHAIN
from reference import networks

from prunebench.host.registry import Host
from prunebench.jobs.states import unpack_state
from prunebench.plan.params import TrainParams

FIND = {"lr": 0.02, "weight_decay": 0.001}
ONE_SHOT = {"as": "one-shot", "scorer": "magnitude", "score_at": "end", "train_from": "init"}
LEVELS = [round(1 - 0.8**k, 12) for k in (1, 2, 3)]


def measured(engine: Any, method: str, **labels: str) -> list[dict[str, Any]]:
    """The measure of each of a method's cells, in the order of their sparsities."""
    cells = [
        c for c in engine.plan.cells if {**c.labels, **labels} == c.labels and c.labels["method"] == method
    ]
    return [engine.store.read_measure(cell.targets[1]).result["value"] for cell in cells]


def found(project: Any, *methods: dict[str, Any], more: str = "", **options: Any) -> Any:
    """Run methods under FIND, each of their networks told of."""
    return project.run(
        project.suite(
            methods,
            measures=["scored-network"],
            more=f"find = [{{lr = 0.02, weight_decay = 0.001}}]\n{more}",
            **options,
        )
    )


def ordinary(project: Any, *methods: dict[str, Any], **options: Any) -> dict[tuple[str, float], Any]:
    """Run methods with FIND as the recipe, in a store of their own; the results by method and sparsity."""
    path = project.suite(methods, name="ordinary", **options)
    path.write_text(
        path.read_text().replace('"digits", epochs', '"digits", lr = 0.02, weight_decay = 0.001, epochs')
    )
    engine = project.run(path, store="ordinary")
    return {
        (c.labels["method"], round(1 - float(c.density), 12)): engine.store.read_record(c.key).result
        for c in engine.plan.cells
    }


def told(point: dict[str, Any]) -> dict[str, Any]:
    """What a point of a curve says, as the measure does."""
    return {
        "accuracy": 100 * point["correct"] / point["examples"],
        "evaluated": point["step"],
        **{name: point[name] for name in ("correct", "examples", "loss")},
    }


def test_each_level_tells_of_the_network_that_was_scored_and_of_the_unpruned_one(project: Any) -> None:
    """Their accuracies are those of the ordinary chain under the find recipe: of the level before, and unpruned."""
    engine = found(project, CHAIN, ONE_SHOT, sparsities=LEVELS)
    results = ordinary(project, CHAIN, sparsities=LEVELS[:2])
    unpruned, *levels = (results[key] for key in [("none", 0.0), ("chain", LEVELS[0]), ("chain", LEVELS[1])])
    whole = {"step": 23, "kept": 6464, "prunable": 6464, **told(unpruned["curve"][-1])}
    scored = [whole]
    scored += [{**whole, "kept": one["mask"]["kept"], **told(one["curve"][-1])} for one in levels]
    assert measured(engine, "chain") == [{**one, "unpruned": whole} for one in scored]
    assert measured(engine, "one-shot") == [{**whole, "unpruned": whole}] * 3
    assert len({one["correct"] for one in scored}) == 3


def right(engine: Any, step: int) -> int:
    """How many digits the unpruned network of a step gets right, by a plain forward pass."""
    trained = [j for j in engine.plan.jobs.values() if isinstance(j.params, TrainParams) and not j.prunes]
    (key,) = [j.key for j in trained if j.params.step == step and j.params.run.recipe.lr == 0.02]
    weights = unpack_state(engine.store.read_artifact(key)).parameters
    load = Host.load(third_party=False).get("datasets", "digits").load
    (train, _), (images, labels) = load(Path(), "train"), load(Path(), "test")
    values = train.double() / 255
    x = ((images.double() / 255 - values.mean()) / values.std(correction=0)).float()
    return int((networks.lenet(weights, {}, x, False).argmax(1) == labels).sum())


def test_pruned_early_it_is_the_unpruned_accuracy_at_that_step(project: Any) -> None:
    """The recipe evaluates every fifth epoch alone: at others the network is evaluated for the measure."""
    points = "score_at = [{epoch = 1}, {epoch = 2}, {step = 30}, {step = 5}, 'end']"
    engine = found(project, ONE_SHOT, more=points, epochs=3)
    size = {"kept": 6464, "prunable": 6464}
    for cell in engine.plan.cells[1:]:
        value = engine.store.read_measure(cell.targets[1]).result["value"]
        unpruned, step = value.pop("unpruned"), value["step"]
        assert unpruned == value
        assert {name: value[name] for name in size} == size
        assert (value["evaluated"], value["correct"], value["examples"]) == (step, right(engine, step), 355)
        assert value["accuracy"] == 100 * value["correct"] / 355
    assert [c.labels["score_at"] for c in engine.plan.cells[1:]] == [
        "epoch 1",
        "epoch 2",
        "step 30",
        "step 5",
        "end",
    ]


def test_it_is_to_the_bit_what_its_run_would_have_said(project: Any) -> None:
    """A convolutional network whose recipe evaluates every second epoch; and one whose recipe does every time."""
    options: dict[str, Any] = {"architecture": "digits-convnet", "measures": ["scored-network"], "epochs": 2}
    path = project.suite([{**ONE_SHOT, "score_at": {"epoch": 1}}], **options)
    engine = project.run(path)
    value = engine.store.read_measure(engine.plan.cells[1].targets[1]).result["value"]
    path.write_text(path.read_text().replace('"digits", epochs', '"digits", evaluate = 1, epochs'))
    other = project.run(path, store="other")
    point = other.store.read_record(other.plan.cells[0].key).result["curve"][0]
    assert point["step"] == value["step"] == 23
    assert {name: value[name] for name in told(point)} == told(point)


def test_a_chain_scored_early_tells_of_its_unpruned_network_too(project: Any) -> None:
    """At the step of the first level; of the networks between, by the last evaluation before it."""
    early = {**CHAIN, "score_at": {"epoch": 2}}
    engine = found(project, early, sparsities=LEVELS[:2], epochs=3)
    first, second = measured(engine, "chain")
    assert first["unpruned"] == second["unpruned"] == {k: v for k, v in first.items() if k != "unpruned"}
    assert (first["step"], first["evaluated"], first["correct"]) == (46, 46, right(engine, 46))
    assert second == {"step": 46, "kept": 5171, "prunable": 6464, "unpruned": first["unpruned"]}


def test_asked_for_later_it_trains_nothing(project: Any) -> None:
    """The masks tell of networks that are gone by then, shuffled ones too; it changes no record and no mask."""
    options: dict[str, Any] = {
        "sparsities": LEVELS,
        "ablations": ["none", "shuffle"],
        "more": "find = [{lr = 0.02}]",
    }
    before = project.run(project.suite([CHAIN], **options))
    engine = project.engine(project.suite([CHAIN], measures=["scored-network"], **options))
    for cell in engine.plan.cells:
        engine.make(cell)
    assert {job.kind for job in engine.made} == {"measure"}
    assert project.results(engine) == project.results(before)
    assert measured(engine, "chain", ablations="shuffle") == measured(engine, "chain", ablations="")


def test_masks_of_an_earlier_version_tell_as_long_as_the_network_is_there(
    project: Any, monkeypatch: Any
) -> None:
    """Unpruned networks stay in the store; of one that is gone no accuracy is known, and none is made up."""
    from prunebench.jobs import masks

    with monkeypatch.context() as patch:
        patch.setattr(masks, "told_of_network", lambda meta: {})
        project.run(project.suite([CHAIN], sparsities=LEVELS))
    engine = project.engine(project.suite([CHAIN], sparsities=LEVELS, measures=["scored-network"]))
    for cell in engine.plan.cells:
        engine.make(cell)
    assert {job.kind for job in engine.made} == {"measure"}
    first, second, third = measured(engine, "chain")
    assert first["accuracy"] == second["unpruned"]["accuracy"] == third["unpruned"]["accuracy"] > 20
    assert second == {"step": 23, "kept": 5171, "prunable": 6464, "unpruned": first["unpruned"]}


def test_what_was_scored_nowhere_has_no_such_measure(project: Any) -> None:
    """An unpruned network, and one that is pruned while it trains."""
    gradual = {
        "as": "gradual",
        "scorer": "magnitude",
        "schedule": {"gradual": {"from": "init", "to": "end", "every": 5}},
    }
    plan = project.session(project.suite([gradual, "snip"], measures=["scored-network"])).plan
    assert {c.labels["method"]: len(c.targets) for c in plan.cells} == {"none": 1, "gradual": 1, "snip": 2}
