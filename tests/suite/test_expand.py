"""Cells: order, names, what is merged, what they hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from prunebench.suite import Cell, Suite

Text = Callable[..., str]
Cells = Callable[..., list[Cell]]


@pytest.fixture
def cells(suite: Text, load: Callable[[str], Suite], host: Any) -> Cells:
    """The cells of a suite of one matrix, with keys changed."""
    return lambda **keys: list(load(suite(**keys)).cells)


def test_product_order_is_the_files(cells: Cells) -> None:
    """Axes are nested in one order, values in the file's; unpruned cells come first in each setting."""
    found = cells(
        architecture='["mlp", "resnet20"]',
        dataset='["mnist", "cifar10"]',
        recipe='["short", "long"]',
        find="[{lr = 0.3}, {}]",
        score_at='["end", "init"]',
        methods='["snip", "random"]',
        ablations='["shuffle", "none"]',
        sparsities="[0.9, 0.5]",
        seeds="[2, 0]",
    )
    expected: list[tuple[Any, ...]] = []
    for setting in product(("mlp", "resnet20"), ("mnist", "cifar10"), ("short", "long")):
        expected += [(*setting, "", "", "none", "", "1", seed) for seed in (2, 0)]
        rest = (("lr=0.3", ""), ("end", "init"), ("snip", "random"), ("shuffle", ""), ("0.1", "0.5"), (2, 0))
        expected += [(*setting, *others) for others in product(*rest)]
    keys = ("architecture", "dataset", "recipe", "find", "score_at", "method", "ablations")
    assert [(*(c.labels[k] for k in keys), c.density, c.seed) for c in found] == expected


def test_formula_and_list_of_the_same_sparsities_are_the_same_cells(cells: Cells) -> None:
    """1 − 0.8^k written out to twelve digits, as densities, or as a formula: the same densities."""
    exact = [Decimal("0.8") ** k for k in range(1, 19)]
    sparsities = ", ".join(f"{1 - d:.12f}" for d in exact)
    densities = ", ".join(f"{d:.12f}" for d in exact)
    formula = cells(sparsities="{keep = 0.8, count = 18}")
    assert formula == cells(sparsities=f"[{sparsities}]") == cells(densities=f"[{densities}]")
    assert [Decimal(c.density) for c in formula[1:]] == [round(d, 12) for d in exact]
    assert formula[0].density == "1"
    assert formula[18].sparsity == 0.981985601491


def test_names_of_cells(cells: Cells) -> None:
    """An id has what is needed and no more."""
    (dense, cell) = cells(sparsities="[0.488]", seeds="[3]")
    assert (dense.name, cell.name) == ("resnet20-mnist-none-d1-s3", "resnet20-mnist-snip-d0.512-s3")
    found = cells(
        architecture='{name = "resnet", depth = 20}',
        recipe='["short", {name = "short", lr = 0.05}]',
        ablations='["shuffle+reinit"]',
        score_at="[{step = 100}]",
        find="[{drops = [1], lr = 0.5}]",
        sparsities="{keep = 0.8, count = 18}",
    )
    assert found[-1].name == (
        "resnet-mnist-short-lr0.05-snip-shuffle+reinit-at100-find-drops1-lr0.5-d0.018014-s0"
    )


def test_densities_in_names_are_short_only_where_they_differ(cells: Cells) -> None:
    """Five digits where they are enough, all twelve where two densities would look alike."""
    found = cells(densities="[0.1234567, 0.1234568, 0.7654321]", dense="false")
    assert [c.name.split("-")[3] for c in found] == ["d0.1234567", "d0.1234568", "d0.76543"]


def test_names_are_unique_in_their_alphabet(cells: Cells) -> None:
    """Architectures of one name, epochs, long finds: ids stay apart, in letters that -k and paths take."""
    found = cells(
        architecture='["mlp", {name = "mlp", hidden = [3, 4]}, {name = "resnet", width = 0.5, as = "thin"}]',
        methods='["snip", {as = "a-b", scorer = "grasp", train_from = {epoch = 1}}, {as = "a", scorer = "random", score_at = "end"}]',
        score_at="[{step = 1}, {epoch = 1}]",
        seeds="2",
    )
    assert len({c.name for c in found}) == len(found) == 3 * (2 + 3 * 2 * 2)
    assert all(re.fullmatch(r"[A-Za-z0-9._+-]+", c.name) for c in found)
    assert {c.name.split("-mnist")[0] for c in found} == {"mlp", "mlp-hidden3-4", "thin"}


def test_sparsity_zero_is_the_dense_cell(cells: Cells) -> None:
    """Whatever the method and the ablation, sparsity 0 is the unpruned network, once a seed."""
    found = cells(
        methods='["snip", "after"]', ablations='["none", "reinit"]', sparsities="[0, 0.5]", dense="false"
    )
    assert [(c.labels["method"], c.density) for c in found[:1]] == [("none", "1")]
    assert [c.density for c in found] == ["1"] + ["0.5"] * 4
    assert found[0].form.scorer is None


def test_dense_cells_can_be_left_out(cells: Cells) -> None:
    """`dense = false` plans no unpruned network that no sparsity asks for; method 'none' does ask for it."""
    assert [c.labels["method"] for c in cells(dense="false")] == ["snip"]
    assert [c.labels["method"] for c in cells(dense="false", methods='["none"]')] == ["none"]


def test_dense_cells_follow_only(cells: Cells) -> None:
    """A setting or seed without cells has no unpruned network either."""
    found = cells(
        architecture='["mlp", "resnet20"]',
        seeds="3",
        only='[{architecture = "mlp", seed = [0, 2]}, {architecture = "resnet20", seed = 1}]',
    )
    assert [(c.labels["architecture"], c.labels["method"], c.seed) for c in found] == [
        ("mlp", "none", 0),
        ("mlp", "none", 2),
        ("mlp", "snip", 0),
        ("mlp", "snip", 2),
        ("resnet20", "none", 1),
        ("resnet20", "snip", 1),
    ]


ENTRIES = [
    ('[{architecture = "resnet"}]', lambda c: c.labels["architecture"] == "resnet[width=2]"),
    ('[{architecture = "resnet[width=2]"}]', lambda c: c.labels["architecture"] == "resnet[width=2]"),
    ('[{dataset = ["cifar10"]}]', lambda c: c.dataset == "cifar10"),
    ('[{recipe = "hot"}]', lambda c: c.labels["recipe"] == "hot"),
    ("[{find = {lr = 1.0}}]", lambda c: c.labels["find"] == "lr=1"),
    ("[{score_at = {epoch = 1.0}}]", lambda c: c.labels["score_at"] == "epoch 1"),
    ('[{method = ["snip", "s5"]}]', lambda c: c.labels["method"] != "after"),
    ('[{ablation = ["shuffle+reinit"]}]', lambda c: c.labels["ablations"] == "shuffle+reinit"),
    ("[{sparsity = 0.982}]", lambda c: c.density == "0.018014398509"),
    ("[{density = [0.018014]}]", lambda c: c.density == "0.018014398509"),
    ("[{sparsity = [0.2, 0.982], density = 0.8}]", lambda c: c.density == "0.8"),
    ("[{seed = 4}]", lambda c: c.seed == 4),
    (
        '[{method = "snip", seed = 4}, {dataset = "mnist", density = 0.8}]',
        lambda c: (
            (c.labels["method"] == "snip" and c.seed == 4) or (c.dataset == "mnist" and c.density == "0.8")
        ),
    ),
]


@pytest.mark.parametrize(("entries", "matches"), ENTRIES)
def test_only_keeps_and_exclude_drops_what_an_entry_names(
    entries: str, matches: Callable[[Cell], bool], cells: Cells
) -> None:
    """The cells of `only` and of `exclude` with the same entries are all cells, each once, in their order."""
    keys = {
        "architecture": '["mlp", {name = "resnet", width = 2}]',
        "dataset": '["mnist", "cifar10"]',
        "recipe": '["short", {name = "short", lr = 1.5, as = "hot"}]',
        "find": "[{}, {lr = 1}]",
        "score_at": '["end", {epoch = 1}]',
        "methods": '["snip", {method = "snip", as = "s5", schedule = {rounds = 5}}, "after"]',
        "ablations": '["none", ["shuffle", "reinit"]]',
        "densities": "[0.8, 0.018014398509]",
        "seeds": "[1, 4]",
        "dense": "false",
    }
    everything = cells(**keys)
    assert cells(**keys, only=entries) == [c for c in everything if matches(c)]
    assert cells(**keys, exclude=entries) == [c for c in everything if not matches(c)]


def test_what_a_cell_holds(cells: Cells) -> None:
    """A cell has split, measures, resolved recipe and architecture, and its labels as spelled."""
    cell = cells(
        architecture='{name = "resnet32", width = 2, as = "wide"}',
        recipe='{name = "long", lr = 1}',
        overrides="{recipe = {epochs = 3, drops = [1], lr = 9}, architecture = {depth = 8}}",
        measures='["layer-sparsity"]',
        split='"val"',
        ablations='["reinit+shuffle"]',
    )[-1]
    assert (cell.architecture.name, cell.architecture.parameters) == ("resnet", {"depth": 8, "width": 2.0})
    assert (cell.recipe.epochs, cell.recipe.drops, cell.recipe.lr) == (3.0, (1.0,), 1.0)
    assert (cell.split, cell.measures, cell.dataset) == ("val", ("layer-sparsity",), "mnist")
    assert cell.labels == {
        "architecture": "wide",
        "dataset": "mnist",
        "recipe": "long[lr=1]",
        "method": "snip",
        "ablations": "reinit+shuffle",
        "find": "",
        "score_at": "",
        "split": "val",
    }
    assert cell.form.alter == ("shuffle", "reinit")


def test_shared_parameters_reach_the_scorers_that_have_them(cells: Cells) -> None:
    """A method's own parameters come first, other scorers are left alone, and the label stays."""
    methods = '["snip", "grasp", "grasp-inverted", {method = "grasp", as = "g", scorer = {chunk = 3}}]'
    found = cells(methods=methods, overrides="{scorer = {chunk = 8}}")
    scorers = {c.labels["method"]: c.form.scorer for c in found if c.form.scorer is not None}
    assert {label: s.parameters.get("chunk") for label, s in scorers.items()} == {
        "snip": None,
        "grasp": 8,
        "grasp-inverted": 8,
        "g": 3,
    }
    assert {s.parameters["temperature"] for s in scorers.values() if s.name == "grasp"} == {200.0}
    alone = cells(methods='[{method = "grasp", as = "g", scorer = {chunk = 8}}]')
    assert alone[-1].form == next(c.form for c in found if c.labels["method"] == "grasp")


def test_a_shared_device_reaches_the_scorers_that_read_a_batch(cells: Cells) -> None:
    """Random and magnitude scores stay on the CPU, and so the cells that they were; a method's own comes first."""
    methods = '["random", "magnitude", "grasp", {method = "grasp", as = "g", scorer = {device = "cpu"}}]'
    found = cells(methods=methods, overrides='{scorer = {device = "cuda"}}')
    devices = {c.labels["method"]: c.form.scorer.device for c in found if c.form.scorer is not None}
    assert devices == {"random": "cpu", "magnitude": "cpu", "grasp": "cuda", "g": "cpu"}


def test_shared_parameters_reach_the_method_that_an_allocation_is_like(cells: Cells) -> None:
    """The layers' counts are those of the matrix's own GraSP."""
    methods = '["grasp", {method = "random", as = "like-grasp", allocation = {like = "grasp"}}]'
    found = cells(methods=methods, overrides="{scorer = {chunk = 8}}")[-1].form.allocation
    assert found.like["scorer"]["parameters"]["chunk"] == 8


def test_presets_are_only_other_names(cells: Cells) -> None:
    """`resnet20` and `{name = "resnet", depth = 20}` differ in their labels alone."""
    first, second = cells()[-1], cells(architecture='{name = "resnet", depth = 20}')[-1]
    assert first.architecture == second.architecture
    assert first.labels["architecture"] == "resnet20"
    assert second.labels["architecture"] == "resnet[depth=20]"


def test_equal_values_are_one_object(cells: Cells) -> None:
    """Cells of one setting share recipe, architecture and form, so that planning can compare by identity."""
    found = cells(sparsities="[0.5, 0.9]", seeds="3", methods='["snip", "random"]')
    assert len({id(c.form) for c in found}) == 3
    assert len({id(c.recipe) for c in found}) == len({id(c.architecture) for c in found}) == 1


def test_two_matrices_may_share_cells(suite: Text, load: Callable[[str], Suite], host: Any) -> None:
    """The same cell in two matrices is in both, under its own id, with one form object."""
    found = load(suite(more=suite("", name='"again"'))).cells
    assert [(c.matrix, c.name) for c in found] == [
        (m, f"resnet20-mnist-{n}-s0") for m in ("main", "again") for n in ("none-d1", "snip-d0.5")
    ]
    assert found[1].form is found[3].form


def test_twenty_thousand_cells_share_what_is_equal(
    suite: Text, load: Callable[[str], Suite], host: Any
) -> None:
    """A form for each method and ablation, a recipe for all: not one for each cell."""
    text = suite(
        architecture='["mlp", "resnet20"]',
        dataset='["mnist", "cifar10"]',
        methods='["snip", "random", "grasp", "synflow", "after"]',
        ablations='["none", "shuffle", "reinit", "invert"]',
        sparsities="{keep = 0.8, count = 25}",
        seeds="10",
        exclude='[{method = "random", ablation = "invert", sparsity = 0.2}]',
    )
    found = load(text).cells
    assert len(found) == 2 * 2 * 10 * (5 * 4 * 25 + 1 - 1)
    assert len({id(cell.form) for cell in found}) <= 5 * 4 + 1
    assert len({id(cell.recipe) for cell in found}) == 1
