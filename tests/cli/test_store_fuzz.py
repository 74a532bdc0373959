"""Whatever stands in a store's files: every command says the right numbers, or refuses with advice.

Each case spoils one file (or changes two) of a small finished store, asks commands what they make of it, and
runs the suite again. Allowed is that the run makes good what was lost, so that all tables are those of the
undisturbed store to the byte; or that a command refuses, with a message and an exit code that is not 0.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import shutil
import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from little_suites import little_suite

from prunebench.engine.request import Request
from prunebench.engine.selection import write_last_failed
from prunebench.engine.session import Session
from prunebench.store import Store

from .conftest import Place, make_place
from .mutations import KINDS, files, mutate

SUITE = little_suite(["magnitude"], name="small", seeds=2, measures=["layer-sparsity"])

EDITED = ("leaderboard", "measures")


@dataclass
class Whole:
    """A finished store with a file of every kind, and what the commands say of it."""

    place: Place
    said: dict[str, str]
    accuracies: dict[str, list[float]]
    """By method, in percent, a number a seed."""

    def copy(self, folder: Path) -> Place:
        shutil.copytree(self.place.folder, folder)
        return Place(folder)


def suite(place: Place) -> str:
    return str(place.folder / "small.toml")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Whole:
    """Run a suite of four cells; add a checkpoint, a failure, a stale claim and a file set aside."""
    place = make_place(tmp_path_factory.mktemp("whole"))
    place.write("small.toml", SUITE)
    place.call("run", suite(place))
    store = Store.open(place.store)
    records = sorted(store.record_keys())
    for key in records:
        store.write_attempt(key, "out of memory", log_tail="a line", job={"kind": "record"})
    store.write_record("0" * 64, store.read_record(records[0]).result, {})
    store.set_aside("0" * 64, "for the test", part="record")
    with store.claim(records[0]) as claim:
        assert claim is not None
        content = (place.store / "claims" / f"{records[0]}.json").read_bytes()
    (place.store / "claims" / f"{records[0]}.json").write_bytes(content.replace(b'"pid":', b'"pid":1'))
    shutil.copytree(_interrupted(place), place.store / "artifacts", dirs_exist_ok=True)
    write_last_failed(place.store, Path(suite(place)), failed=["methods::a-cell"], passed=())
    assert all(files(place.store, kind) for kind in KINDS)
    said = {name: place.call(name, suite(place)).stdout for name in EDITED}
    found: dict[str, list[float]] = {}
    for cell in place.json("plan", suite(place))["cells"]:
        test = store.read_record(cell["key"]).result["test"]
        found.setdefault(cell["method"], []).append(100 * test["correct"] / test["examples"])
    return Whole(place, said, found)


def _interrupted(place: Place) -> Path:
    """Stop the first training after some steps, in another store; return where its checkpoint is."""
    request = Request(suite(place), str(place.folder / "other"), "data")
    session = Session.prepare(request)
    engine = session.worker(Store.open(request.store))

    def stop(job: Any, step: int, to_step: int) -> None:
        if step == 7:
            raise KeyboardInterrupt

    engine.context.checkpoint_seconds, engine.context.progress = 0.0, stop
    with pytest.raises(KeyboardInterrupt):
        engine.make(session.plan.cells[0])
    found = sorted((place.folder / "other" / "artifacts").glob("*/*.checkpoint.safetensors"))
    assert len(found) == 1
    return place.folder / "other" / "artifacts"


def check(whole: Whole, folder: Path, seed: int) -> tuple[str, str]:
    """Spoil a copy of the store as the seed says; return the outcome and what was done."""
    rng = random.Random(seed)
    place = whole.copy(folder)
    kind = KINDS[seed % len(KINDS)]
    if kind in ("artifact", "checkpoint"):  # so that the run has to read it
        for record in files(place.store, "record"):
            record.unlink()
    if kind == "checkpoint":
        for state in files(place.store, "artifact"):
            if state.stem.endswith("@23"):
                state.unlink()
    before = len(files(place.store, "note"))
    done = mutate(place.store, kind, rng)
    try:
        refused = _ask(whole, place, rng, forged=kind == "plan" and "made right" in done)
        outcome = _run(whole, place, before)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, {done}: {error}") from error
    return ("refused" if outcome == "unharmed" and refused else outcome), f"{kind}: {done}"


def _call(place: Place, *args: str) -> Any:
    """Call a command; there must be no traceback, and a message where the exit code is not 0."""
    result = place.call(*args, code=None)
    text = result.output
    assert "Traceback" not in text, text
    assert "Internal error" not in text, text
    assert "INTERNALERROR" not in text, text
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in (0, 1, 2), text
    if result.exit_code:
        assert len(text.strip()) > 20, text
    assert not any(ord(c) < 32 and c not in "\n\t" for c in text), repr(text)
    return result


def _ask(whole: Whole, place: Place, rng: random.Random, *, forged: bool) -> bool:
    """Ask two commands about the spoilt store; return whether one refused.

    A plan whose checksum was made right is not found out (whoever edits it could edit the table): of it
    only messages are looked at.
    """
    refused = False
    record = rng.choice(files(whole.place.store, "record")).stem
    status = _call(place, "status", suite(place), "--json")
    refused |= bool(status.exit_code)
    if not status.exit_code and not forged:
        total = json.loads(status.stdout)["total"]
        readable = sum(p.is_file() for p in files(place.store, "record"))
        assert total["done"] + total["diverged"] <= readable, f"{total} of {readable} that can be read"
    command = rng.choice(
        [
            ("leaderboard", suite(place), "--json"),
            ("measures", suite(place), "--json"),
            ("plan", suite(place)),
            ("export", record, "-o", str(place.folder / "out.safetensors")),
        ]
    )
    result = _call(place, *command)
    refused |= bool(result.exit_code)
    if command[0] == "leaderboard" and not result.exit_code and not forged:
        _check_means(whole, json.loads(result.stdout))
    return refused


def _check_means(whole: Whole, board: Any) -> None:
    """Check that every mean is one of the true accuracies of as many seeds."""
    for row in board["settings"][0]["rows"] if board["settings"] else ():
        if row.get("at", "sparsity") == "sparsity" and row["n"]:
            true = whole.accuracies[row["method"]]
            means = [statistics.mean(some) for some in itertools.combinations(true, row["n"])]
            assert any(abs(row["mean"] - mean) < 1e-3 for mean in means), row


def _run(whole: Whole, place: Place, before: int) -> str:
    """Run the suite; return "restored", "unharmed" (nothing was lost) or "refused".

    `before` is how many files had been set aside before one was spoilt.
    """
    result = _call(place, "run", suite(place))
    if result.exit_code:
        return "refused"
    for name in EDITED:
        said = _call(place, name, suite(place)).stdout
        assert _untimed(said) == _untimed(whole.said[name]), f"another {name}"
    made = "made now" in result.stdout and not result.stdout.startswith("all")
    return "restored" if made or len(files(place.store, "note")) > before else "unharmed"


def _fuzz(whole: Whole, folder: Path, seeds: range) -> Counter[str]:
    torch.set_num_threads(1)
    outcomes: Counter[str] = Counter()
    wrong = []
    for seed in seeds:
        try:
            outcome, done = check(whole, folder / str(seed), seed)
        except AssertionError as error:
            outcome, done = "wrong", str(error)
            wrong.append(done)
        outcomes[outcome] += 1
        shutil.rmtree(folder / str(seed))
        print(f"{seed:4d} {outcome:9} {done}")
    print(dict(outcomes))
    assert not wrong, "\n\n".join(wrong)
    return outcomes


def test_spoilt_files_are_made_again_or_refused(whole: Whole, tmp_path: Path) -> None:
    """Two ways to spoil a file of every kind."""
    outcomes = _fuzz(whole, tmp_path, range(2 * len(KINDS)))
    assert outcomes["restored"] > 5


@pytest.mark.slow
def test_three_hundred_spoilt_files_are_made_again_or_refused(whole: Whole, tmp_path: Path) -> None:
    """Three hundred ways to spoil a file."""
    outcomes = _fuzz(whole, tmp_path, range(1000, 1300))
    assert outcomes["restored"] > 50


def _untimed(table: str) -> str:
    """Return a table without how long scoring took, which is another time each time, and how wide that is."""
    return re.sub(r"[ -]+", " ", re.sub(r"[\d.]+ (µs|ms|s|min)\b", "a time", table))
