"""`measures` on a tiny suite: what it prints, what it refuses."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest


def test_measures_of_a_finished_suite_as_tables(measured: Any) -> None:
    """A table for each measure, a row a method and number; single layers only where asked for."""
    text = measured.call("measures", "measured.toml").stdout
    assert text.startswith("# measured (version 2): measures\n\n## ")
    assert "## effective-density: tiny-net, digits, digits" in text
    assert "| random + shuffle" in text
    assert "| relative.sparse" in text
    assert "layers." not in text
    layers = measured.call("measures", "measured.toml", "-m", "layer-sparsity", "--field", "layers.*").stdout
    assert layers.count("\n## ") == 1
    assert "layers.1.weight.sparsity" in layers


def test_measures_as_data_agree_with_what_the_suite_says(measured: Any, tmp_path: Path) -> None:
    """CSV: a tenth of the weights is left at each step, which rules area and FLOPs; dense cells cost 1."""
    arguments = ["measures", "measured.toml", "-m", "weights-remaining", "-m", "training-flops"]
    text = measured.call(*arguments, "--format", "csv").stdout
    rows = {(r["method"], r["ablations"], r["field"]): r for r in csv.DictReader(io.StringIO(text))}
    assert float(rows["random", "", "mean"]["mean"]) == pytest.approx(0.1, abs=5e-3)
    after = rows["magnitude-after-training", "", "relative"]
    assert (float(after["mean"]), after["n"]) == (pytest.approx(1.1, abs=5e-3), "2")
    assert float(rows["none", "", "relative.sparse"]["mean"]) == 1
    assert float(rows["magnitude-after-training", "shuffle", "relative.dense"]["mean"]) == 2
    measured.call(*arguments, "--format", "csv", "-o", str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text("utf-8") == text


def test_measures_seed_by_seed_and_as_ratios(measured: Any) -> None:
    """Each seed's ratio is that of its own two numbers."""
    chosen = ["-m", "effective-density", "--field", "effective"]
    seeds = measured.json("measures", "measured.toml", *chosen, "--per-seed")["rows"]
    found = {(r["method"], r["ablations"], r["seed"]): r["value"] for r in seeds}
    ratios = measured.json("measures", "measured.toml", *chosen, "--ratio", "shuffle", "--per-seed")["rows"]
    assert len(ratios) == 4
    for one in ratios:
        below = found[one["method"], "", one["seed"]]
        assert one["value"] == pytest.approx(found[one["method"], "shuffle", one["seed"]] / below)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["-m", "flop"], "the suite does not measure 'flop'; did you mean 'flops'?"),
        (["--field", "dens"], "no number is at 'dens'"),
        (["--ratio", "reinit"], "no cell with a measure has the ablation 'reinit'"),
        (["--json", "--format", "csv"], "give one of them"),
        (["-o", "no/such/folder/x.csv"], "cannot write no/such/folder/x.csv"),
    ],
)
def test_what_is_not_there_is_said(measured: Any, arguments: list[str], match: str) -> None:
    """Exit code 2, a sentence, the nearest name."""
    result = measured.call("measures", "measured.toml", *arguments, code=2)
    assert match in " ".join(result.stderr.split())


def test_measures_that_are_not_made_yet_are_missing(place: Any, measured: Any) -> None:
    """Nothing has been run: each is counted as missing, and nothing is written."""
    place.write("measured.toml", (measured.folder / "measured.toml").read_text())
    before = place.files()
    result = place.call("measures", "measured.toml", "--format", "csv", *place.plugin, code=1)
    assert "nothing of suite measured has been measured" in result.stderr
    assert {(r["n"], r["missing"]) for r in csv.DictReader(io.StringIO(result.stdout))} == {("0", "2")}
    assert place.files() == before


def test_a_suite_without_measures_says_how_to_have_some(done: Any) -> None:
    """A mistake in what was asked."""
    place, _ = done
    assert "`measures = […]`" in place.call("measures", "tiny.toml", code=2).stderr
