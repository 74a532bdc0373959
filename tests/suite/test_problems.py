"""Bad input: the whole message of each mistake."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prunebench import schedules
from prunebench.reading.messages import unknown
from prunebench.suite import Suite

METHODS = "after, grasp, grasp-inverted, magnitude, none, random, snip, synflow"
FORM = "allocation, alter, as, clock, find, keep, method, prunable, regrowth, schedule, score_at, scorer, train_from, unit"
RECIPE = (
    "augment, batch, batch_norm, betas, decay, devices, drop_factor, drops, epochs, eps, evaluate, init, label_smoothing, "
    "last_batch, lr, micro_batch, momentum, nesterov, optimizer, precision, recompute, rewind, warmup, weight_decay"
)
OF_FIND = RECIPE.replace("evaluate, ", "").replace("recompute, ", "")
KEYS = (
    "ablations, architecture, dataset, dense, densities, exclude, find, for, measures, methods, name, only, overrides, "
    "recipe, score_at, seeds, sparsities, split"
)
POINTS = "'init', 'end', 'rewind', {step = k}, {epoch = k} or {share = x}"
SPARSITY = "allowed: a number from 0 up to, but not including, 1"
SEEDS = "allowed: a whole number n from 1 to 10000 for the seeds 0 … n−1, or a list of seeds"
NAME = "allowed: letters, digits and . _ + - after a letter or digit"
EMPTY = "is empty, so the matrix has no cells; allowed: at least one value"
SCHEDULES = schedules.allowed()

WHOLE = "allowed: a whole number of at least 1"
SCHEDULE_CASES = {
    '{rounds = "9"}': [f".rounds: found '9'; {WHOLE}"],
    "{rounds = 0}": [f".rounds: found 0; {WHOLE}"],
    "{rounds = true}": [f".rounds: found true; {WHOLE}"],
    "{rounds = {n = 3}}": [f".rounds: found {{n = 3}}; {WHOLE}"],
    "{round = 3}": [f".round: is no schedule; did you mean {{rounds = n}}? allowed: {SCHEDULES}"],
    "{rounds = 3, every = 2}": [".every: is no key of {rounds = n}; allowed: rounds"],
    "{rounds = 3, gradual = {}}": [".gradual: stands beside rounds; allowed: one of the two"],
    '"oneshot"': [f": found 'oneshot'; did you mean 'one-shot'? allowed: {SCHEDULES}"],
    '"rounds"': [f": found 'rounds'; did you mean {{rounds = n}}? allowed: {SCHEDULES}"],
    "{}": [f": found {{}}; allowed: {SCHEDULES}"],
    "3": [f": found 3; allowed: {SCHEDULES}"],
    "{gradual = 3}": [".gradual: found 3; allowed: a table with from, to, every"],
    '{gradual = {from = "init", to = "end", every = 0}}': [f".gradual.every: found 0; {WHOLE}"],
    '{gradual = {from = "init", to = "end"}}': [f".gradual.every: is missing; {WHOLE}"],
    '{gradual = {from = "init"}}': [
        f".gradual.to: is missing; allowed: {POINTS}",
        f".gradual.every: is missing; {WHOLE}",
    ],
    '{gradual = {from = "init", too = "end", every = 2}}': [
        ".gradual.too: is no key of {gradual = {from = …, to = …, every = n}}; did you mean 'to'? "
        "allowed: every, from, to"
    ],
    '{gradual = {from = "start", to = {step = -1}, every = 2}}': [
        f".gradual.from: found 'start'; allowed: {POINTS}",
        f".gradual.to: found {{step = -1}}; allowed: {POINTS}",
    ],
    '{gradual = {from = "init", to = "ende", every = 2}}': [
        f".gradual.to: found 'ende'; did you mean 'end'? allowed: {POINTS}"
    ],
    "{gradual = {from = {step = 15}, to = {step = 5}, every = 2}}": [
        ".gradual: to = {step = 5} must lie behind from = {step = 15}"
    ],
}

METHOD_CASES = {
    '["snap"]': f"[0]: found 'snap', which is no method; did you mean 'snip'? allowed: {METHODS}",
    '[{method = "snap", as = "x"}]': "[0].method: found 'snap', which is no method; did you mean 'snip'? "
    f"allowed: {METHODS}",
    '[{method = "snip", keep = "hi", as = "x"}]': "[0].keep: found 'hi'; did you mean 'high'? allowed: 'high', 'low', 'far' or 'near'",
    '[{method = "snip", keep = "low"}]': "[0].as: is missing: another form than a registered method's needs a "
    "label of its own",
    '[{as = "x", keep = "low"}]': "[0].scorer: is missing: a whole form needs a scorer",
    '[{as = "x y", scorer = "snip"}]': f"[0].as: found 'x y'; {NAME}",
    '[{as = "x", scorer = "snop"}]': "[0].scorer: found 'snop', which is no scorer; did you mean 'snip'? "
    "allowed: grasp, magnitude, random, snip, synflow",
    '[{method = "grasp", as = "x", scorer = {temperatur = 3}}]': "[0].scorer.temperatur: is no parameter of "
    "scorer 'grasp'; did you mean 'temperature'? allowed: chunk, temperature",
    '[{method = "grasp", as = "x", scorer = {temperature = "hot"}}]': "[0].scorer.temperature: found 'hot'; "
    "allowed: a number (the default is 200.0)",
    '[{method = "grasp", as = "x", scorer = {chunk = 1.5}}]': "[0].scorer.chunk: found 1.5; "
    "allowed: a whole number (the default is 0)",
    '[{method = "random", as = "x", scorer = {batch = {per_class = 10}}}]': "[0].scorer.batch: is given, but "
    "scorer 'random' reads no data",
    '[{method = "snip", as = "x", scorer = {batch = {per_class = 0}}}]': "[0].scorer.batch: found "
    "{per_class = 0}; allowed: {per_class = n} or {examples = n}, and draw = n for another one of this size",
    '[{method = "snip", as = "x", scorer = {device = "tpu"}}]': "[0].scorer.device: found 'tpu'; "
    "allowed: 'cpu' or 'cuda'",
    '[{method = "snip", as = "x", score_at = "start"}]': f"[0].score_at: found 'start'; allowed: {POINTS}",
    '[{method = "snip", as = "x", clock = "start"}]': f"[0].clock: found 'start'; allowed: {POINTS}",
    '[{method = "snip", as = "x", train_from = 3}]': f"[0].train_from: found 3; allowed: 'scored', {POINTS}; "
    "{at = …, run = 'find'} or {step = k, run = 'find'}",
    '[{method = "snip", as = "x", alter = ["invert"]}]': "[0].alter: found ['invert']; did you mean 'reinit'? "
    "allowed: a list with 'shuffle' or 'reinit', each once",
    '[{method = "snip", as = "x", prunable = "biases"}]': "[0].prunable: found 'biases'; "
    "allowed: 'weights', 'convolutions' or {of = …, except = [names]} (filters: unit = 'filter')",
    '[{method = "snip", as = "x", allocation = "locl"}]': "[0].allocation: found 'locl'; did you mean 'global'? "
    "allowed: 'global', 'uniform', 'erk' or {like = …}",
    '[{method = "snip", as = "x", allocation = {like = "snap"}}]': "[0].allocation.like: found 'snap', which is "
    f"no method; did you mean 'snip'? allowed: {METHODS}",
    '[{method = "snip", as = "x", allocation = {like = "none"}}]': "[0].allocation.like: found 'none', which "
    "prunes nothing",
    '[{method = "snip", as = "x", allocation = {like = {kep = "low"}}}]': "[0].allocation.like.kep: is no key of "
    f"a method; did you mean 'keep'? allowed: {FORM}",
    '[{method = "snip", as = "x", kep = "low"}]': f"[0].kep: is no key of a method; did you mean 'keep'? allowed: {FORM}",
    '[{method = "snip", as = "x", find = {lrr = 1}}]': f"[0].find.lrr: is no part of a recipe; did you mean 'lr'? allowed: {OF_FIND}",
    '[{method = "snip", as = "x", find = {lr = -1}}]': "[0].find.lr: found -1; allowed: a number above 0",
    '[{method = "snip", as = "x", prunable = "filters"}]': "[0].prunable: found 'filters'; "
    "allowed: 'weights', 'convolutions' or {of = …, except = [names]} (filters: unit = 'filter')",
    '[{method = "snip", as = "x", unit = "filter", schedule = {rounds = 2}, regrowth = {scorer = "snip"}}]': "[0]: unit = 'filter' takes no regrowth: filters that are "
    "removed stay removed",
    '[{method = "snip", as = "x", unit = "filter", allocation = {like = {unit = "weight"}}}]': "[0].allocation.like: "
    "found {unit = 'weight'}, which has unit = 'weight', and this one 'filter': what its layers keep is no number of "
    "whole filters",
    '[{method = "snip", as = "x", unit = {n = 2, m = 4}}]': "[0].unit: unit = {n = 2, m = 4} is understood, "
    "but not built yet; allowed: 'weight' or 'filter'",
    '[{method = "snip", as = "x", schedule = {rounds = 2}, regrowth = {scorer = "snip", fraction = 0.1}}]': "[0]"
    ".regrowth: regrowth = {fraction = …} is understood, but not built yet; allowed: 'none' or {scorer = …, "
    "every = n}",
    '[{method = "snip", as = "x", prunable = {of = "convolution"}}]': "[0].prunable: found {of = 'convolution'}; "
    "did you mean 'convolutions'? allowed: 'weights', 'convolutions' or {of = …, except = [names]} (filters: unit = "
    "'filter')",
    '[{method = "snip", as = "x", unit = {n = 4, m = 4}}]': "[0].unit: found {n = 4, m = 4}; allowed: 'weight', "
    "'filter' or {n = 2, m = 4}, n below m",
    '[{method = "snip", as = "x", unit = {n = 1.5, m = 4}}]': "[0].unit: found {n = 1.5, m = 4}; allowed: "
    "'weight', 'filter' or {n = 2, m = 4}, n below m",
    '[{method = "snip", as = "x", unit = "filters"}]': "[0].unit: found 'filters'; did you mean 'filter'? "
    "allowed: 'weight', 'filter' or {n = 2, m = 4}, n below m",
    '[{method = "snip", as = "x", regrowth = {scorer = "random"}}]': f"[0]: regrowth takes {schedules.regrowing()}",
    '[{method = "snip", as = "magnitude", keep = "low"}]': "[0].as: the label 'magnitude' is a registered "
    "method's; allowed: another one",
    '[{method = "snip", as = "x", keep = "low"}, {method = "grasp", as = "x"}]': "[1]: the label 'x' is "
    "matrix[0].methods[0]'s too; allowed: another one, with as = …",
    '["snip", "snip"]': "[1]: 'snip' is matrix[0].methods[0] 'snip' again",
    '["snip", {method = "snip", as = "s2"}]': "[1]: 's2' is matrix[0].methods[0] 'snip' again",
    "[3]": "[0]: found 3; allowed: the name of a method, or a table {method = …, as = …} with changes",
    '"snip"': ": found 'snip'; allowed: a list; write ['snip']",
    "[]": f": {EMPTY}",
}

CASES: list[tuple[str, str, str]] = [
    # key, value, message after "s.toml: matrix[0]"
    ("nme", '"x"', f".nme: is no key here; did you mean 'name'? allowed: {KEYS}"),
    ("name", '"a b"', f".name: found 'a b'; {NAME}"),
    ("architecture", '"resnt"', ".architecture: found 'resnt', which is no architecture; did you mean 'resnet'? "
     "allowed: mlp, resnet, resnet20, resnet32"),
    ("architecture", '["mlp", "resnt"]', ".architecture[1]: found 'resnt', which is no architecture; "
     "did you mean 'resnet'? allowed: mlp, resnet, resnet20, resnet32"),
    ("architecture", '{name = "resnet", dept = 3}', ".architecture.dept: is no parameter of architecture "
     "'resnet'; did you mean 'depth'? allowed: depth, width"),
    ("architecture", '{name = "resnet", depth = "x"}', ".architecture.depth: found 'x'; "
     "allowed: a whole number (the default is 20)"),
    ("architecture", "{depth = 3}", ".architecture.name: is missing"),
    ("architecture", "3", ".architecture: found 3; allowed: a name, or a table {name = …} with changes"),
    ("architecture", "[]", f".architecture: {EMPTY}"),
    ("architecture", '[{name = "resnet", depth = 20}, "resnet20"]', ".architecture[1]: 'resnet20' is "
     "matrix[0].architecture[0] 'resnet[depth=20]' again"),
    ("architecture", '[{name = "resnet", as = "a"}, {name = "resnet", depth = 32, as = "a"}]',
     ".architecture[1]: the label 'a' is matrix[0].architecture[0]'s too; allowed: another one, with as = …"),
    ("overrides", "{architecture = {widt = 2}}", ".overrides.architecture.widt: is no parameter of architecture "
     "'resnet20'; did you mean 'width'? allowed: depth, width"),
    ("overrides", "{recipe = {lrr = 2}}", ".overrides.recipe.lrr: is no part of a recipe; did you mean 'lr'? "
     f"allowed: {RECIPE}"),
    ("overrides", "{recip = {lr = 2}}", ".overrides.recip: is no key here; did you mean 'recipe'? "
     "allowed: architecture, recipe, scorer"),
    ("overrides", "{scorer = {chunk = 8}}", ".overrides.scorer.chunk: is a parameter of no scorer of the matrix; "
     "allowed: device"),
    ("overrides", '{scorer = {device = "gpu"}}', ".overrides.scorer.device: found 'gpu'; allowed: 'cpu' or 'cuda'"),
    ("dataset", '"mnis"', ".dataset: found 'mnis', which is no data set; did you mean 'mnist'? "
     "allowed: cifar10, folder, mnist"),
    ("dataset", '["mnist", "mnist"]', ".dataset[1]: 'mnist' is matrix[0].dataset[0] 'mnist' again"),
    ("recipe", '"shor"', ".recipe: found 'shor', which is no recipe; did you mean 'short'? allowed: long, short"),
    ("recipe", '{name = "short", lrr = 1}', f".recipe.lrr: is no part of a recipe; did you mean 'lr'? allowed: {RECIPE}"),
    ("recipe", '{name = "short", lr = "0.1"}', ".recipe.lr: found '0.1'; allowed: a number; write 0.1"),
    ("recipe", '{name = "short", lr = 0}', ".recipe.lr: found 0; allowed: a number above 0"),
    ("recipe", '{name = "short", batch = true}', ".recipe.batch: found true; allowed: a whole number"),
    ("recipe", '{name = "short", batch = 1.5}', ".recipe.batch: found 1.5; allowed: a whole number"),
    ("recipe", '{name = "short", drops = ["1"]}', ".recipe.drops: found ['1']; allowed: a list, each a number"),
    ("recipe", '{name = "short", decay = "cosin"}', ".recipe.decay: found 'cosin'; did you mean 'cosine'? "
     "allowed: cosine, drops"),
    ("recipe", '{name = "short", nesterov = true}', ".recipe: nesterov needs a momentum above 0"),
    ("recipe", '{name = "short", optimizer = "adam"}', ".recipe.optimizer: found 'adam'; did you mean 'adamw'? "
     "allowed: adamw, sgd"),
    ("recipe", '{name = "short", optimizer = 3}', ".recipe.optimizer: found 3; allowed: adamw, sgd"),
    *(("recipe", f'{{name = "short", optimizer = "adamw", betas = {betas}}}', f".recipe.betas: found {betas}; "
       "allowed: two numbers from 0 up to, but not including, 1")
      for betas in ("0.9", "[0.9]", "[0.9, 0.9, 0.9]", "[0.9, 1.5]", "[0.9, 1]", "['0.9', 0.9]")),
    ("recipe", '{name = "short", learning_rate = 0.1}', ".recipe.learning_rate: is no part of a recipe; did you "
     f"mean 'lr'? allowed: {RECIPE}"),
    ("recipe", '{name = "short", optimizer = "adamw", momentum = 0.9}', ".recipe: adamw takes no momentum; "
     "allowed: lr, weight_decay, betas, eps"),
    ("recipe", '{name = "short", betas = [0.9, 0.99]}', ".recipe: sgd takes no betas; "
     "allowed: lr, weight_decay, momentum, nesterov"),
    ("recipe", '{name = "short", init = "kaiming"}', ".recipe.init: found 'kaiming', which is no initialization; "
     "did you mean 'kaiming-normal'? allowed: kaiming-normal, unit-variance"),
    ("recipe", '{name = "short", rewind = {step = -1}}', ".recipe.rewind: found {step = -1}; "
     "allowed: 'init', 'end', {step = k}, {epoch = k} or {share = x}"),
    ("recipe", '["short", {name = "short", lr = 0.1}]', ".recipe[1]: 'short[lr=0.1]' is matrix[0].recipe[0] "
     "'short' again"),
    ("find", "[{lr = 0.05}, {lrr = 3}]", f".find[1].lrr: is no part of a recipe; did you mean 'lr'? allowed: {OF_FIND}"),
    ("find", "{lr = 3}", ".find: found {lr = 3}; allowed: a list; write [{lr = 3}]"),
    ("find", "[]", f".find: {EMPTY}"),
    ("find", "[{}, {lr = 0.1}]", ": find[1] 'lr=0.1' is the same cell as find[0] '{}'; leave one out, or exclude it"),
    ("score_at", '["init", "begin"]', f".score_at[1]: found 'begin'; allowed: {POINTS}"),
    ("score_at", "[{step = -1}]", f".score_at[0]: found {{step = -1}}; allowed: {POINTS}"),
    ("score_at", "[{step = 1, epoch = 2}]", f".score_at[0]: found {{step = 1, epoch = 2}}; allowed: {POINTS}"),
    ("score_at", '["init", {step = 0}]', ".score_at[1]: 'step 0' is matrix[0].score_at[0] 'init' again"),
    ("ablations", '["shufle"]', ".ablations[0]: found 'shufle', which is no ablation; did you mean 'shuffle'? "
     "allowed: invert, none, only-global, reinit, shuffle"),
    ("ablations", '["none", ["shuffle", "invrt"]]', ".ablations[1][1]: found 'invrt', which is no ablation; "
     "did you mean 'invert'? allowed: invert, none, only-global, reinit, shuffle"),
    ("ablations", '[["none", "reinit"]]', ".ablations[0]: found ['none', 'reinit']; "
     "allowed: 'none' alone, or the names of ablations"),
    ("ablations", '["shuffle+reinit", ["reinit", "shuffle"]]', ": ablations[1] 'reinit+shuffle' is the same cell "
     "as ablations[0] 'shuffle+reinit'; leave one out, or exclude it"),
    ("sparsities", "[0.5, 1.0]", f".sparsities[1]: found 1.0; {SPARSITY}"),
    ("sparsities", "[-0.1, 0.5]", f".sparsities[0]: found -0.1; {SPARSITY}"),
    ("sparsities", "[nan]", ".sparsities[0]: found nan; allowed: a finite number"),
    ("sparsities", '["0.5"]', ".sparsities[0]: found '0.5'; allowed: a number; write 0.5"),
    ("sparsities", "[0.5, 0.5]", ".sparsities[1]: '0.5' is matrix[0].sparsities[0] '0.5' again"),
    ("sparsities", "0.5", ".sparsities: found 0.5; allowed: a list of sparsities, or {keep = 0.8, count = 18}; "
     "write [0.5]"),
    ("sparsities", "[]", f".sparsities: {EMPTY}"),
    ("sparsities", "{keep = 0.8}", ".sparsities.count: is missing"),
    ("sparsities", "{keep = 1.5, count = 3}", ".sparsities.keep: found 1.5; allowed: a number below 1; write 0.015 "
     "for 1.5 %"),
    ("sparsities", "{keep = 0.8, count = 0}", ".sparsities.count: found 0; allowed: a number of at least 1"),
    ("sparsities", "{keep = 0.1, count = 18}", ".sparsities.count: found 18; allowed: fewer, as 0.1^18 is 0 in "
     "twelve digits"),
    ("sparsities", "{keep = 0.8, count = 3, cont = 2}", ".sparsities.cont: is no key here; did you mean 'count'? "
     "allowed: count, keep"),
    ("densities", "[0.5, 0]", ".densities[1]: found 0; allowed: a number above 0, up to 1"),
    ("densities", "[1.5]", ".densities[0]: found 1.5; allowed: a number above 0, up to 1; write 0.015 for 1.5 %"),
    ("seeds", "0", f".seeds: found 0; {SEEDS}"),
    ("seeds", "true", f".seeds: found true; {SEEDS}"),
    ("seeds", "[0, -1]", ".seeds[1]: found -1; allowed: a whole number of at least 0"),
    ("seeds", "[1, 1]", ".seeds[1]: '1' is matrix[0].seeds[0] '1' again"),
    ("seeds", "[]", f".seeds: {EMPTY}"),
    ("measures", '["layer-sparsit"]', ".measures[0]: found 'layer-sparsit', which is no diagnostic; "
     "did you mean 'layer-sparsity'? allowed: layer-sparsity"),
    ("split", '"tes"', ".split: found 'tes'; did you mean 'test'? allowed: test, val"),
    ("dense", "1", ".dense: found 1; allowed: true or false; write true"),
    ("only", '[{method = "snap"}]', ".only[0].method: found 'snap', which is no method of this matrix; "
     "did you mean 'snip'? allowed: snip"),
    ("only", '[{ablations = "none"}]', ".only[0].ablations: is no key here; did you mean 'ablation'? "
     "allowed: ablation, architecture, dataset, density, find, method, recipe, score_at, seed, sparsity"),
    ("only", "[]", f".only: {EMPTY}"),
    ("exclude", '[{method = "snip"}]', ": matrix 'main' has no cells: exclude leaves none"),
    ("exclude", "[{sparsity = 0.7}]", ".exclude[0].sparsity: found 0.7, which is no sparsity of this matrix; "
     "the nearest is 0.5; allowed: 0.5"),
    ("exclude", "[{density = 0.7}]", ".exclude[0].density: found 0.7, which is no density of this matrix; "
     "the nearest is 0.5; allowed: 0.5"),
    ("exclude", "[{seed = 3}]", ".exclude[0].seed: found 3, which is no seed of this matrix; allowed: 0"),
    ("exclude", '[{dataset = "mnis"}]', ".exclude[0].dataset: found 'mnis', which is no data set of this matrix; "
     "did you mean 'mnist'? allowed: mnist"),
    ("exclude", '[{ablation = "shuffle"}]', ".exclude[0].ablation: found 'shuffle', which is no combination of "
     "ablations of this matrix; allowed: 'none'"),
    ("exclude", "[{find = {lr = 3}}]", ".exclude[0].find: found {lr = 3}, which is no find of this matrix; "
     "allowed: {}"),
    ("exclude", '[{score_at = "end"}]', ".exclude[0].score_at: found 'end', which is no pruning step of this "
     "matrix; the matrix has no score_at"),
    ("exclude", "[{}]", ".exclude[0]: is empty; allowed: at least one of architecture, dataset, recipe, find, "
     "score_at, method, ablation, sparsity, density, seed"),
]  # fmt: skip

HEADS: dict[str, list[str]] = {
    'schema = 2\nfoo = "bar"': [
        "s.toml: schema: found 2; prunebench VERSION reads schema 1: a newer prunebench is needed"
    ],
    "schema = 0": ["s.toml: schema: found 0; prunebench VERSION reads schema 1"],
    'schema = "1"\nname = "a b"\nversion = 1\nfoo = 1': [
        "s.toml: schema: found '1'; allowed: a whole number; write 1",
        f"s.toml: name: found 'a b'; {NAME}",
        "s.toml: version: found 1; allowed: a text in quotes; write '1'",
        "s.toml: foo: is no key here; allowed: baselines, check, claim, description, leaderboard, matrix, name, plugins, "
        "reported, schema, sets, version",
    ],
    "description = 3": [
        "s.toml: schema: is missing",
        "s.toml: name: is missing",
        "s.toml: version: is missing",
        "s.toml: description: found 3; allowed: a text in quotes; write '3'",
    ],
    'schema = 1\nname = "s"\nversion = 2020-01-01': [
        "s.toml: version: found 2020-01-01; allowed: a text, a number, true or false, a list or a table"
    ],
}


@pytest.mark.parametrize(("value", "message"), METHOD_CASES.items())
def test_bad_methods_are_refused_with_what_is_allowed(
    value: str, message: str, suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """Each mistake in `methods` has one message, with key path, what was found and what is allowed."""
    assert problems(suite(methods=value)) == [f"s.toml: matrix[0].methods{message}"]


@pytest.mark.parametrize(("value", "messages"), SCHEDULE_CASES.items())
def test_of_a_bad_schedule_the_wrong_part_is_named(
    value: str, messages: list[str], suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """Its path, what was found, what that part takes, and the nearest name; one that is not built is not offered."""
    text = suite(methods=f'[{{method = "snip", as = "x", schedule = {value}}}]')
    assert problems(text) == [f"s.toml: matrix[0].methods[0].schedule{message}" for message in messages]


def test_a_schedule_without_a_mask_before_training_is_left_out_by_exclude(
    suite: Callable[..., str], problems: Callable[[str], list[str]], load: Callable[[str], object]
) -> None:
    """The message of an ablation of one such method says how the others keep it; a wrong schedule is told too."""
    gradual = '{{method = "snip", as = "x", schedule = {{gradual = {{from = {{step = {}}}, to = {{step = 5}}, every = 2}}}}}}'
    both = {"methods": f'["snip", {gradual.format(2)}]', "ablations": '["none", "shuffle"]'}
    (told,) = problems(suite(**both))
    out = '[{method = "x", ablation = "shuffle"}]'
    assert told.startswith("s.toml: matrix[0].ablations[1]: ablation 'shuffle' of method 'x': ")
    assert told.endswith(f"; leave it out by exclude = {out}")
    load(suite(**both, exclude=out))
    wrong = {**both, "methods": f'["snip", {gradual.format(9)}]'}
    assert any("to = {step = 5} must lie behind" in line for line in problems(suite(**wrong)))


@pytest.mark.parametrize(("key", "value", "message"), CASES)
def test_bad_values_are_refused_with_what_is_allowed(
    key: str, value: str, message: str, suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """Each mistake in a key of a matrix has one message, with key path, what was found and what is allowed."""
    assert problems(suite(**{key: value})) == [f"s.toml: matrix[0]{message}"]


@pytest.mark.parametrize(("head", "messages"), HEADS.items())
def test_bad_keys_of_the_file_are_refused(
    head: str, messages: list[str], suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """A newer schema is refused alone; everything else about the file's own keys is said together."""
    from prunebench import __version__

    assert problems(suite(head)) == [m.replace("VERSION", __version__) for m in messages]


@pytest.mark.parametrize("key", ["name", "architecture", "dataset", "recipe", "methods", "seeds"])
def test_a_missing_key_is_named(
    key: str, suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """A matrix without a needed key says which."""
    assert problems(suite(**{key: None})) == [f"s.toml: matrix[0].{key}: is missing"]


def test_sparsities_and_densities_are_exclusive(
    suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """A matrix gives one of the two."""
    assert problems(suite(sparsities=None)) == [
        "s.toml: matrix[0].sparsities: is missing: give either sparsities or densities"
    ]
    assert problems(suite(more="densities = [0.5]")) == [
        "s.toml: matrix[0].densities: stands beside sparsities; allowed: one of the two"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("matrix = []", "s.toml: matrix: is empty; allowed: at least one [[matrix]]"),
        ("", "s.toml: matrix: is missing"),
        (
            '[matrix]\nname = "main"',
            "s.toml: matrix: is one table; write [[matrix]], in two brackets, for each",
        ),
        ("matrix = [3]", "s.toml: matrix[0]: found 3; allowed: a table"),
    ],
)
def test_a_suite_needs_matrices(text: str, message: str, problems: Callable[[str], list[str]]) -> None:
    """A file without [[matrix]] tables is refused."""
    assert problems(f'schema = 1\nname = "s"\nversion = "1"\n{text}') == [message]


def test_all_problems_of_a_file_are_listed_at_once(
    suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """Mistakes of every kind in two matrices, a check and the leaderboard come in one error, a line each."""
    second = suite("", name='"other"', methods='["snop"]', sparsities="[2.0, 0.5, 0.5]", seeds=None)
    more = second + '\n[[check]]\nname = "c"\nall = ["d"]\n[leaderboard]\nmargin = -1\n'
    found = problems(suite(more=more, dataset='"mnis"', dense='"yes"', methods='["snap"]'))
    assert found == [
        "s.toml: leaderboard.margin: found -1; allowed: a number of at least 0",
        "s.toml: matrix[0].dense: found 'yes'; allowed: true or false; write true",
        f"s.toml: matrix[1].sparsities[0]: found 2.0; {SPARSITY}; write 0.02 for 2 %",
        "s.toml: matrix[1].seeds: is missing",
        "s.toml: matrix[0].dataset: found 'mnis', which is no data set; did you mean 'mnist'? "
        "allowed: cifar10, folder, mnist",
        f"s.toml: matrix[0].methods[0]: found 'snap', which is no method; did you mean 'snip'? allowed: {METHODS}",
        f"s.toml: matrix[1].methods[0]: found 'snop', which is no method; did you mean 'snip'? allowed: {METHODS}",
        "s.toml: check[0].all[0]: found 'd', which is no check; this suite has no other [[check]]",
    ]


def test_two_spellings_of_one_cell_are_refused_with_both_positions(
    suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """A variant beside the ablation that makes it is a duplicate, and both places are named."""
    text = suite(methods='["grasp-inverted", "snip", "grasp"]', ablations='["none", "invert"]')
    assert problems(text) == [
        "s.toml: matrix[0]: methods[2] 'grasp' with ablations[0] 'none' is the same cell as methods[0] "
        "'grasp-inverted' with ablations[1] 'invert'; leave one out, or exclude it",
        "s.toml: matrix[0]: methods[2] 'grasp' with ablations[1] 'invert' is the same cell as methods[0] "
        "'grasp-inverted' with ablations[0] 'none'; leave one out, or exclude it",
    ]


def test_a_spelling_that_is_excluded_is_no_duplicate(
    suite: Callable[..., str], load: Callable[[str], object]
) -> None:
    """Duplicates are looked for in what only and exclude leave."""
    load(
        suite(
            methods='["grasp-inverted", "grasp"]',
            ablations='["none", "invert"]',
            exclude='[{method = "grasp-inverted"}]',
        )
    )


def test_an_entry_that_matches_nothing_is_refused(
    suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """Values that are all there, and no cell that has them together, are an error too."""
    text = suite(seeds="2", only="[{seed = 0}]", exclude="[{seed = 1}]")
    assert problems(text) == ["s.toml: matrix[0].exclude[0]: matches no cell of the matrix"]
    text = suite(seeds="2", only="[{seed = 0}]", exclude="[{seed = 0}]")
    assert problems(text) == ["s.toml: matrix[0]: matrix 'main' has no cells: only and exclude leave none"]


def test_an_ablation_that_refuses_a_method_is_named(
    suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """What an ablation says about a method is said with the place in the file."""
    methods = '[{method = "snip", as = "x", allocation = "erk"}]'
    assert problems(suite(methods=methods, ablations='["none", "only-global"]')) == [
        "s.toml: matrix[0].ablations[1]: ablation 'only-global' of method 'x': "
        "only for methods with allocation = 'global'"
    ]


@pytest.mark.parametrize(
    ("key", "first", "second"),
    [
        ("methods", '[{method = "snip", as = "x"}]', '[{method = "snip", as = "x", keep = "low"}]'),
        ("architecture", '{name = "resnet", as = "a"}', '{name = "resnet", width = 2, as = "a"}'),
        ("recipe", '{name = "short", as = "r"}', '{name = "long", as = "r"}'),
    ],
)
def test_a_label_means_one_thing_in_a_suite(
    key: str, first: str, second: str, suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """Two matrices that mean different things by a label would mix in one row of a table."""
    text = suite(more=suite("", name='"other"', **{key: second}), **{key: first})
    index = "[0]" if key == "methods" else ""
    label = "x" if key == "methods" else key[0]
    assert problems(text) == [
        f"s.toml: matrix[1].{key}{index}: the label '{label}' stands for something else in matrix[0].{key}{index}; "
        "allowed: another label, with as = …"
    ]


def test_shared_parameters_may_differ_between_settings_alone(
    suite: Callable[..., str], problems: Callable[[str], list[str]], load: Callable[[str], Suite]
) -> None:
    """Chunks of another setting are in another row; in one setting two matrices would mix."""
    chunked = {"name": '"other"', "overrides": "{scorer = {chunk = 8}}"}
    load(
        suite(methods='["grasp"]', more=suite("", methods='["grasp"]', architecture='"resnet32"', **chunked))
    )
    assert problems(suite(methods='["grasp"]', more=suite("", methods='["grasp"]', **chunked))) == [
        "s.toml: matrix[1].methods[0]: the label 'grasp' stands for something else in matrix[0].methods[0]; "
        "allowed: another label, with as = …"
    ]
    assert problems(suite(methods='["grasp"]', overrides='{scorer = {chunk = "x"}}')) == [
        "s.toml: matrix[0].overrides.scorer.chunk: found 'x'; allowed: a whole number (the default is 0)"
    ]


def test_matrices_have_names_of_their_own(
    suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """Two matrices of one name are refused: their cells could not be told apart."""
    assert problems(suite(more=suite(""))) == [
        "s.toml: matrix[1].name: found 'main', which is matrix[0]'s too; allowed: another"
    ]


def test_a_name_like_no_other_may_come_from_a_plugin_file() -> None:
    """A slip in a known name is answered with that name alone; of what no plugin gives, files are not spoken of."""
    hint = '; one of your own comes with plugins = ["mine.py"] in the suite, or with --plugin mine.py'
    for what, name in (("method", "weight-times-gradient"), ("scorer", "mine"), ("data set", "flowers")):
        assert unknown(name, what, ["none", "snip", "synflow"]).endswith(hint)
    for name in ("SNIP", "snap", "synfow"):
        assert hint not in unknown(name, "method", ["none", "snip", "synflow"])
    assert hint not in unknown("mine", "check", ["none"])
