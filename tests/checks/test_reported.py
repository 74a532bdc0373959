"""Numbers that others report: validated like the rest of a suite, and shown beside ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunebench.checks.frozen import frozen_checks
from prunebench.checks.grammar import Check
from prunebench.checks.reported import reported_rows
from prunebench.errors import SuiteError
from prunebench.suite import load_suite
from prunebench.suite.references import kinds_of
from prunebench.suite.suite import make_suite


@pytest.fixture(scope="module")
def builtin() -> Any:
    """The host with the built-in plugins alone."""
    from prunebench.host.registry import Host

    return Host.load(third_party=False)


def suite_of(host: Any, claims: Any = (), **reported: Any) -> Any:
    """Return a small suite with one reported table."""
    table = {"source": "A paper", "method": "snip", "sparsities": [0.5], "values": [91.5], **reported}
    matrix = {
        "name": "main",
        "architecture": "lenet-300-100",
        "dataset": "mnist",
        "recipe": "pai-lenet",
        "methods": ["snip", "random"],
        "measures": ["effective-density"],
        "sparsities": [0.5, 0.75],
        "seeds": 2,
    }
    table = {key: value for key, value in table.items() if value is not None}
    content = {
        "schema": 1,
        "name": "s",
        "version": "1",
        "matrix": [matrix],
        "reported": [table],
        "claim": [*claims],
    }
    return make_suite(content, "s.toml", None, host)


def test_reported_numbers_become_rows_of_the_settings_they_are_of(builtin: Any) -> None:
    """A value is a row of its setting; a diverged run has no value."""
    suite = suite_of(builtin, sparsities=[0.5, 0.75], values=[91.5, "diverged"], runs=3)
    rows = reported_rows(suite.reported, kinds_of(suite.cells))
    assert [(r["density"], r["value"], r["runs"], r["dataset"]) for r in rows] == [
        ("0.5", 91.5, 3, "mnist"),
        ("0.25", None, 3, "mnist"),
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"method": "snap"},
            "reported[0].method: found 'snap', which is no method of this suite; did you mean",
        ),
        ({"where": {"dataset": "cifar10"}}, "reported[0]: selects no cell of this suite"),
        ({"sparsities": [0.6]}, "reported[0].sparsities[0]: found 0.6, which is no sparsity of these cells"),
        ({"values": [1.0, 2.0]}, "reported[0].values: has 2 values; allowed: one for each of 1 sparsities"),
        ({"values": [191.5]}, "reported[0].values[0]"),
        ({"sources": "x"}, "reported[0].sources: is no key here; did you mean 'source'?"),
    ],
)
def test_reported_numbers_of_nothing_are_refused(keys: dict[str, Any], message: str, builtin: Any) -> None:
    """An unknown method, setting, sparsity or key names its path."""
    with pytest.raises(SuiteError) as error:
        suite_of(builtin, **keys)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("keys", "there"),
    [
        ({"ablations": []}, True),
        ({"ablations": ["shuffle"]}, False),
        ({"find": {"lr": 0.05}}, False),
        ({"score_at": {"step": 5}}, False),
        ({"architecture": "lenet-300-100", "dataset": "mnist", "recipe": "pai-lenet"}, True),
        ({"architecture": "resnet20"}, False),
        ({"dataset": "cifar10"}, False),
        ({"recipe": "pai-cifar10"}, False),
        ({"where": {"matrix": "main", "architecture": "lenet-300-100", "split": "test"}}, True),
        ({"where": {"matrix": "other"}}, False),
        ({"where": {"split": "val"}}, False),
        ({"where": {"recipe": "pai-cifar10"}}, False),
        ({"where": {"dataset": "cifar10"}}, False),
        ({"quantity": "diverged"}, False),
    ],
)
def test_reported_numbers_are_of_the_cells_they_select(
    keys: dict[str, Any], there: bool, builtin: Any
) -> None:
    """A selection of other cells than the suite's, or of another quantity than accuracy, is refused."""
    if there:
        assert suite_of(builtin, **keys).reported
    else:
        with pytest.raises(
            SuiteError, match=r"selects no cell|needs 'agrees', as tables show reported accuracies alone"
        ):
            suite_of(builtin, **keys)


def test_no_reported_number_is_lost(builtin: Any) -> None:
    """Table 2 has the unpruned VGG-16 at 93.6 %, Table 7 at 93.5 %; each of the 78 values is a row."""
    suite = load_suite("pai-replication", builtin)
    rows = reported_rows(suite.reported, kinds_of(suite.cells))
    accuracies = [one for one in suite.reported if one.accuracies]
    assert len(rows) == sum(len(one.values) for one in accuracies)
    of_paper = {
        row["matrix"]: row["value"]
        for row in rows
        if (row["architecture"], row["method"]) == ("vgg16", "none") and row["source"].startswith("Frankle")
    }
    assert of_paper == {"table2-vgg16": 93.6, "table7-vgg16": 93.5}


def test_reported_rows_say_their_matrix_where_it_is_one(builtin: Any) -> None:
    """Of numbers that name several, or none, it is empty: one row a setting still."""
    for matrix, wanted in ((None, ""), (["main"], "main"), (["main", "main"], "")):
        suite = suite_of(builtin, where={"matrix": matrix} if matrix else None)
        (row,) = reported_rows(suite.reported, kinds_of(suite.cells))
        assert row["matrix"] == wanted


def test_table_3_reports_a_divergence(builtin: Any) -> None:
    """SNIP on VGG-19 at 98 %: 92.1 in GraSP's paper, diverged in the replication."""
    suite = load_suite("pai-replication", builtin)
    rows = reported_rows(suite.reported, kinds_of(suite.cells))
    found = {
        r["source"]: r["value"]
        for r in rows
        if (r["architecture"], r["method"], r["density"]) == ("vgg19", "snip", "0.02")
    }
    assert {by.partition(",")[0]: value for by, value in found.items()} == {
        "Wang et al. 2020": 92.1,
        "Frankle et al. 2021": None,
    }


@given(
    st.fixed_dictionaries(
        {
            "name": st.just("c"),
            "quantity": st.sampled_from(["accuracy", "measure:a", "measure:a.b.c", "diverged"]),
            "of": st.sampled_from([{"method": "a"}, {"best": ["a", {"method": "b"}]}]),
            "against": st.sampled_from([{"method": "b"}, {"worst": ["a"]}]) | st.floats(-9, 9),
            "range": st.sampled_from(["matching", {"to": 0.5}, {"paper": [0.5]}, [0.5]]),
            "expect": st.sampled_from(["above", "same", "not-above", "not-same"]),
            "over": st.sampled_from(["mean", "everywhere", "somewhere"]),
            "settings": st.sampled_from(["each", "some"]),
            "by": st.floats(-9, 9),
            "margin": st.floats(0, 9),
        }
    )
)
def test_every_product_of_constructs_is_read_and_spelled_back(table: dict[str, Any]) -> None:
    """The keys of a check go together freely; what is read and written again is the same check."""
    check = Check.model_validate(table)
    assert not list(check.contradictions())
    again = check.model_dump(by_alias=True, exclude_unset=True)
    assert Check.model_validate(again) == check


def checks_of(suite: Any) -> list[dict[str, Any]]:
    """Return the checks of a suite as plans hold them, less what says nothing."""
    plain = frozen_checks(suite.checks, suite.claims).get("checks", [])
    ordinary = {"compare": "difference", "over": "mean", "settings": "each", "beside": [], "where": {}}
    return [{key: value for key, value in one.items() if value != ordinary.get(key)} for one in plain]


def test_a_reported_number_that_should_agree_is_a_check(builtin: Any) -> None:
    """One for each value, the same as it within a margin, at its sparsity; a divergence is none."""
    suite = suite_of(
        builtin,
        sparsities=[0.5, 0.75],
        values=[91.5, "diverged"],
        agrees=0.3,
        claim="T2",
        where={"dataset": "mnist"},
        claims=[{"id": "T2", "says": "Ours is theirs.", "source": "Table 2", "kind": "every"}],
    )
    assert checks_of(suite) == [
        {
            "name": "mnist-snip-50",
            "claim": "T2",
            "quantity": "accuracy",
            "of": {"method": "snip", "ablations": []},
            "against": 91.5,
            "where": {"dataset": ["mnist"]},
            "range": {"paper": [0.5]},
            "expect": "same",
            "margin": 0.3,
        }
    ]
    assert len(reported_rows(suite.reported, kinds_of(suite.cells))) == 2


def test_agreement_within_the_margin_of_the_setting(builtin: Any) -> None:
    """`agrees = true` leaves the margin open; of the unpruned network there is one sparsity, none of a range."""
    suite = suite_of(builtin, agrees=True, method="none", sparsities=[0.0], values=[98])
    (check,) = checks_of(suite)
    assert (check["range"], check["against"], "margin" in check) == ([0.0], 98, False)
    with pytest.raises(
        SuiteError, match="agrees: found true; allowed: a number where the quantity is 'measure:"
    ):
        suite_of(builtin, agrees=True, quantity="measure:effective-density.effective")


def test_names_of_reported_checks(builtin: Any) -> None:
    """A name of one's own is whole for one value, and ends with the sparsity for several."""
    one = suite_of(builtin, name="t2-snip", agrees=0.3)
    assert [check.name for check in one.checks] == ["t2-snip"]
    measured = suite_of(builtin, quantity="measure:effective-density.effective", agrees=0.3)
    assert [check.name for check in measured.checks] == ["snip-measure-effective-density.effective-50"]
    two = suite_of(builtin, name="t2-snip", agrees=0.3, sparsities=[0.5, 0.75], values=[91.5, 90])
    assert [check.name for check in two.checks] == ["t2-snip-50", "t2-snip-75"]


def test_families_of_reported_numbers(builtin: Any) -> None:
    """A table with `for` is a row, and a check, for each value."""
    suite = suite_of(builtin, **{"for": {"s": [0.5, 0.75]}}, name="at-{s}", sparsities=["{s}"], agrees=1)
    assert [check.name for check in suite.checks] == ["at-0.5", "at-0.75"]
    assert [one.sparsities for one in suite.reported] == [[0.5], [0.75]]


def test_each_reported_number_is_written_out(builtin: Any) -> None:
    """A table with `each` is a row, and a check, for every entry."""
    each = [{"name": "first", "sparsities": [0.5]}, {"name": "second", "sparsities": [0.75]}]
    suite = suite_of(builtin, each=each, agrees=1)
    assert [check.name for check in suite.checks] == ["first", "second"]
    assert [one.sparsities for one in suite.reported] == [[0.5], [0.75]]


def test_reported_ratios_and_range_ends(builtin: Any) -> None:
    """Other quantities: of a measure over that of other cells, of a whole range; tables know whose they are."""
    ratio = suite_of(
        builtin,
        name="r",
        quantity="measure:effective-density.effective",
        against={"method": "random"},
        compare="ratio",
        values=[1.0353],
        agrees=0.005,
    )
    (check,) = checks_of(ratio)
    assert (check["against"]["method"], check["compare"], check["by"]) == ("random", "ratio", 1.0353)
    (row,) = reported_rows(ratio.reported, kinds_of(ratio.cells))
    assert (row["value"], row["against"], row["compare"]) == (1.0353, "random", "ratio")
    assert (row["quantity"], row["check"]) == ("measure:effective-density.effective", check["name"])
    end = suite_of(
        builtin, name="e", quantity="range-end", range={"to": 0.75}, sparsities=None, values=[0.5], agrees=0.1
    )
    (check,) = checks_of(end)
    assert (check["quantity"], check["against"], check["range"]) == ("range-end", 0.5, {"to": 0.75})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"claim": "T2"}, "reported[0].claim: needs 'agrees', which makes a check of each value"),
        ({"claim": "T2", "agrees": 1}, "reported[0].claim: found 'T2', which is no claim of this suite"),
        ({"sparsities": None}, "reported[0].sparsities: is missing: it is needed where the quantity is 'accuracy'"),
        ({"range": "all"}, "reported[0].range: is for quantities with the axis 'sparsity'; allowed: 'sparsities'"),
        ({"range": "all", "sparsities": None}, "reported[0].range: is for quantities with the axis 'sparsity'; allowed"),
        ({"values": [90.0] * 3}, "reported[0].values: has 3 values; allowed: one for each of 1 sparsities"),
        ({"values": [90.0] * 3, "agrees": 1}, "reported[0].values: has 3 values; allowed: one for each of 1"),
        ({"quantity": "range-end", "agrees": 1}, "reported[0].range: is missing: it is needed where the quantity"),
        ({"quantity": "acuracy"}, "reported[0].quantity: found 'acuracy', which is no quantity; did you mean"),
        ({"agrees": -1}, "reported[0].agrees: found -1; allowed: a number of at least 0, or true for"),
        ({"agrees": 1, "values": [90.0, 91.0], "sparsities": [0.5, 0.5]}, "sparsities[1]: found 0.5 once more"),
    ],
)  # fmt: skip
def test_reported_numbers_that_make_no_sense_are_refused(
    keys: dict[str, Any], message: str, builtin: Any
) -> None:
    """Each names its place."""
    with pytest.raises(SuiteError) as error:
        suite_of(builtin, **keys)
    assert message in str(error.value)
