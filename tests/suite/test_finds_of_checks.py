"""Which find a check means, where its cells have several: said, or refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

FINDS = '[{lr = 0.3}, {lr = 0.5, warmup = 1, as = "hot"}, {lr = 0.7, warmup = 2}]'
NOWHERE = """
[[matrix]]
name = "found-nowhere"
architecture = "resnet20"
dataset = "mnist"
recipe = "short"
methods = ["random"]
sparsities = [0.5]
seeds = 1
"""


@pytest.fixture
def text(suite: Callable[..., str]) -> Callable[..., str]:
    """A suite whose method `after` has three finds, with `random` found nowhere, and a check."""

    def text(of: str, against: str = '{method = "random"}', more: str = "", **keys: str) -> str:
        check = f'[[check]]\nname = "c"\nof = {of}\nagainst = {against}\nrange = "all"\nexpect = "above"\n{more}\n'
        return suite(**{"methods": '["after"]', "find": FINDS, "more": NOWHERE + check, **keys})

    return text


SEVERAL = "of 'c' has cells of several finds: hot, lr=0.3, lr=0.7,warmup=2; allowed: find = one of them, or find = 'each'"


@pytest.mark.parametrize(
    ("of", "against", "more", "places"),
    [
        ('{method = "after"}', '{method = "random"}', "", ["of"]),
        ('{method = "random"}', '{method = "after"}', "", ["against"]),
        ('{method = "after"}', '{method = "after"}', "", ["of", "against"]),
        ('{method = "after", find = "hot"}', '{method = "after"}', "", ["against"]),
        ('{best = ["random", "after"]}', "90", "margin = 1", ["of.best[1]"]),
        (
            '{method = "random"}',
            "1",
            'margin = 1\nquantity = {name = "drop", to = {method = "after"}}',
            ["quantity.to"],
        ),
        ('{method = "after"}', "1", 'margin = 1\nquantity = {name = "drop", to = {ablations = []}}', ["of"]),
    ],
)
def test_a_check_that_does_not_say_which_of_several_finds_it_means_is_refused(
    problems: Callable[[str], list[str]],
    text: Callable[..., str],
    of: str,
    against: str,
    more: str,
    places: list[str],
) -> None:
    """At each place that needs one, with the finds that there are."""
    lines = problems(text(of, against, more))
    assert [line.split(": ")[1] for line in lines] == [f"check[0].{place}" for place in places]
    assert all(SEVERAL in line for line in lines)


@pytest.mark.parametrize(
    ("of", "against"),
    [
        ('{method = "after", find = "each"}', '{method = "random"}'),
        ('{method = "after", find = "each"}', '{method = "after", find = "hot"}'),
        ('{method = "after", find = {lr = 0.7, warmup = 2}}', '{method = "random"}'),
        ('{method = "random"}', '{method = "none"}'),
        ('{method = "random", find = {}}', '{method = "none"}'),
    ],
)
def test_what_says_its_find_and_what_no_find_changes_is_valid(
    load: Callable[[str], object], text: Callable[..., str], of: str, against: str
) -> None:
    """By table, by label or each; methods that are found nowhere say nothing."""
    load(text(of, against))


def test_finds_that_come_in_pairs_with_recipes_are_one_in_each_setting(
    load: Callable[[str], object], text: Callable[..., str]
) -> None:
    """Nothing is mixed: no find is needed."""
    recipes = '[{name = "short", lr = 0.9, as = "a"}, {name = "short", lr = 1.5, as = "b"}]'
    pairs = '[{recipe = "a", find = "hot"}, {recipe = "b", find = {lr = 0.3}}]'
    load(text('{method = "after"}', '{method = "none"}', recipe=recipes, only=pairs))


@pytest.mark.parametrize(
    ("find", "said"),
    [
        (
            '"hto"',
            "found 'hto', which is no find of 'after'; did you mean 'hot'? allowed: 'hot', 'lr=0.3', 'lr=0.7,warmup=2'",
        ),
        (
            "{lr = 0.31}",
            "found 'lr=0.31', which is no find of 'after'; did you mean 'lr=0.3'? allowed: 'hot', ",
        ),
        (
            "{lr = 0.5, warmup = 1.0}",
            "found 'lr=0.5,warmup=1', which is called 'hot' here; allowed: find = 'hot'",
        ),
        ("{warmup = 2, lr = 0.7}", "found 'warmup=2,lr=0.7', which is called 'lr=0.7,warmup=2' here"),
    ],
)
def test_a_find_that_is_not_there_is_told_with_those_that_the_method_has(
    problems: Callable[[str], list[str]], text: Callable[..., str], find: str, said: str
) -> None:
    """Its table in another order, or under a label, is told by what the suite calls it."""
    (line,) = problems(text(f'{{method = "after", find = {find}}}'))
    assert line.startswith(f"s.toml: check[0].of.find: {said}")


def test_a_find_of_a_method_that_has_none_is_told(
    problems: Callable[[str], list[str]], text: Callable[..., str]
) -> None:
    """Of another matrix than the one with finds."""
    (line,) = problems(text('{method = "random", find = "hot"}', '{method = "none"}'))
    assert line.endswith("found 'hot', which is no find of 'random', which has none; allowed: no find")


def test_a_find_that_is_left_out_is_told_with_those_that_are_left(
    problems: Callable[[str], list[str]], text: Callable[..., str]
) -> None:
    """`exclude` has taken it from the matrix."""
    (line,) = problems(text('{method = "after", find = "hot"}', exclude='[{find = "hot"}]'))
    assert (
        "check[0].of: of 'c' is found with lr=0.3, lr=0.7,warmup=2 alone: give one of these as find" in line
    )


def test_a_reported_number_says_which_find_it_is_of(
    problems: Callable[[str], list[str]], suite: Callable[..., str]
) -> None:
    """It would stand beside all of them."""
    number = '[[reported]]\nmethod = "after"\nsource = "a paper"\nsparsities = [0.5]\nvalues = [90]\n'
    (line,) = problems(suite(methods='["after"]', find=FINDS, more=number))
    assert line.startswith("s.toml: reported[0]: has cells of several finds: hot, ")
