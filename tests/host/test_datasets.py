"""Data sets by name and parameters: spelling, values bound to every function, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunebench.errors import UsageError
from prunebench.host import Host
from prunebench.host.datasets import parse_dataset, spell_dataset

PLUGIN = '''
import prunebench
from prunebench.errors import UsageError

def load(root, part, *, path: str = "", size: int = 64, mean: list = (0.5,)):
    """Pictures."""
    return ("load", str(root), part, path, size, mean)

def fingerprint(root, *, path=""):
    return "ab" + path

def describe(root, *, size=64):
    return prunebench.Description((1, size, size), 10, 100, 10)

def check(*, size):
    if size < 1:
        raise UsageError("size is at least 1")

@prunebench.hookimpl
def prunebench_datasets():
    return [prunebench.Dataset("pictures", load, (1, 64, 64), 10, 100, 10, None, None, fingerprint,
                               describe=describe, check=check)]
'''


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    path = tmp_path_factory.mktemp("plugin") / "pictures.py"
    path.write_text(PLUGIN)
    return Host.load(plugins=[path], third_party=False)


VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), VALUES, max_size=4))
def test_a_spelling_is_read_back_as_it_was(parameters: dict[str, Any]) -> None:
    """Texts that hold brackets, commas, quotes or look like numbers too."""
    found = parse_dataset(spell_dataset("some-name", parameters))
    assert found == ("some-name", parameters)
    assert [type(v) for v in found[1].values()] == [type(v) for v in parameters.values()]


@pytest.mark.parametrize(
    "spelled", ["x[", "x[]", "x[a]", "x[a=]", "x[a=1", "x[a=1]b", "x[a=1,]", "x[a=1,a=2]"]
)
def test_a_spelling_that_cannot_be_read_is_refused(spelled: str) -> None:
    """The error says how data sets are spelled."""
    with pytest.raises(UsageError, match="allowed: a name, or name"):
        parse_dataset(spelled)


def test_every_function_gets_the_parameters_that_it_takes(host: Host) -> None:
    """Also defaults; the name is the canonical spelling."""
    found = host.dataset("pictures[size=32,path=a]")
    assert found.name == "pictures[path=a,size=32]"
    assert found.load(Path("r"), "test") == ("load", "r", "test", "a", 32, (0.5,))
    assert found.fingerprint is not None
    assert found.fingerprint(Path()) == "aba"
    assert found.description(Path()).shape == (1, 32, 32)
    assert found.parameters == {"path": "a", "size": 32, "mean": (0.5,)}
    assert found.summary == "Pictures."


def test_parameters_that_are_the_defaults_are_not_spelled(host: Host) -> None:
    """So a data set has one name, and one key, however it is written; lists and tuples are one value."""
    assert host.dataset("pictures[size=64]").name == "pictures"
    assert host.dataset("pictures[mean=[0.5]]").name == "pictures"
    assert host.dataset("mnist").name == "mnist"


def test_parameters_are_no_part_of_the_identity(host: Host) -> None:
    """What code a data set is does not depend on them."""
    assert host.identity("datasets", "pictures[size=3]") == host.identity("dataset", "pictures")


@pytest.mark.parametrize(
    ("spelled", "message"),
    [
        ("picture[size=3]", "there is no dataset 'picture'; did you mean 'pictures'?"),
        ("pictures[sise=3]", "'sise' is no parameter of data set 'pictures'; did you mean 'size'?"),
        ("mnist[size=3]", "'size' is no parameter of data set 'mnist'; allowed: examples"),
        ("pictures[size=0]", "size is at least 1"),
    ],
)
def test_what_cannot_be_is_refused_with_the_nearest_name(host: Host, spelled: str, message: str) -> None:
    """Unknown names, unknown parameters, values that the data set refuses."""
    with pytest.raises(UsageError) as caught:
        host.dataset(spelled)
    assert message in str(caught.value)
