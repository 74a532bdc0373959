"""Families of matrices: one table for several networks is what those written out are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunebench.canonical import digest
from prunebench.suite import Suite, with_methods, with_seeds
from prunebench.suite.changes import Changes

HEAD = 'schema = 1\nname = "s"\nversion = "1"\n'

SETS = """
[[sets.networks]]
name = "r20"
architecture = "resnet20"
recipe = {name = "short", lr = 0.2, as = "hot"}
methods = ["snip", {method = "grasp", as = "cool", temperature = 100}]
sparsities = {keep = 0.8, count = 2}
seeds = 2
overrides = {architecture = {width = 0.5}}
exclude = [{method = "snip", seed = 1}]

[[sets.networks]]
name = "mlp"
architecture = "mlp"
recipe = "long"
methods = ["random", "snip"]
sparsities = [0.5]
seeds = [3, 5]
overrides = {}
exclude = [{method = "random", seed = 5}]
"""
SETS = SETS.replace("temperature = 100", "scorer = {temperature = 100}")

FAMILY = """
[[matrix]]
for = {n = "networks", d = ["mnist", "cifar10"]}
name = "{n.name}-{d}"
architecture = "{n.architecture}"
dataset = "{d}"
recipe = "{n.recipe}"
methods = "{n.methods}"
sparsities = "{n.sparsities}"
seeds = "{n.seeds}"
overrides = "{n.overrides}"
exclude = "{n.exclude}"
measures = ["layer-sparsity"]
"""


def written_out() -> str:
    """Return the four matrices that the family stands for, by hand."""
    r20 = """
        architecture = "resnet20"
        recipe = {name = "short", lr = 0.2, as = "hot"}
        methods = ["snip", {method = "grasp", as = "cool", scorer = {temperature = 100}}]
        sparsities = {keep = 0.8, count = 2}
        seeds = 2
        overrides = {architecture = {width = 0.5}}
        exclude = [{method = "snip", seed = 1}]
        """
    mlp = """
        architecture = "mlp"
        recipe = "long"
        methods = ["random", "snip"]
        sparsities = [0.5]
        seeds = [3, 5]
        exclude = [{method = "random", seed = 5}]
        """
    return "".join(
        f'\n[[matrix]]\nname = "{name}-{data}"\ndataset = "{data}"\nmeasures = ["layer-sparsity"]{keys}'
        for name, keys in (("r20", r20), ("mlp", mlp))
        for data in ("mnist", "cifar10")
    )


@pytest.fixture
def family(load: Callable[[str], Suite]) -> Suite:
    return load(HEAD + SETS + FAMILY)


@pytest.fixture
def plain(load: Callable[[str], Suite], tmp_path: Path) -> Suite:
    return load(HEAD + written_out())


def test_a_family_of_matrices_is_the_matrices_written_out(family: Suite, plain: Suite) -> None:
    """The same cells in the same order, names, labels and forms; values that are lists or tables go in whole."""
    assert [matrix.name for matrix in family.matrices] == [
        "r20-mnist",
        "r20-cifar10",
        "mlp-mnist",
        "mlp-cifar10",
    ]
    assert family.cells == plain.cells
    assert len(family.cells) == 2 * (2 + 2 * 2 * 2 - 2) + 2 * (2 + 2 * 2 - 1)


def test_methods_and_seeds_reach_every_member(family: Suite, plain: Suite, host: Any) -> None:
    """Methods are added where a member lacks them, seeds are replaced in all; both change the digest."""
    for changed in (
        lambda suite: with_methods(suite, ["snip", "synflow"], host),
        lambda suite: with_seeds(suite, 1, host),
        lambda suite: with_seeds(with_methods(suite, ["synflow"], host), 3, host),
    ):
        assert changed(family).cells == changed(plain).cells
        assert changed(family).digest != family.digest
    more = with_seeds(with_methods(family, ["synflow"], host), 3, host)
    assert [[str(m) for m in matrix.methods][-1] for matrix in more.matrices] == ["synflow"] * 4
    assert more.content == family.content


def test_the_digest_with_seeds_is_found_without_planning(family: Suite, host: Any) -> None:
    """A frozen plan is looked for by the digest of the content and the seeds that were asked for."""
    assert with_seeds(family, 2, host).digest == digest(Changes(seeds=2).content(family.content))
    assert family.digest == digest(family.content)


@pytest.mark.parametrize(
    ("before", "after", "messages"),
    [
        (
            '["random", "snip"]',
            '["random", "snap"]',
            [
                "matrix[0].methods[1]: found 'snap', which is no method; did you mean 'snip'? allowed: after, grasp, "
                "grasp-inverted, magnitude, none, random, snip, synflow (matrix 'mlp-mnist' and 1 more)"
            ],
        ),
        (
            'dataset = "{d}"',
            'dataset = "mnis"',
            [
                "matrix[0].dataset: found 'mnis', which is no data set; did you mean 'mnist'? allowed: cifar10, "
                "folder, mnist (matrix 'r20-mnist' and 3 more)"
            ],
        ),
        (
            "seeds = [3, 5]",
            "seeds = -1",
            [
                "matrix[0].seeds: found -1; allowed: a whole number n from 1 to 10000 for the seeds 0 … n−1, or a "
                "list of seeds (matrix 'mlp-mnist' and 1 more)"
            ],
        ),
        (
            '"{n.name}-{d}"',
            '"{n.name}"',
            [
                "matrix[0].name: is 'r20' more than once; allowed: a name that says every value of 'for'",
                "matrix[0].name: is 'mlp' more than once; allowed: a name that says every value of 'for'",
            ],
        ),
        (
            '"{n.methods}"',
            '"{n.method}"',
            [
                "matrix[0].methods: found '{n.method}': 'method' is no key of 'n'; did you mean 'methods'? allowed: "
                "architecture, exclude, methods, name, overrides, recipe, seeds, sparsities"
            ],
        ),
        (
            'n = "networks"',
            'n = "network"',
            [
                "matrix[0].for.n: found 'network', which is no list in [sets]; did you mean 'networks'? "
                "allowed: networks"
            ],
        ),
        (
            'd = ["mnist", "cifar10"]',
            'd = ["mnist", "cifar10"], e = [1]',
            ["matrix[0].for.e: is used nowhere in the matrix; allowed: as {e} in a text"],
        ),
        (
            'method = "random", seed = 5',
            'method = "random", seed = 4',
            [
                "matrix[0].exclude[0].seed: found 4, which is no seed of this matrix; allowed: 3, 5 "
                "(matrix 'mlp-mnist' and 1 more)"
            ],
        ),
        (
            "overrides = {architecture = {width = 0.5}}",
            "overrides = {architecture = {widht = 0.5}}",
            [
                "matrix[0].overrides.architecture.widht: is no parameter of architecture 'resnet20'; did you mean 'width'? allowed: "
                "depth, width (matrix 'r20-mnist' and 1 more)"
            ],
        ),
    ],
)
def test_a_message_names_the_table_and_the_member(
    before: str, after: str, messages: list[str], problems: Callable[[str], list[str]]
) -> None:
    """The key path is that of the [[matrix]] table in the file; members with the same problem share a line."""
    text = HEAD + SETS + FAMILY
    assert text.count(before) == 1
    assert problems(text.replace(before, after)) == [f"s.toml: {message}" for message in messages]


def test_what_a_bad_family_has_is_not_missed(problems: Callable[[str], list[str]]) -> None:
    """A check of a method that the family has is right, though the family cannot be told apart yet."""
    check = (
        '\n[[check]]\nname = "c"\nof = {method = "snip"}\nagainst = {method = "random"}\nrange = "all"\n'
        + EXPECT
    )
    found = problems(HEAD + SETS + FAMILY.replace('n = "networks"', "n = 3") + check)
    assert found == [
        "s.toml: matrix[0].for.n: found 3; allowed: a list of values, or the name of a list in [sets]"
    ]


def test_of_a_bad_family_nothing_is_said_but_that(problems: Callable[[str], list[str]]) -> None:
    """What its other keys are missing may be in the values that are not known."""
    family = FAMILY.replace('n = "networks"', "n = 3").replace(
        'sparsities = "{n.sparsities}"\n', "seeds = []\n"
    )
    family = family.replace('seeds = "{n.seeds}"\n', "")
    assert problems(HEAD + SETS + family) == [
        "s.toml: matrix[0].for.n: found 3; allowed: a list of values, or the name of a list in [sets]"
    ]


@pytest.mark.parametrize(
    ("lacks", "entry"),
    [("name", "sets.networks[1] lacks it"), ("seeds", "sets.networks[1], 'mlp', lacks it")],
)
def test_an_entry_that_lacks_a_key_is_named(
    lacks: str, entry: str, problems: Callable[[str], list[str]]
) -> None:
    """The others of the set have it."""
    first, second = SETS.split("\n\n")
    second = "\n".join(line for line in second.splitlines() if not line.startswith(f"{lacks} ="))
    (line,) = problems(f"{HEAD}{first}\n\n{second}\n{FAMILY}")
    assert line.startswith(f"s.toml: matrix[0].{lacks}: found '{{n.{lacks}}}': '{lacks}' is no key of 'n'")
    assert line.endswith(f" ({entry})")


def test_one_label_for_two_networks_of_a_family_names_both_members(
    problems: Callable[[str], list[str]],
) -> None:
    """Overrides make two networks of one name, in one table of the file."""
    text = HEAD + SETS.replace('architecture = "mlp"', 'architecture = "resnet20"') + FAMILY
    lines = problems(text.replace("overrides = {}", "overrides = {architecture = {width = 0.25}}"))
    assert lines == [
        "s.toml: matrix[0].architecture: the label 'resnet20' stands for something else in matrix[0].architecture "
        "of matrix 'r20-mnist'; allowed: another label, with as = … (matrix 'mlp-mnist' and 1 more)"
    ]


EXPECT = 'quantity = "accuracy"\nexpect = "above"\n'


def test_an_empty_exclude_leaves_out_nothing(load: Callable[[str], Suite]) -> None:
    """So that entries of a set can say that they exclude nothing."""
    text = HEAD + SETS.replace('exclude = [{method = "random", seed = 5}]', "exclude = []") + FAMILY
    of_mlp = [cell for cell in load(text).cells if cell.labels["architecture"] == "mlp"]
    assert len(of_mlp) == 2 * (2 + 2 * 2)


def test_a_cell_knows_its_place(family: Suite, plain: Suite) -> None:
    """Messages about a cell stand at the values that it was made of."""
    for suite in (plain, family):
        cell = next(one for one in suite.cells if one.labels["method"] == "cool")
        place = cell.place
        places = (place.architecture, place.recipe.spelled("lr"), place.method, cell.density_place)
        assert [place.path for place in places] == [
            "matrix[0].architecture",
            "matrix[0].recipe.lr",
            "matrix[0].methods[1]",
            "matrix[0].sparsities",
        ]
