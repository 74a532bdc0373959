"""The same suite with more methods, or with other seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prunebench.errors import SuiteError, UsageError
from prunebench.suite import Suite, with_methods, with_seeds

Text = Callable[..., str]
Load = Callable[[str], Suite]


def methods_of(suite: Suite, host: Any) -> list[tuple[str, str]]:
    """Return matrix and method of the pruned cells of the first seed, in their order."""
    cells = [c for c in suite.cells if c.seed == 0 and c.labels["method"] != "none"]
    return [(c.matrix, c.labels["method"]) for c in cells]


def test_methods_are_added_to_every_matrix(suite: Text, load: Load, host: Any) -> None:
    """Once each, after the matrix's own, in the order given; the suite that was given stays as it was."""
    own = load(suite(more=suite("", name='"other"', methods='["grasp"]')))
    more = with_methods(own, ["grasp", "random", "grasp"], host)
    assert methods_of(more, host) == [
        ("main", "snip"),
        ("main", "grasp"),
        ("main", "random"),
        ("other", "grasp"),
        ("other", "random"),
    ]
    assert methods_of(own, host) == [("main", "snip"), ("other", "grasp")]
    assert more.digest != own.digest
    assert (more.name, more.version, more.path) == (own.name, own.version, own.path)


def test_no_new_method_is_no_change(suite: Text, load: Load, host: Any) -> None:
    """A method that is there already leaves the digest."""
    own = load(suite())
    assert with_methods(own, ["snip"], host).digest == own.digest


def test_an_unknown_method_is_refused(suite: Text, load: Load, host: Any) -> None:
    """A name on the command line is answered with the nearest."""
    with pytest.raises(UsageError) as caught:
        with_methods(load(suite()), ["snap"], host)
    assert str(caught.value).startswith("no method or scorer 'snap'; did you mean 'snip'? allowed: after, ")


def test_a_method_that_does_not_fit_is_refused(suite: Text, load: Load, host: Any) -> None:
    """What is added is validated with the suite: here it is there already, as an ablation."""
    own = load(suite(methods='["grasp"]', ablations='["none", "invert"]'))
    with pytest.raises(SuiteError, match="'grasp-inverted' with ablations"):
        with_methods(own, ["grasp-inverted"], host)


def test_seeds_are_replaced(suite: Text, load: Load, host: Any) -> None:
    """Seeds 0 … n−1 in every matrix; only the digest of a suite with other seeds changes."""
    own = load(suite(seeds="[7, 8]", more=suite("", name='"other"', seeds="5")))
    changed = with_seeds(own, 2, host)
    assert [(c.matrix, c.seed) for c in changed.cells if c.labels["method"] == "none"] == [
        ("main", 0),
        ("main", 1),
        ("other", 0),
        ("other", 1),
    ]
    assert changed.digest != own.digest
    assert with_seeds(changed, 2, host).digest == changed.digest
    assert own.matrices[0].seeds == [7, 8]


def test_fewer_seeds_than_the_entries_name(suite: Text, load: Load, host: Any) -> None:
    """An entry for a seed that is no longer there is no error; a matrix without cells is."""
    changed = with_seeds(load(suite(seeds="5", exclude="[{seed = 4}]")), 1, host)
    assert [c.seed for c in changed.cells] == [0, 0]
    with pytest.raises(SuiteError, match=r"matrix\[0\]: matrix 'main' has no cells: only leaves none"):
        with_seeds(load(suite(seeds="5", only="[{seed = 4}]")), 1, host)


def test_no_seeds_are_refused(suite: Text, load: Load, host: Any) -> None:
    """At least one."""
    with pytest.raises(UsageError) as caught:
        with_seeds(load(suite()), 0, host)
    assert str(caught.value) == "found 0 seeds; allowed: a number from 1 to 10000"
