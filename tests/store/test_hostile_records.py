"""Records as somebody might send who wishes harm are refused by name, before a number of theirs is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hostile import RECORDS, TEXTS_IN_RECORDS, HostileRecord, sealed

from prunebench.store._errors import Flaw
from prunebench.store.records import parse_record

RECORD = json.loads((Path(__file__).parents[1] / "historic" / "record-schema-2.json").read_text("utf-8"))


@pytest.mark.parametrize("hostile", RECORDS, ids=lambda hostile: hostile.name)
def test_a_hostile_record_is_refused_by_name(hostile: HostileRecord) -> None:
    """What is wrong is said in one line of printable text that is no longer than a line should be."""
    with pytest.raises(Flaw, match=hostile.said) as refused:
        parse_record(hostile.content(RECORD), RECORD["key"])
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("name", sorted(TEXTS_IN_RECORDS))
def test_hostile_texts_alone_make_no_record_bad(name: str) -> None:
    """A record may call its layers and its machine what it likes: those who show it escape it."""
    document: dict[str, Any] = json.loads(json.dumps(RECORD))
    TEXTS_IN_RECORDS[name](document)
    record = parse_record(json.dumps(sealed(document)).encode(), RECORD["key"])
    assert record.result["mask"]["layers"][0]["kept"] == 0


def test_the_record_that_they_are_made_of_is_good() -> None:
    """So that nothing is refused for another reason."""
    assert parse_record(json.dumps(sealed(RECORD)).encode(), RECORD["key"]).result == RECORD["result"]
