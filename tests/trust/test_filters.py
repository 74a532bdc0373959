"""A suite of whole filters by the commands: run, shown, measured, checked, published, verified; forged records."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from prunebench.engine.request import Request
from prunebench.engine.session import Session
from prunebench.inventory.rows import rows
from prunebench.inventory.snapshot import Snapshot
from prunebench.store import Store
from prunebench.trust.archive import members

from .conftest import Board, records, rewritten, spoiled

SUITE = """
schema = 1
name = "filters"
version = "1"

[[matrix]]
name = "main"
architecture = {name = "cifar-resnet", depth = 8, width = 0.25}
dataset = "digits"
recipe = {name = "digits", epochs = 0.2}
methods = [
  {as = "even", scorer = "magnitude", unit = "filter", allocation = "uniform"},
  {as = "any", scorer = "random", unit = "filter"},
]
ablations = ["none", "shuffle", "reinit"]
sparsities = [0.4]
seeds = 2
measures = ["shrunk", "layer-sparsity", "effective-density", "weights-remaining", "training-flops"]

[[check]]
name = "smaller"
of = {method = "even"}
against = 0.95
quantity = "measure:shrunk.parameters.share"
compare = "difference"
expect = "not-above"
margin = 0.01
range = "all"
"""
EVEN = "main::cifar-resnet-digits-even-d0.6"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Run and published."""
    board = Board(tmp_path_factory.mktemp("filters"))
    suite, store = board.path("filters.toml"), board.path("store")
    suite.write_text(SUITE)
    board.call("run", suite, "--store", store, "-q", "--no-table", "--no-plugins")
    board.call("publish", suite, "--store", store, "--to", board.board)
    return board


def plan_of(board: Board) -> Any:
    request = Request(
        suite=str(board.path("filters.toml")), store=str(board.path("store")), data="data", third_party=False
    )
    return Session.prepare(request).plan


def test_the_density_reached_stands_beside_the_one_asked_for(done: Board) -> None:
    """In the table for people, in CSV as counts, in the rows of cells."""
    shown = (done.board / "README.md").read_text("utf-8")
    assert "Whole filters do not reach 60 %: " in shown
    assert "density reached |" in shown
    lines = list(csv.DictReader(io.StringIO((done.board / "leaderboard.csv").read_text("utf-8"))))
    (even,) = [x for x in lines if (x["method"], x["ablations"], x["density"]) == ("even", "", "0.6")]
    assert 0.4 < float(even["kept"]) / float(even["prunable"]) < 0.6
    assert float(even["parameters_shrunk"]) < float(even["parameters_masked"])
    assert float(even["seconds_shrunk"]) > 0
    reached = [
        row["reached"]
        for row in rows(plan_of(done), Store.open(done.path("store")))
        if row["method"] == "even"
    ]
    assert all(value is not None and 0.4 < value < 0.6 for value in reached)


def test_it_is_made_again_of_its_records(done: Board) -> None:
    """To the byte: the seconds that were measured are in the records' provenance."""
    assert "to the byte" in done.call("leaderboard", "--from", done.board, "--check").output
    packed = dict(members(done.board / "records.tar.xz"))
    documents = [orjson.loads(packed[name]) for name in records(packed, "measures")]
    timed = [one for one in documents if one["result"]["diagnostic"] == "shrunk"]
    assert timed
    assert all(set(one["provenance"]["seconds"]) == {"masked", "shrunk"} for one in timed)
    assert all("seconds" not in orjson.dumps(one["result"]).decode() for one in timed)


def test_measures_checks_and_a_report_are_shown(done: Board, tmp_path: Path) -> None:
    """What a reader loses and what the smaller network takes have numbers of their own."""
    at = (done.path("filters.toml"), "--store", done.path("store"), "--no-plugins")
    told = done.call("measures", *at, "-m", "shrunk", "--format", "csv").output
    assert {"inputs.share", "parameters.share", "seconds.shrunk"} <= {
        one["field"] for one in csv.DictReader(io.StringIO(told))
    }
    assert "smaller" in done.call("check", *at, code=None).output
    done.call("report", *at, "-o", tmp_path / "page")
    assert (tmp_path / "page" / "index.html").stat().st_size > 10_000


def test_a_row_is_verified(done: Board, tmp_path: Path) -> None:
    """Run again from the suite: the same bits, whatever the seconds are now."""
    shutil.copytree(done.board, tmp_path / "board")
    at = ("--from", tmp_path / "board", "--store", tmp_path / "again", "--json")
    told = orjson.loads(done.call("verify", EVEN, *at, code=None).stdout)
    assert sorted(told["same_bits"]) == [0, 1]
    assert told["outcome"] in ("agrees", "undecided")


def cut_apart(mask: dict[str, Any]) -> None:
    mask["layers"][0]["kept"] -= 1
    mask["layers"][1]["kept"] += 1


def more(mask: dict[str, Any]) -> None:
    """Another filter of the first layer than the target allows, consistently told."""
    layer = max(mask["layers"], key=lambda one: one["prunable"] - one["kept"])
    added = layer["prunable"] - layer["kept"]
    layer["kept"], layer["filters"]["kept"] = layer["prunable"], layer["filters"]["prunable"]
    mask["kept"] += added


def fewer(mask: dict[str, Any]) -> None:
    """One filter a layer, consistently told: far below the target, and no longest run of filters that fit."""
    mask["kept"] = 0
    for layer in mask["layers"]:
        layer["kept"] = layer["prunable"] // layer["filters"]["prunable"]
        layer["filters"]["kept"] = 1
        mask["kept"] += layer["kept"]


def told_of_none(mask: dict[str, Any]) -> None:
    del mask["layers"][2]["filters"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cut_apart, "which are not"),
        (more, "weights kept, planned are"),
        (fewer, "weights kept, planned are"),
        (told_of_none, "does not say how many it keeps"),
    ],
)
def test_forged_counts_of_filters_are_refused(
    done: Board, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    """Of a published leaderboard, whatever its digests say: no whole filters, more or fewer than fit, none told."""
    copy = Board(tmp_path)
    shutil.copytree(done.board, copy.board)
    key = next(cell.key for cell in plan_of(done).cells if cell.labels["method"] == "even")

    def forge(files: dict[str, bytes]) -> None:
        (name,) = [name for name in records(files) if key in name]
        rewritten(files, name, lambda document: change(document["result"]["mask"]))

    spoiled(copy.board / "records.tar.xz", forge)
    assert said in copy.call("leaderboard", "--from", copy.board, code=None).output


def test_a_plan_binds_what_its_store_has(done: Board) -> None:
    """Every record counts: as many weights as whole filters reach, the target at most."""
    plan, store = plan_of(done), Store.open(done.path("store"))
    snapshot = Snapshot(plan, store)
    assert all(snapshot.done(cell) for cell in plan.cells)
