"""Nobody chooses among the cells of a suite: rows have all seeds, sparsities and measures of their matrix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunebench.host.registry import Host
from prunebench.plan import Plan, PlannedCell
from prunebench.plan.make import make_plan
from prunebench.suite import load_suite
from prunebench.trust.archive import archived
from prunebench.trust.complete import lacking_words, left_out, missing_cells, missing_in_matrices
from prunebench.trust.packs import pack_files, part_of, unpack
from prunebench.trust.submission import read_submission, submission

from .conftest import Board, spoiled

Keep = Callable[[PlannedCell], bool]
Make = Callable[[str], Plan]

ROWS = """
[[matrix]]
name = "main"
architecture = "digits-mlp"
dataset = "digits"
recipe = "digits"
methods = ["random", "snip", "grasp"]
ablations = ["none", "shuffle"]
sparsities = [0.5, 0.9]
seeds = 3
measures = ["layer-sparsity"]
"""


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Plan]:
    """Plans a suite of these matrices."""
    host, folder = Host.load(third_party=False), tmp_path_factory.mktemp("suites")

    def planned(text: str) -> Plan:
        path = folder / "rows.toml"
        path.write_text(f'schema = 1\nname = "rows"\nversion = "1"\n{text}')
        return make_plan(load_suite(str(path), host), host, folder)

    return planned


def kept(plan: Plan, keep: Keep) -> Plan:
    return part_of(plan, [cell for cell in plan.cells if keep(cell)])


def is_row(cell: PlannedCell, method: str, ablations: str = "") -> bool:
    return (cell.labels["method"], cell.labels["ablations"]) == (method, ablations)


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (lambda cell: True, []),
        (lambda c: c.seed != 2, []),  # of no row: there is nothing to compare with
        (
            lambda c: not (is_row(c, "snip") and c.seed > 0),
            ["snip: seeds 1, 2 of digits-mlp on digits (matrix main) are missing"],
        ),
        (
            lambda c: not (is_row(c, "snip", "shuffle") and c.density == "0.1"),
            ["snip + shuffle: density 0.1 of digits-mlp on digits (matrix main) is missing"],
        ),
        (
            lambda c: not (is_row(c, "grasp") and c.seed == 1 and c.density == "0.1"),
            ["grasp: seed 1 at density 0.1 of digits-mlp on digits (matrix main) is missing"],
        ),
        (
            lambda c: not is_row(c, "grasp", "shuffle"),
            ["grasp + shuffle: all cells of digits-mlp on digits (matrix main) are missing"],
        ),
        (
            lambda c: not (is_row(c, "none") and c.seed == 0),
            ["none: seed 0 of digits-mlp on digits (matrix main) is missing"],
        ),
    ],
    ids=range(7),
)
def test_what_was_left_out_of_a_plan_is_named(keep: Keep, said: list[str], make: Make) -> None:
    """A matrix is a product: what one row has and another lacks was left out."""
    plan = make(ROWS)
    assert missing_in_matrices(kept(plan, keep)) == said
    lost = missing_cells(kept(plan, keep), plan)
    assert bool(lost) == (len(kept(plan, keep).cells) < len(plan.cells))


def test_what_the_suite_itself_leaves_out_is_no_fault(make: Make) -> None:
    """`only` and `exclude` are in the plan's `uneven`; a method that `exclude` does not name is whole there."""
    excluded = make(ROWS + 'exclude = [{method = "snip", seed = 0}]\n')
    assert excluded.suite["uneven"] == {"main": "methods"}
    assert missing_in_matrices(excluded) == []
    some = make(ROWS + 'only = [{method = "snip", seed = 0}, {seed = 1}]\n')
    assert some.suite["uneven"] == {"main": "any"}
    assert missing_in_matrices(some) == []
    assert "uneven" not in make(ROWS).suite
    mine = kept(make(ROWS), lambda c: c.labels["method"] == "grasp" and c.seed == 1)
    assert left_out(mine, kept(some, lambda c: c.labels["method"] != "grasp")) == []
    assert left_out(mine, kept(excluded, lambda c: c.labels["method"] != "grasp")) == [
        f"grasp{shuffled}: seeds 0, 2 of digits-mlp on digits (matrix main) are missing"
        for shuffled in ("", " + shuffle")
    ]


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (lambda c: True, []),
        (lambda c: c.seed == 1, ["grasp: seeds 0, 2 of", "grasp + shuffle: seeds 0, 2 of"]),
        (lambda c: c.density == "0.5", ["grasp: density 0.1 of", "grasp + shuffle: density 0.1 of"]),
        (lambda c: not c.labels["ablations"], ["grasp + shuffle: all cells of"]),
    ],
    ids=range(4),
)
def test_a_submission_has_all_that_others_have(keep: Keep, said: list[str], make: Make) -> None:
    """All seeds and sparsities, and the ablations, by which a method is judged."""
    plan = make(ROWS)
    others = kept(plan, lambda c: c.labels["method"] != "grasp")
    mine = kept(plan, lambda c: c.labels["method"] == "grasp" and keep(c))
    faults = left_out(mine, others)
    assert [fault.split(" digits-mlp")[0] for fault in faults] == said


def test_measures_are_asked_of_all(make: Make) -> None:
    """What would show that a method disconnects its networks cannot be left out."""
    plan = make(ROWS)
    others = kept(plan, lambda c: c.labels["method"] != "grasp")
    mine = make(ROWS.replace('measures = ["layer-sparsity"]', ""))
    mine = kept(mine, lambda c: c.labels["method"] == "grasp")
    assert left_out(mine, others) == [
        "measure layer-sparsity of digits-mlp on digits (matrix main) is missing"
    ]


def test_words_for_what_is_lacking() -> None:
    """Seeds where whole seeds are, densities where whole densities are, else points, of many the first."""
    whole = {(density, seed) for density in ("0.5", "0.1") for seed in range(4)}
    assert lacking_words(whole, whole) == ("all cells", "are")
    assert lacking_words({("0.5", 1), ("0.1", 1)}, whole) == ("seed 1", "is")
    assert lacking_words({("0.1", seed) for seed in range(4)}, whole) == ("density 0.1", "is")
    words, verb = lacking_words(whole - {("0.5", 3), ("0.1", 0)}, whole)
    assert words == "seed 0 at density 0.5, seed 1 at density 0.5, seed 2 at density 0.5 and 3 more"
    assert verb == "are"


def test_a_published_row_that_lost_a_seed_is_refused(board: Board, tmp_path: Path) -> None:
    """Left out of the plan too, so that nothing seems to be missing."""
    (tmp_path / "x").mkdir()
    pack = unpack(board.board / "records.tar.xz", tmp_path / "x")
    plan = kept(pack.plan, lambda c: not (is_row(c, "snip") and c.seed == 0))
    (board.board / "records.tar.xz").write_bytes(archived(pack_files(plan, pack.store)))
    said = board.call("leaderboard", "--from", board.board, code=2).output
    assert "snip: seed 0 of digits-mlp on digits (matrix main) is missing" in said


def test_a_submission_of_chosen_seeds_is_refused(board: Board, tmp_path: Path) -> None:
    """One of three: by name; and so are measures that its own plan promises."""
    (tmp_path / "x").mkdir()
    whole = read_submission(board.submission, tmp_path / "x")
    files = {name: path.read_bytes() for name, path in whole.files.items()}
    plan = kept(whole.plan, lambda c: c.seed == 1)
    board.submission.write_bytes(submission(plan, whole.pack.store, ["mine"], files, grounds=whole.grounds))
    said = board.call("submit", "--check", board.submission, "--board", board.board, code=2).output
    assert "mine: seeds 0, 2 of digits-mlp on digits (matrix main) are missing" in said


def test_a_measure_that_is_planned_is_there(board: Board) -> None:
    """A submission's plan asks for it, and no file holds it."""

    def drop(files: dict[str, bytes]) -> Any:
        del files[next(name for name in sorted(files) if name.startswith("measures/"))]

    spoiled(board.submission, drop)
    said = board.call("submit", "--check", board.submission, "--board", board.board, code=2).output
    assert "lacks a measure of its plan" in said
