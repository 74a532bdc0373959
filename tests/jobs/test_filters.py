"""Whole filters from suite to record: masks by brute force, training beside the really smaller network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from prunebench.jobs.states import mask_from, unpack_state
from prunebench.plan.params import TrainParams
from prunebench.pruning.filters import filter_groups, shrink
from prunebench.training.images.normalize import normalize
from prunebench.training.loop import train
from prunebench.training.policy import FixedMask
from prunebench.training.state import State
from prunebench.training.streams import stream

STEPS = 30
TIED: Sequence[Sequence[str]] = (
    ("conv", "blocks.0.conv2"),
    ("blocks.0.conv1",),
    ("blocks.1.conv1",),
    ("blocks.1.conv2", "blocks.1.shortcut.0"),
    ("blocks.2.conv1",),
    ("blocks.2.conv2", "blocks.2.shortcut.0"),
)
"""Layers of a residual network of depth 8 whose channels are added up, by hand."""
AFTER = {"conv": "bn", "conv1": "bn1", "conv2": "bn2", "shortcut.0": "shortcut.1"}
"""The BatchNorm behind each layer, by the end of its name."""
READS = {
    "blocks.0.conv1": "conv", "blocks.0.conv2": "blocks.0.conv1",
    "blocks.1.conv1": "conv", "blocks.1.conv2": "blocks.1.conv1", "blocks.1.shortcut.0": "conv",
    "blocks.2.conv1": "blocks.1.conv2", "blocks.2.conv2": "blocks.2.conv1",
    "blocks.2.shortcut.0": "blocks.1.conv2", "fc": "blocks.2.conv2",
}  # fmt: skip
"""Whose channels each layer reads."""

FORM = 'score_at = "end", train_from = "init", unit = "filter"'
SUITE = f"""
schema = 1
name = "filters"
version = "1"

[[matrix]]
name = "main"
architecture = {{name = "cifar-resnet", depth = 8, width = 0.25}}
dataset = "digits"
recipe = {{name = "digits", epochs = 1.3}}
methods = [
  {{as = "l1", scorer = "magnitude", {FORM}}},
  {{as = "gamma", scorer = "batchnorm", {FORM}}},
  {{as = "l2", scorer = "filter-norm", {FORM}}},
  {{as = "any", scorer = "random", {FORM}}},
  {{as = "even", scorer = "magnitude", allocation = "uniform", {FORM}}},
]
ablations = ["none", "shuffle", "reinit", "invert"]
sparsities = [0.3]
seeds = 1
measures = ["shrunk"]

[[matrix]]
name = "schedules"
architecture = {{name = "cifar-resnet", depth = 8, width = 0.25}}
dataset = "digits"
recipe = {{name = "digits", epochs = 0.5}}
methods = [
  {{as = "rounds", scorer = "snip", unit = "filter", schedule = {{rounds = 3}}}},
  {{as = "gradual", scorer = "magnitude", unit = "filter", schedule = {{gradual = {{from = "init", to = {{step = 9}}, every = 3}}}}}},
  {{as = "kin", scorer = "random", unit = "filter", allocation = {{like = "magnitude"}}}},
  {{as = "kin-of", scorer = "magnitude", unit = "filter"}},
]
sparsities = [0.6]
seeds = 1

[[matrix]]
name = "levels"
architecture = {{name = "cifar-resnet", depth = 8, width = 0.25}}
dataset = "digits"
recipe = {{name = "digits", epochs = 0.5}}
methods = [{{as = "chain", scorer = "magnitude", score_at = "end", train_from = "init", unit = "filter", schedule = {{levels = 0.2}}}}]
ablations = ["none", "shuffle"]
sparsities = {{keep = 0.8, count = 3}}
seeds = 1
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The suite, run; every state is kept."""
    from conftest import Project

    project = Project(tmp_path_factory.mktemp("filters"))
    path = project.folder / "filters.toml"
    path.write_text(SUITE)
    engine = project.engine(path, keep_states=True)
    for cell in engine.plan.cells:
        engine.make(cell)
    return engine


def cells(engine: Any, matrix: str) -> list[Any]:
    """The pruned cells of a matrix."""
    return [cell for cell in engine.plan.cells if cell.matrix == matrix and cell.labels["method"] != "none"]


def the_cell(engine: Any, matrix: str, method: str, ablation: str = "") -> Any:
    return next(
        cell
        for cell in cells(engine, matrix)
        if (cell.labels["method"], cell.labels.get("ablations", "")) == (method, ablation)
    )


def result_of(engine: Any, cell: Any) -> Mapping[str, Any]:
    return engine.store.read_record(cell.key).result


def mask_of(engine: Any, cell: Any) -> Any:
    return mask_from(engine.store.read_artifact(result_of(engine, cell)["mask"]["key"]))


def rows(mask: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Which filters of each layer stay; a filter that is cut apart fails."""
    for name, kept in mask.items():
        assert torch.equal(kept.flatten(1).any(1), kept.flatten(1).all(1)), name
    return {name.removesuffix(".weight"): kept.flatten(1).all(1) for name, kept in mask.items()}


def network(engine: Any, cell: Any) -> nn.Module:
    run = engine.plan.jobs[result_of(engine, cell)["state"]].params_as(TrainParams).run
    return engine.context.network(run.architecture, None, 0)


def scored(engine: Any, cell: Any) -> Mapping[str, torch.Tensor]:
    """The weights that the cell's mask was made of."""
    key = result_of(engine, cell)["mask"]["key"]
    state = engine.context.scored_state(engine.plan.jobs[key])
    return unpack_state(engine.store.read_artifact(state)).parameters


def by_hand(
    scores: Mapping[str, torch.Tensor], sizes: Mapping[str, int], target: int
) -> dict[str, list[int]]:
    """The filters that stay: groups by their score, the first ones, as long as they have no more than the target."""
    order = {name: place for place, name in enumerate(sizes)}
    groups = [(tied, i) for tied in TIED for i in range(len(scores[tied[0]]))]
    groups.sort(key=lambda group: (order[group[0][0]], group[1]))
    groups.sort(key=lambda group: -sum(float(scores[name][group[1]]) for name in group[0]))
    kept: dict[str, list[int]] = {name: [] for name in sizes}
    total = 0
    for tied, i in groups:
        total += sum(sizes[name] for name in tied)
        if total > target:
            break
        for name in tied:
            kept[name].append(i)
    return {name: sorted(places) for name, places in kept.items()}


def test_every_mask_is_of_whole_filters_and_no_more_than_asked_for(engine: Any) -> None:
    """The record has the mask's own counts; tied layers keep the same channels; the output layer is not there."""
    for cell in (*cells(engine, "main"), *cells(engine, "schedules"), *cells(engine, "levels")):
        mask, told = mask_of(engine, cell), result_of(engine, cell)["mask"]
        assert told["kept"] == mask.kept <= cell.target, cell.id
        assert cell.target - mask.kept < 3 * 9 * 16 * 16, cell.id  # less than any group has
        assert told["prunable"] == mask.prunable == cell.prunable
        assert "fc.weight" not in mask
        kept = rows(mask)
        for tied in TIED:
            assert all(torch.equal(kept[name], kept[tied[0]]) for name in tied), (cell.id, tied)
        for layer in told["layers"]:
            own = kept[layer["name"].removesuffix(".weight")]
            assert layer["filters"] == {"kept": int(own.sum()), "prunable": len(own)}
            assert layer["kept"] * len(own) == int(own.sum()) * layer["prunable"]


@pytest.mark.parametrize("method", ["l1", "gamma", "l2"])
@pytest.mark.parametrize("ablation", ["", "invert"])
def test_masks_are_those_of_a_sort_by_hand(engine: Any, method: str, ablation: str) -> None:
    """Scores of the trained network: sums of |w|, |γ| of the BatchNorm behind, L2 norms; added up where tied."""
    cell = the_cell(engine, "main", method, ablation)
    mask, weights = mask_of(engine, cell), scored(engine, cell)
    names = [name.removesuffix(".weight") for name in mask]
    own = {name: weights[f"{name}.weight"].double() for name in names}
    scores = {
        "l1": {name: w.abs().flatten(1).sum(1) for name, w in own.items()},
        "l2": {name: w.square().flatten(1).sum(1).sqrt() for name, w in own.items()},
        "gamma": {name: weights[f"{norm(name)}.weight"].double().abs() for name in names},
    }[method]
    if ablation:
        scores = {name: -values for name, values in scores.items()}
    sizes = {name: w[0].numel() for name, w in own.items()}
    wanted = by_hand(scores, sizes, cell.target)
    assert {name: kept.nonzero().flatten().tolist() for name, kept in rows(mask).items()} == wanted


def norm(layer: str) -> str:
    """The BatchNorm behind a layer."""
    end = next(end for end in sorted(AFTER, key=len, reverse=True) if layer.endswith(end))
    return layer.removesuffix(end) + AFTER[end]


def test_what_goes_along_is_zero_at_the_end_of_every_run(engine: Any) -> None:
    """γ, β, the inputs of whoever reads a removed channel: weights and momentum, told by hand."""
    for cell in (*cells(engine, "main"), *cells(engine, "schedules"), *cells(engine, "levels")):
        state = unpack_state(engine.store.read_artifact(result_of(engine, cell)["state"]))
        kept = rows(mask_of(engine, cell))
        for held in (state.parameters, state.slots["momentum"]):
            for name, own in kept.items():
                assert not held[f"{name}.weight"][~own].any()
                assert not held[f"{norm(name)}.weight"][~own].any()
                assert not held[f"{norm(name)}.bias"][~own].any()
            for reader, source in READS.items():
                assert not held[f"{reader}.weight"][:, ~kept[source]].any(), (cell.id, reader)
        read = state.parameters["fc.weight"][:, kept["blocks.2.conv2"]]
        assert read.numel() == 0 or read.any(), cell.id


def test_shuffled_filters_are_as_many_in_each_layer_and_others(engine: Any) -> None:
    """Reinit keeps the mask and trains other weights; each trains another network."""
    for method in ("l1", "gamma", "l2", "any", "even"):
        plain, shuffled = (
            rows(mask_of(engine, the_cell(engine, "main", method, a))) for a in ("", "shuffle")
        )
        assert {n: int(k.sum()) for n, k in shuffled.items()} == {n: int(k.sum()) for n, k in plain.items()}
        assert any(not torch.equal(shuffled[name], plain[name]) for name in plain)
        drawn = the_cell(engine, "main", method, "reinit")
        assert mask_of(engine, drawn) == mask_of(engine, the_cell(engine, "main", method))
    states = {result_of(engine, cell)["state"] for cell in cells(engine, "main")}
    assert len(states) == 20


def test_layers_counts_are_taken_from_another_mask_of_filters(engine: Any) -> None:
    """Random filters, as many in each layer as magnitude at initialisation keeps."""
    kin, of = (rows(mask_of(engine, the_cell(engine, "schedules", name))) for name in ("kin", "kin-of"))
    assert {n: int(k.sum()) for n, k in kin.items()} == {n: int(k.sum()) for n, k in of.items()}
    assert any(not torch.equal(kin[name], of[name]) for name in of)


def test_levels_lie_within_one_another(engine: Any) -> None:
    """Each keeps at most round(0.8^k · prunable), of what the one before has."""
    chain = [cell for cell in cells(engine, "levels") if not cell.labels["ablations"]]
    masks = [mask_of(engine, cell) for cell in chain]
    assert [cell.target for cell in chain] == [round(0.8**k * masks[0].prunable) for k in (1, 2, 3)]
    for before, after in itertools.pairwise(masks):
        assert after.kept < before.kept
        assert all(not (after[name] & ~before[name]).any() for name in after)


def test_filters_go_while_training(engine: Any) -> None:
    """The counts of every removal are those of whole filters, and fall; the last is the record's."""
    cell = the_cell(engine, "schedules", "gradual")
    meta = engine.store.artifact_meta(result_of(engine, cell)["state"])
    totals = [sum(change["kept"].values()) for change in meta["history"]]
    assert [change["step"] for change in meta["history"]] == [3, 6, 9]
    assert totals == sorted(totals, reverse=True)
    assert totals[-1] == mask_of(engine, cell).kept <= cell.target


def plainly(net: nn.Module, data: Any, seed: int) -> None:
    """Thirty steps of SGD with momentum and weight decay, by torch's own optimiser, on the run's batches."""
    images, n = normalize(data.images, data.mean, data.std), len(data.images)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4, foreach=False)
    per_epoch = -(-n // 64)
    net.train()
    for step in range(STEPS):
        epoch, position = divmod(step, per_epoch)
        chosen = stream(seed, "order", epoch).permutation(n)[position * 64 : position * 64 + 64]
        optimizer.zero_grad()
        functional.cross_entropy(net(images[chosen]), data.labels[chosen]).backward()
        optimizer.step()


def test_the_masked_network_trains_as_the_really_smaller_one(engine: Any) -> None:
    """A plain loop over what `shrink` makes of the initial network: outputs agree in both modes."""
    cell = the_cell(engine, "main", "even")
    job = engine.plan.jobs[result_of(engine, cell)["state"]]
    run, mask = job.params_as(TrainParams).run, mask_of(engine, cell)
    origin = unpack_state(engine.store.read_artifact(run.origin.state))
    assert job.params_as(TrainParams).step == STEPS
    small = shrink(origin.load_into(network(engine, cell)), mask, input_shape=(1, 8, 8))
    assert sum(p.numel() for p in small.parameters()) < 0.8 * sum(
        p.numel() for p in network(engine, cell).parameters()
    )
    data = engine.context.data(run.data, "cpu", run.seed)
    plainly(small, data, run.seed)
    end = unpack_state(engine.store.read_artifact(job.key)).load_into(network(engine, cell))
    x = normalize(data.evaluation_images, data.mean, data.std)
    with torch.no_grad():
        before = shrink(origin.load_into(network(engine, cell)), mask, input_shape=(1, 8, 8)).eval()(x)
        for training in (False, True):
            ours, theirs = end.train(training)(x), small.train(training)(x)
            assert torch.allclose(ours, theirs, atol=2e-3), float((ours - theirs).abs().max())
            assert float((ours - before).abs().max()) > 0.5


def in_double(net: nn.Module) -> nn.Module:
    """A network in double precision that takes images in single precision."""

    class Double(type(net)):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x.double())

    net.double().__class__ = Double
    return net


@pytest.mark.parametrize("ablation", ["", "shuffle"])
@pytest.mark.parametrize("method", ["l1", "gamma", "l2", "any", "even"])
def test_in_double_precision_the_masked_and_the_smaller_network_train_alike_to_rounding(
    engine: Any, method: str, ablation: str
) -> None:
    """In single precision they end up to 0.5 apart: rounding decides on which side of zero some ReLU's inputs are,
    and thirty steps amplify it. In double precision, where it seldom does, nothing may be left of the difference.
    """
    cell = the_cell(engine, "main", method, ablation)
    run = engine.plan.jobs[result_of(engine, cell)["state"]].params_as(TrainParams).run
    mask, data = mask_of(engine, cell), engine.context.data(run.data, "cpu", run.seed)
    origin = unpack_state(engine.store.read_artifact(run.origin.state))
    net = in_double(origin.load_into(network(engine, cell)))
    groups = filter_groups(network(engine, cell), input_shape=(1, 8, 8), check=False)
    small = shrink(net, mask, groups)
    policy = FixedMask(groups.taken_along)
    train(net, State.of(net, mask=mask), run.recipe, data, seed=run.seed, to_step=STEPS, policy=policy)
    plainly(small, data, run.seed)
    x = normalize(data.evaluation_images, data.mean, data.std)
    with torch.no_grad():
        for training in (False, True):
            ours, theirs = net.train(training)(x), small.train(training)(x)
            assert ours.dtype == torch.float64
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_the_smaller_network_stands_beside_the_masked_one(engine: Any) -> None:
    """Parameters and FLOPs are counted by hand; seconds are with the measure, and no part of its digest."""
    cell = the_cell(engine, "main", "even")
    measure = engine.store.read_measure(cell.targets[1])
    value, kept, net = measure.result["value"], rows(mask_of(engine, cell)), network(engine, cell)
    left = {name: int(own.sum()) for name, own in kept.items()}
    convolutions = sum(
        left[name]
        * (left[READS[name]] if name in READS else 1)
        * net.get_parameter(f"{name}.weight")[0, 0].numel()
        for name in kept
    )
    head = 10 * left["blocks.2.conv2"]
    assert value["parameters"]["shrunk"] == convolutions + 2 * sum(left.values()) + head + 10
    assert value["parameters"]["masked"] == sum(p.numel() for p in net.parameters())
    assert value["filters"]["kept"] == sum(left.values())
    assert value["inputs"]["prunable"] - value["inputs"]["removed"] == convolutions + head
    assert value["flops"]["shrunk"] < value["flops"]["masked"]
    assert set(measure.provenance["seconds"]) == {"masked", "shrunk"}
    assert "seconds" not in str(measure.result)
