"""Numbers that others report: validated like the rest of a suite, and shown beside ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunebench.errors import SuiteError
from prunebench.suite import load_suite
from prunebench.suite.check import Check
from prunebench.suite.reported import reported_rows
from prunebench.suite.suite import make_suite


@pytest.fixture(scope="module")
def builtin() -> Any:
    """The host with the built-in plugins alone."""
    from prunebench.host.registry import Host

    return Host.load(third_party=False)


def suite_of(host: Any, **reported: Any) -> Any:
    """Return a small suite with one reported table."""
    table = {"source": "A paper", "method": "snip", "sparsities": [0.5], "values": [91.5], **reported}
    matrix = {
        "name": "main",
        "architecture": "lenet-300-100",
        "dataset": "mnist",
        "recipe": "pai-lenet",
        "methods": ["snip"],
        "sparsities": [0.5, 0.75],
        "seeds": 2,
    }
    content = {"schema": 1, "name": "s", "version": "1", "matrix": [matrix], "reported": [table]}
    return make_suite(content, "s.toml", None, host)


def test_reported_numbers_become_rows_of_the_settings_they_are_of(builtin: Any) -> None:
    """A value is a row of its setting; a diverged run has no value."""
    suite = suite_of(builtin, sparsities=[0.5, 0.75], values=[91.5, "diverged"], runs=3)
    rows = reported_rows(suite.reported, suite.cells)
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
        with pytest.raises(SuiteError, match=r"selects no cell|reported numbers are accuracies"):
            suite_of(builtin, **keys)


def test_table_3_reports_a_divergence(builtin: Any) -> None:
    """SNIP on VGG-19 at 98 %: 92.1 in GraSP's paper, diverged in the replication."""
    suite = load_suite("pai-replication", builtin)
    rows = reported_rows(suite.reported, suite.cells)
    found = {
        r["source"]: r["value"]
        for r in rows
        if (r["architecture"], r["method"], r["density"]) == ("vgg19", "snip", "0.02")
    }
    assert found == {"Wang et al. 2020": 92.1, "Frankle et al. 2021": None}


@given(
    st.fixed_dictionaries(
        {
            "name": st.just("c"),
            "quantity": st.sampled_from(["accuracy", "measure:a", "measure:a.b.c", "diverged"]),
            "of": st.sampled_from([{"method": "a"}, {"best": ["a", {"method": "b"}]}]),
            "against": st.sampled_from([{"method": "b"}, {"worst": ["a"]}]) | st.floats(-9, 9),
            "range": st.sampled_from(["matching", {"to": 0.5}, {"paper": [0.5]}, [0.5]]),
            "claim": st.sampled_from(["above", "same"]),
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
