"""Plans of whole filters: targets, keys, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from prunebench_plugins.architectures.cifar_resnet import cifar_resnet

import prunebench.pruning.filters
from prunebench.canonical import digest
from prunebench.errors import SuiteError
from prunebench.host.form import Form
from prunebench.plan.filters import fewest_kept
from prunebench.plan.params import MaskOfScores, RecordParams, ScoreParams, TrainParams
from prunebench.pruning.filters import filter_groups
from prunebench.pruning.filters.choose import keep_groups

RESNET = 'architecture = {name = "cifar-resnet", depth = 8, width = 0.25}'
PRUNABLE = 36 + 2 * 144 + (288 + 576 + 32) + (1152 + 2304 + 128)
"""Weights of its convolutions: 4, 8 and 16 channels; the output layer keeps its outputs."""
WHOLE = {"as": "whole", "scorer": "magnitude", "unit": "filter"}


def suite(project: Any, *methods: Any, **options: Any) -> Path:
    path: Path = project.suite(methods, **options)
    path.write_text(path.read_text().replace('architecture = "digits-mlp"', RESNET))
    return path


def the(plan: Any, method: str) -> Any:
    return next(cell for cell in plan.cells if cell.labels["method"] == method)


def jobs(plan: Any, cell: Any, kind: type) -> list[Any]:
    """The parameters of the jobs of a kind that a cell descends from."""
    wanted = (plan.jobs[key] for key in plan.ancestors(cell.key))
    return [job.params for job in wanted if isinstance(job.params, kind)]


def test_a_density_is_of_the_weights_in_filters_that_may_go(project: Any) -> None:
    """The unpruned network keeps its own count; the target is what is kept at most."""
    plan = project.session(suite(project, WHOLE, "magnitude", sparsities=[0.6])).plan
    whole, weights, dense = (the(plan, name) for name in ("whole", "magnitude", "none"))
    assert (whole.prunable, whole.target) == (PRUNABLE, round(0.4 * PRUNABLE))
    assert weights.prunable == dense.prunable == PRUNABLE + 160
    (mask,) = jobs(plan, whole, MaskOfScores)
    assert (mask.exact_counts, mask.most_kept) == ({"prunable": PRUNABLE}, whole.target)
    (record,) = jobs(plan, whole, RecordParams)
    assert (record.cell.target, record.cell.form["unit"]) == (whole.target, "filter")


def test_that_filters_go_is_in_every_key_and_nowhere_else(project: Any) -> None:
    """Scores, mask and run say so; what removes weights says nothing of it, as ever."""
    plan = project.session(suite(project, WHOLE, {**WHOLE, "as": "single", "unit": "weight"})).plan
    whole, single = the(plan, "whole"), the(plan, "single")
    for cell, said in ((whole, True), (single, False)):
        (score,), (mask,) = jobs(plan, cell, ScoreParams), jobs(plan, cell, MaskOfScores)
        (run,) = [params.run for params in jobs(plan, cell, TrainParams) if params.run.mask]
        assert ("unit" in score.plain(), "filters" in mask.plain(), "filters" in run.plain()) == (said,) * 3
        altered = {**run.plain(), "filters": {"of": "weights", "except": []}}
        assert (digest(altered) == digest(run.plain())) == said
    assert whole.key != single.key


def test_a_frozen_plan_of_filters_is_read_back(project: Any) -> None:
    """As it was written: every job has the same key's parameters."""
    from prunebench.plan.frozen import frozen, thawed

    chain = {**WHOLE, "as": "chain", "score_at": "end", "schedule": {"levels": 0.5}, "alter": ["shuffle"]}
    while_training = {"gradual": {"from": "init", "to": {"step": 9}, "every": 3}}
    methods = [chain, {**WHOLE, "as": "slow", "schedule": while_training}]
    plan = project.session(suite(project, *methods, sparsities={"keep": 0.5, "count": 2})).plan
    again = thawed(orjson.loads(orjson.dumps(frozen(plan))))
    assert {key: job.params.plain() for key, job in again.jobs.items()} == {
        key: job.params.plain() for key, job in plan.jobs.items()
    }


def test_a_course_counts_filters_by_their_target(project: Any) -> None:
    """What a level is scored with is known when its mask is made; planned is the most that it may be."""
    chain = {**WHOLE, "as": "chain", "score_at": "end", "schedule": {"levels": 0.5}}
    path = suite(project, chain, sparsities={"keep": 0.5, "count": 2}, measures=["weights-remaining"])
    plan = project.session(path).plan
    last = plan.cells[-1]
    phases = plan.jobs[last.targets[1]].params.course["phases"]
    kept = [phase["kept"][0] for phase in phases if phase["kind"] == "score"]
    assert kept == [PRUNABLE, round(PRUNABLE / 2)]


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "regrowth": (
        {"methods": [{"method": "force", "as": "x", "unit": "filter"}]},
        "matrix[0].methods[0]: ",
        "unit = 'filter' takes no regrowth",
    ),
    "pattern": (
        {"methods": [{**WHOLE, "unit": {"n": 2, "m": 4}}]},
        "matrix[0].methods[0].unit: ",
        "unit = {n = 2, m = 4} is understood, but not built yet; allowed: 'weight' or 'filter'",
    ),
    "counts of weights": (
        {"methods": [{**WHOLE, "allocation": {"like": {"unit": "weight"}}}]},
        "matrix[0].methods[0].allocation.like: ",
        "has unit = 'weight', and this one 'filter'",
    ),
    "too few": (
        {"methods": [WHOLE], "sparsities": [0.5, 0.995]},
        "matrix[0].sparsities[1]: ",
        "keeps the smallest filters that go together, 36 weights",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_with_filters_is_refused_with_its_place(project: Any, name: str) -> None:
    """Before anything runs, naming the field."""
    options, place, said = REFUSED[name]
    methods = options.pop("methods")
    with pytest.raises(SuiteError) as caught:
        _ = project.session(suite(project, *methods, **options)).plan
    assert place in str(caught.value)
    assert said in str(caught.value)


def refused(project: Any, *methods: Any, **options: Any) -> list[str]:
    """What is said of a suite, without the file and the cells."""
    path = suite(project, *methods, **options)
    return lines_of(project, path)


def lines_of(project: Any, path: Path) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        _ = project.session(path).plan
    assert not (project.folder / "store").exists()
    return [line.removeprefix(f"{path}: ").partition(" (cell")[0] for line in str(caught.value).splitlines()]


BY_BATCHNORM = {"as": "bn", "scorer": "batchnorm", "unit": "filter", "score_at": "end"}
WITHOUT = (
    "scorer 'batchnorm': filters are scored by the factors of the BatchNorm that follows, and none with factors "
    "follows 'fc1.weight', 'fc2.weight': leave these layers out of what is pruned (except), or use another scorer"
)


@pytest.mark.parametrize(
    ("method", "where"),
    [
        (BY_BATCHNORM, "methods[0].scorer"),
        ({"method": "batchnorm", "as": "bn"}, "methods[0]"),
        ({**WHOLE, "allocation": {"like": {"scorer": "batchnorm"}}}, "methods[0].allocation.like.scorer"),
        ({**WHOLE, "allocation": {"like": "batchnorm"}}, "methods[0].allocation.like"),
    ],
)
def test_a_scorer_that_cannot_score_a_networks_filters_is_refused(
    project: Any, method: Any, where: str
) -> None:
    """Before a network trains for it; where it only gives counts, too."""
    assert lines_of(project, project.suite([method])) == [f"matrix[0].{where}: {WITHOUT}"]


def test_each_fault_is_told_of_its_own_field(project: Any) -> None:
    """A network that does not take the images, once for all methods; exceptions that name nothing."""
    small = project.suite([WHOLE, "batchnorm", "magnitude"], architecture="lenet-5")
    (line,) = lines_of(project, small)
    assert line.startswith("matrix[0].architecture: ")
    assert "allowed: sides of at least 16" in line
    nothing = {"prunable": {"of": "weights", "except": ["nope"]}}
    single = {"as": "single", "scorer": "magnitude", **nothing}
    lines = refused(project, {**WHOLE, **nothing}, single, name="nothing")
    said = "no parameter or module is called 'nope'"
    assert [line.partition(", ")[0] for line in lines] == [
        f"matrix[0].methods[{i}].prunable: {said}" for i in (0, 1)
    ]
    path = project.suite([{**WHOLE, "prunable": "convolutions"}], name="linear")
    assert lines_of(project, path)[0].startswith("matrix[0].methods[0].prunable: nothing to prune: ")
    donor = {**WHOLE, "allocation": {"like": nothing}}
    (line,) = refused(project, donor, name="donor")
    assert line.startswith("matrix[0].methods[0].allocation.like.prunable: no parameter")


def test_a_share_that_holds_no_filter_of_any_set_is_refused(project: Any) -> None:
    """Of the smallest groups all are counted by hand; the layers of one set have one share."""
    shared = {**WHOLE, "allocation": "uniform"}
    (line,) = refused(project, shared, sparsities=[0.5, 0.97])
    kept = round(0.03 * PRUNABLE)
    assert line.startswith(
        f"matrix[0].sparsities[1]: of {PRUNABLE} prunable weights {kept} may stay, and no filter"
    )
    assert "where the smallest that go together have" in line
    assert (
        the(project.session(suite(project, WHOLE, sparsities=[0.97], name="whole")).plan, "whole").target
        == kept
    )


LAST = 1152 + 2304 + 128
"""Weights of the last set of tied layers but its inner one: in each of 16 groups as many."""


def test_densities_at_which_scores_decide_whether_a_filter_stays_are_noted(project: Any) -> None:
    """Below the largest group, and no longer at it: both counted by hand. A method that borrows has its donor's."""
    largest = (2304 + 128) // 16
    less, enough = (largest - 1) / PRUNABLE, largest / PRUNABLE
    borrows = {**WHOLE, "as": "borrows", "allocation": {"like": {"scorer": "random"}}}
    path = suite(project, WHOLE, borrows, "magnitude", sparsities=[1 - less, 1 - enough])
    plan = project.session(path).plan
    noted = [cell for cell in plan.cells if cell.key in plan.may_keep_none]
    assert {cell.labels["method"] for cell in noted} == {"whole", "borrows"}
    assert {cell.target for cell in noted} == {largest - 1}
    (reason,) = set(plan.may_keep_none.values())
    assert "'blocks.2.conv2.weight', 'blocks.2.shortcut.0.weight', have 152 weights" in reason


BY_FILTER = '''
import prunebench


def score(net, batch, rng):
    """The largest weight of each filter."""
    return {name: net.weights[name].detach().abs().flatten(1).amax(1) for name in net.groups.shapes}


@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("largest", score, gives="filters", passes=0)]
'''


def test_a_scorer_of_filters_is_refused_where_weights_are_removed(project: Any) -> None:
    """And has no more to say where filters are."""
    (project.folder / "largest.py").write_text(BY_FILTER)
    for unit in ("filter", "weight"):
        path = suite(project, {"as": "x", "scorer": "largest", "unit": unit}, name=unit)
        path.write_text(
            path.read_text().replace('version = "1"', 'version = "1"\nplugins = ["largest.py"]', 1)
        )
        if unit == "filter":
            assert the(project.session(path).plan, "x").prunable == PRUNABLE
            continue
        with pytest.raises(SuiteError) as caught:
            _ = project.session(path).plan
        assert "matrix[0].methods[0].scorer: 'largest' gives one score a filter; allowed: with unit" in str(
            caught.value
        )


UNTRACEABLE = '''
import torch
import prunebench


class Branching(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 8, 3)
        self.fc = torch.nn.Linear(8, classes)

    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        return self.fc(x if float(x.sum()) > 0 else -x)


def branching(input_shape, classes):
    """Takes one of two ways by the values of its input."""
    return Branching(classes)


@prunebench.hookimpl
def prunebench_architectures():
    return [prunebench.Architecture("branching", branching)]
'''


def test_a_network_whose_ties_cannot_be_traced_is_refused_by_the_field(project: Any) -> None:
    """It can be pruned of weights; of filters the line names `unit`, the method's place and the cell."""
    (project.folder / "branching.py").write_text(UNTRACEABLE)
    methods = ["magnitude", WHOLE]
    path: Path = project.suite(methods, architecture="branching")
    path.write_text(path.read_text().replace('version = "1"', 'version = "1"\nplugins = ["branching.py"]', 1))
    with pytest.raises(SuiteError) as caught:
        _ = project.session(path).plan
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: matrix[0].methods[1].unit: unit = 'filter': ")
    assert "(cell main::branching-digits-whole-d0.5-s" in line


def test_another_version_of_what_decides_which_filters_go_is_in_the_keys_of_their_masks_and_scores(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the first hold none; what removes single weights, and trains unpruned, keeps its keys."""
    methods = [
        WHOLE,
        {"as": "shuffled", "scorer": "random", "unit": "filter", "alter": ["shuffle"]},
        {"as": "weights", "scorer": "magnitude"},
    ]
    path = suite(project, *methods)
    first = project.session(path).plan
    (scoring,) = jobs(first, the(first, "whole"), ScoreParams)
    assert "filters_version" not in scoring.plain()
    monkeypatch.setattr(prunebench.pruning.filters, "VERSION", "2")
    second = project.session(path).plan

    def kinds(plan: Any, method: str) -> dict[str, set[str]]:
        keys: dict[str, set[str]] = {}
        for key in plan.ancestors(the(plan, method).key):
            keys.setdefault(plan.jobs[key].kind, set()).add(key)
        return keys

    for method in ("whole", "shuffled"):
        before, after = kinds(first, method), kinds(second, method)
        assert all(before[kind].isdisjoint(after[kind]) for kind in ("score", "mask"))
    assert kinds(first, "weights") == kinds(second, "weights")
    assert kinds(first, "none") == kinds(second, "none")


@pytest.mark.parametrize("allocation", ["global", "uniform", "erk"])
@pytest.mark.parametrize("levels", [1, 4])
def test_no_scores_keep_fewer_weights_than_the_plan_says(allocation: Any, levels: int) -> None:
    """Of groups of many sizes, in one step and from level to level; and some scores come near."""
    net = cifar_resnet((3, 8, 8), 4, depth=8, width=0.25)
    groups = filter_groups(net, input_shape=(3, 8, 8), check=False)
    schedule = {"levels": 0.2} if levels > 1 else None
    form = Form(
        scorer="random",
        unit="filter",
        allocation=allocation,
        score_at="end",
        **({"schedule": schedule} if schedule else {}),
    )
    target = round(0.8**levels * groups.prunable)
    builder: Any = SimpleNamespace(once=lambda what, objects, values, make: make())
    setting: Any = SimpleNamespace(network=SimpleNamespace(groups=groups))
    fewest = fewest_kept(builder, setting, form, target)
    if levels > 1 and allocation != "global":
        assert fewest is None
        return
    assert fewest is not None
    reached = []
    for seed in range(40):
        draws, current = np.random.default_rng(seed), None
        for level in range(1, levels + 1):
            kept = round(0.8**level * groups.prunable)
            left = groups.prunable if current is None else int(groups.sizes[current].sum())
            current = keep_groups(
                draws.random(len(groups)), min(kept, left), groups, allocation=allocation, current=current
            )
        reached.append(int(groups.sizes[current].sum()))
    assert fewest <= min(reached) <= max(reached) <= target
    assert fewest > 0.5 * target
