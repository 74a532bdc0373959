"""`examples`: every data set's parameter, of how many of its training examples a part is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunebench.errors import UsageError
from prunebench.host import Host

HOST = Host.load(third_party=False)


@pytest.mark.parametrize(
    ("spelled", "name", "number"),
    [
        ("mnist[examples=937]", "mnist[examples=937]", 937),
        ("mnist[examples=0.25]", "mnist[examples=15000]", 15000),
        ("mnist[examples=0.015625]", "mnist[examples=938]", 938),  # 937.5: to the even number
        ("cifar10[examples=0.015625]", "cifar10[examples=781]", 781),
        ("digits[examples=0.0001]", "digits[examples=1]", 1),
        ("mnist[examples=60000]", "mnist", None),
        ("mnist[examples=1.0]", "mnist", None),
        ("image-folder[path=a,examples=1.0]", "image-folder[path=a]", None),
        ("image-folder[path=a,examples=1]", "image-folder[path=a,examples=1]", 1),
        ("image-folder[path=a,examples=0.25,size=8]", "image-folder[path=a,size=8,examples=0.25]", 0.25),
    ],
)
def test_a_part_has_one_spelling(spelled: str, name: str, number: float | None) -> None:
    """A share is the number that it rounds to, all of them are the data set itself; folders wait for files."""
    found = HOST.dataset(spelled)
    assert (found.name, found.examples) == (name, number)
    assert HOST.dataset(found.name).name == name


@pytest.mark.parametrize("examples", ["0", "-3", "60001", "0.0", "1.5", "3125.0", "true", '"many"', "[5]"])
def test_what_is_no_number_and_no_share_is_refused(examples: str) -> None:
    """The message has what was found, and the number that there are."""
    with pytest.raises(UsageError) as caught:
        HOST.dataset(f"mnist[examples={examples}]")
    wanted = "a whole number from 1 to 60000, or a share above 0 and below 1 of its training examples"
    assert str(caught.value) == f"data set 'mnist': examples = {examples}; allowed: {wanted}"


def test_a_plugins_data_set_cannot_have_a_parameter_of_that_name(tmp_path: Path) -> None:
    """It would be spelled as the one of every data set is."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import prunebench\n"
        "def load(root, part, *, examples=3):\n    '''Mine.'''\n"
        "@prunebench.hookimpl\n"
        "def prunebench_datasets():\n"
        "    return [prunebench.Dataset('mine', load, (1, 8, 8), 10, 100, 10, None, None)]\n"
    )
    with pytest.raises(Exception, match="'examples' is every data set's"):
        Host.load(plugins=[plugin], third_party=False)
