"""Other people's records: what is not a whole result of one of the suite's cells is refused by name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hostile import NAMES, RECORDS, HostileRecord, sealed

from prunebench.canonical import digest
from prunebench.errors import StoreError
from prunebench.trust.archive import archived, members
from prunebench.trust.packs import unpack

from .conftest import Board, Files, records, rewritten, spoiled


def refusal(board: Board, change: Any, tmp_path: Path) -> str:
    """Spoil a leaderboard's records, and return what is said when they are read; nothing else happens."""
    path = board.board / "records.tar.xz"
    spoiled(path, change)
    before = {one: one.read_bytes() for one in board.board.rglob("*") if one.is_file()}
    with pytest.raises(StoreError) as refused:
        unpack(path, fresh(tmp_path))
    done = board.call("leaderboard", "--from", board.board, code=2)
    assert done.output.startswith("Error: ")
    assert {one: one.read_bytes() for one in board.board.rglob("*") if one.is_file()} == before
    assert max(map(len, str(refused.value).splitlines())) < 700
    assert str(refused.value).replace("\n", "").isprintable()
    return str(refused.value)


def fresh(tmp_path: Path) -> Path:
    folder = tmp_path / "in" / f"{len(list(tmp_path.glob('in/*')))}"
    folder.mkdir(parents=True)
    return folder


def test_edited_numbers_are_refused(board: Board, tmp_path: Path) -> None:
    """An edit without a new digest is told by the record's name and its cell's."""

    def change(files: Files) -> None:
        name = records(files)[0]
        document = orjson.loads(files[name])
        document["result"]["test"]["correct"] += 1
        document["result"]["curve"][-1]["correct"] += 1
        files[name] = orjson.dumps(document) + b"\n"

    said = refusal(board, change, tmp_path)
    assert "its result has digest" in said
    assert "main::digits-mlp-digits-" in said


def test_a_seed_outside_the_suite_is_refused(board: Board, tmp_path: Path) -> None:
    """A good run of another seed, sealed by its own rules."""

    def change(files: Files) -> None:
        def other(document: dict[str, Any]) -> None:
            document["result"]["cell"]["seed"] = 17
            document["key"] = "17" * 32

        rewritten(files, records(files)[0], other)

    said = refusal(board, change, tmp_path)
    assert "seed 17 is none of the suite's (0–2)" in said
    assert "digits-mlp" in said or "mlp on digits" in said


def test_another_cell_is_refused(board: Board, tmp_path: Path) -> None:
    """A recipe that trains longer, under its own key; and under the key of the planned cell."""

    def longer(document: dict[str, Any]) -> None:
        document["result"]["cell"]["recipe"]["epochs"] = 99.0

    def elsewhere(files: Files) -> None:
        rewritten(files, records(files)[0], lambda d: (longer(d), d.update(key="99" * 32)))

    def in_place(files: Files) -> None:
        rewritten(files, records(files)[0], longer)

    one = Board(board.folder)
    said = refusal(one, elsewhere, tmp_path)
    assert "its cell is none of the suite's" in said
    spoiled(board.board / "records.tar.xz", lambda files: files.pop(f"records/99/{'99' * 32}.json"))
    said = refusal(board, in_place, tmp_path)
    assert "it is the record of another cell: its 'recipe'" in said


def test_a_row_twice_is_refused(board: Board, tmp_path: Path) -> None:
    """One cell's result once more under another key; a file twice; a plan that has a row twice."""

    def again(files: Files) -> None:
        name = records(files)[0]
        copy = files[name]
        rewritten(files, name, lambda document: document.update(key="ab" * 32))
        files[name] = copy

    assert "once more, under another key" in refusal(board, again, tmp_path)


def test_a_file_twice_is_refused(board: Board, tmp_path: Path) -> None:
    """The second of one name would take the place of the first."""
    import lzma

    path = board.board / "records.tar.xz"
    one = lzma.decompress(archived({"store.json": b'{"format":1}\n'}))[:1024]
    path.write_bytes(lzma.compress(one + lzma.decompress(path.read_bytes())))
    with pytest.raises(StoreError, match=r"store.json is there twice"):
        unpack(path, fresh(tmp_path))


def replanned(change: Any) -> Any:
    """Return what changes an archive's plan and makes its checksum right again, as everybody can."""
    import hashlib

    def changed(files: Files) -> None:
        name = next(one for one in files if one.startswith("plans/"))
        document = orjson.loads(files[name])
        change(document["plan"])
        plan = orjson.dumps(document["plan"])
        stem = name.removeprefix("plans/").removesuffix(".json")
        sha = hashlib.sha256(stem.encode() + b"\n" + plan).hexdigest().encode()
        files[name] = b'{"format":2,"sha256":"%s","plan":%s}\n' % (sha, plan)

    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan: plan["cells"].append(plan["cells"][0]), "is planned twice"),
        (lambda plan: plan["cells"][1].__setitem__(6, 5), "called another density or seed than it has"),
        (lambda plan: plan["jobs"][0].__setitem__(0, "0" * 64), "not a frozen plan|reads what does not come"),
        (lambda plan: plan["shared"][0].update(zzz=1), "not a frozen plan|is incomplete"),
        (lambda plan: plan["suite"].update(limit=100), "smoke run"),
        (lambda plan: plan["suite"].update(name=None), "not a frozen plan"),
        (lambda plan: plan["suite"].update(x="y" * 6000), "a text of 6,000 characters"),
        (
            lambda plan: plan["suite"].update(
                x=[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
            ),
            "deep",
        ),
        (lambda plan: plan["identities"].clear(), None),
    ],
    ids=range(9),
)
def test_a_plan_that_is_made_up_is_refused(
    change: Any, said: str | None, board: Board, tmp_path: Path
) -> None:
    """Its checksum is right, and yet its rows are twice, its keys not its jobs', its suite none."""
    path = board.board / "records.tar.xz"
    spoiled(path, replanned(change))
    if said is None:
        assert unpack(path, fresh(tmp_path)).plan.identities == {}
        return
    with pytest.raises(StoreError, match=said):
        unpack(path, fresh(tmp_path))


def test_a_job_whose_key_is_not_of_what_it_does_is_refused(board: Board, tmp_path: Path) -> None:
    """A plan that calls longer training by the suite's key: the key is the digest of what was asked."""

    def longer(plan: dict[str, Any]) -> None:
        for shared in plan["shared"]:
            if "epochs" in shared:
                shared["epochs"] = 99.0

    path = board.board / "records.tar.xz"
    spoiled(path, replanned(longer))
    with pytest.raises(StoreError, match="has not the key of what it does"):
        unpack(path, fresh(tmp_path))


@pytest.mark.parametrize("hostile", RECORDS, ids=lambda hostile: hostile.name)
def test_hostile_records_are_refused(hostile: HostileRecord, board: Board, tmp_path: Path) -> None:
    """Every record of the set that is not one, in the place of a good one."""
    path = board.board / "records.tar.xz"

    def change(files: Files) -> None:
        name = records(files)[0]
        files[name] = hostile.content(orjson.loads(files[name]))

    spoiled(path, change)
    with pytest.raises(StoreError, match=r"records\.tar\.xz: rec") as refused:
        unpack(path, fresh(tmp_path))
    assert str(refused.value).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"schema":2,"schema":2}\n', "it says 'schema' twice"),
        (b'{"a":[' + b"[" * 40 + b"]" * 40 + b"]}\n", "levels deep"),
        (b'{"a":NaN}\n', "not JSON"),
        (b'{"a":-Infinity}\n', "not JSON"),
        (b'{"a":1e999}\n', "not JSON"),
        (b'{ "a":1}\n', "not spelled as prunebench spells it"),
        (b'{"a":1}', "not spelled as prunebench spells it"),
        (b'{"a":1.00}\n', "not spelled as prunebench spells it"),
        (b'{"a":"\xff"}\n', "not JSON"),
        (b"[]\n", "not a JSON object"),
        (b'{"a":"' + b"x" * 30_000 + b'"}\n', "a text of 30,000 characters"),
    ],
)
def test_json_of_two_readings_is_refused(content: bytes, said: str, board: Board, tmp_path: Path) -> None:
    """Names twice, numbers that are none, depth, length; and every spelling but the one that is written."""
    path = board.board / "records.tar.xz"
    spoiled(path, lambda files: files.update({records(files)[0]: content}))
    with pytest.raises(StoreError, match=said):
        unpack(path, fresh(tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        "../store.json",
        "/tmp/store.json",
        "records/../../outside.json",
        "records/ab/" + "0" * 64 + ".json/../x",
        "records/ab/short.json",
        "artifacts/00/" + "0" * 64 + ".safetensors",
        "plans/sub/x.json",
        "plans/.hidden.json",
        "claims/x.json",
        "store.json\n",
        "mine.py",
        "method/mine.py",
        *(name[:90] for name in NAMES.values() if name[:90].isascii() and "\0" not in name),
    ],
)
def test_nothing_else_is_unpacked(name: str, board: Board, tmp_path: Path) -> None:
    """No other name, and nothing outside the folder."""
    path = board.board / "records.tar.xz"
    spoiled(path, lambda files: files.update({name: b"{}\n"}))
    folder = fresh(tmp_path)
    with pytest.raises(StoreError, match="is no file of a pack"):
        unpack(path, folder)
    outside = {one for one in tmp_path.rglob("*") if folder not in (one, *one.parents)}
    assert not {one.name for one in outside} & {"store.json", "outside.json", "x", "mine.py"} - {
        one.name for one in board.folder.rglob("*")
    }


def test_provenance_that_is_not_published_is_refused(board: Board, tmp_path: Path) -> None:
    """A host's name in a record that was not packed by prunebench."""

    def change(files: Files) -> None:
        rewritten(files, records(files)[0], lambda document: document["provenance"].update(host="cluster-7"))

    assert "its provenance has 'host', which is not published" in refusal(board, change, tmp_path)


def test_measures_are_looked_at_like_records(board: Board, tmp_path: Path) -> None:
    """Another diagnostic's, and one that the plan has not."""

    def other(files: Files) -> None:
        rewritten(files, records(files, "measures")[0], lambda d: d["result"].update(diagnostic="flops"))
        rewritten(files, records(files, "measures")[1], lambda d: d.update(key="cd" * 32))

    said = refusal(board, other, tmp_path)
    assert "it is a measure of 'flops'" in said
    assert f"measure {'cd' * 6} is none of the plan's" in said


def test_nothing_that_a_record_or_plan_names_is_imported(board: Board, tmp_path: Path) -> None:
    """Whatever components, plugins and modules they speak of."""
    trap = tmp_path / "trap_of_records.py"
    trap.write_text("import pathlib; pathlib.Path(__file__).with_name('sprung').touch()")
    sys.path.insert(0, str(tmp_path))
    names = {"file": "trap_of_records.py", "digest": "ab" * 32}
    entries = {"distribution": "trap_of_records", "version": "1", "entries": ["trap_of_records:x"]}

    def record(document: dict[str, Any]) -> None:
        document["provenance"]["plugins"] = [names, entries]
        document["provenance"]["components"]["scorer trap_of_records"] = {
            "name": "trap_of_records",
            "version": "1",
        }

    def change(files: Files) -> None:
        for name in records(files):
            rewritten(files, name, record)
        replanned(lambda plan: plan["suite"].update(plugins=[str(trap)]))(files)

    try:
        spoiled(board.board / "records.tar.xz", change)
        board.call("leaderboard", "--from", board.board)
    finally:
        sys.path.remove(str(tmp_path))
    assert "trap_of_records" not in sys.modules
    assert not (tmp_path / "sprung").exists()


def test_what_a_rightly_sealed_lie_says_is_shown(board: Board) -> None:
    """Whoever edits a record can seal it again: the digest catches accidents, only a rerun gives trust."""

    def lie(document: dict[str, Any]) -> None:
        for counts in (document["result"]["test"], document["result"]["curve"][-1]):
            counts["correct"] = counts["examples"]

    spoiled(board.board / "records.tar.xz", lambda files: rewritten(files, records(files)[0], lie))
    board.call("leaderboard", "--from", board.board)
    readme = (board.board / "README.md").read_text("utf-8")
    assert "which catches accidents, not fraud" in readme
    assert "Only a rerun gives trust" in readme
    assert sealed({"schema": 2, "key": "", "result": {}, "provenance": {}})["digest"] == digest(
        {"schema": 2, "key": "", "result": {}}
    )
    assert len(dict(members(board.board / "records.tar.xz"))) > 10
