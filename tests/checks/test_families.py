"""Families of checks: one table with `for` against the same checks written out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from prunebench.suite import Suite

Text = Callable[..., str]
Lines = Callable[[str], list[str]]

REST = 'quantity = "accuracy"\nagainst = {method = "random"}\nrange = "all"\nexpect = "above"\n'
SETS = """
[[sets.networks]]
name = "small"
where = {architecture = "resnet20"}
end = 0.36

[[sets.networks]]
name = "other"
where = {matrix = "main"}
end = 0.2
"""


FAMILY = f"""
[[check]]
for = {{m = ["snip", "grasp"]}}
name = "c-{{m}}"
of = {{method = "{{m}}"}}
{REST}
"""


def whole(suite: Text, text: str) -> str:
    return suite(methods='["snip", "grasp", "random"]', ablations='["none", "shuffle"]', more=text)


def test_a_family_is_the_checks_written_out(suite: Text, load: Callable[[str], Suite]) -> None:
    """Every combination, the last name fastest; a text that is one placeholder becomes the value itself."""
    family = (
        SETS
        + """
[[check]]
for = {n = "networks", m = ["snip", "grasp"]}
name = "c-{n.name}-{m}-to-{n.end}"
quantity = "accuracy"
of = {method = "{m}"}
against = {method = "{m}", ablations = ["shuffle"]}
where = "{n.where}"
range = {to = "{n.end}"}
expect = "above"
"""
    )
    wheres = {"small": '{architecture = "resnet20"}', "other": '{matrix = "main"}'}
    ends = {"small": 0.36, "other": 0.2}
    plain = ""
    for n, m in product(wheres, ("snip", "grasp")):
        plain += f"""
[[check]]
name = "c-{n}-{m}-to-{ends[n]}"
quantity = "accuracy"
of = {{method = "{m}"}}
against = {{method = "{m}", ablations = ["shuffle"]}}
where = {wheres[n]}
range = {{to = {ends[n]}}}
expect = "above"
"""
    grid = "{keep = 0.8, count = 3}"
    shared = {"methods": '["snip", "grasp"]', "ablations": '["none", "shuffle"]', "sparsities": grid}
    one, other = (load(suite(**shared, more=text)) for text in (family, plain))
    assert one.checks == other.checks
    assert len(one.checks) == 4
    assert one.digest != other.digest


def test_groups_name_checks_by_pattern(suite: Text, load: Callable[[str], Suite]) -> None:
    """`*` fits the members of families, never the group itself, each once."""
    text = (
        FAMILY
        + """
[[check]]
name = "c-group"
all = ["c-*", "c-snip"]

[[check]]
for = {m = ["snip", "grasp"]}
name = "{m}-or-not"
any = ["*-{m}", "c-?nip"]
"""
    )
    checks = {check.name: check for check in load(whole(suite, text)).checks}
    assert checks["c-group"].all_ == ["c-snip", "c-grasp"]
    assert checks["grasp-or-not"].any_ == ["c-grasp", "c-snip"]


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("for = 3", "check[0].for: found 3; allowed: a table of names, each with a list of values, or the name "
         "of a list in [sets]"),
        ("for = {}", "check[0].for: found {}; allowed: a table of names, each with a list of values, or the name "
         "of a list in [sets]"),
        ('for = {m = "metods"}', "check[0].for.m: found 'metods', which is no list in [sets]; "
         "did you mean 'methods'? allowed: methods"),
        ('for = {"m x" = ["snip"], m = ["snip"]}', "check[0].for.m x: is no name for a value; allowed: letters, "
         "digits, _ and -"),
        ("for = {m = 3}", "check[0].for.m: found 3; allowed: a list of values, or the name of a list in [sets]"),
        ("for = {m = []}", "check[0].for.m: has no values; allowed: at least one"),
        ('for = {m = ["snip"], n = ["x"]}', "check[0].for.n: is used nowhere in the check; allowed: as {n} in a "
         "text"),
        ('for = {m = ["snop"]}', "check[0].of.method: found 'snop', which is no method of this suite; did you "
         "mean 'snip'? allowed: grasp, none, random, snip"),
        ('for = {m = [{name = "snip"}]}', "check[0].name: '{m}' is {name = 'snip'}; allowed within a text: a "
         "text or a number"),
        ('for = {m = ["snip", "snip"]}', "check[0].name: is 'c-snip' more than once; allowed: a name that says "
         "every value of 'for'"),
    ],
)  # fmt: skip
def test_bad_families_are_refused(family: str, message: str, suite: Text, problems: Lines) -> None:
    """Each mistake is said once, at its place in the file."""
    sets = '\n[sets]\nmethods = ["snip"]\n'
    text = f'{sets}\n[[check]]\n{family}\nname = "c-{{m}}"\nof = {{method = "{{m}}"}}\n{REST}'
    assert problems(whole(suite, text)) == [f"s.toml: {message}"]


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ("{n.nam}", "found '{n.nam}': 'nam' is no key of 'n'; did you mean 'name'? allowed: name"),
        ("{n.name.x}", "found '{n.name.x}', but 'n.name' is 'snip', no table"),
        ("{k}", "found '{k}': 'k' is no name of this check's 'for'; allowed: n"),
    ],
)
def test_placeholders_must_be_there(of: str, message: str, suite: Text, problems: Lines) -> None:
    """A name that `for` does not have, a key that its value does not have."""
    text = (
        f'\n[[check]]\nfor.n = [{{name = "snip"}}]\nname = "c-{{n.name}}"\nof = {{method = "{of}"}}\n{REST}'
    )
    assert problems(whole(suite, text)) == [f"s.toml: check[0].of.method: {message}"]


def test_a_pattern_must_fit_a_check(suite: Text, problems: Lines) -> None:
    """One that fits nothing, or the check itself alone."""
    text = f'\n[[check]]\nname = "c"\nof = {{method = "snip"}}\n{REST}\n[[check]]\nname = "d"\nany = ["d*"]\n'
    found = problems(whole(suite, text))
    assert found == ["s.toml: check[1].any[0]: found 'd*', which fits no other check"]


def test_names_are_counted_as_the_file_has_them(suite: Text, problems: Lines) -> None:
    """A pattern before a wrong name does not move its place; members of a family are told apart."""
    text = FAMILY + '[[check]]\nname = "d"\nany = ["c-*", "c-snap"]\n'
    hint = "did you mean 'c-snip'? allowed: c-grasp, c-snip"
    assert problems(whole(suite, text)) == [
        f"s.toml: check[1].any[1]: found 'c-snap', which is no check; {hint}"
    ]
    text = text.replace("c-snap", "c-snip").replace('"{m}"}', '"{m}", ablations = ["shuffle"]}')
    exclude = '[{method = "grasp", ablation = "shuffle"}]'
    shared = {
        "methods": '["snip", "grasp", "random"]',
        "ablations": '["none", "shuffle"]',
        "exclude": exclude,
    }
    assert problems(suite(**shared, more=text)) == [
        "s.toml: check[0].of: selects no cell of this suite (with the 'where' of 'c-grasp')"
    ]


def test_placeholders_without_for_are_plain_text(suite: Text, problems: Lines) -> None:
    """A check that is no family is read as it stands."""
    text = f'\n[[check]]\nname = "c-{{m}}"\nof = {{method = "snip"}}\n{REST}'
    (found,) = problems(whole(suite, text))
    assert found.startswith("s.toml: check[0].name: found 'c-{m}'; allowed: letters, digits")


EACH = """
[[check]]
against = {method = "random"}
range = "all"
expect = "above"
each = [
  {name = "c-one", of = {method = "snip"}, margin = 1.0},
  {name = "c-{m}", for = {m = ["snip", "grasp"]}, of = {method = "{m}"}, expect = "same"},
]
"""


def test_each_is_the_checks_written_out(suite: Text, load: Callable[[str], Suite]) -> None:
    """A check for every entry: its keys, and those beside; an entry's own key and its own family."""
    plain = "".join(
        f"""
[[check]]
name = "c-{name}"
of = {{method = "{method}"}}
against = {{method = "random"}}
range = "all"
expect = "{expect}"
{more}
"""
        for name, method, expect, more in (
            ("one", "snip", "above", "margin = 1.0"),
            ("snip", "snip", "same", ""),
            ("grasp", "grasp", "same", ""),
        )
    )
    assert load(whole(suite, EACH)).checks == load(whole(suite, plain)).checks


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'expect = "same"}',
            'expect = "sane"}',
            "check[0].each[1].expect: found 'sane'; did you mean 'same'?",
        ),
        ('range = "all"', 'range = "al"', "check[0].range: found 'al'; allowed"),
        (
            'name = "c-one"',
            'name = "c-snip"',
            "check[0].each[1].name: found 'c-snip', which is check[0].each[0]'s too",
        ),
        ("margin = 1.0", "margins = 1.0", "check[0].each[0].margins: is no key here; did you mean 'margin'?"),
        ('{m}"}', '{k}"}', "check[0].each[1].of.method: found '{k}': 'k' is no name of this check's 'for'"),
    ],
)
def test_what_is_wrong_is_said_at_the_entry_or_beside(
    suite: Text, problems: Lines, old: str, new: str, message: str
) -> None:
    """The key path is that of the file: of the entry for its own keys, of the table for the others."""
    found = problems(whole(suite, EACH.replace(old, new, 1)))
    assert any(message in line for line in found), found


@pytest.mark.parametrize("each", ["[]", "3", '["snip"]', "{}"])
def test_each_is_a_list_of_tables(suite: Text, problems: Lines, each: str) -> None:
    """Anything else is named, once."""
    found = problems(whole(suite, f'[[check]]\nname = "c"\n{REST}each = {each}\n'))
    assert len(found) == 1
    assert "check[0].each: found" in found[0]
    assert "allowed: a list of tables, at least one" in found[0]
