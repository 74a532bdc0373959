"""The harness's masks are those of prunebench.prune: one way from a network to a mask, for both."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

import prunebench
import prunebench.pruning.prune
from prunebench import Mask
from prunebench.jobs.run import run_job
from prunebench.jobs.states import mask_from, pack_state
from prunebench.plan.params import FromState, TrainParams
from prunebench.pruning import MaskForm, prunable_weights
from prunebench.training.images.data import scoring_batch
from prunebench.training.state import State
from prunebench.training.streams import stream
from tests.conftest import Project

PLUGIN = """
from torch import nn
import prunebench


def build(input_shape, classes):
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2),
        nn.Linear(216, 12), nn.ReLU(), nn.Linear(12, classes),
    )


@prunebench.hookimpl
def prunebench_architectures():
    return [prunebench.Architecture("small", build, version="1")]
"""

ROUNDS = {"rounds": 4}
METHODS: dict[str, dict[str, Any]] = {
    "random": {},
    "magnitude": {},
    "magnitude uniform": {"allocation": "uniform"},
    "magnitude near": {"keep": "near"},
    "snip": {},
    "snip low": {"keep": "low"},
    "snip erk": {"allocation": "erk", "prunable": {"of": "weights", "except": ["7"]}},
    "snip convolutions": {"prunable": "convolutions"},
    "snip like": {"allocation": {"like": "magnitude"}, "prunable": {"of": "weights", "except": ["0"]}},
    "snip like a change": {"allocation": {"like": {"keep": "low"}}},
    "snip chunked": {"scorer": {"name": "snip", "chunk": 7, "batch": {"per_class": 2}}},
    "snip rounds": {"schedule": ROUNDS},
    "snip rounds uniform": {"schedule": ROUNDS, "allocation": "uniform", "keep": "far"},
    "snip rounds like": {"schedule": ROUNDS, "allocation": {"like": "synflow"}},
    "snip regrowth of another": {"schedule": ROUNDS, "regrowth": {"scorer": "force", "every": 2}},
    "snip shuffled": {"alter": ["shuffle"]},
    "grasp": {},
    "grasp far": {"keep": "far"},
    "synflow": {},
    "synflow erk": {"allocation": "erk"},
    "random like": {"allocation": {"like": "grasp"}, "alter": ["shuffle"]},
    "random rounds": {"schedule": ROUNDS, "regrowth": {"scorer": "random"}},
    "force": {},
    "iterative-snip short": {"schedule": {"rounds": 3}},
}
"""What changes the method that the first word names."""

GRADUAL: dict[str, Any] = {
    "method": "gradual-magnitude",
    "as": "gradual",
    "schedule": {"gradual": {"from": {"step": 2}, "to": {"step": 10}, "every": 2}},
}


class Made:
    """The jobs of one cell in a store of their own, and what `prune` gets to make the same mask."""

    def __init__(self, session: Any, store: Any, name: str) -> None:
        self.context, self.jobs = session.worker(store).context, session.plan.jobs
        self.cell = next(c for c in session.plan.cells if c.labels["method"] == name.replace(" ", "-"))
        self.key = self.jobs[self.cell.key].inputs[1]
        base = self.context.host.method(GRADUAL["method"] if name == "gradual" else name.split(" ")[0])
        self.form = base.form.changed(**METHODS.get(name, {}))
        self.scored = self.jobs[self.context.scored_state(self.jobs[self.key])]
        while isinstance(origin := self.scored.params_as(TrainParams).run.origin, FromState):
            self.scored = self.jobs[origin.state]
        run = self.scored.params_as(TrainParams).run
        self.data = self.context.data(run.data, "cpu", run.seed)
        self.network = self.context.network(run.architecture, origin.init, run.seed)

    def begin_with(self, mask: Mask) -> None:
        """Put the state that is scored into the store as one that has a mask already."""
        params = self.scored.params_as(TrainParams)
        tensors, meta = pack_state(State.of(mask.apply(self.network), mask=mask))
        meta |= {"kind": "state", "run": params.run_key, "step": params.step, "made_from": {}}
        self.context.store.write_artifact(self.scored.key, tensors, meta)

    def mask(self) -> Mask:
        """Run the jobs that the cell's mask needs, and return it."""
        for key in dict.fromkeys(self._needed(self.key)):
            if not self.context.store.has_artifact(key):
                run_job(self.jobs[key], self.context)
        return mask_from(self.context.store.read_artifact(self.key))

    def _needed(self, key: str) -> Iterator[str]:
        for other in self.jobs[key].inputs:
            yield from self._needed(other)
        yield key

    def pruned(self, mask: Mask | None = None) -> Mask:
        """Return the mask that `prune` makes of the same network, batch and seed."""
        per_class = 2 if "chunked" in self.cell.labels["method"] else 10
        return prunebench.prune(
            self.network,
            self.form,
            density=self.cell.density,
            batch=scoring_batch(self.data, self.cell.seed, per_class=per_class),
            seed=self.cell.seed,
            mask=mask,
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """Return what makes the jobs of a method, each time in an empty store; all are planned once."""
    stores = itertools.count()
    project = Project(tmp_path_factory.mktemp("one-way"))
    plugin = project.folder / "small.py"
    plugin.write_text(PLUGIN)
    rows = [{"method": n.split(" ")[0], "as": n.replace(" ", "-"), **more} for n, more in METHODS.items()]
    path = project.suite([*rows, GRADUAL], sparsities=[0.8])
    path.write_text(path.read_text().replace("digits-mlp", "small"))
    session = project.session(path, plugins=[plugin])
    return lambda name: Made(session, project.store(f"store{next(stores)}"), name)


@pytest.mark.parametrize("name", METHODS)
def test_a_job_and_prune_make_the_same_mask(made: Callable[[str], Made], name: str) -> None:
    """The same network, batch, seed and form: the same bits, and exactly as many as wanted."""
    one = made(name)
    mask = one.mask()
    assert mask == one.pruned()
    assert mask.kept == one.cell.target


@pytest.mark.parametrize("name", METHODS)
def test_a_state_with_a_mask_is_pruned_within_it(made: Callable[[str], Made], name: str) -> None:
    """As a chain's second level: what the state has lost stays lost, also shuffled; `prune` says the same."""
    one = made(name)
    weights = prunable_weights(one.network, one.form.prunable.of, one.form.prunable.except_)
    before = Mask(
        {
            layer: torch.from_numpy(stream(1, "old", layer).uniform(tuple(weight.shape)) < 0.5)
            for layer, weight in weights.items()
        }
    )
    one.begin_with(before)
    mask = one.mask()
    assert not any((kept & ~before[layer]).any() for layer, kept in mask.items())
    assert mask.kept == one.cell.target < before.kept
    assert mask == one.pruned(before)


@pytest.mark.parametrize("name", ["magnitude", "snip rounds like", "force", "random like"])
def test_neither_can_change_alone(
    made: Callable[[str], Made], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every mask of both is made in one place: where that keeps the other end, both do."""
    plain, selected, calls = made(name).pruned(), prunebench.pruning.prune._selected, []

    def mirrored(scores: Any, form: MaskForm, *rest: Any) -> Mask:
        calls.append(form.kept)
        return selected(scores, replace(form, keep="low" if form.keep == "high" else "high"), *rest)

    monkeypatch.setattr(prunebench.pruning.prune, "_selected", mirrored)
    one = made(name)
    mask, by_job = one.mask(), calls.copy()
    calls.clear()
    assert mask == one.pruned() != plain
    assert by_job
    assert sorted(calls) == sorted(by_job)


def test_gradual_pruning_goes_the_same_way(
    made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step of it that removes weights makes its mask where all masks are made."""
    selected, calls = prunebench.pruning.prune._selected, []

    def counted(scores: Any, form: MaskForm, *rest: Any) -> Mask:
        calls.append(form.kept)
        return selected(scores, form, *rest)

    monkeypatch.setattr(prunebench.pruning.prune, "_selected", counted)
    one = made("gradual")
    assert one.mask().kept == calls[-1] == one.cell.target
    assert len(calls) == 4
