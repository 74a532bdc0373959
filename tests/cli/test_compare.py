"""`prunebench compare`: methods, stores, versions; what it prints, its exit codes, mistakes."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import TINY, Place

PAGE = (Path(__file__).parents[2] / "docs" / "compare.md").read_text("utf-8")
DOCUMENTED = set(re.findall(r"`(\w+)`", PAGE)) | {"density", "sparsity", "seed"}


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def columns(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for item in value.values() for name in columns(item)}
    return {name for item in value for name in columns(item)} if isinstance(value, list) else set()


def test_the_difference_is_that_of_the_records(measured: Place) -> None:
    """Of each seed at its own accuracy, as the leaderboard's cells have it."""
    import prunebench

    cells = prunebench.results(measured.folder / "measured.toml", measured.store).cells
    value = cells.set_index(["method", "ablations", "seed"])["accuracy"]
    wanted = sum(value["random", "", s] - value["magnitude-after-training", "", s] for s in (0, 1)) / 2
    given = ("compare", "measured.toml", "random", "--against", "magnitude-after-training")
    at = [row for row in rows(measured.call(*given, "--format", "csv").stdout) if row["at"] == "sparsity"]
    assert [(row["of"], row["against"], row["n"]) for row in at] == [
        ("random", "magnitude-after-training", "2")
    ]
    assert float(at[0]["difference"]) == pytest.approx(wanted)
    assert at[0]["sparsity"] == "0.9"


def test_one_method_stands_beside_its_ablations_and_baselines(measured: Place) -> None:
    """The answer comes first, in a sentence for each pair."""
    text = measured.call("compare", "measured.toml", "random").stdout
    assert re.search(r"^- random against random \+ shuffle: ", text, re.M)
    assert re.search(r"^- random against magnitude-after-training: ", text, re.M)
    assert "| random + shuffle" in text


def test_every_column_and_key_is_documented(measured: Place) -> None:
    """docs/compare.md has the columns of CSV and JSON, of methods and of stores."""
    for args in (["measured.toml", "random"], ["store", "store"]):
        found = measured.json("compare", *args)
        assert found["schema"] == 1
        assert columns(found) - {"suite", "digest"} <= DOCUMENTED
        (header, *_) = csv.reader(io.StringIO(measured.call("compare", *args, "--format", "csv").stdout))
        assert set(header) <= DOCUMENTED


def test_a_selection_shows_its_settings_and_sparsities(measured: Place) -> None:
    """Rows of others are left out, the numbers stay."""
    whole = rows(measured.call("compare", "measured.toml", "random", "--format", "csv").stdout)
    some = rows(
        measured.call("compare", "measured.toml", "random", "--format", "csv", "--sparsity", "90").stdout
    )
    assert some == [row for row in whole if row["at"] == "range" or row["sparsity"] == "0.9"]


def test_a_scorer_that_a_run_added_is_found_without_its_file(place: Place) -> None:
    """No --plugin and no --scorer: the plan of that run is read."""
    place.call("run", "tiny.toml", "--scorer", "moody", *place.plugin)
    text = place.call("compare", "tiny.toml", "own", "moody").stdout
    assert "moody against own" in text


@pytest.mark.parametrize("command", ["leaderboard", "status"])
def test_methods_that_a_run_added_are_named_where_they_are_not_shown(place: Place, command: str) -> None:
    """Whoever forgets --scorer is told that there is more; with it, and of smoke runs, nothing is said."""
    place.call("run", "tiny.toml", "--scorer", "moody", *place.plugin, "--limit", "20", "-k", "none")
    place.call("run", "tiny.toml", *place.plugin, "-k", "none")
    assert "Note" not in place.call(command, "tiny.toml", code=None).stderr
    place.call("run", "tiny.toml", "--scorer", "moody", *place.plugin, "-k", "moody")
    assert "too: --scorer moody shows that" in place.call(command, "tiny.toml", code=None).stderr
    assert "Note" not in place.call(command, "tiny.toml", "--scorer", "moody", code=None).stderr


def test_cells_that_are_not_there_give_exit_code_1(place: Place) -> None:
    """And the table all the same."""
    place.call("run", "tiny.toml", *place.plugin, "-k", "own")
    result = place.call("compare", "tiny.toml", "own", "random", code=1)
    assert "not run" in result.stdout
    place.call("run", "tiny.toml", *place.plugin)
    place.call("compare", "tiny.toml", "own", "random", code=0)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["measured.toml"], "say which methods of measured.toml to compare"),
        (["measured.toml", "randm"], "no method or scorer 'randm'; did you mean 'random'?"),
        (["measured.toml", "random", "--against", "random"], "random cannot be compared with itself"),
        (["measured.toml", "random+invert"], "suite measured has no method 'random+invert'"),
        (["measured.toml", "random", "--json", "--format", "md"], "--json and --format md: give one of them"),
        (["store", "store", "-k", "x"], "-k is for comparing methods"),
        (["store", "store", "other"], "suite 'other' was not run in both stores"),
        (["measured.toml", "measured@7"], "measured@7 was not run in"),
        (["mesured.toml", "random"], "mesured.toml"),
        (["store", "stor"], "store is a folder, so a store; stor: no such folder"),
        (["/sto", "store"], "store is a folder, so a store; /sto: no such folder"),
        (["store", "store", "--seeds", "2"], "--seeds is for one store; store and store are two"),
    ],
)
def test_mistakes_are_told(measured: Place, args: list[str], message: str) -> None:
    """Exit code 2, what was found, what is allowed; nothing is written."""
    before = measured.files()
    result = measured.call("compare", *args, *measured.plugin, code=2)
    assert message in result.output
    assert "Traceback" not in result.output
    assert measured.files() == before


def test_a_store_and_its_copy_do_not_differ(measured: Place, tmp_path: Path) -> None:
    """Exit code 0; a record less is told, with exit code 1."""
    shutil.copytree(measured.store, tmp_path / "copy")
    text = measured.call("compare", "store", str(tmp_path / "copy")).stdout
    assert "10 the same bit by bit" in text
    next((tmp_path / "copy" / "records").rglob("*.json")).unlink()
    text = measured.call("compare", "store", str(tmp_path / "copy"), code=1).stdout
    assert "9 the same bit by bit" in text
    assert "Only in A: " in text


def test_a_store_stands_beside_a_published_leaderboard(measured: Place, tmp_path: Path) -> None:
    """Either may come first; a cell that only one has, or with other bits there, is told."""
    from prunebench.inventory.frozen import newest_frozen
    from prunebench.store import Store
    from prunebench.trust.packs import packed

    store = Store.open(measured.store, write=False)
    frozen = newest_frozen(str(measured.folder / "measured.toml"), store)
    assert frozen is not None
    board = tmp_path / "board"
    board.mkdir()
    (board / "records.tar.xz").write_bytes(packed(frozen[0], store))
    for sides in ([str(measured.store), str(board)], [str(board), str(measured.store), "measured"]):
        (suite,) = measured.json("compare", *sides)["suites"]
        assert (suite["suite"], suite["same"], suite["counts"]["same_bits"]) == ("measured", True, 10)
    mine = tmp_path / "mine"
    shutil.copytree(measured.store, mine)
    key = frozen[0].cells[-1].key
    (mine / "records" / key[:2] / f"{key}.json").unlink()
    (suite,) = measured.json("compare", str(mine), str(board), code=1)["suites"]
    assert (suite["counts"]["same_bits"], suite["counts"]["only_in_B"]) == (9, 1)
    (board / "records.tar.xz").write_bytes(b"no archive")
    assert "records.tar.xz: cut short" in measured.call("compare", str(mine), str(board), code=2).stderr
    assert [path.name for path in board.iterdir()] == ["records.tar.xz"]


def test_two_versions_of_a_suite_in_one_store(place: Place) -> None:
    """What only one has, and what changed of the others; by their files, or by version."""
    place.write("old.toml", TINY)
    longer = TINY.replace('version = "3"', 'version = "4"').replace("seeds = 2", "seeds = 1")
    place.write("new.toml", longer.replace('"random", "own"', '"random"'))
    for name in ("old.toml", "new.toml"):
        place.call("run", name, *place.plugin)
    for args in (["old.toml", "new.toml"], ["tiny@3", "tiny@4"]):
        found = place.json("compare", *args, *place.plugin[:0], code=1)["suites"][0]
        assert (found["a"]["version"], found["b"]["version"]) == ("3", "4")
        assert found["counts"]["same_bits"] == 3
        assert found["counts"]["only_in_A"] == 5
        assert {row["planned"] for row in found["cells"] if row["kind"] == "only in A"} == {"A"}


def _refrozen(place: Place, version: str, digest: str) -> None:
    """Freeze a suite's plan once more, as if its version and the digest of its content were others."""
    from prunebench.inventory.frozen import freeze, read_frozen
    from prunebench.store import Store

    store = Store.open(place.store)
    plan = read_frozen(store.plans("tiny")[-1], store)
    assert plan is not None
    plan.suite = {**plan.suite, "version": version, "digest": digest}
    freeze(plan, store)


def test_a_version_is_no_beginning_of_a_digest(place: Place) -> None:
    """A version that is there is meant, whatever other digests begin so; seven digits of a digest are one."""
    place.call("run", "tiny.toml", *place.plugin, "-k", "random and s0")
    digest = place.json("status", "tiny.toml")["suite"]["digest"]
    _refrozen(place, "9", "3" * 64)
    for side in ("tiny@3", f"tiny@{digest[:7]}"):
        compared = place.json("compare", side, "tiny@9", code=None)["suites"][0]
        assert (compared["a"]["version"], compared["b"]["version"]) == ("3", "9")
    for wrong in (f"tiny@{digest[:6]}", "tiny@33"):
        told = place.call("compare", "tiny@9", wrong, code=2).stderr
        assert f"{wrong} was not run in" in told
        assert "tiny@3" in told.split("was not run in")[1]
    _refrozen(place, "8", digest[:20] + "0" * 44)
    assert "give more digits" in place.call("compare", "tiny@9", f"tiny@{digest[:7]}", code=2).stderr


def test_a_smoke_run_is_compared_with_none_but_such(place: Place) -> None:
    """The newest plan in a store may be one; --limit asks for it."""
    for limit in ((), ("--limit", "8")):
        place.call("run", "tiny.toml", *place.plugin, "-k", "random and s0", *limit)
    said = place.json("compare", "store", "store")["suites"][0]
    assert said["a"]["version"] == "3"
    said = place.json("compare", "store", "store", "--limit", "8")["suites"][0]
    assert said["a"]["version"] == "3, smoke run with limit 8"
    said = place.json("compare", "tiny@3", "tiny@3", "--limit", "8")["suites"][0]
    assert said["b"]["version"] == "3, smoke run with limit 8"
    assert (
        "no suite was run in both" in place.call("compare", "store", "store", "--limit", "9", code=2).stderr
    )


def test_a_leaderboard_has_differences_to_any_method(measured: Place) -> None:
    """Instead of magnitude after training; as `compare` has them, and said under the table and in a column."""
    given = ("leaderboard", "measured.toml", "--against", "random+shuffle")
    assert "A difference is to random + shuffle" in measured.call(*given).stdout
    found = rows(measured.call(*given, "--format", "csv").stdout)
    assert {row["against"] for row in found} == {"random + shuffle"}
    board = {row["method"]: row for row in found if row["at"] == "sparsity" and not row["ablations"]}
    pair = ("compare", "measured.toml", "random", "--against", "random+shuffle", "--format", "csv")
    compared = [row for row in rows(measured.call(*pair).stdout) if row["at"] == "sparsity"]
    assert board["random"]["difference_mean"] == compared[0]["difference"] != ""
    result = measured.call("leaderboard", "measured.toml", "--against", "randm", code=2)
    assert "no method 'randm'; did you mean 'random'?" in result.output
