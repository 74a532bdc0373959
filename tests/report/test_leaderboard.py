from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunebench.analysis import table
from prunebench.errors import UsageError
from prunebench.percent import percent_labels
from prunebench.report.escapes import markdown as escape
from prunebench.report.leaderboard import leaderboard as written
from prunebench.report.results import COSTS, Results
from prunebench.report.standings import LONG

Cells = Callable[..., pd.DataFrame]
SUITE = {"name": "quick", "version": "1", "margins": {"mnist": 0.2}}
METHODS: dict[str, dict[float, list[Any]]] = {
    "snip": {0.5: [97.0, 97.2, 97.4], 0.8: [96.0, 96.1, 96.4]},
    "snip+shuffle": {0.5: [97.1, 97.1, 97.5], 0.8: [96.1, "diverged", 96.2]},
    "magnitude-after-training": {0.5: [98.0, 98.1, 98.2], 0.8: [98.0, 98.0, 98.3]},
    "random": {0.5: [95.0, 95.4, 95.2], 0.8: [90.0, 91.0, 92.0]},
    "none": {0.0: [98.1, 98.0, 98.2]},
}


def leaderboard(frame: pd.DataFrame, *, suite: dict[str, Any], format: str = "md") -> str:
    """Return the leaderboard of a table of cells."""
    return written(Results(suite, frame), format)


def rows_of(text: str) -> list[list[str]]:
    """The cells of all rows of all markdown tables."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|:")]
    return [[cell.strip() for cell in line.strip("|").replace("\\|", "¦").split("|")] for line in lines]


def long_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_whole_markdown_table(cells: Cells) -> None:
    """Methods in the suite's order with the unpruned network first, mean ± sd, diverged marked."""
    text = leaderboard(cells(METHODS, recipe="lenet-mnist", split="test", classes=10), suite=SUITE)
    assert text.splitlines()[0] == "# quick (version 1): leaderboard"
    assert "## lenet on mnist (recipe lenet-mnist, test split)" in text
    assert "standard deviation over seeds" in text
    assert "Seeds: 3" in text
    assert rows_of(text)[:6] == [
        ["method", "0 %", "50 %", "80 %"],
        ["none", "98.10 ± 0.10", "", ""],
        ["snip", "", "97.20 ± 0.20", "96.17 ± 0.21"],
        ["snip + shuffle", "", "97.23 ± 0.23", "96.15 ± 0.07 (1 of 3 diverged) [1]"],
        ["magnitude-after-training", "", "98.10 ± 0.10", "98.10 ± 0.17"],
        ["random", "", "95.20 ± 0.20", "91.00 ± 1.00"],
    ]
    assert "- [1] Diverged runs (over a range: seeds with one) are out of the mean shown." in text
    assert "counts with the accuracy of a guess, 10 %; an interval does not describe such a mixture" in text


def test_places_and_differences_over_ranges(cells: Cells) -> None:
    """Ranges are named with their sparsities; each has means, places and differences."""
    text = leaderboard(cells(METHODS), suite=SUITE)
    assert "(margin 0.2 points): trivial none, matching 50–80 %, extreme none" in text
    found = {row[0]: row[1:] for row in rows_of(text)[6:]}
    assert found["method"] == ["matching", "matching: place", "matching: difference"]
    assert found["magnitude-after-training"] == ["98.10 ± 0.13", "1–2 of 4", ""]
    assert found["random"][1] == "3–4 of 4"
    assert found["snip"][1] == "2–3 of 4"
    low, high = stats.ttest_rel([96.5, 96.65, 96.9], [98.0, 98.05, 98.25]).confidence_interval()
    assert found["snip"][2] == f"-1.42 [{low:.2f}, {high:.2f}]"
    assert "none" not in found
    assert "each pair's own two-sided t test" in text


def test_csv_is_long_and_has_every_statistic(cells: Cells) -> None:
    """One row a method and sparsity or range; the interval is scipy's."""
    found = long_rows(leaderboard(cells(METHODS), suite=SUITE, format="csv"))
    assert list(found[0]) == ["schema", "suite", "version", *LONG, *COSTS]
    (row,) = [r for r in found if (r["method"], r["ablations"], r["sparsity"]) == ("snip", "", "0.5")]
    values = METHODS["snip"][0.5]
    low, high = stats.t.interval(0.95, 2, loc=97.2, scale=stats.sem(values))
    assert (float(row["low"]), float(row["high"])) == pytest.approx((low, high))
    assert float(row["difference_mean"]) == pytest.approx(-0.9)
    assert (row["difference_n"], row["difference_df"], row["schema"]) == ("3", "2.0", "1")
    assert {r["range"] for r in found if r["at"] == "range"} == {"matching", "all"}
    (short,) = [r for r in found if r["ablations"] == "shuffle" and r["sparsity"] == "0.8"]
    assert (short["n"], short["planned"], short["diverged"]) == ("2", "3", "1")


def test_json_says_what_csv_says(cells: Cells) -> None:
    """Both are the same numbers; JSON has the suite, the settings and their ranges too."""
    frame = cells(METHODS)
    whole = json.loads(leaderboard(frame, suite=SUITE, format="json"))
    assert (whole["schema"], whole["suite"]) == (1, {"name": "quick", "version": "1"})
    (setting,) = whole["settings"]
    assert (setting["architecture"], setting["margin"]) == ("lenet", 0.2)
    assert setting["ranges"] == {"trivial": [], "matching": [0.5, 0.8], "extreme": [], "all": [0.5, 0.8]}
    flat = long_rows(leaderboard(frame, suite=SUITE, format="csv"))
    assert len(flat) == len(setting["rows"])
    for ours, theirs in zip(setting["rows"], flat, strict=True):
        assert {name: "" if ours[name] in (None, []) else str(ours[name]) for name in ours} == {
            name: theirs[name] for name in ours
        }


@pytest.mark.parametrize("format", ["md", "csv", "json"])
def test_the_same_table_gives_the_same_bytes(cells: Cells, format: str) -> None:
    """A leaderboard made twice, and from rows of the seeds in another order, is the same text."""
    frame = cells(METHODS)
    once = leaderboard(frame, suite=SUITE, format=format)
    by_seed = frame.sort_values("seed", ascending=False, kind="stable").reset_index(drop=True)
    assert leaderboard(frame.copy(), suite=SUITE, format=format) == once
    assert leaderboard(by_seed, suite=SUITE, format=format) == once
    assert once.endswith("\n")


@pytest.mark.parametrize("format", ["md", "csv", "json"])
def test_an_empty_table_is_no_error(format: str) -> None:
    """Before anything is planned there is a leaderboard without settings."""
    text = leaderboard(table([]), suite=SUITE, format=format)
    assert {"md": "No cells", "csv": "suite,version", "json": '"settings": []'}[format] in text


def test_diverged_and_failed_cells_stand_by_name(cells: Cells) -> None:
    """A method that always diverged has the word in its cell; so has one that always failed."""
    methods = {**METHODS, "snip": {0.5: ["diverged"] * 3, 0.8: ["failed"] * 3}}
    text = leaderboard(cells(methods, classes=10), suite=SUITE)
    snip = next(row for row in rows_of(text) if row[0] == "snip")
    assert [cell.split()[0] for cell in snip[2:]] == ["diverged", "failed"]
    assert (
        "In differences, places and ranges a diverged run counts with the accuracy of a guess, 10 %." in text
    )
    assert "3 of 3 failed: out of the mean" in text


def test_one_seed_shows_no_error_bar(cells: Cells) -> None:
    """Without replication there is no ±, no interval, and everybody shares all places."""
    single = {name: {s: entries[:1] for s, entries in points.items()} for name, points in METHODS.items()}
    text = leaderboard(cells(single), suite=SUITE)
    assert "Seeds: 1" in text
    assert ["snip", "", "97.00", "96.00"] in rows_of(text)
    found = {row[0]: row[1:] for row in rows_of(text)[6:]}
    assert found["snip"] == ["96.50", "1–4 of 4", "-1.50"]


def test_a_setting_without_the_baseline_still_has_places(cells: Cells) -> None:
    """Suites need no magnitude after training: places over all sparsities, no differences, and why."""
    methods = {name: METHODS[name] for name in ("none", "snip", "random")}
    text = leaderboard(cells(methods), suite=SUITE)
    assert "magnitude-after-training is not part of this setting" in text
    assert ["method", "all", "all: place"] in rows_of(text)
    assert ["snip", "96.68 ± 0.20", "1 of 2"] in rows_of(text)


def test_mixed_numerics_classes_are_said(cells: Cells) -> None:
    """A table that mixes machines' arithmetic says so; one class is not worth a word."""
    frame = cells(METHODS)
    assert "numerics" not in leaderboard(frame.assign(numerics="cpu-avx2"), suite=SUITE)
    frame["numerics"] = ["cpu-avx2", *["cuda-sm90"] * (len(frame) - 1)]
    assert "2 numerics classes are mixed here (cpu-avx2; cuda-sm90)" in leaderboard(frame, suite=SUITE)


def test_a_pruning_step_is_a_setting_with_lent_baselines(cells: Cells) -> None:
    """Baselines of the plain setting stand beside methods that prune later, and this is said."""
    late = {"snip": METHODS["snip"]}
    plain = {name: points for name, points in METHODS.items() if name != "snip"}
    text = leaderboard(pd.concat([cells(plain), cells(late, score_at="step 1000")]), suite=SUITE)
    part = text[text.index("pruned at step 1000") :]
    assert [row[0] for row in rows_of(part)[:5]] == [
        "method",
        "none",
        "snip",
        "magnitude-after-training",
        "random",
    ]
    assert "without find changes and pruning step: none, magnitude-after-training, random" in part


def test_settings_of_only_the_unpruned_network_are_not_shown(cells: Cells) -> None:
    """A dense cell that was planned for its siblings has no table of its own, unless it is all there is."""
    dense = {"none": METHODS["none"]}
    late = cells({"snip": METHODS["snip"]}, score_at="step 1000")
    assert leaderboard(pd.concat([cells(dense), late]), suite=SUITE).count("## ") == 1
    assert leaderboard(cells(dense), suite=SUITE).count("## ") == 1


def test_suites_set_baselines_and_margins(cells: Cells) -> None:
    """The suite's own names and margin decide the ranges."""
    suite = {**SUITE, "baselines": {"after-training": "snip"}, "margin": 1.5}
    text = leaderboard(cells(METHODS), suite=suite)
    assert "(margin 1.5 points): trivial none, matching 50 %, extreme 80 %" in text
    assert "A difference is to snip" in text


def test_others_texts_cannot_break_the_table(cells: Cells) -> None:
    """Pipes, markup and line ends in names stay text."""
    text = leaderboard(cells({"a|b\n# *c* <script>": {0.5: [1.0]}}, dataset="[x](y)"), suite=SUITE)
    assert "a\\|b # \\*c\\* &lt;script&gt;" in text
    assert "\\[x\\](y)" in text
    assert {len(row) for row in rows_of(text)[:2]} == {2}


def test_escape_leaves_plain_names_alone() -> None:
    """Ordinary names look the same in a terminal."""
    assert (
        escape("magnitude-after-training resnet_20 lr=0.05") == "magnitude-after-training resnet_20 lr=0.05"
    )


@pytest.mark.parametrize(
    ("sparsities", "labels"),
    [
        ([0, 0.5, 0.9], ["0", "50", "90"]),
        ([1 - 0.8**k for k in (1, 2, 3, 18)], ["20.0", "36.0", "48.8", "98.2"]),
        ([1 - 2.0**-k for k in (1, 9, 10)], ["50.0", "99.8", "99.9"]),
        ([1 - 10.0**-k for k in (2, 3, 4)], ["99.00", "99.90", "99.99"]),
        ([0.98, 0.9804], ["98.00", "98.04"]),
        ([], []),
    ],
)
def test_sparsities_have_enough_digits(sparsities: list[float], labels: list[str]) -> None:
    """Columns can be told apart, and the density behind a label is right to a few percent."""
    assert list(percent_labels(sparsities).values()) == labels


def test_an_unknown_format_is_refused() -> None:
    """The formats are named."""
    with pytest.raises(UsageError, match="did you mean 'md'"):
        leaderboard(table([]), suite=SUITE, format="mdd")


def test_a_suite_says_title_and_columns(cells: Cells) -> None:
    """Its title stands in the heading; columns of sparsities that were not asked for are left out."""
    how = {"leaderboard": {"title": "Small nets"}, "sparsities": [0.8]}
    text = leaderboard(cells(METHODS), suite={**SUITE, **how})
    assert text.splitlines()[0] == "# Small nets (version 1): leaderboard"
    assert rows_of(text)[:3] == [
        ["method", "0 %", "80 %"],
        ["none", "98.10 ± 0.10", ""],
        ["snip", "", "96.17 ± 0.21"],
    ]


def test_a_setting_of_which_nothing_has_been_run_is_one_line(cells: Cells) -> None:
    """Instead of a table of dashes it says how many cells are missing."""
    missing = {"snip": {0.5: ["missing"] * 3}, "random": {0.5: ["missing"] * 3}}
    text = leaderboard(cells(missing), suite=SUITE)
    assert "Nothing has been run yet: 6 cells are missing." in text
    assert rows_of(text) == []


TWICE = (("table2", 93.6), ("table7", 93.5), ("table8", 93.5))
"""What one source says of one cell in three tables of its own."""


def test_reported_numbers_stand_below_ours(cells: Cells) -> None:
    """A row for each source and method, a divergence by its word; other settings' numbers are not shown."""
    frame = cells(METHODS)
    first = frame.iloc[0]
    labels = {k: str(first[k]) for k in ("architecture", "dataset", "recipe", "find", "score_at", "split")}
    density = {float(row["sparsity"]): row["density"] for row in frame.to_dict("records")}
    base = {**labels, "method": "snip", "ablations": "", "runs": None, "source": "A | paper"}
    reported = [
        {**base, "density": density[0.5], "value": 96.5, "runs": 3},
        {**base, "density": density[0.8], "value": None},
        {**base, "density": density[0.8], "value": 11.0, "dataset": "another"},
        *({**base, "matrix": m, "source": "B", "density": density[0.5], "value": v} for m, v in TWICE),
    ]
    text = leaderboard(frame, suite={**SUITE, "reported": reported})
    assert "Reported by others:" in text
    ours, half = [97.0, 97.2, 97.4], stats.t.ppf(0.975, 2) * stats.sem([97.0, 97.2, 97.4])
    interval = f"[{0.7 - half:+.2f}, {0.7 + half:+.2f}]"
    assert ["snip", "50 %", "A ¦ paper", "96.5 (n = 3)", "97.20 ± 0.20 (n = 3)", f"+0.70 {interval}"] in [
        row[:6] for row in rows_of(text)
    ]
    assert np.mean(ours) == pytest.approx(97.2)
    assert [row[3] for row in rows_of(text) if row[2:3] == ["B"]] == ["93.6"]
    twice = {tuple(row[2:4]) for row in rows_of(text) if row[2:] and row[2].startswith("B (")}
    assert twice == {("B (table7)", "93.5"), ("B (table8)", "93.5")}
    assert ["diverged", "96.17 ± 0.21 (n = 3)", "", "0.2", "fails"] in [row[3:] for row in rows_of(text)]
    assert "11.00" not in text
    found = json.loads(leaderboard(frame, suite={**SUITE, "reported": reported}, format="json"))
    assert [(row["sparsity"], row["value"], row["runs"]) for row in found["settings"][0]["reported"]] == [
        (0.5, 96.5, 3),
        (0.8, None, None),
        *((0.5, value, None) for _, value in TWICE),
    ]
    assert [row["matrix"] for row in found["settings"][0]["reported"]] == ["", "", *(m for m, _ in TWICE)]
    plain = leaderboard(frame, suite=SUITE)
    assert "Reported" not in plain
    assert leaderboard(frame, suite={**SUITE, "reported": reported}, format="csv") == leaderboard(
        frame, suite=SUITE, format="csv"
    )


GRASP: dict[str, dict[float, list[Any]]] = {
    **METHODS,
    "grasp-inverted": {0.5: [90.0, 91.0, 92.5], 0.8: [80.0, 81.0, 82.5]},
    "grasp+invert": {0.5: [90.0, 91.0, 92.5], 0.8: [80.0, 81.0, 82.5]},
}


def shared(frame: pd.DataFrame, *, at: tuple[float, ...] = (0.5, 0.8)) -> pd.DataFrame:
    """Let grasp under invert be grasp-inverted's cells, at these sparsities."""
    there = frame["method"].str.startswith("grasp") & frame["sparsity"].isin(at)
    key = "g" + frame["sparsity"].astype(str) + frame["seed"].astype(str)
    return frame.assign(key=frame["key"].where(~there, key))


def test_one_cell_under_two_names_is_one_row(cells: Cells) -> None:
    """In markdown the other name stands beside the first; counts of places, CSV and JSON have one method."""
    frame = shared(cells(GRASP))
    found = rows_of(leaderboard(frame, suite=SUITE))
    assert [row[0] for row in found].count("grasp-inverted (also: grasp + invert)") == 2
    assert not any(row[0].startswith("grasp + invert") for row in found)
    assert {row[2].split()[-1] for row in found[8:] if row[0] == "snip"} == {"5"}
    flat = long_rows(leaderboard(frame, suite=SUITE, format="csv"))
    assert {(r["method"], r["ablations"]) for r in flat if r["also"]} == {("grasp-inverted", "")}
    assert {r["also"] for r in flat} == {"", "grasp + invert"}
    assert {r["of"] for r in flat if r["at"] == "range"} == {"5"}
    (setting,) = json.loads(leaderboard(frame, suite=SUITE, format="json"))["settings"]
    assert next(r["also"] for r in setting["rows"] if r["method"] == "grasp-inverted") == ["grasp + invert"]
    assert {r["of"] for r in setting["rows"] if r["sparsity"] != 0.0} == {5}


def test_names_that_meet_at_one_sparsity_have_rows_of_their_own(cells: Cells) -> None:
    """Where they are one cell the second row says so, and has no place of its own to count."""
    text = leaderboard(shared(cells(GRASP), at=(0.5,)), suite=SUITE)
    rows = {row[0]: row for row in rows_of(text)[:8]}
    assert rows["grasp + invert"][2:] == ["91.17 ± 1.26 [2]", "81.17 ± 1.26"]
    assert rows["grasp-inverted"][2:] == ["91.17 ± 1.26", "81.17 ± 1.26"]
    assert "- [2] One cell with grasp-inverted: counted once, under that name." in text
    flat = long_rows(leaderboard(shared(cells(GRASP), at=(0.5,)), suite=SUITE, format="csv"))
    assert {r["of"] for r in flat if r["sparsity"] == "0.5"} == {"5"}
    assert {r["of"] for r in flat if r["sparsity"] == "0.8"} == {"6"}


def test_the_baseline_may_have_another_name(cells: Cells) -> None:
    """Differences are to the baseline's cells, whatever name comes first."""
    methods = {"trained": METHODS["magnitude-after-training"], **METHODS}
    frame = cells(methods)
    trained = frame["method"].isin(["trained", "magnitude-after-training"])
    key = "t" + frame["sparsity"].astype(str) + frame["seed"].astype(str)
    text = leaderboard(frame.assign(key=frame["key"].where(~trained, key)), suite=SUITE)
    found = {row[0]: row for row in rows_of(text)[6:]}
    plain = {row[0]: row for row in rows_of(leaderboard(cells(METHODS), suite=SUITE))[6:]}
    assert found["trained (also: magnitude-after-training)"][3] == ""
    assert found["snip"][1:] == plain["snip"][1:]
    assert "matching 50–80 %" in text


def test_both_means_of_diverged_runs_are_in_the_data(cells: Cells) -> None:
    """CSV and JSON: the mean of the finished ones, and with the diverged ones at a guess; at ranges too."""
    frame = cells(METHODS, classes=10)
    for row in long_rows(leaderboard(frame, suite=SUITE, format="csv")):
        if row["method"] == "snip" and row["ablations"] and row["sparsity"] == "0.8":
            assert (float(row["mean"]), row["diverged"], row["guess"]) == (pytest.approx(96.15), "1", "10.0")
            assert float(row["mean_with_diverged"]) == pytest.approx((96.1 + 96.2 + 10) / 3)
            assert row["difference_diverged"] == "1"
            expected = stats.ttest_rel([96.1, 10, 96.2], [98.0, 98.0, 98.3])
            assert float(row["difference_p"]) == pytest.approx(expected.pvalue)
    (setting,) = json.loads(leaderboard(frame, suite=SUITE, format="json"))["settings"]
    (row,) = [r for r in setting["rows"] if r["ablations"] == "shuffle" and r["range"] == "matching"]
    assert (row["n"], row["diverged"]) == (2, 1)
    seeds = [(97.1 + 96.1) / 2, (97.1 + 10) / 2, (97.5 + 96.2) / 2]
    assert row["mean"] == pytest.approx((seeds[0] + seeds[2]) / 2)
    assert row["mean_with_diverged"] == pytest.approx(sum(seeds) / 3)


def test_a_mixture_is_said_beside_its_rows(cells: Cells) -> None:
    """Beside the mean, the difference, and every difference to a baseline of which some runs diverged."""
    text = leaderboard(cells(METHODS, classes=10), suite=SUITE)
    rows = {row[0]: row for row in rows_of(text)[6:]}
    assert rows["snip + shuffle"][1].endswith("(1 of 3 diverged) [1]")
    assert rows["snip + shuffle"][3].endswith("] [1]")
    assert "[1]" not in "".join(rows["snip"])
    mixed = {**METHODS, "magnitude-after-training": {0.5: [98.0, 98.1, 98.2], 0.8: [98.0, "diverged", 98.3]}}
    rows = {row[0]: row for row in rows_of(leaderboard(cells(mixed, classes=10), suite=SUITE))[6:]}
    assert rows["snip"][3].endswith("] [1]")


def test_borders_stand_with_their_bootstrap(cells: Cells) -> None:
    """In markdown behind the ranges, in CSV beside the range that they end, in JSON for each baseline."""
    points = {0.5: [98.0, 98.1, 98.2], 0.8: [97.0, 97.2, 98.4], 0.9: [90.0, 91.0, 92.0]}
    methods = {**METHODS, "magnitude-after-training": points, "random": {0.5: [95.0] * 3, 0.9: [80.0] * 3}}
    text = leaderboard(cells(methods), suite=SUITE)
    assert (
        "trivial none, matching 50 %, extreme 80–90 %. Lost to random from 50 % on (50 % in 90 % of resamples of "
        "the seeds), to magnitude-after-training from 80 % on (80 % to 90 % in 90 % of resamples of the seeds)."
    ) in text
    flat = long_rows(leaderboard(cells(methods), suite=SUITE, format="csv"))
    ends = {
        r["range"]: (r["lost_from"], r["lost_from_low"], r["lost_from_high"])
        for r in flat
        if r["at"] == "range"
    }
    assert ends == {"matching": ("0.8", "0.8", "0.9"), "extreme": ("", "", ""), "all": ("", "", "")}
    (setting,) = json.loads(leaderboard(cells(methods), suite=SUITE, format="json"))["settings"]
    trained = {"lost_from": 0.8, "lost_from_low": 0.8, "lost_from_high": 0.9, "resampled": True}
    assert setting["borders"][1] == {"baseline": "magnitude-after-training", **trained}


def test_empty_layers_have_a_footnote(cells: Cells) -> None:
    """The output layer is named first; in CSV and JSON the layers stand with their seeds."""
    frame = cells(METHODS).assign(output_layer="fc3.weight")
    there = (frame["method"] == "random") & (frame["sparsity"] == 0.8)
    layers = [("fc1.weight", "fc3.weight"), ("fc3.weight",), ()]
    frame.loc[there, "empty_layers"] = pd.Series(layers, index=frame.index[there])
    text = leaderboard(frame, suite=SUITE)
    random = next(row for row in rows_of(text) if row[0] == "random")
    assert random[2:] == ["95.20 ± 0.20", "91.00 ± 1.00 [2]"]
    assert "[2] No weight is left in the output layer fc3.weight (2 of 3), fc1.weight (1 of 3)." in text
    flat = long_rows(leaderboard(frame, suite=SUITE, format="csv"))
    found = {r["empty_layers"] for r in flat if r["method"] == "random" and r["sparsity"] == "0.8"}
    assert found == {"fc1.weight: 1; fc3.weight (output): 2"}
    (setting,) = json.loads(leaderboard(frame, suite=SUITE, format="json"))["settings"]
    assert [r["empty_layers"] for r in setting["rows"] if r["empty_layers"]] == [
        [
            {"layer": "fc1.weight", "seeds": 1, "output": False},
            {"layer": "fc3.weight", "seeds": 2, "output": True},
        ]
    ]


def test_methods_that_nobody_selected_have_no_rows_of_dashes(cells):
    """Their number is said instead; one that was run at some sparsity stays."""
    frame = cells(
        {
            "none": {0.0: [90, 91]},
            "snip": {0.5: [80, 81], 0.8: ["unselected", "unselected"]},
            "grasp": {0.5: ["unselected", "unselected"]},
        }
    )
    text = leaderboard(frame, suite={"name": "s", "version": "1"})
    assert "| snip" in text
    assert "| grasp" not in text
    assert "Left out: 1 method that was not selected now, and not run before." in text
