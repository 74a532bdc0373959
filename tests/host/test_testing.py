"""The conformance kit finds what is wrong with a component, and says it in a sentence."""

from __future__ import annotations

import itertools
import random
import time

import numpy as np
import pytest
import torch
from torch import nn

from prunebench import (
    Ablation,
    Architecture,
    DataError,
    Dataset,
    Diagnostic,
    Form,
    Initialization,
    Method,
    Recipe,
    RecipeComponent,
    Scorer,
    UsageError,
)
from prunebench.testing import check_component, check_dataset

TEXT = "What it is."

CALLS = itertools.count()
"""Another number each time; a clock in float32 may stand still."""


def documented(function):
    """Give a function a docstring, which every component must have."""
    function.__doc__ = TEXT
    return function


def fails(component, match):
    """Assert that the kit refuses a component with this in the sentence."""
    with pytest.raises(AssertionError, match=match):
        check_component(component)


@documented
def magnitudes(net, batch, rng):
    return {name: weight.detach().abs() for name, weight in net.weights.items()}


def scorer(function, **fields):
    return Scorer("sample", documented(function), **fields)


@documented
def _changed(net, batch, rng, *, change=None):
    return {name: change(weight.detach()) for name, weight in net.weights.items()}


def test_a_good_scorer_passes():
    """A scorer that keeps its contract is accepted, whatever it does to its private copy."""

    def score(net, batch, rng):
        gradients = torch.autograd.grad(net.loss(batch), list(net.weights.values()))
        scores = {n: g.abs() for n, g in zip(net.weights, gradients, strict=True)}
        for parameter in net.module.parameters():
            parameter.data.zero_()
        torch.manual_seed(1)
        return scores

    check_component(scorer(score, needs="batch", mode="train", version="1"))


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda net, batch, rng: {n: w.detach() / 0 for n, w in net.weights.items()}, "NaN or infinite"),
        (lambda net, batch, rng: {n: w.detach().flatten() for n, w in net.weights.items()}, "shape"),
        (lambda net, batch, rng: {}, "no scores for"),
        (lambda net, batch, rng: {**magnitudes(net, batch, rng), "x": torch.ones(1)}, "scores for x"),
        (lambda net, batch, rng: None, "NoneType"),
        (lambda net, batch, rng: magnitudes(net, None, rng)[batch], "failed: KeyError: None"),
        (lambda net, batch: magnitudes(net, batch, None), "must take"),
        (lambda net, batch, rng, power: magnitudes(net, batch, rng), "must take"),
        (
            lambda net, batch, rng: {n: w.detach() * 0 + next(CALLS) for n, w in net.weights.items()},
            "other scores",
        ),
        (
            lambda net, batch, rng: {n: w.detach() / (net.mask[n].float()) for n, w in net.weights.items()},
            "with a mask",
        ),
    ],
    ids=["infinite", "shape", "missing", "extra", "none", "raises", "two", "four", "clock", "division"],
)
def test_a_bad_scorer_is_refused(function, match):
    """Names, shapes, finiteness, arguments, and the same scores for the same seed."""
    fails(scorer(function, version="1"), match)


def zeros(net, batch, rng):
    return {n: torch.zeros_like(w).detach() for n, w in net.weights.items()}


def ones(net, batch, rng):
    return {n: torch.full_like(w, 2.5).detach() for n, w in net.weights.items()}


def by_layer(net, batch, rng):
    return {n: torch.full_like(w, i).detach() for i, (n, w) in enumerate(net.weights.items())}


def by_filter(net, batch, rng):
    sums = {n: w.detach().abs().flatten(1).sum(1) for n, w in net.weights.items()}
    return {
        n: s.reshape(-1, *[1] * (net.weights[n].dim() - 1)).expand_as(net.weights[n]) for n, s in sums.items()
    }


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (zeros, r": every score is 0, which ranks nothing"),
        (ones, r": every score is 2\.5: equal scores rank nothing"),
        (by_layer, " gives all weights of a layer the same score, in every layer"),
    ],
)
def test_a_scorer_that_ranks_nothing_is_refused(function, match):
    """The order of the weights in memory would decide."""
    fails(scorer(function, version="1"), f"scorer 'sample' on a convolutional network{match}")


def test_a_scorer_of_filters_ranks():
    """One score for all weights of a filter is a ranking."""
    check_component(scorer(by_filter, version="1"))


def short(net, batch):
    return {}


def long(net, batch, rng, power):
    return {}


def without_default(net, batch, rng, *, power):
    return {}


def by_position(net, batch, rng, power=2):
    return {n: w.detach().abs() ** power for n, w in net.weights.items()}


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (short, r"take \(net, batch, rng\), .*it is short\(net, batch\) \(too many positional arguments\)"),
        (long, r"it is long\(net, batch, rng, power\) \(missing a required argument: 'power'\)"),
        (without_default, r"it is without_default\(net, batch, rng, \*, power\) \(missing .*'power'\)"),
        (
            by_position,
            r"'power' of its function can be given by position, so no suite can set it; put a \* before",
        ),
    ],
)
def test_wrong_arguments_are_named_as_the_author_wrote_them(function, match):
    """With the function's name and its own parameters."""
    fails(scorer(function, version="1"), match)


def snip(net, batch, rng):
    weights = net.weights
    return dict(zip(weights, torch.autograd.grad(net.loss(batch), list(weights.values())), strict=True))


def test_a_scorer_that_uses_its_batch_and_declares_none_is_told_so():
    """What to write is in the sentence; a scorer that fails with a batch as well is told what fails."""
    fails(
        scorer(snip, version="1"),
        r'batch = None, as it declares needs = "nothing"; with needs = "batch" it w',
    )
    check_component(scorer(snip, needs="batch", version="1"))
    fails(scorer(lambda net, batch, rng: {}[batch], version="1"), r"network failed: KeyError: None\n  at ")


def spoiling_the_batch(net, batch, rng):
    scores = snip(net, batch, rng)
    batch[0].mul_(2)
    return scores


def spoiling_labels(net, batch, rng):
    scores = snip(net, batch, rng)
    batch[1][0] = 3
    return scores


@pytest.mark.parametrize("function", [spoiling_the_batch, spoiling_labels])
def test_a_scorer_that_changes_its_batch_is_refused(function):
    """The next round, and the next scorer, would score other data."""
    fails(scorer(function, needs="batch", version="1"), "changes the batch that it is given")


def _hooked(net):
    torch.nn.modules.module.register_module_forward_hook(lambda *_: None)


def _patched(net):
    relu = torch.nn.functional.relu
    torch.nn.functional.relu = lambda x, inplace=False: relu(x)


@pytest.mark.parametrize(
    ("leak", "match"),
    [
        (_hooked, "left a global forward hook behind"),
        (_patched, r"replaced torch\.nn\.functional\.relu"),
        (lambda net: torch.set_default_device("meta"), "set the default device to meta"),
    ],
)
def test_a_component_that_changes_what_all_share_is_refused(leak, match):
    """Other components' results would depend on it; it is put back."""
    relu = torch.nn.functional.relu

    def score(net, batch, rng):
        leak(net)
        return magnitudes(net, batch, rng)

    def load(root, part):
        leak(None)
        return dataset().load(root, part)

    fails(scorer(score, version="1"), f"scorer 'sample' on a convolutional network {match}")
    fails(dataset(load=documented(load)), f"dataset 'sample', train {match}")
    assert torch.nn.functional.relu is relu
    assert not torch.nn.modules.module._global_forward_hooks


def test_a_component_without_documentation_is_refused():
    """What `show` prints must say something."""
    score = lambda net, batch, rng: {name: weight.detach() for name, weight in net.weights.items()}  # noqa: E731
    fails(Scorer("silent", score, version="1"), "scorer 'silent' has no documentation")


def test_documentation_is_looked_at_last():
    """Who writes a component hears what is wrong with its numbers first."""
    fails(Scorer("silent", lambda net, batch, rng: {}, version="1"), "^(?!.*documentation)")


def test_a_component_that_cannot_be_identified_is_refused():
    """A scorer that holds a tensor and declares no version has no identity."""
    held = torch.ones(1)
    fails(scorer(lambda net, batch, rng: held), "declare a version")


def architecture(build):
    return Architecture("sample", documented(build), version="1")


def _net(shape, classes, **more):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes, **more))


class _Unrepeatable(nn.Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        nn.init.constant_(self.weight, next(CALLS))


def _global(shape, classes):
    torch.set_default_dtype(torch.float64)
    return _net(shape, classes)


@pytest.fixture
def restored():
    """Put back what a bad component may leave changed."""
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda shape, classes: None, "not a torch.nn.Module"),
        (lambda shape, classes: _net(shape, 10), r"shape \(2, 10\) in training mode, expected \(2, 11\)"),
        (lambda shape, classes: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3072)), "nothing to prune"),
        (
            lambda shape, classes: nn.Sequential(nn.Flatten(), _Unrepeatable(3072, classes)),
            "differs when built again",
        ),
        (lambda shape, classes: _net(shape, classes, device="cpu"), "puts '1.weight' on cpu|meta device"),
        (lambda shape, classes: _net(shape, classes, dtype=torch.float64), "float64|dtype"),
        (_global, "changes torch's default type"),
    ],
    ids=["none", "classes", "prunable", "clock", "device", "dtype", "global"],
)
def test_a_bad_architecture_is_refused(build, match):
    """Outputs, prunable weights, repeatability, the meta device, global state."""
    fails(architecture(build), match)


def test_a_good_architecture_passes():
    """A linear classifier keeps the contract."""
    check_component(architecture(lambda shape, classes: _net(shape, classes)))


@pytest.mark.parametrize(
    ("draw", "match"),
    [
        (lambda module, name, p, rng: torch.zeros_like(p), "same values for every seed"),
        (
            lambda module, name, p, rng: torch.full_like(p, next(CALLS)),
            "other values for the same seed",
        ),
        (lambda module, name, p, rng: torch.zeros(1), "shape"),
        (lambda module, name, p, rng: torch.full_like(p, float("nan")), "not finite"),
    ],
    ids=["constant", "clock", "shape", "nan"],
)
def test_a_bad_initialization_is_refused(draw, match):
    """Values follow the seed, and nothing but the seed."""
    fails(Initialization("sample", documented(draw), version="1"), match)


def test_an_initialization_that_counts_its_calls_is_refused():
    """A layer's values must not depend on what else is in the network."""
    calls = []

    def draw(module, name, parameter, rng):
        calls.append(name)
        return torch.from_numpy(rng.normal(tuple(parameter.shape))) * len(calls)

    fails(Initialization("sample", documented(draw), version="1"), "other values for the same seed")


IMAGES = {
    "train": torch.arange(0, 240, 10, dtype=torch.uint8).reshape(6, 1, 2, 2),
    "test": torch.zeros(2, 1, 2, 2, dtype=torch.uint8),
}
LABELS = {"train": torch.tensor([0, 1, 0, 1, 0, 1]), "test": torch.tensor([0, 1])}
PIXELS = IMAGES["train"].double() / 255


def dataset(load=None, **fields):
    """Return a data set that is right but for what is given."""

    def right(root, part):
        return IMAGES[part].clone(), LABELS[part].clone()

    sizes = {"shape": (1, 2, 2), "classes": 2, "train": 6, "test": 2}
    scale = {"mean": (float(PIXELS.mean()),), "std": (float(PIXELS.std(correction=0)),)}
    return Dataset("sample", documented(load or right), **{**sizes, **scale, "version": "1", **fields})


def test_a_good_data_set_passes():
    """Declared and found agree."""
    check_component(dataset(fingerprint=lambda root: "00ff", missing=lambda root: None))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"train": 7}, r"images of shape \(7, 1, 2, 2\) declared, found \(6, 1, 2, 2\)"),
        ({"shape": (1, 4, 1)}, "declared, found"),
        ({"classes": 3}, "3 classes declared"),
        ({"mean": (0.1,)}, "mean 0.1 declared for channel 0, found 0.45"),
        ({"std": (0.1,)}, "std 0.1 declared"),
        ({"mean": (120.0,)}, "scale 0 to 1"),
        ({"fingerprint": lambda root: "not hexadecimal"}, "hexadecimal"),
        ({"fingerprint": lambda root: f"{time.perf_counter_ns():x}"}, "differs when it is taken again"),
        ({"load": lambda root, part: (IMAGES[part].float(), LABELS[part])}, "uint8"),
        ({"load": lambda root, part: (IMAGES[part], LABELS[part].int())}, "int64"),
        ({"load": lambda root, part: (IMAGES[part], LABELS[part] * 0)}, "2 classes declared"),
        (
            {"load": lambda root, part: (IMAGES[part], LABELS[part][torch.randperm(len(LABELS[part]))])},
            "global random state",
        ),
        ({"missing": lambda root: f"{root} lacks all"}, "loads from an empty folder"),
    ],
)
def test_a_bad_data_set_is_refused(fields, match):
    """Sizes, types, classes, constants, fingerprint, order, and the advice where files are missing."""
    fails(dataset(**fields), match)


def test_a_data_set_without_its_files_is_checked_for_its_advice(tmp_path):
    """Without a root, a data set that needs files must say so; with one that lacks them, the check fails."""

    def load(root, part):
        raise DataError(f"nothing in {root}")

    sample = dataset(load, missing=lambda root: "all of it")
    check_component(sample)
    with pytest.raises(AssertionError, match="lacks files: all of it"):
        check_dataset(sample, tmp_path)


def refuse(form):
    raise UsageError("never")


FLIP = {"high": "low", "low": "high", "far": "near", "near": "far"}
CYCLE = {"high": "low", "low": "far", "far": "near", "near": "high"}


def _in_place(form):
    form.find["lr"] = 1.0
    return form


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda form: form, "changes no form"),
        (lambda form: None, "returns a NoneType"),
        (lambda form: form.changed(keep=CYCLE[form.keep]), "applied twice"),
        (lambda form: form.changed(find={"lr": time.perf_counter()}), "two results"),
        (lambda form: form.changed(keep=random.choice(["high", "low"])), "Python's global random state"),
        (lambda form: form.model_copy(update={"keep": "highest"}), "not valid"),
        (_in_place, "changes the form"),
        (refuse, "refuses every form"),
    ],
    ids=["nothing", "none", "cycle", "clock", "chance", "invalid", "in place", "refuses"],
)
def test_a_bad_ablation_is_refused(function, match):
    """A valid form, the same each time, the given one untouched; twice is once or nothing."""
    fails(Ablation("sample", documented(function)), match)


@pytest.mark.parametrize(
    "function",
    [lambda form: form.changed(keep=FLIP[form.keep]), lambda form: form.changed(allocation="erk")],
    ids=["involution", "idempotent"],
)
def test_a_good_ablation_passes(function):
    """Mirroring and setting are both fine."""
    check_component(Ablation("sample", documented(function)))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"drops": (10,)}, "outside its 10 epochs"),
        ({"warmup": 10}, "warms up for 10"),
        ({"rewind": {"epoch": 11}}, "beyond the schedule"),
    ],
)
def test_a_bad_recipe_is_refused(fields, match):
    """Everything in a recipe happens within its epochs."""
    recipe = Recipe(**{"epochs": 10, "batch": 128, "lr": 0.1, **fields})
    fails(RecipeComponent("sample", recipe, text=TEXT), match)


def test_a_method_that_is_not_built_yet_is_refused():
    """A method must be one that can run."""
    form = Form.model_validate({"scorer": "magnitude", "unit": {"n": 2, "m": 4}})
    fails(Method("sample", form, text=TEXT), "not built yet")
    fails(Method("sample", Form(scorer="snip")), "no documentation")


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda net, mask, shape: {"a": torch.ones(1)}, "plain JSON"),
        (lambda net, mask, shape: float("nan"), "plain JSON"),
        (lambda net, mask, shape: time.perf_counter(), "another answer"),
        (
            lambda net, mask, shape: [p.data.zero_() for p in net.parameters()] and 0,
            "changes a convolutional network",
        ),
        (
            lambda net, mask, shape: float(net.train()(torch.ones(2, 3, 8, 8)).detach().sum()),
            "changes|training mode",
        ),
        (lambda net, mask, shape: float(np.random.rand()), "numpy's global random state"),
    ],
    ids=["tensor", "nan", "clock", "weights", "mode", "chance"],
)
def test_a_bad_diagnostic_is_refused(function, match):
    """Plain finite values, the same each time, and nothing touched."""
    fails(Diagnostic("sample", documented(function), version="1"), match)


def test_a_diagnostic_must_take_what_it_is_given():
    """Three arguments, of a course four; the message names them."""
    fails(
        Diagnostic("sample", documented(lambda net, mask: 1), version="1"), r"must take \(net, mask, input_"
    )
    three = documented(lambda net, mask, shape: 1)
    fails(Diagnostic("sample", three, of="course", version="1"), r"input_shape, course\)")
    check_component(Diagnostic("sample", three, of="state", version="1"))
