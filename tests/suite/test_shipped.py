"""The suites that come with prunebench, with the built-in plugins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prunebench.checks.grammar import Span
from prunebench.errors import SuiteError
from prunebench.inventory.estimate import marginal
from prunebench.plan.make import make_plan
from prunebench.suite import Cell, Suite, load_suite, shipped_suites

CLAIMS = {
    "pai": [
        *("F1", *(f"B{i}" for i in range(1, 5))),
        *(f"P{i}" for i in range(1, 7)),
        *(f"A{i}" for i in range(1, 10)),
        *("E1", "E2", "E3", "S1", "S2", "S3"),
    ],
    "pai-after-init": ["R1", "R2", "T1", "T2", "T3"],
    "pai-extreme": ["P7"],
    "pai-lenet": ["K1", "K2", "K3"],
    "pai-lenet-small": ["K1", "K2", "K3"],
    "pai-modified-resnet18": [f"L{i}" for i in range(1, 7)],
    "pai-replication": ["table2", "table3", "table5", "table7", "B4", "B5", "C4", "D3"],
}
"""The paper's claims that are checks, by suite. S4 (every layer's SynFlow scores sum to the path norm) is a test."""


@pytest.fixture(scope="module")
def builtin() -> Any:
    """The host with the built-in plugins alone."""
    from prunebench.host.registry import Host

    return Host.load(third_party=False)


@pytest.fixture(scope="module")
def pai(builtin: Any) -> Suite:
    return load_suite("pai", builtin)


def grid(suite: Suite, host: Any, matrix: str) -> dict[str, set[Any]]:
    """Return what the pruned cells of a matrix have on each axis."""
    return axes_of(c for c in suite.cells if c.matrix == matrix)


def axes_of(cells: Iterable[Cell]) -> dict[str, set[Any]]:
    """Return what the pruned ones of the cells have on each axis."""
    cells = [c for c in cells if c.density != "1"]
    return {
        "method": {c.labels["method"] for c in cells},
        "ablations": {c.labels["ablations"] for c in cells},
        "density": {c.density for c in cells},
        "seed": {c.seed for c in cells},
    }


@pytest.mark.parametrize("name", sorted(shipped_suites()))
def test_shipped_suites_say_how_large_they_are(name: str, builtin: Any) -> None:
    """A description states the number of cells, all of it or in parts, and the name is the file's."""
    suite = load_suite(name, builtin)
    stated = [int(n) for n in re.findall(r"(\d+)\s(?:cells|more)", suite.description)]
    cells = suite.cells
    assert sum(stated) == len(cells)
    assert suite.name == name
    assert len({(c.matrix, c.name) for c in cells}) == len(cells)


def test_the_quick_suite(builtin: Any) -> None:
    """All first methods, two networks, two sparsities, three seeds, nothing to download."""
    suite = load_suite("quick", builtin)
    assert grid(suite, builtin, "methods") == {
        "method": {"random", "magnitude", "snip", "grasp", "synflow", "magnitude-after-training", "ltr"},
        "ablations": {""},
        "density": {"0.2", "0.05"},
        "seed": {0, 1, 2},
    }
    assert {c.dataset for c in suite.cells} == {"digits"}
    assert len({c.architecture.name for c in suite.cells}) == 2


def test_the_suite_of_appendix_k(builtin: Any) -> None:
    """LeNet-300-100 on MNIST as in PAI: recipe, grid, ablations (tables 1 and 2, Figs. 4 and 9)."""
    suite = load_suite("pai-lenet", builtin)
    densities = {f"{round(Decimal('0.8') ** k, 12).normalize():f}" for k in range(1, 19)}
    axes = {matrix.name: grid(suite, builtin, matrix.name) for matrix in suite.matrices}
    assert all(a["density"] == densities and a["seed"] == {0, 1, 2, 3, 4} for a in axes.values())
    assert axes["ablations"]["method"] == {"magnitude", "snip", "grasp", "synflow"}
    assert axes["ablations"]["ablations"] == {
        "shuffle",
        "reinit",
        "invert",
        "fixed-variance",
        "fixed-variance-scores",
    }
    assert axes["after-training"]["method"] == {"magnitude-after-training"}
    assert axes["after-training"]["ablations"] == {"shuffle", "reinit"}
    for cell in suite.cells:
        assert (cell.architecture.name, dict(cell.architecture.parameters)) == (
            "lenet-300-100",
            {"width": 1.0},
        )
        recipe = cell.recipe
        assert (recipe.epochs, recipe.batch, recipe.lr, recipe.momentum) == (40, 128, 0.1, 0)
        assert (recipe.weight_decay, recipe.drops, recipe.init) == (0, (), "kaiming-normal")
        assert recipe.step_of("rewind", 60_000) == 0


def test_claims_of_appendix_k_are_checks(builtin: Any) -> None:
    """K1, K2 and K3 have checks, and every selection of them has cells (or the suite would not load)."""
    checks = load_suite("pai-lenet", builtin).checks
    assert {check.name.split("-")[0] for check in checks} == {"K1", "K2", "K3"}
    assert {c.expect for c in checks} == {"above", "not-above", "same", "not-same"}


def test_the_small_size_has_what_the_claims_are_about(builtin: Any) -> None:
    """Forty epochs, five seeds and three of the sparsities; every cell is one of the whole suite's."""
    small, whole = (load_suite(n, builtin) for n in ("pai-lenet-small", "pai-lenet"))

    def place(cell: Cell) -> tuple[Any, ...]:
        return *(cell.labels[key] for key in ("method", "ablations", "score_at")), cell.density, cell.seed

    of_whole = {place(cell): cell for cell in whole.cells}
    for cell in small.cells:
        same = of_whole[place(cell)]
        assert (cell.recipe, cell.form, cell.architecture) == (same.recipe, same.form, same.architecture)
    assert {c.density for c in small.cells} == {"1", "0.512", "0.134217728", "0.018014398509"}
    assert {c.seed for c in small.cells} == {0, 1, 2, 3, 4}
    assert small.leaderboard.margin == whole.leaderboard.margin
    names = [[(check.name, check.claim) for check in suite.checks] for suite in (small, whole)]
    assert names[0] == names[1]
    assert small.claims == whole.claims


def test_the_test_size_has_the_same_methods(builtin: Any) -> None:
    """Two epochs, three sparsities and two seeds of the same methods and ablations."""
    small, whole = (load_suite(n, builtin) for n in ("pai-lenet-test", "pai-lenet"))
    for name in ("methods", "ablations", "after-training"):
        few, all_ = grid(small, builtin, name), grid(whole, builtin, name)
        assert (few["method"], few["ablations"]) == (all_["method"], all_["ablations"])
        assert few["density"] < all_["density"]
        assert (len(few["density"]), few["seed"]) == (3, {0, 1})
    assert {c.recipe.epochs for c in small.cells} == {2}
    of_appendix = {(check.name, check.claim) for check in small.checks if check.name.startswith("K")}
    assert of_appendix == {(check.name, check.claim) for check in whole.checks}
    assert set(whole.claims) <= set(small.claims)


def test_the_test_size_has_every_method_and_ablation(builtin: Any) -> None:
    """What comes with prunebench runs in it, one way or another; chains of levels in suites of their own."""
    cells = load_suite("pai-lenet-test", builtin).cells
    methods = set(builtin.names("methods"))
    chains = {name for name in methods if builtin.method(name).form.schedule.trains_between}
    registered = methods - chains | {"random", "magnitude", "snip", "grasp"}
    assert {c.labels["method"] for c in cells} == registered
    assert {a for c in cells for a in c.labels["ablations"].split("+")} - {""} == set(
        builtin.names("ablations")
    )


def test_the_test_size_after_initialisation(builtin: Any) -> None:
    """Before training, at two steps and at the end, with every ablation."""
    suite = load_suite("pai-after-init-test", builtin)
    cells = [c for c in suite.cells if c.density != "1"]
    points = {c.labels["score_at"]: set[str]() for c in cells}
    for cell in cells:
        points[cell.labels["score_at"]].add(cell.labels["ablations"])
    assert set(points) == {"", "init", "step 50", "step 469", "end"}
    everything = {"", *builtin.names("ablations")}
    assert points["step 50"] == points["step 469"] == everything
    assert points["end"] >= {"", "shuffle", "reinit"}


SETTINGS = {
    "resnet20": ("cifar10", "pai-cifar10", 18, 5, 1000),
    "vgg16": ("cifar10", "pai-cifar10-vgg", 18, 5, 2000),
    "resnet18": ("tiny-imagenet", "pai-tinyimagenet", 18, 3, 1000),
    "modified-resnet18": ("tiny-imagenet", "pai-modified-tinyimagenet", 18, 3, 1000),
    "resnet50": ("imagenet", "pai-imagenet", 13, 3, 6255),
}
"""Data, recipe, sparsities 1 - 0.8^k, seeds, rewind point: the paper's App. A."""


@pytest.mark.parametrize("network", sorted(SETTINGS))
def test_the_settings_of_the_paper(network: str, pai: Suite) -> None:
    """Each is chosen by its matrices' names, with the paper's grid, seeds and figures (3, 4, 8, 9, 11 to 14)."""
    dataset, recipe, count, seeds, rewind = SETTINGS[network]
    of_setting = [c for c in pai.cells if c.matrix.startswith(f"{network}-")]
    densities = {f"{round(Decimal('0.8') ** k, 12).normalize():f}" for k in range(1, count + 1)}
    names = dict.fromkeys(c.matrix for c in of_setting)
    cells = {n.removeprefix(f"{network}-"): axes_of(c for c in of_setting if c.matrix == n) for n in names}
    for found in cells.values():
        assert (found["density"], found["seed"]) == (densities, set(range(seeds)))
    early = {"magnitude", "snip", "grasp", "synflow"}
    variants = {"grasp-inverted", "grasp-magnitude", "synflow-shuffled"}
    assert cells["methods"]["method"] >= early | variants | {"random", "magnitude-after-training", "ltr"}
    for name in ("ablations", "fixed-variance"):
        assert cells[name]["method"] == early
    assert cells["ablations"]["ablations"] == {"shuffle", "reinit", "invert"}
    assert cells["fixed-variance"]["ablations"] == {"fixed-variance", "fixed-variance-scores"}
    assert ("after-training" in cells) == ("at-end" in cells) == (network != "resnet50")
    assert (
        ("iterative" in cells) == ("ltr-ablations" in cells) == (network in ("resnet20", "vgg16", "resnet18"))
    )
    assert ("fixed-variance-control" in cells) == (network != "modified-resnet18")
    labels = {tuple(c.labels[key] for key in ("architecture", "dataset", "recipe")) for c in of_setting}
    assert labels == {(network, dataset, recipe)}
    examples = {"cifar10": 50_000, "tiny-imagenet": 100_000, "imagenet": 1_281_167}[dataset]
    assert {c.recipe.step_of("rewind", examples) for c in of_setting} == {rewind}


def test_scoring_batches_that_do_not_fit_are_taken_in_chunks(builtin: Any) -> None:
    """ImageNet's 10,000 images 8 at once; 2,000 of TinyImageNet one of each class at once, without a max-pool."""
    for name in sorted(CLAIMS):
        for cell in load_suite(name, builtin).cells:
            scorer = cell.form.scorer
            if scorer is None or "chunk" not in scorer.parameters:
                continue
            large = cell.dataset == "tiny-imagenet" and cell.architecture.name != "resnet18"
            wanted = 8 if cell.dataset == "imagenet" else 200 if large else None
            assert scorer.parameters["chunk"] == wanted, (cell.matrix, cell.name)


def test_published_accuracies_of_extreme_sparsities(builtin: Any) -> None:
    """All nine settings, five methods, twelve densities; the unpruned networks too."""
    reported = load_suite("pai-extreme", builtin).reported
    theirs = [r for r in reported if r.matrix.startswith("tanaka-")]
    assert len(theirs) == 9 * 6
    assert all(len(r.values) == (1 if r.method == "none" else 12) for r in theirs)
    beside_ours = [r for r in reported if r not in theirs]
    assert {(r.matrix, r.method) for r in beside_ours} == {
        (matrix, method)
        for matrix in ("vgg11", "vgg16")
        for method in ("random", "magnitude", "snip", "grasp", "synflow")
    }
    for ours in beside_ours:
        (same,) = [
            r for r in theirs if (r.matrix, r.method) == (f"tanaka-{ours.matrix}-cifar10", ours.method)
        ]
        assert (ours.sparsities, ours.values) == (
            same.sparsities[: len(ours.values)],
            same.values[: len(ours.values)],
        )  # type: ignore[index]


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_every_claim_of_the_paper_is_a_check(name: str, builtin: Any) -> None:
    """Each claim is in the suite of its setting, and has checks."""
    suite = load_suite(name, builtin)
    assert {claim.id.split("-")[0] for claim in suite.claims} == set(CLAIMS[name])
    assert {claim.id for claim in suite.claims} == {check.claim for check in suite.checks} - {None}


def test_claims_are_read_over_the_papers_own_sparsities(pai: Suite) -> None:
    """Matching sparsities end where the paper says (footnote 2); ours stand beside, and decide nothing."""
    ends = {"resnet20": 0.738, "vgg16": 0.931, "resnet18": 0.965, "resnet50": 0.672}
    checks = [c for c in pai.checks if c.where.architecture and "matching" in c.beside]
    assert {c.name.split("-")[0] for c in checks} >= {
        "P1",
        "P2",
        "P3",
        "P4",
        "A1",
        "A2",
        "A3",
        "A4",
        "A6",
        "A8",
    }
    for check in checks:
        (network,) = check.where.architecture or []
        own = [one.to for one in (check.range, *check.beside) if isinstance(one, Span) and one.start is None]
        assert own == [ends[network]], check.name
        assert check.range not in ("trivial", "matching", "extreme"), check.name


def test_published_tables_are_checks(builtin: Any) -> None:
    """Every number that the paper's own runs have in Tables 2, 3, 5 and 7 is claimed, unpruned ones too."""
    suite = load_suite("pai-replication", builtin)
    own = ("table2", "table3", "table5", "table7")
    checks = [c for c in suite.checks if c.quantity == "accuracy" and c.claim in own]
    claimed = [(c.where.matrix, c.against, c.margin) for c in checks if isinstance(c.against, float)]
    assert len(claimed) == 5 + 8 + 9 + (5 + 3) + 6
    assert all(margin is None for _, _, margin in claimed)


@pytest.mark.parametrize("name", [n for n in sorted(shipped_suites()) if n != "quick"])
def test_stated_runs_and_costs_are_the_planned_ones(name: str, builtin: Any, tmp_path: Path) -> None:
    """A suite plans without any data, and says how many networks it trains and at what cost."""
    suite = load_suite(name, builtin)
    plan = make_plan(suite, builtin, tmp_path)
    words = " ".join(suite.description.split())
    runs = r"(\d+) (?:training runs|networks that are trained)(?:, [\d,]+ epochs)?"
    found = re.search(rf"{runs}, ([\d.]+) · 10\^(\d+) multiply-adds", words)
    assert found is not None
    # a run may be several jobs, one after the other; one without steps is only its initial weights
    trained = {j.params.run_key for j in plan.jobs.values() if j.kind == "train" and plan.costs[j.key] > 0}
    assert int(found[1]) == len(trained)
    # a state of a run that is passed on the way to another one costs nothing more
    cost = sum(marginal(plan, key) for key in plan.jobs)
    assert float(found[2]) * 10 ** int(found[3]) == pytest.approx(cost, rel=0.005)


def test_a_field_that_a_measure_does_not_give_is_refused(builtin: Any, tmp_path: Path) -> None:
    """With the nearest that it gives, before anything runs."""
    text = shipped_suites()["pai-modified-resnet18"].read_text(encoding="utf-8")
    assert "measure:neuron-sparsity.channels" in text
    path = tmp_path / "suite.toml"
    path.write_text(text.replace("measure:neuron-sparsity.channels", "measure:neuron-sparsity.chanels"))
    with pytest.raises(SuiteError, match=r"field 'chanels' .*did you mean 'channels'"):
        load_suite(path, builtin)


EXAMPLE = """
schema = 1
name = "example"
version = "1"
[[matrix]]
name = "main"
architecture = ["resnet20", "vgg16"]
dataset = "cifar10"
recipe = "pai-cifar10"
methods = ["random", "magnitude", "snip", "grasp", "synflow", "magnitude-after-training", "ltr"]
ablations = ["none", "shuffle", "reinit"]
sparsities = {keep = 0.8, count = 18}
seeds = 1
measures = ["layer-sparsity", "effective-density"]
[[matrix]]
name = "steps"
architecture = "resnet20"
dataset = "cifar10"
recipe = "pai-cifar10"
methods = ["magnitude", "snip"]
score_at = ["init", {step = 1000}]
sparsities = [0.738]
seeds = 1
[[matrix]]
name = "first-level"
architecture = "resnet20"
dataset = "cifar10"
recipe = "pai-cifar10"
find = [{lr = 0.05}, {lr = 0.5}]
methods = [{as = "one", scorer = "magnitude", score_at = "end", train_from = "init"}]
sparsities = [0.2]
seeds = 1
measures = ["ratios-by-epoch"]
[[matrix]]
name = "ratios-and-weights"
architecture = "resnet20"
dataset = "cifar10"
recipe = "pai-cifar10"
methods = [
    {as = "small", scorer = "magnitude", score_at = "end", train_from = "init", find = {lr = 0.05}},
    {as = "large", scorer = "magnitude", score_at = "end", train_from = "init", find = {lr = 0.5}},
    {as = "large-as-small", scorer = "magnitude", score_at = "end", train_from = "init", find = {lr = 0.5}, allocation = {like = {find = {lr = 0.05}}}},
    {as = "small-as-large", scorer = "magnitude", score_at = "end", train_from = "init", find = {lr = 0.05}, allocation = {like = {find = {lr = 0.5}}}},
    {as = "random-as-small", scorer = "random", allocation = {like = {scorer = "magnitude", score_at = "end", train_from = "init", find = {lr = 0.05}}}},
    {as = "random-as-large", scorer = "random", allocation = {like = {scorer = "magnitude", score_at = "end", train_from = "init", find = {lr = 0.5}}}},
]
sparsities = {keep = 0.8, count = 18}
seeds = 1
"""


def test_the_checks_of_the_docs_load(builtin: Any, tmp_path: Path) -> None:
    """Each example of two pages that has checks, below matrices that have what they speak of."""
    docs = Path(__file__).parents[2] / "docs"
    text = "".join((docs / f"{name}.md").read_text(encoding="utf-8") for name in ("suites", "measures"))
    blocks = [
        block for block in re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL) if "[[check]]" in block
    ]
    blocks = [block if "schema" in block else EXAMPLE + block for block in blocks]
    assert len(blocks) == 5 + 2
    for block in blocks:
        path = tmp_path / "example.toml"
        path.write_text(block, encoding="utf-8")
        assert load_suite(path, builtin).checks
