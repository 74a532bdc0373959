"""Whether a rerun agrees with a claim: judged by records alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prunebench.engine.defaults import store_root
from prunebench.errors import UsageError
from prunebench.store import Record
from prunebench.trust.packs import unpack
from prunebench.trust.reruns import Row, judge, row_named, rows_of

from .conftest import Board

ROW = Row("main::x-d0.5", {"method": "x", "dataset": "digits"}, "0.5", ())


def record(correct: int | None, *, bits: str = "", numerics: str = "one") -> Record:
    """A record of so many correct of 1,000; None: diverged."""
    digest = f"{abs(hash((correct, bits))):064x}"[:64]
    counts: dict[str, Any] = {
        "test": {"correct": correct, "examples": 1000, "loss": 1.0},
        "outcome": "finished",
    }
    if correct is None:
        counts = {"outcome": "diverged"}
    return Record(2, "0" * 64, digest, counts, {"numerics": numerics})


def of(*correct: int | None, first: int = 0, **more: str) -> dict[int, Record]:
    return {first + seed: record(one, **more) for seed, one in enumerate(correct)}


def test_a_rerun_within_the_interval_agrees_and_outside_differs() -> None:
    """Claimed 90, 91, 92: mean 91, s 1, so one further run lies in 91 ± 4.303 · √(4/3) = 86.03 … 95.97."""
    claimed = of(900, 910, 920)
    for correct, outcome in ((861, "agrees"), (860, "differs"), (959, "agrees"), (960, "differs")):
        assert judge(ROW, claimed, of(correct, first=7), 10).outcome == outcome


def test_the_same_bits_again_are_no_further_run() -> None:
    """Three claimed seeds repeat to the bit, two fresh ones are far below: those are judged."""
    claimed = of(900, 901, 902)
    one = judge(ROW, claimed, {**claimed, **of(700, 710, first=3)}, 10)
    assert (one.outcome, list(one.same_bits), list(one.judged)) == ("differs", [0, 1, 2], [3, 4])
    assert one.mean == pytest.approx(70.5)
    assert judge(ROW, claimed, claimed, 10).outcome == "agrees"


def test_other_bits_within_a_numerics_class_are_told() -> None:
    """Across classes they are expected."""
    claimed, again = of(900, 910, 920), of(900, 911, 920, bits="other")
    assert judge(ROW, claimed, again, 10).other_bits == [0, 1, 2]
    elsewhere = of(900, 911, 920, bits="other", numerics="another")
    one = judge(ROW, claimed, elsewhere, 10)
    assert (one.other_bits, one.same_bits, list(one.numerics)) == ([], [], ["another", "one"])


def test_what_decides_nothing() -> None:
    """One claimed seed; nothing rerun; diverged runs of which nobody knows what a guess is."""
    assert "1 seed is claimed" in judge(ROW, of(900), of(900, first=1), 10).reason
    assert "nothing was rerun" in judge(ROW, of(900, 910), {}, 10).reason
    unknown = judge(ROW, of(900, None), of(900, first=5), None)
    assert (unknown.outcome, unknown.diverged) == ("undecided", 1)
    assert "guess is not known" in unknown.reason


def test_a_diverged_run_counts_as_a_guess() -> None:
    """Of ten classes: 10 %."""
    one = judge(ROW, of(900, 910, 920), of(None, first=4), 10)
    assert (one.outcome, one.mean, one.diverged) == ("differs", 10.0, 1)


def test_a_row_is_found_by_its_names(finished: Board, tmp_path: Path) -> None:
    """Its own, a cell's, the beginning of a key; else the nearest is told."""
    plan = unpack(finished.board / "records.tar.xz", tmp_path).plan
    rows = list(rows_of(plan).values())
    snip = next(row for row in rows if row.labels["method"] == "snip")
    assert [len(row.cells) for row in rows] == [3, 3, 3]
    for name in (snip.name, snip.name.partition("::")[2], snip.cells[1].id, snip.cells[2].key[:12]):
        assert row_named(plan, name) == snip
    with pytest.raises(UsageError, match=r"did you mean 'main::digits-mlp-digits-snip-d0.5'"):
        row_named(plan, "main::digits-mlp-digits-snap-d0.5")
    with pytest.raises(UsageError, match="no row"):
        row_named(plan, "abcdef0123456789")


def test_an_interval_of_accuracies_is_told_within_0_and_100(capsys: pytest.CaptureFixture[str]) -> None:
    """Of 90 and 99 it is 94.5 ± 12.706 · 6.364 · √(3/2): what decides, but no accuracy has that."""
    from types import SimpleNamespace

    from prunebench.cli.verify import _tell

    one = judge(ROW, of(900, 990), of(950, first=2), 10)
    assert one.prediction is not None
    assert one.prediction.low < 0 < 100 < one.prediction.high
    _tell(SimpleNamespace(verified=one, kept=0, set_aside=0, made=1), [])  # type: ignore[arg-type]
    assert "the mean of 1: 0.00 % to 100.00 %" in capsys.readouterr().out


def test_a_store_is_named_without_detours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`..` is the folder above what a link leads to, as everywhere; links themselves stay as given."""
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "inner")
    monkeypatch.chdir(tmp_path)
    assert store_root("link/../store") == (tmp_path / "real" / "store").resolve()
    assert store_root("link/store") == tmp_path / "link" / "store"


def test_a_merge_counts_one_of_a_kind_as_one(tmp_path: Path) -> None:
    """In the sentence that it ends with."""
    from collections import Counter

    from prunebench.cli.merge import _counts
    from prunebench.store.merge import Merged

    merged = Merged(copied=Counter(plans=1, records=2), there=Counter(artifacts=1))
    assert _counts(merged) == "copied 1 plan, 2 records; there already 1 artifact"
