"""Records and measures of every released schema, kept in tests/historic, load for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prunebench.store import Record, Store

HISTORIC = Path(__file__).parents[1] / "historic"
RECORDS = sorted(HISTORIC.glob("record-schema-*.json"))
MEASURES = sorted(HISTORIC.glob("measure-schema-*.json"))


def put(store: Store, path: Path, part: str) -> str:
    """Put a file as it was released into a store; return its key."""
    key: str = json.loads(path.read_text())["key"]
    place = store.root / part / key[:2] / f"{key}.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(path.read_bytes())
    return key


def test_every_schema_is_kept() -> None:
    """There is a record and a measure of each schema so far; those of later ones join them."""
    assert [path.name for path in RECORDS] == ["record-schema-1.json", "record-schema-2.json"]
    assert [path.name for path in MEASURES] == ["measure-schema-1.json", "measure-schema-2.json"]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_historic_records_load(store: Store, path: Path) -> None:
    """A record as it was released is read from a store, verified and whole, and its file is left as it is."""
    record = store.read_record(put(store, path, "records"))
    assert record.result["outcome"] == "finished"
    assert record.result["test"] == {"correct": 9784, "examples": 10000, "loss": 0.07318}
    assert record.schema == int(path.stem[-1])
    assert record.result["curve"][-1]["correct"] == record.result["test"]["correct"]
    assert record.provenance["suite"]["name"] == "pai-lenet"
    (file,) = (store.root / "records").rglob("*.json")
    assert file.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", MEASURES, ids=lambda path: path.stem)
def test_historic_measures_load(store: Store, path: Path) -> None:
    """So is a measure."""
    record: Record = store.read_measure(put(store, path, "measures"))
    assert record.schema == int(path.stem[-1])
    assert record.result["value"]["sparsity"] == 0.737855


def test_what_an_older_writer_said_besides_is_kept(store: Store) -> None:
    """Schema 1 said more of a layer than later ones do: it is read, not refused."""
    record = store.read_record(put(store, RECORDS[0], "records"))
    assert record.result["mask"]["layers"][0]["shape"] == [300, 784]
