"""The suites of masks that are found under one recipe and evaluated under another: what the paper's figures show."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import pytest

from prunebench.host.form import Like
from prunebench.host.registry import Host
from prunebench.suite import Cell, load_suite

HOST = Host.load(third_party=False)
LEVELS = {f"{round(Decimal('0.8') ** k, 12).normalize():f}" for k in range(1, 31)}


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return list(load_suite("find-eval", HOST).cells)


def rates(cells: Iterable[Cell]) -> tuple[set[float], set[float]]:
    """Learning rates that find and that evaluate."""
    pruned = [cell for cell in cells if cell.form.scorer is not None]
    return {cell.form.find.get("lr", cell.recipe.lr) for cell in pruned}, {cell.recipe.lr for cell in pruned}


@pytest.mark.parametrize(
    ("matrix", "setting", "finds", "evals"),
    [
        ("resnet50-tiny", ("resnet50", "tiny-imagenet"), {0.05, 0.1, 0.2, 0.5}, {0.2, 0.5}),
        ("resnet50-places", ("resnet50", "miniplaces"), {0.02, 0.1, 0.5}, {0.02, 0.1, 0.5}),
        ("resnet18-tiny", ("resnet18", "tiny-imagenet"), {0.05, 0.2, 0.8}, {0.5, 0.8}),
        ("resnet50-tiny-local", ("resnet50", "tiny-imagenet"), {0.1, 0.2, 0.5}, {0.2, 0.5}),
        ("resnet50-tiny-early", ("resnet50", "tiny-imagenet"), {0.05, 0.2}, {0.5}),
    ],
)
def test_finds_and_evals_are_those_of_the_figures(
    cells: list[Cell], matrix: str, setting: tuple[str, str], finds: set[float], evals: set[float]
) -> None:
    """Thirty levels of a fifth of the convolutions' weights, from the initial weights, at five seeds."""
    mine = [cell for cell in cells if cell.matrix == matrix]
    pruned = [cell for cell in mine if cell.form.scorer is not None]
    assert {(cell.architecture.name, cell.dataset) for cell in mine} == {setting}
    assert rates(mine) == (finds, evals)
    assert {cell.density for cell in pruned} == LEVELS
    assert {cell.seed for cell in mine} == set(range(5))
    assert {(cell.form.prunable.of, cell.form.train_from) for cell in pruned} == {("convolutions", "init")}
    assert {str(cell.form.schedule.model_dump(by_alias=True)) for cell in pruned} == {"{'levels': 0.2}"}


def test_masks_are_taken_early_at_the_epochs_of_the_figure(cells: list[Cell]) -> None:
    early = [cell for cell in cells if cell.matrix == "resnet50-tiny-early"]
    assert {cell.labels["score_at"] for cell in early} == {"epoch 20", "epoch 50", "epoch 70"}


def test_swapped_masks_are_one_shot_and_random_ones_have_every_find(cells: list[Cell]) -> None:
    swapped = [cell for cell in cells if cell.matrix.endswith("-swapped")]
    assert {cell.form.schedule.spelling for cell in swapped} == {"'one-shot'"}
    for network in ("resnet50-tiny", "resnet50-places", "resnet18-tiny"):
        donors = [cell.form.allocation for cell in cells if cell.matrix == f"{network}-random-at"]
        assert all(isinstance(donor, Like) and isinstance(donor.like, dict) for donor in donors)
        finds = {donor.like["find"]["lr"] for donor in donors}
        assert finds == rates(cell for cell in cells if cell.matrix == network)[0]


@pytest.mark.parametrize("name", ["find-eval", "find-eval-small", "find-eval-structured"])
def test_a_claimed_number_is_not_raised_by_a_margin(name: str) -> None:
    """Checks of more than a number, or of at most one, ask for that number."""
    checks = [check for check in load_suite(name, HOST).checks if check.expect in ("above", "not-above")]
    numbers = [check for check in checks if check.compare == "difference" and check.by] + [
        check for check in checks if isinstance(check.against, float) and check.against
    ]
    assert {check.name: check.margin for check in numbers if check.margin != 0} == {}
    assert numbers or name == "find-eval-structured"


def test_a_find_is_compared_with_both_rates_that_are_used_for_both(cells: list[Cell]) -> None:
    """D1: with the masks of its own rate evaluated under it, and with those of the rate that evaluates its own."""
    checks = [check for check in load_suite("find-eval", HOST).checks if check.name.endswith("-finds-better")]
    assert len(checks) == 3 + 2 + 2
    for check in checks:
        of, better = check.of, check.against.best
        rate = of.find["lr"]
        assert {(one.find["lr"], one.recipe) for one in better} == {
            (rate, f"{check.name[3:].rsplit('-', 3)[0]}-{rate}"),
            (float(of.recipe.rsplit("-", 1)[1]), of.recipe),
        }
        for one in better:
            place = (one.recipe, f"lr={one.find['lr']}")
            own = {cell.density for cell in cells if (cell.labels["recipe"], cell.labels["find"]) == place}
            assert own >= LEVELS


def test_the_baseline_of_the_figures_stands_beside_the_finds() -> None:
    """Random over all weights of convolutions is the suite's random pruning."""
    suite = load_suite("find-eval", HOST)
    forms = [cell.form for cell in suite.cells if cell.labels["method"] == suite.baselines.random]
    assert {(form.scorer.name, form.prunable.of, form.allocation) for form in forms} == {
        ("random", "convolutions", "global")
    }
