"""Checks: the grammar, and that what they speak of is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prunebench.suite import Suite

Text = Callable[..., str]
Lines = Callable[[str], list[str]]

BASE = {
    "name": '"c"',
    "quantity": '"accuracy"',
    "of": '{method = "snip"}',
    "against": '{method = "snip", ablations = ["shuffle"]}',
    "range": '"all"',
    "expect": '"above"',
}


def check(**keys: str | None) -> str:
    """Return a [[check]] table: BASE with other keys; None leaves one out."""
    table = {**BASE, **{key.rstrip("_"): value for key, value in keys.items()}}
    return "\n[[check]]\n" + "\n".join(f"{k} = {v}" for k, v in table.items() if v is not None)


CLAIM = """
[[claim]]
id = "C1"
says = "Shuffling loses nothing."
source = "§5, Fig. 4"
kind = "every"
"""

STEPS = """
[[matrix]]
name = "steps"
architecture = "resnet20"
dataset = "mnist"
recipe = "short"
methods = ["snip", "random"]
ablations = ["none", "shuffle"]
score_at = ["init", {step = 5}]
sparsities = [0.2, 0.36]
seeds = 1
dense = false
"""

FINDS = STEPS.replace('"steps"', '"finds"') + 'find = [{lr = 0.05}]\nsplit = "val"\n'
"""The same in a setting of its own: in each there is one find."""


def whole(suite: Text, text: str) -> str:
    """Return a suite with methods, ablations, points and settings enough for every check here."""
    return suite(
        methods='["snip", "random", "after"]',
        ablations='["none", "shuffle"]',
        sparsities="{keep = 0.8, count = 18}",
        measures='["layer-sparsity"]',
        more=STEPS + FINDS + '[baselines]\nafter = "after"' + text,
    )


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"expect": '"not-same"', "margin": "0.5"},
        {"quantity": '"measure:layer-sparsity"', "margin": "1"},
        {"quantity": '"range-end"', "margin": "0.1", "range": '"matching"'},
        {
            "quantity": '{name = "crossing", along = "score_at", reaches = {method = "snip"}}',
            "margin": "0.1",
            "range": '"trivial"',
        },
        {"quantity": '{name = "slope", along = "sparsity"}', "margin": "0.1", "range": '"extreme"'},
        {"quantity": '{name = "slope", along = "sparsity", power = 2}', "margin": "0.1"},
        {"quantity": None},
        {"quantity": '{name = "accuracy"}', "claim": '"C1"'},
        {"quantity": '{name = "measure", of = "layer-sparsity.early"}', "margin": "1", "against": "0.3"},
        {"quantity": '"measure:layer-sparsity.early"', "margin": "1", "against": "0.3"},
        {"compare": '"ratio"', "margin": "0.01", "by": "1.0026"},
        {"by": "-0.4", "over": '"somewhere"', "settings": '"some"'},
        {"range": "{to = 0.36}", "over": '"everywhere"'},
        {"range": "{from = 0.2, to = 0.36}"},
        {"of": '{worst = ["random", "after"]}'},
        {"of": '{gap = ["random", "after"]}', "against": '{gap = ["snip", "after"]}'},
        {"quantity": '{name = "drop", to = {ablations = ["shuffle"]}}', "against": "1.5"},
        {
            "quantity": '{name = "drop", to = {ablations = ["shuffle"]}}',
            "against": '{method = "after", quantity = {name = "drop", to = {method = "random"}}}',
        },
        {"quantity": '"spread"', "margin": "0.1", "against": '{method = "after"}', "by": "1.0"},
        {
            "quantity": '{name = "distance:layer-sparsity.layers.*.sparsity", reference = {method = "after"}}',
            "margin": "0.01",
        },
        {"range": "{to = 0.36}", "beside": '["matching", {paper = [0.2]}, [0.2, 0.36], {from = 0.2}]'},
        {"of": '{method = "snip", architecture = "resnet20", quantity = "accuracy"}'},
        {
            "quantity": '"measure:layer-sparsity.late"',
            "against": '{method = "snip", quantity = "measure:layer-sparsity.early"}',
            "margin": "0.02",
        },
        {"quantity": '"diverged"', "margin": "0.1"},
        {"against": "97.5"},
        {"against": '{best = ["random", {method = "after", ablations = "shuffle"}]}'},
        {"against": '{worst = ["random", "after"]}'},
        {"against": '{method = "none"}'},
        {"range": "{paper = [0.945, 0.982]}"},
        {"range": "[0.2, 0.36]"},
        {"where": '{matrix = "main", architecture = ["resnet20"], dataset = "mnist"}'},
        {"where": '{recipe = "short", split = "test"}'},
        {"of": '{method = "snip", find = {lr = 0.05}, score_at = {step = 5}}'},
    ],
)
def test_the_grammar_of_checks(keys: dict[str, str], suite: Text, load: Callable[[str], Suite]) -> None:
    """Every form that a check can have is read and kept."""
    (found,) = load(whole(suite, CLAIM + check(**keys))).checks
    dumped = found.model_dump(by_alias=True)
    assert dumped["name"] == "c"
    assert dumped["expect"] == keys.get("expect", '"above"').strip('"')
    assert (found.margin is None) == ("margin" not in keys)


def test_a_check_of_other_checks(suite: Text, load: Callable[[str], Suite]) -> None:
    """`all` and `any` name checks, those that come later too."""
    text = (
        '\n[[check]]\nname = "both"\nall = ["a", "b"]' + '\n[[check]]\nname = "one"\nany = ["a", "both"]'
    ) + (check(name='"a"') + check(name='"b"', expect='"not-above"'))
    both, one, a, b = load(whole(suite, text)).checks
    assert (both.all_, both.any_, one.all_, one.any_) == (["a", "b"], None, None, ["a", "both"])
    assert (a.expect, b.expect) == ("above", "not-above")


def test_selections_keep_their_ablations_as_cells_label_them(
    suite: Text, load: Callable[[str], Suite]
) -> None:
    """What a check selects can be compared with a cell's labels."""
    (found,) = load(whole(suite, check())).checks
    assert [(s.method, s.ablations_label) for _, s in found.sides] == [("snip", ""), ("snip", "shuffle")]


CASES: list[tuple[dict[str, str | None], str]] = [
    ({"quantity": '"acuracy"'}, ".quantity: found 'acuracy', which is no quantity; did you mean 'accuracy'? "
     "allowed: accuracy, crossing, distance, diverged, drop, measure, range-end, slope, spread"),
    ({"quantity": '{nam = "slope"}'}, ".quantity.name: is missing"),
    ({"quantity": "3"}, ".quantity: found 3; allowed: the name of a quantity, or a table {name = …} with its "
     "parameters"),
    ({"quantity": '"accuracy:top5"'}, ".quantity: found 'accuracy:top5'; allowed: 'accuracy'"),
    ({"quantity": '{name = "accuracy", of = "top5"}'}, ".quantity.of: is no parameter of the quantity 'accuracy'; "
     "allowed: nothing"),
    ({"quantity": '{name = "slope", along = "sparsity", powr = 2}', "margin": "1"}, ".quantity.powr: is no parameter "
     "of the quantity 'slope'; did you mean 'power'? allowed: along, power"),
    ({"quantity": '{name = "slope", along = "sparsity", power = "2"}', "margin": "1"}, ".quantity.power: found '2'; "
     "allowed: a number (the default is 1.0); write 2"),
    ({"quantity": '"fit:gamma"'}, ".quantity: found 'fit', which is no quantity; allowed: accuracy, crossing, "
     "distance, diverged, drop, measure, range-end, slope, spread; one of your own comes with "
     'plugins = ["mine.py"] in the suite, or with --plugin mine.py'),
    ({"quantity": '"measure:layers"', "margin": "1"}, ".quantity: found 'layers', which is no measure of this "
     "suite; did you mean 'layer-sparsity'? allowed: layer-sparsity"),
    ({"quantity": '{name = "slope", along = "sparsity"}'}, ".margin: is missing: it is needed where the quantity is 'slope'"),
    ({"margin": "-1"}, ".margin: found -1; allowed: a number of at least 0"),
    ({"of": '{method = "snap"}'}, ".of.method: found 'snap', which is no method of this suite; "
     "did you mean 'snip'? allowed: after, none, random, snip"),
    ({"of": '"snip"'}, ".of: found 'snip'; allowed: {method = …}, {best = […]}, {worst = […]} "
     "or {gap = […]}"),
    ({"of": '{metod = "snip", method = "snip"}'}, ".of.metod: is no key here; did you mean 'method'? "
     "allowed: ablations, architecture, dataset, find, method, quantity, recipe, score_at"),
    ({"of": '{method = "snip", ablations = ["invert"]}'}, ".of.ablations: found 'invert', which is no "
     "combination of ablations of this suite; allowed: none, shuffle"),
    ({"of": '{method = "snip", find = {lr = 3}}'}, ".of.find: found 'lr=3', which is no find of 'snip'; "
     "did you mean 'lr=0.05'? allowed: lr=0.05, {}"),
    ({"of": '{method = "snip", score_at = "end"}'}, ".of.score_at: found 'end', which is no pruning step of this "
     "suite; allowed: init, step 5"),
    ({"against": '{best = ["random", "snop"]}'}, ".against.best[1]: found 'snop', which is no method of "
     "this suite; did you mean 'snip'? allowed: after, none, random, snip"),
    ({"against": "{best = []}"}, ".against: has no methods; allowed: a list with at least one"),
    ({"against": '{best = ["snip"], worst = ["random"]}'}, ".against: has both 'best' and 'worst'; "
     "allowed: one of them"),
    ({"against": '"snip"'}, ".against: found 'snip'; allowed: a number, {method = …}, {best = […]}, "
     "{worst = […]} or {gap = […]}"),
    ({"of": '{gap = ["snip"], worst = ["random"]}'}, ".of: has both 'worst' and 'gap'; allowed: one of them"),
    ({"of": "{gap = []}"}, ".of: has no methods; allowed: a list with at least one"),
    ({"quantity": '{name = "drop", to = {method = "snop"}}'}, ".quantity.to.method: found 'snop', which is no "
     "method of this suite; did you mean 'snip'? allowed: after, none, random, snip"),
    ({"quantity": '{name = "drop", to = {ablations = ["invert"]}}'}, ".quantity.to.ablations: found 'invert', "
     "which is no combination of ablations of this suite; allowed: none, shuffle"),
    ({"quantity": '{name = "drop", to = {mthod = "snip"}}'}, ".quantity.to.mthod: is no key here; did you mean "
     "'method'? allowed: ablations, architecture, dataset, find, method, recipe, score_at"),
    ({"quantity": '{name = "drop", to = "snip"}'}, ".quantity.to: found 'snip'; allowed: {method = …}"),
    ({"quantity": '{name = "drop"}'}, ".quantity.to: is missing: it is needed where the quantity is 'drop'"),
    ({"quantity": '"drop"'}, ".quantity: found 'drop', which needs 'to': write {name = 'drop', to = …}"),
    ({"quantity": '"distance:layer-sparsity.layers.*.sparsity"', "margin": "1"}, ".quantity: found "
     "'distance:layer-sparsity.layers.*.sparsity', which needs 'reference': write {name = "
     "'distance:layer-sparsity.layers.*.sparsity', reference = …}"),
    ({"beside": '["all", "matchin"]'}, ".beside[1]: found 'matchin'; allowed: 'trivial', 'matching', 'extreme', "
     "'all', {paper = […]}, {from = …, to = …} or a list of sparsities"),
    ({"beside": "[{}]"}, ".beside[0]: has neither 'from' nor 'to'; allowed: at least one of them"),
    ({"beside": '["all", {to = 0.3}]'}, ".beside[1].to: found 0.3, which is no sparsity of the cells of "
     "'c'; the nearest is 0.36"),
    ({"where": '{architecture = "resnet32"}'}, ".where.architecture: found 'resnet32', which is no architecture "
     "of this suite; did you mean 'resnet20'? allowed: resnet20"),
    ({"where": "{epochs = 3}"}, ".where.epochs: is no key here; allowed: architecture, dataset, matrix, recipe, "
     "split"),
    ({"range": '"matchin"'}, ".range: found 'matchin'; allowed: 'trivial', 'matching', 'extreme', 'all', "
     "{paper = […]}, {from = …, to = …} or a list of sparsities"),
    ({"range": "[0.2, 0.3]"}, ".range[1]: found 0.3, which is no sparsity of the cells of 'c'; the nearest is 0.36"),
    ({"range": "{paper = [0.2, 1.0]}"}, ".range.paper[1]: found 1.0; allowed: a number from 0 up to, but not "
     "including, 1"),
    ({"range": "[]"}, ".range: lists no sparsity; allowed: at least one"),
    ({"expect": '"over"'}, ".expect: found 'over'; did you mean 'above'? allowed: above, not-above, not-same, same"),
    ({"expect": None}, ".expect: is missing (or give 'all' or 'any' with the names of checks)"),
    ({"claim": '"C2"'}, ".claim: found 'C2', which is no claim of this suite; did you mean 'C1'? allowed: C1"),
    ({"all": '["c"]'}, ".all: stands beside quantity, of, against, range, expect; allowed: 'all', the name "
     "and the claim alone"),
    ({"name": '"a b"'}, ".name: found 'a b'; allowed: letters, digits and . _ + - after a letter or digit"),
    ({"claims": '"C1"'}, ".claims: is no key here; did you mean 'claim'? allowed: against, all, any, beside, by, "
     "claim, compare, each, expect, for, margin, name, of, over, quantity, range, settings, where"),
    ({"quantity": '"measure:layer-sparsity."', "margin": "1"}, ".quantity: found 'measure:layer-sparsity.'; "
     "allowed: 'measure:NAME' or 'measure:NAME.FIELD'"),
    ({"quantity": '"measure"', "margin": "1"}, ".quantity: found 'measure'; allowed: 'measure:NAME' or "
     "'measure:NAME.FIELD'"),
    ({"quantity": '{name = "slope", along = "step"}', "margin": "1"}, ".quantity.along: found 'step'; allowed: "
     "score_at, sparsity"),
    ({"quantity": '{name = "crossing", along = "sparsity"}', "margin": "1"}, ".quantity.reaches: is missing: it is "
     "needed where the quantity is 'crossing'"),
    ({"quantity": '{name = "slope", power = 2}', "margin": "1"}, ".quantity.along: is missing: it is needed where "
     "the quantity is 'slope'; allowed: 'sparsity' or 'score_at'"),
    ({"quantity": '"range-end"', "margin": "1", "over": '"somewhere"'}, ".over: found 'somewhere', where the "
     "quantity has one value for the range"),
    ({"over": '"anywhere"'}, ".over: found 'anywhere'; did you mean 'everywhere'? allowed: everywhere, mean, "
     "somewhere"),
    ({"settings": '"any"'}, ".settings: found 'any'; allowed: each, some"),
    ({"compare": '"ratio"', "margin": "1", "against": "0"}, ".against: found 0, by which nothing can be "
     "divided; allowed: another number"),
    ({"compare": '"ratio"'}, ".margin: is missing: it is needed where compare is 'ratio'"),
    ({"range": "{}"}, ".range: has neither 'from' nor 'to'; allowed: at least one of them"),
    ({"range": "{from = 0.36, to = 0.2}"}, ".range: begins after its end; allowed: 'from' at most 'to'"),
    ({"range": "{to = 0.3}"}, ".range.to: found 0.3, which is no sparsity of the cells of 'c'; the nearest "
     "is 0.36"),
    ({"range": "[0.488]", "of": '{method = "snip", score_at = {step = 5}}', "against": "90"}, ".range[0]: found "
     "0.488, which is no sparsity of the cells of 'c'; the nearest is 0.36; allowed: 0.2, 0.36"),
    ({"of": '{method = "snip", quantity = "diverged"}'}, ".of.quantity: found 'diverged' beside 'accuracy'; "
     "allowed: the check's own, or the same with other parameters"),
    ({"of": '{method = "snip", quantity = "measure:layer-sparsity.late"}'}, ".of.quantity: found "
     "'measure:layer-sparsity.late' beside 'accuracy'; allowed: the check's own, or the same with other parameters"),
    ({"quantity": '"measure:layer-sparsity.layers.*.sparsity"', "margin": "1"}, ".quantity: found "
     "'measure:layer-sparsity.layers.*.sparsity'; allowed: one field; 'distance:…' takes '*'"),
    ({"quantity": '{name = "slope", along = "score_at"}', "margin": "1", "of": '{method = "snip", score_at = "init"}'},
     ".of.score_at: is the axis of the curve; allowed: absent"),
    ({"quantity": '{name = "crossing", along = "sparsity", reaches = {method = "after", quantity = "accuracy"}}',
      "margin": "1"}, ".quantity.reaches.quantity: is no key here; allowed: ablations, architecture, dataset, find, "
     "method, recipe, score_at"),
    ({"range": "{from = 0.2, frm = 0.3}"}, ".range.frm: is no key here; did you mean 'from'? allowed: from, to"),
    ({"against": '{best = ["snip"], wurst = ["after"]}'}, ".against.wurst: is no key here; did you mean 'worst'? "
     "allowed: best, gap, worst"),
    ({"of": '{method = "snip", architecture = "resnet32"}'}, ".of.architecture: found 'resnet32', which is no "
     "architecture of this suite; did you mean 'resnet20'? allowed: resnet20"),
    ({"quantity": '"measure:layer-sparsity"', "margin": "1",
      "of": '{method = "snip", quantity = "measure:layers"}'}, ".of.quantity: found 'layers', which is no "
     "measure of this suite; did you mean 'layer-sparsity'? allowed: layer-sparsity"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "message"), CASES)
def test_bad_checks_are_refused(
    keys: dict[str, str | None], message: str, suite: Text, problems: Lines
) -> None:
    """Each mistake in a check begins its message with the key path, and says what is allowed."""
    found = problems(whole(suite, CLAIM + check(**keys)))
    assert f"s.toml: check[0]{message}" in found
    assert len(found) == 1 or "all" in keys


GROUPS = [
    ('all = ["x"]', ["check[0].all[0]: found 'x', which is no check; allowed: c"]),
    ('any = ["d"]', ["check[0].any[0]: names the check itself"]),
    ("all = []", ["check[0].all: found []; allowed: a list with at least one name of a check"]),
    (
        'all = ["c"]\nany = ["c"]',
        ["check[0].all: stands beside any; allowed: 'all', the name and the claim alone"],
    ),
    (
        'all = ["e"]\n[[check]]\nname = "e"\nany = ["d", "c"]',
        [
            "check[0]: 'd' rests on itself, by way of the checks that it names",
            "check[1]: 'e' rests on itself, by way of the checks that it names",
        ],
    ),
    (
        'all = ["c"]\n[[check]]\nname = "d"\nany = ["c"]',
        ["check[1].name: found 'd', which is check[0]'s too; allowed: another"],
    ),
]


@pytest.mark.parametrize(("text", "messages"), GROUPS)
def test_bad_groups_of_checks_are_refused(
    text: str, messages: list[str], suite: Text, problems: Lines
) -> None:
    """Groups name other checks that are there, never themselves, not even on a round trip."""
    found = problems(whole(suite, f'\n[[check]]\nname = "d"\n{text}' + check()))
    assert found == [f"s.toml: {message}" for message in messages]


def test_a_range_needs_its_baselines(suite: Text, problems: Lines) -> None:
    """A range that is found with a baseline cannot be found without it."""
    text = suite(ablations='["none", "shuffle"]', dense="false", more=check(range='"matching"'))
    assert problems(text) == [
        f"s.toml: check[0].range: found 'matching', which needs the baseline '{name}' that no matrix has"
        for name in ("magnitude-after-training", "random", "none")
    ]


def test_a_selection_needs_cells(suite: Text, problems: Lines) -> None:
    """A method and an ablation that are there, but never together, select nothing."""
    text = suite(
        methods='["snip", "grasp"]',
        ablations='["none", "shuffle"]',
        exclude='[{method = "snip", ablation = "shuffle"}]',
        more=check(),
    )
    assert problems(text) == [
        "s.toml: check[0].against: selects no cell of this suite (with the 'where' of 'c')"
    ]


def test_a_selection_without_a_point_means_the_methods_own(
    suite: Text, load: Callable[[str], Suite], problems: Lines
) -> None:
    """Not the cells of an axis of points: those are told to be named, or are the axis of the curve."""
    of = {"of": '{method = "snip"}', "against": "90"}
    alone = {"score_at": '["init", {step = 5}]', "methods": '["snip"]', "sparsities": "[0.2]"}
    assert problems(suite(**alone, more=check(**of))) == [
        "s.toml: check[0].of: of 'c' is scored at init, step 5 alone: give score_at"
    ]
    along = {"quantity": '{name = "slope", along = "score_at"}', "margin": "1"}
    assert load(suite(**alone, more=check(**of, **along))).checks
    assert load(whole(suite, check(**of, range="[0.488]"))).checks


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ('after = "aftr"', ["baselines.after: found 'aftr', which is no method of this suite; "
                            "did you mean 'after'? allowed: after, none, random, snip"]),
        ('aftr = "after"', ["baselines.aftr: is no key here; did you mean 'after'? allowed: after, none, random"]),
        ("random = 1\nnone = 2", ["baselines.random: found 1; allowed: a text in quotes; write '1'",
                                  "baselines.none: found 2; allowed: a text in quotes; write '2'"]),
    ],
)  # fmt: skip
def test_bad_baselines_are_refused(text: str, messages: list[str], suite: Text, problems: Lines) -> None:
    """Baselines are methods of the suite."""
    found = problems(suite(methods='["snip", "random", "after"]', more=f"[baselines]\n{text}"))
    assert found == [f"s.toml: {message}" for message in messages]


def test_baselines_and_leaderboard_are_kept(suite: Text, load: Callable[[str], Suite]) -> None:
    """What is given is kept; the rest has the names of the built-in methods."""
    text = suite(
        methods='["snip", "after"]',
        more='[baselines]\nafter = "after"\n[leaderboard]\ntitle = "T"\nmargin = 1',
    )
    found = load(text)
    assert found.baselines.model_dump() == {"after_training": "after", "random": "random", "none": "none"}
    assert found.leaderboard.model_dump() == {"title": "T", "margin": 1.0}
    plain = load(suite())
    assert plain.baselines.after_training == "magnitude-after-training"
    assert plain.leaderboard.model_dump() == {"title": "", "margin": None}


SIDES = [
    '{method = "snip", quantity = QUANTITY}',
    '{method = "snip", architecture = "resnet20", dataset = "mnist", recipe = "short"}',
    '{method = "snip", ablations = "shuffle", find = {lr = 0.05}, score_at = {step = 5}}',
    '{best = ["random", {method = "snip", quantity = QUANTITY}]}',
    '{worst = [{method = "snip", architecture = "resnet20", ablations = ["shuffle"]}]}',
    '{gap = [{method = "snip", architecture = "resnet20", ablations = ["shuffle"]}, "after"]}',
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("key", ["of", "against", "reaches", "reference"])
def test_the_grammar_of_selections(key: str, side: str, suite: Text, load: Callable[[str], Suite]) -> None:
    """Both sides take every key of a selection; parameters that name cells all but its quantity."""
    keys = {key: side}
    if key in ("reaches", "reference"):
        if "best" in side or "worst" in side or "gap" in side or "quantity" in side:
            return
        name = (
            'crossing", along = "score_at'
            if key == "reaches"
            else "distance:layer-sparsity.layers.*.sparsity"
        )
        keys = {"quantity": f'{{name = "{name}", {key} = {side}}}', "margin": "1"}
    keys = {k: value.replace("QUANTITY", BASE["quantity"]) for k, value in keys.items()}
    (found,) = load(whole(suite, check(**keys))).checks
    if key in ("of", "against"):
        assert key in {location[0] for location, _ in found.sides}
    else:
        assert found.quantity.changes[key]["method"] == "snip"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"claim": '"above"', "expect": None}, ": claim = 'above' is now expect = 'above'"),
        ({"claim": '"same"', "expect": None}, ": claim = 'same' is now expect = 'same'"),
        (
            {"claim": '"above"', "not": "true", "expect": None},
            ": claim = 'above' with not = true is now expect = 'not-above'",
        ),
        (
            {"claim": '"same"', "not": "false", "expect": None},
            ": claim = 'same' with not = false is now expect = 'same'",
        ),
        ({"not": "true"}, ": not = true is now expect = 'not-above'"),
        (
            {"quantity": '"slope"', "along": '"sparsity"', "margin": "1"},
            ".along: is a parameter of the quantity now: quantity = {name = 'slope', along = 'sparsity'}",
        ),
        (
            {"quantity": '"distance:layer-sparsity.*"', "reference": '{method = "after"}'},
            ".reference: is a parameter of the quantity now: quantity = {name = 'distance:layer-sparsity.*', "
            "reference = {method = 'after'}}",
        ),
        (
            {"of": '{from = "snip", to = {method = "snip", ablations = ["shuffle"]}}'},
            ".of: a fall from one to the other is the quantity 'drop' now: of = {method = …}, with quantity = "
            "{name = 'drop', to = {…}}",
        ),
    ],
)
def test_earlier_spellings_are_refused_with_what_they_are_now(
    keys: dict[str, str | None], message: str, suite: Text, problems: Lines
) -> None:
    """One line each; a group that names such a check is not refused as well."""
    group = '\n[[check]]\nname = "g"\nall = ["c"]'
    assert problems(whole(suite, check(**keys) + group)) == [f"s.toml: check[0]{message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CLAIM.replace('"every"', '"all"'), "claim[0].kind: found 'all'; allowed: every, most, some"),
        (CLAIM.replace("source", "sorce"), "claim[0].source: is missing"),
        (CLAIM.replace('"C1"', '"above"'), "claim[0].id: found 'above'; allowed: another id, as a check's "
         "claim = \"above\" or \"same\" was what is now 'expect'"),
        (CLAIM + CLAIM, "claim[1].id: found 'C1', which is claim[0]'s too; allowed: another"),
    ],
)  # fmt: skip
def test_bad_claims_are_refused(text: str, message: str, suite: Text, problems: Lines) -> None:
    """A claim says its id, what it says, where, and of how many cases."""
    assert f"s.toml: {message}" in problems(whole(suite, text))


def test_claims_are_kept_and_checks_name_them(suite: Text, load: Callable[[str], Suite]) -> None:
    """A group may name one too."""
    group = '\n[[check]]\nname = "g"\nclaim = "C1"\nall = ["c"]'
    loaded = load(whole(suite, CLAIM + check(claim='"C1"') + group))
    assert [claim.model_dump() for claim in loaded.claims] == [
        {"id": "C1", "says": "Shuffling loses nothing.", "source": "§5, Fig. 4", "kind": "every"}
    ]
    assert [one.claim for one in loaded.checks] == ["C1", "C1"]
