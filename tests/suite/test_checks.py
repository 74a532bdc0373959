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
    "claim": '"above"',
}


def check(**keys: str | None) -> str:
    """Return a [[check]] table: BASE with other keys; None leaves one out, `not_` is `not`."""
    table = {**BASE, **{key.rstrip("_"): value for key, value in keys.items()}}
    return "\n[[check]]\n" + "\n".join(f"{k} = {v}" for k, v in table.items() if v is not None)


STEPS = """
[[matrix]]
name = "steps"
architecture = "resnet20"
dataset = "mnist"
recipe = "short"
methods = ["snip", "random"]
ablations = ["none", "shuffle"]
find = [{}, {lr = 0.05}]
score_at = ["init", {step = 5}]
sparsities = [0.2, 0.36]
seeds = 1
dense = false
"""


def whole(suite: Text, text: str) -> str:
    """Return a suite with methods, ablations, points and settings enough for every check here."""
    return suite(
        methods='["snip", "random", "after"]',
        ablations='["none", "shuffle"]',
        find="[{}, {lr = 0.05}]",
        sparsities="{keep = 0.8, count = 18}",
        measures='["layer-sparsity"]',
        more=STEPS + '[baselines]\nafter = "after"' + text,
    )


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"claim": '"same"', "not_": "true", "margin": "0.5"},
        {"quantity": '"measure:layer-sparsity"', "margin": "1"},
        {"quantity": '"range-end"', "margin": "0.1", "range": '"matching"'},
        {
            "quantity": '"crossing"',
            "margin": "0.1",
            "range": '"trivial"',
            "along": '"score_at"',
            "reaches": '{method = "snip"}',
        },
        {"quantity": '"slope"', "margin": "0.1", "range": '"extreme"', "along": '"sparsity"'},
        {"quantity": '"measure:layer-sparsity.early"', "margin": "1", "against": "0.3"},
        {"compare": '"ratio"', "margin": "0.01", "by": "1.0026"},
        {"by": "-0.4", "over": '"somewhere"', "settings": '"some"'},
        {"range": "{to = 0.36}", "over": '"everywhere"'},
        {"range": "{from = 0.2, to = 0.36}"},
        {"of": '{worst = ["random", "after"]}'},
        {"of": '{from = "snip", to = {method = "snip", ablations = ["shuffle"]}}', "against": "1.5"},
        {"against": '{from = {method = "after"}, to = "random"}'},
        {"quantity": '"spread"', "margin": "0.1", "against": '{method = "after"}', "by": "1.0"},
        {
            "quantity": '"distance:layer-sparsity.layers.*.sparsity"',
            "reference": '{method = "after"}',
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
    (found,) = load(whole(suite, check(**keys))).checks
    dumped = found.model_dump(by_alias=True)
    assert dumped["name"] == "c"
    assert dumped["not"] is ("not_" in keys)
    assert (found.margin is None) == ("margin" not in keys)


def test_a_check_of_other_checks(suite: Text, load: Callable[[str], Suite]) -> None:
    """`all` and `any` name checks, those that come later too."""
    text = (
        '\n[[check]]\nname = "both"\nall = ["a", "b"]' + '\n[[check]]\nname = "one"\nany = ["a", "both"]'
    ) + (check(name='"a"') + check(name='"b"', not_="true"))
    both, one, a, b = load(whole(suite, text)).checks
    assert (both.all_, both.any_, one.all_, one.any_) == (["a", "b"], None, None, ["a", "both"])
    assert (a.not_, b.not_) == (False, True)


def test_selections_keep_their_ablations_as_cells_label_them(
    suite: Text, load: Callable[[str], Suite]
) -> None:
    """What a check selects can be compared with a cell's labels."""
    (found,) = load(whole(suite, check())).checks
    assert [(s.method, s.ablations_label) for _, s in found.selections] == [("snip", ""), ("snip", "shuffle")]


CASES: list[tuple[dict[str, str | None], str]] = [
    ({"quantity": '"acuracy"'}, ".quantity: found 'acuracy'; allowed: 'accuracy', 'spread', 'range-end', "
     "'crossing', 'slope', 'diverged', 'measure:NAME', 'measure:NAME.FIELD' or 'distance:NAME.FIELDS'"),
    ({"quantity": '"fit:gamma"'}, ".quantity: found 'fit:gamma': quantities of a fit are not built yet"),
    ({"quantity": '"measure:layers"', "margin": "1"}, ".quantity: found 'layers', which is no measure of this "
     "suite; did you mean 'layer-sparsity'? allowed: layer-sparsity"),
    ({"quantity": '"slope"', "along": '"sparsity"'}, ".margin: is missing: it is needed where the quantity is 'slope'"),
    ({"margin": "-1"}, ".margin: found -1; allowed: a number of at least 0"),
    ({"of": '{method = "snap"}'}, ".of.method: found 'snap', which is no method of this suite; "
     "did you mean 'snip'? allowed: after, none, random, snip"),
    ({"of": '"snip"'}, ".of: found 'snip'; allowed: {method = …}, {best = […]}, {worst = […]} or "
     "{from = …, to = …}"),
    ({"of": '{metod = "snip", method = "snip"}'}, ".of.metod: is no key here; did you mean 'method'? "
     "allowed: ablations, architecture, dataset, find, method, quantity, recipe, score_at"),
    ({"of": '{method = "snip", ablations = ["invert"]}'}, ".of.ablations: found 'invert', which is no "
     "combination of ablations of this suite; allowed: none, shuffle"),
    ({"of": '{method = "snip", find = {lr = 3}}'}, ".of.find: found 'lr=3', which is no find of this suite; "
     "did you mean 'lr=0.05'? allowed: lr=0.05, {}"),
    ({"of": '{method = "snip", score_at = "end"}'}, ".of.score_at: found 'end', which is no pruning step of this "
     "suite; allowed: init, step 5"),
    ({"against": '{best = ["random", "snop"]}'}, ".against.best[1]: found 'snop', which is no method of "
     "this suite; did you mean 'snip'? allowed: after, none, random, snip"),
    ({"against": "{best = []}"}, ".against: has no methods; allowed: a list with at least one"),
    ({"against": '{best = ["snip"], worst = ["random"]}'}, ".against: has both 'best' and 'worst'; "
     "allowed: one of them"),
    ({"against": '"snip"'}, ".against: found 'snip'; allowed: a number, {method = …}, {best = […]}, "
     "{worst = […]} or {from = …, to = …}"),
    ({"of": '{from = "snip"}'}, ".of.to: is missing"),
    ({"of": '{from = "snip", to = "snop"}'}, ".of.to: found 'snop', which is no method of this suite; "
     "did you mean 'snip'? allowed: after, none, random, snip"),
    ({"reference": '{method = "after"}'}, ".reference: stands with the quantity 'accuracy'; allowed: with "
     "'distance:…'"),
    ({"quantity": '"distance:layer-sparsity.layers.*.sparsity"', "margin": "1"}, ".reference: is missing: it is "
     "needed where the quantity is a distance"),
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
    ({"claim": '"over"'}, ".claim: found 'over'; did you mean 'above'? allowed: above, same"),
    ({"claim": None}, ".claim: is missing (or give 'all' or 'any' with the names of checks)"),
    ({"not_": "1"}, ".not: found 1; allowed: true or false; write true"),
    ({"all": '["c"]'}, ".all: stands beside quantity, of, against, range, claim; allowed: 'all' and the name "
     "alone"),
    ({"name": '"a b"'}, ".name: found 'a b'; allowed: letters, digits and . _ + - after a letter or digit"),
    ({"claims": '"above"'}, ".claims: is no key here; did you mean 'claim'? allowed: against, all, along, any, "
     "beside, by, claim, compare, for, margin, name, not, of, over, quantity, range, reaches, reference, settings, "
     "where"),
    ({"quantity": '"measure:layer-sparsity."', "margin": "1"}, ".quantity: found 'measure:layer-sparsity.'; "
     "allowed: 'accuracy', 'spread', 'range-end', 'crossing', 'slope', 'diverged', 'measure:NAME', "
     "'measure:NAME.FIELD' or 'distance:NAME.FIELDS'"),
    ({"along": '"step"'}, ".along: found 'step'; allowed: score_at, sparsity"),
    ({"quantity": '"crossing"', "margin": "1", "along": '"sparsity"'}, ".reaches: is missing: it is needed where "
     "the quantity is 'crossing'"),
    ({"quantity": '"slope"', "margin": "1"}, ".along: is missing: it is needed where the quantity is 'slope'; "
     "allowed: 'sparsity' or 'score_at'"),
    ({"along": '"sparsity"'}, ".along: stands with the quantity 'accuracy'; allowed: with 'crossing', 'slope'"),
    ({"reaches": '{method = "after"}'}, ".reaches: stands with the quantity 'accuracy'; allowed: with "
     "'crossing'"),
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
     "0.488, which is no sparsity of the cells of 'c'; the nearest is 0.36"),
    ({"of": '{method = "snip", quantity = "diverged"}'}, ".of.quantity: found 'diverged' beside 'accuracy'; "
     "allowed: the check's own, or two fields of measures"),
    ({"of": '{method = "snip", quantity = "measure:layer-sparsity.late"}'}, ".of.quantity: found "
     "'measure:layer-sparsity.late' beside 'accuracy'; allowed: the check's own, or two fields of measures"),
    ({"quantity": '"measure:layer-sparsity.layers.*.sparsity"', "margin": "1"}, ".quantity: found "
     "'measure:layer-sparsity.layers.*.sparsity'; allowed: one field; 'distance:…' takes '*'"),
    ({"quantity": '"slope"', "along": '"score_at"', "margin": "1", "of": '{method = "snip", score_at = "init"}'},
     ".of.score_at: is the axis of the curve; allowed: absent"),
    ({"quantity": '"crossing"', "along": '"sparsity"', "margin": "1",
      "reaches": '{method = "after", quantity = "accuracy"}'}, ".reaches.quantity: found 'accuracy'; allowed: the "
     "check's own, 'crossing'"),
    ({"against": '{from = "random", to = "snip", frm = "snip"}'}, ".against.frm: is no key here; did you mean "
     "'from'? allowed: from, to"),
    ({"range": "{from = 0.2, frm = 0.3}"}, ".range.frm: is no key here; did you mean 'from'? allowed: from, to"),
    ({"against": '{best = ["snip"], wurst = ["after"]}'}, ".against.wurst: is no key here; did you mean 'worst'? "
     "allowed: best, worst"),
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
    found = problems(whole(suite, check(**keys)))
    assert f"s.toml: check[0]{message}" in found
    assert len(found) == 1 or "all" in keys


GROUPS = [
    ('all = ["x"]', ["check[0].all[0]: found 'x', which is no check; allowed: c"]),
    ('any = ["d"]', ["check[0].any[0]: names the check itself"]),
    ("all = []", ["check[0].all: found []; allowed: a list with at least one name of a check"]),
    ('all = ["c"]\nany = ["c"]', ["check[0].all: stands beside any; allowed: 'all' and the name alone"]),
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
    along = {"quantity": '"slope"', "along": '"score_at"', "margin": "1"}
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
    '{from = {method = "snip", find = {lr = 0.05}, score_at = {step = 5}}, to = {method = "snip", recipe = "short"}}',
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("key", ["of", "against", "reaches", "reference"])
def test_the_grammar_of_selections(key: str, side: str, suite: Text, load: Callable[[str], Suite]) -> None:
    """Both sides, the curve that is to be reached, and what distances are from, take every key of a selection."""
    keys = {key: side}
    if key in ("reaches", "reference"):
        if "best" in side or "worst" in side or "from" in side:
            return
        crossing = {"quantity": '"crossing"', "along": '"score_at"'}
        distance = {"quantity": '"distance:layer-sparsity.layers.*.sparsity"'}
        keys.update(crossing if key == "reaches" else distance, margin="1")
    keys[key] = side.replace("QUANTITY", keys.get("quantity", BASE["quantity"]))
    (found,) = load(whole(suite, check(**keys))).checks
    assert getattr(found, key) is not None
    assert key in {location[0] for location, _ in found.selections}
