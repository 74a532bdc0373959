"""Chains of levels that something befalls: a level fails, is made again, or diverges; the store is tidied meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from prunebench.cli import main
from prunebench.inventory.garbage import ALWAYS, remove
from prunebench.jobs.states import unpack_state

REWOUND = {"score_at": "end", "train_from": "rewind", "clock": "rewind", "schedule": {"levels": 0.2}}
CHAIN = {"scorer": "magnitude", "as": "chain", **REWOUND}

BREAKS = '''
import pathlib
import prunebench

def breaks(net, batch, rng):
    """By magnitude; breaks at a network that is less than two thirds there, while a file is."""
    there = sum(int((weight != 0).sum()) for weight in net.weights.values())
    if pathlib.Path(__file__).with_name("breaks").exists() and there < 4300:
        raise RuntimeError("too few weights for me")
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("breaks", breaks)]
'''


def levels(project: Any, to: int, row: dict[str, Any], **options: Any) -> Path:
    """A suite with the levels of one chain as far as this one."""
    suite: Path = project.suite([row], sparsities={"keep": 0.8, "count": to}, epochs=2, **options)
    return suite


def call(project: Any, command: str, *args: str, code: int = 0) -> str:
    """Call the command line on the project's suite and store; return what it says."""
    fixed = [
        command,
        str(project.folder / "tiny.toml"),
        "--store",
        str(project.folder / "store"),
        "--no-plugins",
    ]
    done = CliRunner().invoke(main, [*fixed, *args], prog_name="prunebench")
    assert done.exit_code == code, done.output
    return str(done.output)


def trainings(project: Any) -> Counter[str]:
    """How many steps each run has been trained for so far, as the logs have it."""
    steps: Counter[str] = Counter()
    for log in (project.folder / "store" / "logs").iterdir():
        for line in log.read_text().splitlines():
            if " from step " in line:
                words = line.rpartition(" from step ")[2].split()
                steps[log.stem.partition("@")[0]] += int(words[3]) - int(words[0])
    return steps


def record(project: Any, key: str) -> int:
    """When a record was written."""
    return (project.folder / "store" / "records" / key[:2] / f"{key}.json").stat().st_mtime_ns


def test_levels_behind_one_that_fails_fail_with_its_error_and_go_on_from_it(project: Any) -> None:
    """The second mask can be made, the third not: two levels have results, the fourth tells of the third's job."""
    (project.folder / "breaks.py").write_text(BREAKS)
    (project.folder / "breaks").touch()
    plugin = ("--plugin", str(project.folder / "breaks.py"))
    levels(project, 4, {**CHAIN, "scorer": "breaks"})
    said = call(project, "run", *plugin, "--no-table", code=1)
    assert "3 cells made now, 0 done before, 2 failed" in said
    assert "  2 cells: score " in said
    assert "too few weights for me" in said
    assert len(project.store().record_keys()) == 3
    before = trainings(project)
    (project.folder / "breaks").unlink()
    said = call(project, "run", *plugin, "--no-table")
    assert "2 cells made now, 3 done before" in said
    after = trainings(project)
    assert {run: after[run] for run in before} == before
    assert len(after) == 5


def test_a_level_is_made_again_and_those_behind_it_stay(project: Any) -> None:
    """With the levels before it, whose states are gone; all with the same bits."""
    path = levels(project, 4, CHAIN)
    engine = project.run(path)
    whole = project.results(engine)
    written = {cell.name: record(project, cell.key) for cell in engine.plan.cells}
    said = call(project, "run", "--again", "chain", "-k", "d0.512", "--no-table")
    assert "(1 training, 3 masks, 1 record; 1 job stays that other methods need)" in said
    assert "1 cell made now" in said
    assert project.results(engine) == whole
    changed = [
        name
        for name, time in written.items()
        if time != record(project, engine.plan.by_id[f"main::{name}"].key)
    ]
    assert changed == ["digits-mlp-digits-chain-d0.512-s0"]
    assert "nothing to do" in call(project, "run", "--no-table")


def test_tidying_in_the_middle_of_a_chain_takes_nothing_that_it_goes_on_from(project: Any) -> None:
    """After each level; each training is made once."""
    path = levels(project, 3, CHAIN)
    whole = project.results(project.run(path, store="whole"))
    steps: Counter[tuple[str, int]] = Counter()
    session = project.session(path)
    session.freeze(project.store())
    for number in range(len(session.plan.cells)):
        engine = project.engine(path)
        engine.context.progress = lambda job, step, to_step: steps.update([(job.params.run_key, step)])
        engine.make(engine.plan.cells[number])
        remove(project.store(), ALWAYS)
    assert project.results(engine) == whole
    assert set(steps.values()) == {1}
    assert len({run for run, _ in steps}) == 4


def test_a_chain_goes_down_to_one_weight(project: Any) -> None:
    """Also where a level keeps as many as the one before it, and where layers have nothing left."""
    row = {**CHAIN, "train_from": "init", "clock": "init", "schedule": {"levels": 0.4}}
    path = project.suite([row], sparsities={"keep": 0.6, "count": 18}, epochs=0.05)
    engine = project.run(path)
    counts = [engine.store.read_record(cell.key).result["mask"]["kept"] for cell in engine.plan.cells[1:]]
    assert counts[-1] == 1
    assert len(set(counts)) < len(counts)
    assert counts == [cell.target for cell in engine.plan.cells[1:]] == sorted(counts, reverse=True)


def test_levels_of_a_run_that_diverged_are_diverged(project: Any) -> None:
    """Each says which run diverged: where the unpruned one did, that one."""
    path = levels(project, 3, CHAIN)
    path.write_text(path.read_text().replace("epochs = 2", "epochs = 2, lr = 1e30"))
    engine = project.run(path)
    results = [engine.store.read_record(cell.key).result for cell in engine.plan.cells]
    assert {result["outcome"] for result in results} == {"diverged"}
    (dense,) = {result["diverged"]["run"] for result in results}
    assert engine.plan.jobs[engine.plan.cells[0].key].inputs[0].startswith(dense)


def test_a_level_in_the_middle_is_exported(project: Any) -> None:
    """Its weights, and those of the levels that they come from, are made again and dropped again."""
    path = levels(project, 4, {**CHAIN, "train_from": "scored"})
    call(project, "run", "-q", "--no-table")
    kept = project.run(path, store="kept", keep_states=True)
    cell = kept.plan.cells[3]
    store = project.folder / "store"
    before = set(store.rglob("*.safetensors"))
    out = project.folder / "out.safetensors"
    asked = ["export", cell.key, "-o", str(out), "--store", str(store), "--json"]
    done = CliRunner().invoke(main, asked, prog_name="prunebench")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["agrees_with_record"] is True
    assert set(store.rglob("*.safetensors")) == before
    state = unpack_state(kept.store.read_artifact(kept.plan.jobs[cell.key].inputs[0]))
    weights = load_file(out)
    assert all(torch.equal(weights[name], value) for name, value in state.parameters.items())
