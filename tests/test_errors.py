"""Errors and output are text whatever names they hold: bytes that are not UTF-8 are spelled out."""

from __future__ import annotations

import json

import pytest

from prunebench.cli._output import say, say_json, say_rows
from prunebench.engine.failures import JobFailed
from prunebench.engine.request import Request
from prunebench.errors import DataError, PrunebenchError, StoreError, nearest, readable
from prunebench.plan import Job
from prunebench.plan.params import ShuffleParams

LATIN = b"/data/caf\xe9".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("kind", [PrunebenchError, DataError, StoreError])
def test_an_error_with_such_a_name_is_text(kind: type[PrunebenchError]) -> None:
    """It can be printed, written to a log and stored."""
    assert str(kind(f"{LATIN} is damaged")) == r"/data/caf\xe9 is damaged"
    assert kind("café", 3).args == ("café", 3)


def test_any_text_can_be_encoded_afterwards() -> None:
    """Single halves of surrogates too, however they came there."""
    assert readable("a\udc80\ud800\U0001f600") == "a\\x80\\ud800\U0001f600"


def test_output_with_such_a_name_is_printed(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """To a stream that takes UTF-8 alone, in every way that commands print."""
    say(LATIN)
    say(LATIN, err=True)
    say_json({"path": LATIN})
    say_rows([{"path": LATIN}], ["path"], as_json=False)
    say_rows([{"path": LATIN}], ["path"], as_json=True)
    said = capsysbinary.readouterr()
    plain, rest = said.out.split(b"\n", 1)
    first, table = rest.split(b"}\n", 1)
    table, second = table.split(b"{", 1)
    assert plain.endswith(b"caf\\xe9")
    assert b"caf\\xe9" in table
    assert json.loads(first + b"}")["path"] == "/data/caf\\xe9"
    assert json.loads(b"{" + second)["rows"] == [{"path": "/data/caf\\xe9"}]
    assert b"caf\\xe9" in said.err


def test_a_request_with_such_paths_travels_to_workers() -> None:
    """As ASCII, and comes back as it was."""
    request = Request("quick", LATIN, LATIN + "/data", plugins=(LATIN + "/mine.py",), scorers=("snip",))
    text = request.to_json()
    assert text.isascii()
    assert Request.from_json(text) == request


def test_a_failed_jobs_message_is_text() -> None:
    """Also where a plugin's own error names such a file: it travels between processes."""
    failed = JobFailed(Job("0" * 64, ShuffleParams(seed=0)), f"FileNotFoundError: '{LATIN}'")
    assert failed.message == r"FileNotFoundError: '/data/caf\xe9'"
    str(failed).encode()


def test_names_with_a_comma_are_listed_in_quotes() -> None:
    """So that it is told where one ends; others stand as they are."""
    assert nearest("xyz", ["b", "a"]) == "; allowed: a, b"
    assert nearest("xyz", ["a, find b", "a"]) == "; allowed: 'a', 'a, find b'"
