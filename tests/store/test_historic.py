"""Records of every released schema, kept in tests/historic, load for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prunebench.store import Store

HISTORIC = sorted((Path(__file__).parents[1] / "historic").glob("record-schema-*.json"))


def test_every_schema_is_kept() -> None:
    """There is a record of schema 1; one of each later schema joins it."""
    assert [path.name for path in HISTORIC][:1] == ["record-schema-1.json"]


@pytest.mark.parametrize("path", HISTORIC, ids=lambda path: path.stem)
def test_historic_records_load(store: Store, path: Path) -> None:
    """A record as it was released is read from a store, verified and whole."""
    document = json.loads(path.read_text())
    place = store.root / "records" / document["key"][:2] / f"{document['key']}.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(path.read_bytes())
    record = store.read_record(document["key"])
    assert record.result["outcome"] == "finished"
    assert record.result["test"] == {"correct": 9784, "examples": 10000, "loss": 0.07318}
    assert record.digest == document["digest"]
    assert record.result["curve"][-1]["correct"] == record.result["test"]["correct"]
    assert record.provenance["suite"]["name"] == "pai-lenet"
