"""Scores in chunks are those of the whole batch, whatever the loss divides by."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import prunebench
from prunebench.errors import UsageError
from prunebench.host.form import ScorerCall

SCORERS = ("snip", "grasp", "force")
CLASS_WEIGHTS = torch.tensor([0.1, 1.0, 5.0, 10.0])


def dense_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 1))


def flat_net(outputs: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.Tanh(), nn.Linear(8, outputs))


X = torch.randn(20, 3, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = (torch.arange(20) % 4).sort().values
DENSE = torch.randint(0, 4, (20, 4, 4), generator=torch.Generator().manual_seed(1))


def ignored(y: Tensor, where: Any) -> Tensor:
    y = y.clone()
    y[where] = -100
    return y


def error(net: nn.Module, scorer: str, chunk: int, **how: Any) -> float:
    """Return the largest difference between scores in chunks and of the whole, beside the largest score."""
    whole = prunebench.score(net, scorer, **how)
    parts = prunebench.score(net, ScorerCall(name=scorer, parameters={"chunk": chunk}), **how)
    return max(float((parts[name] - score).abs().max() / score.abs().max()) for name, score in whole.items())


TARGETS: dict[str, tuple[Any, Tensor]] = {
    "labels": (flat_net, LABELS),
    "labels, some ignored": (flat_net, ignored(LABELS, slice(3, 11))),
    "labels, all but one ignored": (flat_net, ignored(LABELS, slice(1, None))),
    "maps": (dense_net, DENSE),
    "maps, most of half ignored": (dense_net, ignored(DENSE, (slice(10), slice(1, None)))),
    "maps, whole examples ignored": (dense_net, ignored(DENSE, slice(1, None))),
    "class probabilities": (flat_net, torch.softmax(X[:, 0, :, 0] * 3, 1)),
    "class probabilities, float64": (flat_net, torch.softmax(X[:, 0, :, 0].double(), 1)),
    "maps of class probabilities": (dense_net, torch.softmax(torch.cat([X, X[:, :1]], 1), 1)),
}


@pytest.mark.parametrize("chunk", [1, 3, 5, 20])
@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("targets", TARGETS)
def test_chunks_of_the_default_loss(scorer: str, targets: str, chunk: int) -> None:
    """Ignored labels, maps of labels and class probabilities: equal to the whole batch to 1e-5."""
    net, y = TARGETS[targets]
    assert error(net(), scorer, chunk, batch=(X, y)) < 1e-5


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-1, 3), min_size=20, max_size=20), st.integers(1, 21), st.sampled_from(SCORERS))
def test_chunks_of_any_labels(labels: list[int], chunk: int, scorer: str) -> None:
    """Whatever labels are ignored, in whatever order: the whole batch's scores, or no scores either way."""
    y = torch.tensor(labels)
    y[y < 0] = -100
    if bool((y < 0).all()):
        with pytest.raises(UsageError, match=r"0 for the whole batch|all 20 labels are -100"):
            error(flat_net(), scorer, chunk, batch=(X, y))
    else:
        assert error(flat_net(), scorer, chunk, batch=(X, y)) < 1e-5


def weighted(outputs: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(outputs, y, weight=CLASS_WEIGHTS)


def squared(outputs: Tensor, y: Tensor) -> Tensor:
    return ((outputs - F.one_hot(y.clamp(min=0), 4)) ** 2).mean()


DECLARED: dict[str, tuple[Any, Any]] = {
    "class weights": (weighted, lambda y: CLASS_WEIGHTS[y].sum()),
    "a sum": (lambda o, y: F.cross_entropy(o, y, weight=CLASS_WEIGHTS, reduction="sum"), "sum"),
    "a mean over examples": (squared, "mean"),
    "torch's function": (F.cross_entropy, None),
    "torch's module with weights": (nn.CrossEntropyLoss(weight=CLASS_WEIGHTS), None),
    "smoothed, with weights": (nn.CrossEntropyLoss(weight=CLASS_WEIGHTS, label_smoothing=0.2), None),
    "another label ignored": (nn.CrossEntropyLoss(ignore_index=2), None),
    "a module that sums": (nn.CrossEntropyLoss(reduction="sum"), None),
    "a partial function": (functools.partial(F.cross_entropy, weight=CLASS_WEIGHTS, ignore_index=1), None),
    "negative log likelihood": (
        lambda o, y: F.nll_loss(o.log_softmax(1), y, ignore_index=0),
        lambda y: (y != 0).sum(),
    ),
}


@pytest.mark.parametrize("chunk", [1, 3, 7])
@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("case", DECLARED)
def test_chunks_of_a_declared_loss(scorer: str, case: str, chunk: int) -> None:
    """A reduction that is declared, or known of torch's own losses: equal to the whole batch to 1e-5."""
    loss, reduction = DECLARED[case]
    assert error(flat_net(), scorer, chunk, batch=(X, LABELS), loss=loss, reduction=reduction) < 1e-5


@pytest.mark.parametrize(
    "loss", [nn.MSELoss(), F.l1_loss, nn.BCEWithLogitsLoss(), nn.HuberLoss(reduction="sum")]
)
def test_chunks_of_losses_over_entries(loss: Any) -> None:
    """Means over entries are means over examples."""
    y = torch.sigmoid(X[:, :, :, 0].flatten(1))
    assert error(flat_net(12), "grasp", 3, batch=(X, y), loss=loss) < 1e-5


@pytest.mark.parametrize("summed", [False, True])
def test_weights_of_entries_go_by_class_or_are_refused(summed: bool) -> None:
    """Weights of classes hold in every part; those of examples would be put on others: refused."""
    y = torch.sigmoid(X[:, :, :, 0].flatten(1))
    how: dict[str, Any] = {"reduction": "sum" if summed else "mean"}
    for by_class in ({"weight": torch.rand(12) + 0.1}, {"pos_weight": torch.rand(1, 12) + 0.1}):
        loss = nn.BCEWithLogitsLoss(**by_class, **how)
        assert error(flat_net(12), "snip", 1, batch=(X, y), loss=loss) < 1e-5
    by_example = torch.rand(len(X), 1) + 0.1
    for loss in (
        nn.BCEWithLogitsLoss(weight=by_example, **how),
        functools.partial(F.binary_cross_entropy_with_logits, weight=by_example, **how),
    ):
        with pytest.raises(UsageError, match=r"weights of shape \(\d+, 1\).*leave out the chunk"):
            error(flat_net(12), "snip", 1, batch=(X, y), loss=loss)


@pytest.mark.parametrize("loss", [weighted, functools.partial(weighted), lambda o, y: o.sum()])
def test_a_loss_that_does_not_say_what_it_divides_by_has_no_chunks(loss: Any) -> None:
    """The sentence says how to declare it; without a chunk nothing has to be declared."""
    for scorer in SCORERS:
        call = ScorerCall(name=scorer, parameters={"chunk": 5})
        with pytest.raises(UsageError, match=r'reduction="mean".*"sum".*reduction=function') as refused:
            prunebench.score(flat_net(), call, batch=(X, LABELS), loss=loss)
        assert "leave out the chunk" in str(refused.value)
    assert prunebench.score(flat_net(), "snip", batch=(X, LABELS), loss=weighted)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"reduction": "mean"}, "without a loss of your own leave it out"),
        ({"loss": weighted, "reduction": "average"}, 'must be "mean", "sum" or a function of y; found'),
        (
            {"loss": weighted, "reduction": lambda y: y.weights.sum()},
            "reduction must return what .* failed",
        ),
        ({"loss": weighted, "reduction": lambda y: 0}, "0 for the whole batch"),
    ],
)
def test_reductions_that_say_nothing_are_refused(how: dict[str, Any], message: str) -> None:
    """Each wrong declaration is an error that says what is wanted."""
    with pytest.raises(UsageError, match=message):
        prunebench.score(
            flat_net(), ScorerCall(name="snip", parameters={"chunk": 5}), batch=(X, LABELS), **how
        )


def test_rounds_in_chunks_take_ignored_labels_too() -> None:
    """A method in rounds, with and without regrowth, ends in the whole batch's mask, but for rounding."""
    y = ignored(DENSE, (slice(10), slice(1, None)))
    for regrowth in ({}, {"regrowth": {"scorer": "force"}}):
        masks = []
        for more in ({}, {"chunk": 3}):
            form = {"scorer": {"name": "force", **more}, "schedule": {"rounds": 5}, **regrowth}
            masks.append(
                prunebench.prune(dense_net(), prunebench.Form.model_validate(form), density=0.2, batch=(X, y))
            )
        both = sum(int((masks[0][name] & masks[1][name]).sum()) for name in masks[0])
        assert both >= masks[0].kept - 1
