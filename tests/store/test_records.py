"""Records and measures: parsed strictly, verified when read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from prunebench.canonical import digest
from prunebench.errors import StoreError
from prunebench.store import Damaged, Missing, Record, Store

PROVENANCE = {"suite": {"name": "quick", "version": 1}, "numerics": "cpu", "commit": None}


@pytest.fixture
def path(store: Store, key: str, result: dict[str, Any]) -> Path:
    """A record's file."""
    store.write_record(key, result, PROVENANCE)
    return store.root / "records" / key[:2] / f"{key}.json"


def edit(path: Path, change: Any, *, seal: bool = False) -> None:
    """Change a record's JSON by hand; with `seal` all digests are made right again."""
    document = json.loads(path.read_text())
    change(document)
    if seal:
        document["digest"] = digest({name: document.get(name) for name in ("schema", "key", "result")})
        document["seal"] = digest([document.get(n) for n in ("schema", "key", "digest", "provenance")])
    path.write_text(json.dumps(document))


def nested(levels: int) -> Any:
    """Return an empty list within as many others."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def measure(value: Any) -> dict[str, Any]:
    """Return a measure's result."""
    made_from = {"ab" * 32: "cd" * 32}
    what = {"diagnostic": "layer-sparsity", "of": "mask", "made_from": made_from}
    return {**what, "outcome": "finished", "value": value}


def test_records_come_back(store: Store, key: str, result: dict[str, Any], path: Path) -> None:
    """A record is read back as it was written, in the order it was written."""
    record = store.read_record(key)
    bound = digest({"schema": 2, "key": key, "result": result})
    assert record == Record(2, key, bound, result, PROVENANCE, seal=digest([2, key, bound, PROVENANCE]))
    assert json.dumps(record.result) == json.dumps(result)
    assert list(json.loads(path.read_text())) == ["schema", "key", "digest", "seal", "result", "provenance"]


def test_digest_can_be_checked_with_the_standard_library(
    key: str, result: dict[str, Any], path: Path
) -> None:
    """The digest is the SHA-256 of schema, key and result with sorted keys and no white space."""
    document = json.loads(path.read_text())
    bound = {name: document[name] for name in ("schema", "key", "result")}
    spelled = json.dumps(bound, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(spelled.encode()).hexdigest() == document["digest"]


def test_first_record_wins(store: Store, key: str, result: dict[str, Any], path: Path) -> None:
    """Who writes a record second gets the first one's result and provenance."""
    counted = {"correct": 1, "examples": 10, "loss": 9.0}
    other = {**result, "test": counted, "curve": [{"step": 469, "train_loss": 1.0, **counted}]}
    assert store.write_record(key, other, {"numerics": "cuda"}) == store.read_record(key)
    assert store.read_record(key).result == result


def test_an_edited_accuracy_is_found(store: Store, key: str, path: Path) -> None:
    """A record whose count was changed by hand is set aside, said, and missing from then on."""
    edit(path, lambda record: record["result"]["test"].update(correct=9999))
    with pytest.raises(Damaged, match="its result has digest"):
        store.read_record(key)
    with pytest.raises(Missing):
        store.read_record(key)
    assert not store.has_record(key)
    assert store.record_keys() == set()


def test_layout_is_free(store: Store, key: str, result: dict[str, Any], path: Path) -> None:
    """White space and the order of keys are not part of the digest: a reformatted record is still good."""
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4, sort_keys=True))
    assert store.read_record(key).result == result


@pytest.mark.parametrize("length", [0, 1, 50, 200, -2])
def test_truncated_record_is_set_aside(store: Store, key: str, path: Path, length: int) -> None:
    """A half-written record is found, set aside, and can be written again."""
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    with pytest.raises(Damaged, match="not JSON"):
        store.read_record(key)
    result = json.loads(whole)["result"]
    assert store.write_record(key, result, {}).result == result


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.update(extra=1), "extra"),
        (lambda r: r.pop("provenance"), "provenance"),
        (lambda r: r.update(schema="1"), "schema"),
        (lambda r: r.update(schema=0), "schema"),
        (lambda r: r.update(schema=True), "schema"),
        (lambda r: r.update(key="../../x"), "key"),
        (lambda r: r.update(key="0" * 64), "it says that it is 0000"),
        (lambda r: r.update(schema=1), "its result has digest"),
        (lambda r: r["provenance"].update(numerics="gpu"), "digest-free: its provenance was altered"),
        (lambda r: r.update(digest="0" * 64), "its result has digest"),
        (lambda r: r.update(result=[]), "result"),
        (lambda r: r["result"].pop("cell"), "cell"),
        (lambda r: r["result"].update(outcome="won"), "outcome"),
        (lambda r: r["result"].pop("test"), "nothing counted"),
        (lambda r: r["result"]["test"].update(correct="9731"), "test.correct"),
        (lambda r: r["result"]["test"].update(correct=97.31), "test.correct"),
        (lambda r: r["result"]["test"].update(correct=10001), "10001 correct of 10000"),
        (lambda r: r["result"]["test"].update(examples=0), "test.examples"),
        (lambda r: r["result"].update(more=1), "more"),
        (lambda r: r["result"]["test"].update(loss=None), "its curve ends with loss"),
        (lambda r: r["result"]["curve"].append({"loss": 1}), "curve.1.step"),
        (lambda r: r["result"]["curve"].append(r["result"]["curve"][0]), "from step 469 to step 469"),
        (lambda r: r["result"].update(curve=[]), "its curve has no point"),
        (
            lambda r: r["result"].update(state="cd" * 32 + "@470"),
            "ends at step 469, its state is of step 470",
        ),
        (lambda r: r["result"].update(outcome="diverged"), "does not say where"),
        (lambda r: r["result"].update(diverged={"run": "ab" * 32, "step": 3}), "both finished and diverged"),
        (lambda r: r["result"]["mask"].update(kept=266201), "266201 kept of 266200"),
        (lambda r: r["result"]["mask"]["layers"].append({"name": "a", "kept": 1, "prunable": 9}), "have 1 w"),
        (lambda r: r["result"]["test"].update(examples=2**60), "test.examples"),
        (lambda r: r["provenance"].update(numerics=["x"]), "numerics"),
        (lambda r: r["provenance"].update(time={"train_seconds": -1}), "train_seconds"),
        (lambda r: r["provenance"].update(suite={"name": {"x": 1}}), "suite.name"),
        (lambda r: r["provenance"].update(notes="x" * 30_000), "a text of 30,000 characters"),
        (lambda r: r["result"]["cell"].update(deep=nested(40)), "more than 32 levels"),
        (lambda r: r["result"]["cell"].update(deep=nested(300)), "digest-free: more than 32 levels"),
        (lambda r: r["result"]["mask"].update(kept=-1), "mask.kept"),
    ],
)
def test_records_are_parsed_strictly(store: Store, key: str, path: Path, change: Any, said: str) -> None:
    """A record that is not what schema 1 says is damaged, even with the right digest; the fault is named."""
    document = json.loads(path.read_text())
    altered = "digest" in said
    edit(path, change, seal=not altered)
    assert json.loads(path.read_text()) != document
    with pytest.raises(Damaged, match=said.removeprefix("digest-free: ")):
        store.read_record(key)


@pytest.mark.parametrize(
    "content",
    [
        *(b"[]", b"null", b"\xff\xfe", b"[" * 5000, b'{"schema": NaN}', b"{}", b"", b"\0" * 500),
        *(
            b'{"a": ' * 1000 + b"1" + b"}" * 1000,
            b'{"schema": 1e999}',
            b'{"key": "\\ud800"}',
            b" " * 17_000_000,
        ),
    ],
    ids=range(12),
)
def test_what_is_no_record_is_damaged(store: Store, key: str, path: Path, content: bytes) -> None:
    """Anything else in a record's place is set aside, not a crash."""
    path.write_bytes(content)
    with pytest.raises(Damaged):
        store.read_record(key)


@pytest.mark.parametrize("field", ["result", "key", "schema", "provenance", "digest"])
def test_a_field_that_is_there_twice(store: Store, key: str, path: Path, field: str) -> None:
    """Readers of JSON would differ in which one counts: it is damaged, whichever stands last."""
    whole = path.read_text().strip()
    for spelled in (f'{{"{field}":1,{whole[1:]}', f'{whole[:-1]},"{field}":1}}'):
        path.write_text(spelled)
        with pytest.raises(Damaged, match=f"it says '{field}' twice"):
            store.read_record(key)


def test_a_newer_schema_is_said_and_kept(store: Store, key: str, path: Path) -> None:
    """A record of a newer schema is an error that says to use a newer prunebench; the file stays."""
    edit(path, lambda record: record.update(schema=3, more={"new": "field"}))
    with pytest.raises(StoreError, match="has schema 3, this prunebench knows up to 2") as caught:
        store.read_record(key)
    assert not isinstance(caught.value, Damaged | Missing)
    assert path.exists()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_refused(
    store: Store, key: str, result: dict[str, Any], number: float
) -> None:
    """NaN and infinities have no place in a result or its provenance; nothing is written."""
    with pytest.raises(ValueError, match="not a finite number"):
        store.write_record(key, {**result, "extra": number}, {})
    with pytest.raises(ValueError, match="not a finite number"):
        store.write_record(key, result, {"x": [number]})
    assert not store.has_record(key)


def test_a_result_of_no_cell_is_refused(store: Store, key: str) -> None:
    """What would not be read is not written either."""
    with pytest.raises(ValueError, match="not the result of a cell: cell"):
        store.write_record(key, {"outcome": "finished"}, {})


def test_a_diverged_record_needs_no_counts(store: Store, key: str, result: dict[str, Any]) -> None:
    """A diverged run is a result: no counts, losses of None, and where it happened."""
    diverged = {
        "cell": result["cell"],
        "outcome": "diverged",
        "diverged": {"run": "ab" * 32, "step": 17},
        "curve": [{"step": 10, "train_loss": None, "correct": 3, "examples": 10, "loss": None}],
        "state": None,
    }
    assert store.write_record(key, diverged, {}).result == diverged
    assert store.read_record(key).result == diverged


def test_measures_stand_beside_records(store: Store, key: str, result: dict[str, Any], path: Path) -> None:
    """A measure may hold any JSON object, and shares nothing with the record of the same key."""
    value = measure([0.5, None, {"conv1": 1}])
    assert not store.has_measure(key)
    store.write_measure(key, value, {"commit": None})
    assert store.read_measure(key).result == value
    assert store.read_record(key).result == result
    assert store.measure_keys() == {key}
    edit(store.root / "measures" / key[:2] / f"{key}.json", lambda m: m["result"].update(value=1))
    with pytest.raises(Damaged):
        store.read_measure(key)
    assert store.has_record(key)


def test_setting_a_record_aside(store: Store, key: str, path: Path) -> None:
    """Records and measures can be set aside by hand like artifacts."""
    store.write_measure(key, measure(1), {})
    assert store.set_aside(key, "wrong", part="record") is not None
    assert store.set_aside(key, "wrong", part="measure") is not None
    assert not store.has_record(key)
    assert not store.has_measure(key)


@pytest.mark.parametrize("bad", ["../x", "", "3f" * 32 + "@1", "..", "3f" * 32 + "\n"])
def test_keys_with_tricks_are_refused(store: Store, bad: str, result: dict[str, Any]) -> None:
    """Only 64 hexadecimal digits name a record or measure."""
    for use in (store.read_record, store.has_record, store.read_measure, store.has_measure):
        with pytest.raises(StoreError, match="not a key"):
            use(bad)
    with pytest.raises(StoreError, match="not a key"):
        store.write_record(bad, result, {})


def test_listing_leaves_strangers_out(store: Store, key: str, path: Path) -> None:
    """Files that are no records, temporary ones among them, are not listed."""
    (path.parent / "notes.json").write_text("{}")
    (path.parent / f".{path.name}.h-0.1.1.00000000.tmp").write_text("{}")
    (store.root / "records" / "README").write_text("")
    assert store.record_keys() == {key}


def test_listing_many_records_opens_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty thousand records are listed by their names."""
    keys = {f"{i * 0x9E3779B97F4A7C15 % 2**64:016x}".ljust(64, "0") for i in range(20_000)}
    for prefix in range(256):
        (store.root / "records" / f"{prefix:02x}").mkdir(parents=True)
    for key in keys:
        (store.root / "records" / key[:2] / f"{key}.json").touch()
    monkeypatch.setattr("builtins.open", lambda *args, **kwargs: pytest.fail(f"{args} is opened"))
    monkeypatch.setattr("os.open", lambda *args, **kwargs: pytest.fail(f"{args} is opened"))
    assert store.record_keys() == keys
