"""Chains of levels through plan, jobs and store: each level a cell, trained once, whoever asks for it."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import orjson
import pytest
import torch

from prunebench.canonical import canonical
from prunebench.errors import SuiteError
from prunebench.host.registry import Host
from prunebench.jobs.states import mask_from, unpack_state
from prunebench.plan.frozen import frozen, thawed
from prunebench.schedules import Levels

PRUNABLE = 64 * 64 + 64 * 32 + 32 * 10
REWOUND = {"train_from": "rewind", "clock": "rewind"}
AS_IT_IS = {"train_from": "scored"}


def method(**changes: Any) -> dict[str, Any]:
    return {"scorer": "magnitude", "as": "chain", "score_at": "end", "schedule": {"levels": 0.2}, **changes}


def suite(project: Any, levels: list[int], *more: dict[str, Any], name: str = "tiny", **options: Any) -> Any:
    """A suite that asks for some levels, of a chain that is rewound unless others are given."""
    sparsities = [round(1 - 0.8**level, 12) for level in levels]
    rows = list(more) or [method(**REWOUND)]
    return project.suite(rows, sparsities=sparsities, epochs=2, name=name, **options)


def count(engine: Any) -> Counter[tuple[str, int]]:
    """Count every step of every training that a worker makes from now on."""
    steps: Counter[tuple[str, int]] = Counter()
    engine.context.progress = lambda job, step, to_step: steps.update([(job.params.run_key, step)])
    return steps


def runs(steps: Counter[tuple[str, int]]) -> int:
    """In how many trainings these steps are; none was made twice."""
    assert set(steps.values()) <= {1}
    return len({run for run, _ in steps})


def pruned(engine: Any) -> list[Any]:
    return [cell for cell in engine.plan.cells if cell.labels["method"] != "none"]


def kept(level: int) -> int:
    """round(0.8^level · prunable), exactly."""
    return round(Fraction(4, 5) ** level * PRUNABLE)


def test_every_level_is_a_cell_with_its_count_its_record_and_its_measures(project: Any) -> None:
    """Five trainings of four levels; each mask lies in the one before; the last state stays, the others go."""
    engine = project.engine(suite(project, [1, 2, 3, 4], measures=["layer-sparsity", "weights-remaining"]))
    steps = count(engine)
    for cell in engine.plan.cells:
        engine.make(cell)
    assert runs(steps) == 5
    before = None
    for level, cell in enumerate(pruned(engine), 1):
        record = engine.store.read_record(cell.key).result
        assert cell.target == record["mask"]["kept"] == kept(level)
        assert record["outcome"] == "finished"
        assert all(engine.store.has_measure(key) for key in cell.targets[1:])
        mask = mask_from(engine.store.read_artifact(record["mask"]["key"]))
        assert before is None or not any((mask[name] & ~before[name]).any() for name in mask)
        before = mask
        assert engine.store.has_artifact(record["state"]) == (level == 4)
    again = thawed(orjson.loads(orjson.dumps(frozen(engine.plan))))
    assert [canonical(job.params.plain()) for job in again.jobs.values()] == [
        canonical(job.params.plain()) for job in engine.plan.jobs.values()
    ]
    assert again.ends == engine.plan.ends == {engine.plan.jobs[cell.key].inputs[0]}


def test_the_counts_are_exact_as_far_as_any_network_goes() -> None:
    """In whole numbers, for levels to the 50th and networks of up to 25 million weights."""
    chain = Levels(levels=0.2)
    for prunable in (266_200, 270_896, 20_024_000, 25_502_912):
        for level in range(1, 51):
            density = float(chain.density(level))
            assert round(density * prunable) == round(Fraction(4, 5) ** level * prunable)
            assert chain.level(chain.density(level)) == level


def test_a_late_level_brings_the_earlier_ones_along(project: Any) -> None:
    """Their records are there with it, with where they come from, and asking for them trains nothing."""
    engine = project.engine(suite(project, [1, 2, 3, 4]))
    steps = count(engine)
    *earlier, last = pruned(engine)
    engine.make(last)
    assert runs(steps) == 5
    for cell in earlier:
        record = engine.store.read_record(cell.key)
        assert (
            record.provenance["components"].keys()
            == engine.store.read_record(last.key).provenance["components"].keys()
        )
    engine.make(engine.plan.cells[0])
    assert runs(steps) == 5


FORMS: list[dict[str, str]] = [REWOUND, AS_IT_IS, {"train_from": "rewind"}, {"clock": "rewind"}]
ORDERS = [[[4], [1, 2, 3]], [[1, 2], [1, 2, 3, 4]], [[1, 2], [4]], [[2], [3, 4], [1]]]
"""Which levels one suite after the other asks for."""


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        pytest.param(form, order, id=f"{form}-{order}", marks=() if row == column else pytest.mark.slow)
        for row, form in enumerate(FORMS)
        for column, order in enumerate(ORDERS)
    ],
)
def test_a_chain_is_trained_once_whichever_suites_ask_for_which_levels(
    project: Any, form: dict[str, str], asked: list[list[int]]
) -> None:
    """Levels that another suite has made are found, before the ones it asked for, between and behind them."""
    steps: Counter[tuple[str, int]] = Counter()
    for number, levels in enumerate(asked):
        engine = project.engine(suite(project, levels, method(**form), name=f"suite{number}"))
        engine.context.progress = lambda job, step, to_step: steps.update([(job.params.run_key, step)])
        for cell in engine.plan.cells:
            engine.make(cell)
    assert runs(steps) == 5
    whole = project.run(suite(project, [1, 2, 3, 4], method(**form)), store="whole")
    for levels, cell in enumerate(pruned(whole), 1):
        here = engine.store.read_record(cell.key)
        assert here is not None, levels
        assert here.digest == whole.store.read_record(cell.key).digest


def test_a_record_that_nobody_has_asked_for_names_its_own_components(project: Any) -> None:
    """A level between is no cell of the suite; what it was made with is written down as if it were."""
    engine = project.run(suite(project, [3]))
    whole = project.run(suite(project, [1, 2, 3]), store="whole")
    for cell in pruned(whole):
        here, there = (store.read_record(cell.key).provenance for store in (engine.store, whole.store))
        assert here["components"] == there["components"]


def kill_at(monkeypatch: pytest.MonkeyPatch, engine: Any, when: str) -> None:
    """End the process at its next commit of an artifact: after it, or before the one behind that."""
    store = type(engine.store)
    write, written = store.write_artifact, []

    def killed(self: Any, key: str, *given: Any, **more: Any) -> Any:
        if when == "before" and written:
            raise KeyboardInterrupt
        written.append(write(self, key, *given, **more))
        if when == "after":
            raise KeyboardInterrupt
        return written[-1]

    monkeypatch.setattr(store, "write_artifact", killed)


@pytest.mark.parametrize("form", [REWOUND, AS_IT_IS], ids=str)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_commit_it_goes_on(
    project: Any, monkeypatch: pytest.MonkeyPatch, form: dict[str, str], when: str
) -> None:
    """Before and after every file that a chain writes; the records are those of a run that was never stopped."""
    path = suite(project, [1, 2], method(**form))
    whole = project.results(project.run(path, store="whole"))
    trained, killed = 0, 0
    while True:
        engine = project.engine(path)
        steps = count(engine)
        with monkeypatch.context() as patch:
            kill_at(patch, engine, when)
            try:
                for cell in engine.plan.cells:
                    engine.make(cell)
            except KeyboardInterrupt:
                killed += 1
            else:
                break
            finally:
                trained += len(steps)
    assert project.results(engine) == whole
    assert killed >= 6
    once_each = 46 + 2 * (46 - 23 if form == REWOUND else 46)
    assert trained == once_each if when == "after" else once_each < trained < 2 * once_each


@pytest.mark.parametrize("at", [(2, 30), (2, 46), (3, 24)])
def test_killed_in_a_level_it_goes_on_from_its_checkpoint(project: Any, at: tuple[int, int]) -> None:
    """In the middle of a training, and at its last step."""
    path = suite(project, [1, 2])
    whole = project.results(project.run(path, store="whole"))
    engine = project.engine(path)
    engine.context.checkpoint_seconds = 0.0
    seen: list[str] = []

    def stop(job: Any, step: int, to_step: int) -> None:
        if job.params.run_key not in seen:
            seen.append(job.params.run_key)
        if (len(seen), step) == at:
            raise KeyboardInterrupt

    engine.context.progress = stop
    with pytest.raises(KeyboardInterrupt):
        for cell in engine.plan.cells:
            engine.make(cell)
    again = project.engine(path)
    steps = count(again)
    for cell in again.plan.cells:
        again.make(cell)
    assert project.results(again) == whole
    assert min((step for run, step in steps if run == seen[-1]), default=at[1] + 1) > at[1] - 1


def test_one_shot_at_the_first_level_is_the_first_level(project: Any) -> None:
    """Lottery ticket rewinding in one shot, and its chain: the mask and the training are the same jobs."""
    chain = method(train_from="rewind")
    plan = project.session(suite(project, [1, 2], "ltr", chain)).plan
    by_method = {(cell.labels["method"], cell.target): plan.jobs[cell.key].inputs for cell in plan.cells}
    assert by_method["ltr", kept(1)] == by_method["chain", kept(1)]
    assert by_method["ltr", kept(2)] != by_method["chain", kept(2)]


@pytest.mark.parametrize(
    "spelled",
    [{"remove": 0.2}, {"remove": 0.2, "train_from": "rewind"}, {"remove": 0.2, **REWOUND}],
    ids=str,
)
def test_what_is_said_twice_is_one_cell(project: Any, spelled: dict[str, Any]) -> None:
    """A chain that trains as the form says anyway is spelled by its share alone, in records too."""
    plan = project.session(suite(project, [2])).plan
    row = method(**REWOUND, schedule={"levels": spelled})
    other = project.session(suite(project, [2], row)).plan
    assert other.cells[-1].key == plan.cells[-1].key
    assert plan.jobs[plan.cells[-1].key].params.cell.form["schedule"] == {"levels": 0.2}
    with pytest.raises(SuiteError, match=r"'again' is .* 'chain' again"):
        project.session(suite(project, [2], method(**REWOUND), {**row, "as": "again"}))


def test_a_chain_of_its_own_is_in_the_key(project: Any) -> None:
    """Rewound to the initial weights between the levels, evaluated from the rewind point: read back as it was."""
    row = method(train_from="rewind", schedule={"levels": {"remove": 0.2, "train_from": "init"}})
    plan = project.session(suite(project, [1, 2], row)).plan
    plain = project.session(suite(project, [1, 2], method(train_from="rewind"))).plan
    written = plan.jobs[plan.cells[-1].key].params.cell.form["schedule"]
    assert written == {"levels": {"remove": 0.2, "train_from": "init"}}
    assert Levels.model_validate(written).model_dump() == written
    masks = [[j.key for j in p.jobs.values() if j.kind == "mask"] for p in (plan, plain)]
    assert masks[0][0] == masks[1][0]
    assert masks[0][1] != masks[1][1]


@pytest.mark.parametrize(("form", "whole"), [(REWOUND, True), (AS_IT_IS, False)], ids=str)
def test_shuffled_levels_share_the_chain(project: Any, form: dict[str, str], whole: bool) -> None:
    """Only the evaluated network is altered: over whole layers, or within what the scored network has left."""
    engine = project.engine(suite(project, [1, 2, 3], method(**form), ablations=["none", "shuffle"]))
    steps = count(engine)
    for cell in engine.plan.cells:
        engine.make(cell)
    assert runs(steps) == 1 + 3 + 3
    masks = {}
    for cell in pruned(engine):
        masks[cell.labels["ablations"], cell.target] = mask_from(
            engine.store.read_artifact(engine.plan.jobs[cell.key].inputs[1])
        )
    chain, shuffled, before = masks["", kept(3)], masks["shuffle", kept(3)], masks["", kept(2)]
    assert shuffled.counts() == chain.counts()
    assert any(not torch.equal(shuffled[name], chain[name]) for name in chain)
    assert any((shuffled[name] & ~before[name]).any() for name in chain) == whole


def test_every_ablation_of_a_chain_runs_whole(project: Any) -> None:
    """Each level keeps its count, and what is removed is zero in the network that is evaluated."""
    ablations = ["none", *sorted(Host.load(third_party=False).names("ablations"))]
    row = method(**REWOUND)
    engine = project.run(suite(project, [1, 2], row, ablations=ablations), keep_states=True)
    assert len(pruned(engine)) == 2 * len(ablations)
    for cell in pruned(engine):
        result = engine.store.read_record(cell.key).result
        assert result["outcome"] == "finished", cell.id
        assert result["mask"]["kept"] == cell.target
        state = unpack_state(engine.store.read_artifact(result["state"]))
        assert state.mask is not None
        assert all(not state.parameters[name][~state.mask[name]].any() for name in state.mask)


def test_layers_counts_of_a_chain_are_borrowed_level_by_level(project: Any) -> None:
    """Random at the chain's counts; and a chain whose levels have the counts of another method's masks."""
    chain = method(**REWOUND)
    changed = {key: value for key, value in chain.items() if key != "as"}
    random = {"scorer": "random", "as": "random-like", "allocation": {"like": {**changed}}}
    like = method(**REWOUND, allocation={"like": "erk"}) | {"as": "like-erk"}
    engine = project.run(suite(project, [1, 3], chain, random, like, "erk"))
    counts = {}
    for cell in pruned(engine):
        made = mask_from(engine.store.read_artifact(engine.plan.jobs[cell.key].inputs[1]))
        counts[cell.labels["method"], cell.target] = made.counts()
    for level in (1, 3):
        assert counts["random-like", kept(level)] == counts["chain", kept(level)]
        assert counts["like-erk", kept(level)] == counts["erk", kept(level)]


def test_a_cell_costs_what_its_chain_costs_alone(project: Any) -> None:
    """Level 3: the unpruned training, three more from the rewind point, and three scorings that cost nothing."""
    plan = project.session(suite(project, [1, 2, 3])).plan
    dense, *levels = plan.cells
    trainings = [job.key for job in plan.jobs.values() if job.prunes]
    for level, cell in enumerate(levels, 1):
        expected = dense.cost + sum(plan.costs[key] for key in trainings[:level])
        assert cell.cost == pytest.approx(expected)


def test_a_failing_measure_holds_up_no_chain(project: Any) -> None:
    """A record comes before the next level is scored, a measure does not."""
    plan = project.session(suite(project, [1, 2], measures=["layer-sparsity"])).plan
    score = next(
        job.key for job in plan.jobs.values() if job.kind == "score" and plan.jobs[job.inputs[0]].prunes
    )
    (record,) = set(plan.needs(score)) - set(plan.jobs[score].inputs)
    assert plan.jobs[record].kind == "record"
