"""A file with several mistakes is told each of them, once, in one go."""

from __future__ import annotations

from typing import Any

import pytest

from prunebench.errors import SuiteError
from prunebench.suite.suite import make_suite

MATRIX = {
    "name": "main",
    "architecture": "mlp",
    "dataset": "mnist",
    "recipe": "short",
    "methods": ["snip", "random"],
    "measures": ["layer-sparsity"],
    "sparsities": [0.5, 0.75],
    "seeds": 2,
}
CHECK = {
    "name": "c",
    "of": {"method": "snip"},
    "against": {"method": "random"},
    "range": "all",
    "expect": "above",
}
REPORTED = {"source": "A paper", "method": "snip", "sparsities": [0.5], "values": [91.5]}

ONLY = {"only": [{"method": "snip", "seed": 7}]}
NO_SEED = "matrix[0].only[0].seed: found 7, which is no seed of this matrix"
NO_SPARSITY = "check[0].range[0]: found 0.6, which is no sparsity of the cells of 'c'"


def told(
    host: Any,
    matrix: dict[str, Any] | None = None,
    check: list[dict[str, Any]] | None = None,
    reported: dict[str, Any] | None = None,
    **top: Any,
) -> list[str]:
    """Return what is said of a small suite with these keys, without the file's name."""
    content = {"schema": 1, "name": "s", "version": "1", "matrix": [{**MATRIX, **(matrix or {})}], **top}
    if check is not None:
        content["check"] = [keys if "all" in keys else {**CHECK, **keys} for keys in check]
    if reported is not None:
        table = {**REPORTED, **reported}
        content["reported"] = [{key: value for key, value in table.items() if value is not None}]
    with pytest.raises(SuiteError) as error:
        make_suite(content, "s.toml", None, host)
    return [line.removeprefix("s.toml: ") for line in str(error.value).splitlines()]


@pytest.mark.parametrize(
    ("keys", "messages"),
    [
        (
            {"matrix": ONLY, "reported": {"values": [1.0, 2.0]}},
            ["reported[0].values: has 2 values; allowed: one for each of 1 sparsities", NO_SEED],
        ),
        (
            {"matrix": ONLY, "reported": {"values": [1.0, 2.0], "agrees": 1.0}},
            ["reported[0].values: has 2 values; allowed: one for each of 1 sparsities", NO_SEED],
        ),
        ({"matrix": ONLY, "check": [{"range": {"from": 0.9, "to": 0.5}}]}, ["check[0].range: begins", NO_SEED]),
        ({"matrix": ONLY, "check": [{}, {}]}, ["check[1].name: found 'c', which is check[0]'s too", NO_SEED]),
        ({"matrix": ONLY, "zzz": 1}, ["zzz: is no key here", NO_SEED]),
        (
            {"matrix": ONLY, "check": [{"of": {"method": "snap"}}]},
            [NO_SEED, "check[0].of.method: found 'snap', which is no method of this suite"],
        ),
        (
            {"check": [{"range": [0.6]}, {"name": "d", "of": {"method": "snap"}}]},
            ["check[1].of.method: found 'snap', which is no method of this suite", NO_SPARSITY],
        ),
        (
            {"check": [{"range": [0.6]}], "reported": {"values": [101.0]}},
            ["reported[0].values[0]: found 101; allowed: a number of at most 100", NO_SPARSITY],
        ),
        (
            {"check": [{"range": [0.6]}], "reported": {"sparsities": [0.6]}},
            [NO_SPARSITY, "reported[0].sparsities[0]: found 0.6, which is no sparsity of these cells"],
        ),
        (
            {"check": [{"range": [0.6]}, {"name": "d", "quantity": "acuracy"}]},
            ["check[1].quantity: found 'acuracy', which is no quantity", NO_SPARSITY],
        ),
    ],
)  # fmt: skip
def test_mistakes_of_different_kinds_hide_none_of_each_other(
    keys: dict[str, Any], messages: list[str], host: Any
) -> None:
    """In the matrices, in checks and in reported numbers, at every stage of reading."""
    lines = told(host, **keys)
    assert [line[: len(message)] for line, message in zip(lines, messages, strict=True)] == messages


@pytest.mark.parametrize(
    ("reported", "message"),
    [
        ({"sparsities": [0.6]}, "sparsities[0]: found 0.6, which is no sparsity of these cells; the nearest is 0.5"),
        ({"sparsities": None}, "sparsities: is missing: it is needed where the quantity is 'accuracy'"),
        ({"where": {"dataset": "cifar"}}, "where.dataset: found 'cifar', which is no dataset of this suite"),
        ({"method": "snap"}, "method: found 'snap', which is no method of this suite"),
        ({"against": {"method": "snap"}}, "against.method: found 'snap', which is no method of this suite"),
        ({"values": [1.0, 2.0]}, "values: has 2 values; allowed: one for each of 1 sparsities"),
        ({"claim": "above"}, "claim: found 'above', which is no claim of this suite"),
        ({"compare": "ratio"}, "compare: needs 'against', the cells to which the values are ratios"),
        (
            {"quantity": "measure:layer-sparsity.x", "agrees": True},
            "agrees: found true; allowed: a number where the quantity is 'measure:layer-sparsity.x'",
        ),
        (
            {"against": {"method": "random"}, "compare": "ratio", "agrees": True},
            "agrees: found true; allowed: a number where compare is 'ratio'",
        ),
        (
            {"sparsities": [0.5, 0.5], "values": [1.0, 2.0]},
            "sparsities[1]: found 0.5 once more; allowed: each once with 'agrees'",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_numbers_that_should_agree_is_told_once(
    reported: dict[str, Any], message: str, host: Any
) -> None:
    """At a key of the reported table, though it is its checks that cannot be made; a group of them is right."""
    group = {"name": "g", "all": ["r*"]}
    (line,) = told(host, check=[group], reported={"name": "r", "agrees": 1.0, **reported})
    assert line.startswith(f"reported[0].{message}")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"check": [{"claim": "A1"}]}, "check[0].claim: found 'A1', which is no claim of this suite; this suite has no [[claim]]"),
        ({"check": [{"for": {"n": "networks"}}]}, "check[0].for.n: found 'networks', which is no list in [sets]; "
         "this suite has no [sets]"),
        ({"check": [{"for": {"n": "networks"}}], "sets": {"n": 3}}, "check[0].for.n: found 'networks', which is no "
         "list in [sets]; [sets] has no list"),
        ({"matrix": {"measures": []}, "check": [{"quantity": "measure:layer-sparsity", "margin": 1}]},
         "check[0].quantity: found 'layer-sparsity', which is no measure of this suite; no [[matrix]] of this suite has "
         "measures"),
        ({"check": [{"of": {"method": "snip", "score_at": "end"}}]}, "check[0].of.score_at: found 'end', which is no "
         "pruning step of this suite; no [[matrix]] of this suite has score_at"),
        ({"check": [{"of": {"method": "snip", "ablations": "shufle"}}]}, "check[0].of.ablations: found 'shufle', which "
         "is no combination of ablations of this suite; allowed: 'none'"),
        ({"check": [{"name": "c", "all": ["d"]}]}, "check[0].all[0]: found 'd', which is no check; this suite has no "
         "other [[check]]"),
    ],
)  # fmt: skip
def test_a_name_of_a_kind_that_the_suite_has_nothing_of(
    keys: dict[str, Any], message: str, host: Any
) -> None:
    """It says so, in place of an empty list of names."""
    assert message in told(host, **keys)


def test_of_a_long_grid_the_nearest_sparsity_alone_is_told(host: Any) -> None:
    """Up to twelve are listed."""
    grid = {"sparsities": [n / 100 for n in range(1, 14)]}
    assert told(host, grid, [{"range": [0.056]}]) == [
        "check[0].range[0]: found 0.056, which is no sparsity of the cells of 'c'; the nearest is 0.06"
    ]
    grid = {"sparsities": [n / 100 for n in range(2, 14)]}
    (line,) = told(host, grid, [{"range": [0.056]}])
    assert line.endswith("the nearest is 0.06; allowed: " + ", ".join(f"{n / 100}" for n in range(2, 14)))


@pytest.mark.parametrize(
    ("claim", "hint"),
    [("a", None), ("b", "allowed: a"), ("aa1", "allowed: a")],
)
def test_a_claim_that_is_refused_is_a_claim_of_the_suite(claim: str, hint: str | None, host: Any) -> None:
    """Its own mistake is told; a check may name it, and one that names another hears that it is there."""
    table = {"id": "a", "says": "s", "source": "p", "kindd": "number"}
    lines = told(host, check=[{"claim": claim}], claim=[table])
    assert any(line.startswith("claim[0].kindd: is no key here") for line in lines)
    named = [line for line in lines if line.startswith("check[0].claim")]
    assert len(named) == (hint is not None)
    assert all(hint in line and "has no [[claim]]" not in line for line in named if hint)
