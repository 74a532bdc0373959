"""Checks of components that look at a network: scorers, diagnostics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from fnmatch import fnmatchcase
from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from prunebench.analysis.measures import fields_of
from prunebench.canonical import canonical
from prunebench.errors import ComponentError, PrunebenchError, UsageError
from prunebench.host.components import Diagnostic, Scorer
from prunebench.pruning import Mask, Scoring, prunable_weights, score_network
from prunebench.pruning.filters import FilterGroups, filter_groups
from prunebench.testing._common import (
    SHAPE,
    MadeWhenAsked,
    at_last_documented,
    ensure,
    ensure_callable,
    ensure_common,
    said,
    sample_batch,
    sample_networks,
    untouched,
)
from prunebench.training.course import Change, Course, Phase
from prunebench.training.scored_network import Finding, ScoredNetwork
from prunebench.training.streams import stream

__all__ = ["check_diagnostic", "check_scorer"]


@at_last_documented
def check_scorer(scorer: Scorer) -> None:
    """Check a scorer on a convolutional network with BatchNorm and on a fully connected one.

    It must return a finite score of the right shape for every prunable weight, or filter where it gives
    scores of filters, with and without a mask, and the same bits when asked again. One that gives scores of
    filters may refuse the fully connected network, which has no BatchNorm, by `unfit` or a UsageError. Scores
    must rank: not all zero, not one value for all weights of a layer in every layer. One that takes examples
    lazily gives the same bits for them, one that reads shapes alone the same bits for other weights. The
    network, its BatchNorm statistics, the batch and what all components share (random states, torch's modes,
    hooks of all modules and functions) stay as they were.

    Raises: AssertionError.
    """
    who = ensure_common(scorer)
    ensure_callable(who, "its function", scorer.function, "net", "batch", "rng", parameters=True)
    uses = {"weights": [False], "filters": [True], "either": [False, True]}
    ensure(scorer.gives in uses, f"{who}: gives is one of {', '.join(uses)}; found {scorer.gives!r}")
    for kind, network in sample_networks().items():
        for of_filters in uses[scorer.gives]:
            groups = filter_groups(network, input_shape=SHAPE, check=False) if of_filters else None
            if groups is not None and "connected" in kind and _refuses(scorer, network, groups):
                continue
            half = _partial_mask(network, groups)
            for mask, which in ((None, ""), (half, " with a mask")):
                where = f"{who} on {kind}{which}{'' if groups is None else ' of filters'}"
                _check_scores(where, scorer, network, mask, groups)


def _refuses(scorer: Scorer, network: nn.Module, groups: FilterGroups) -> bool:
    """Return True if a scorer says that it does not apply to a network."""
    if scorer.unfit is not None and scorer.unfit(groups):
        return True
    try:
        _scores(scorer, network, None, sample_batch(), scorer.name, groups=groups)
    except UsageError:
        return True
    except Exception:  # told where the scorer is checked
        return False
    return False


def _check_scores(
    where: str, scorer: Scorer, network: nn.Module, mask: Mask | None, groups: FilterGroups | None
) -> None:
    before, batch = _state(network), sample_batch()
    with said(where), untouched(where), _missing_batch(where, scorer, network):
        first = _scores(scorer, network, mask, batch, where, groups=groups)
    ensure(_equal(before, _state(network)), f"{where} changes the network or its BatchNorm statistics")
    ensure(
        all(map(torch.equal, batch, sample_batch())),
        f"{where} changes the batch that it is given: the next scorer would see it so; clone x first",
    )
    with said(where):
        again = _scores(scorer, network, mask, sample_batch(), where, groups=groups)
    ensure(_equal(first, again), f"{where} gives other scores when it is asked again with the same seed")
    if mask is None:
        _ensure_ranks(where, first)
        _ensure_reads(where, scorer, network, groups, first)
        _ensure_lazy(where, scorer, network, groups)


def _ensure_ranks(where: str, scores: Mapping[str, Tensor]) -> None:
    """One score a layer leaves the choice within layers to the weights' order."""
    within = any((score != score.flatten()[0]).any() for score in scores.values())
    ensure(
        within,
        f"{where} gives all weights of a layer the same score, in every layer, which ranks none of them",
    )


def _ensure_reads(
    where: str,
    scorer: Scorer,
    network: nn.Module,
    groups: FilterGroups | None,
    scores: Mapping[str, Tensor],
) -> None:
    """What reads shapes alone has the same scores for other weights."""
    if scorer.reads == "weights":
        return
    other = deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(2).add_(0.1)
    with said(f"{where} with other weights"):
        again = _scores(scorer, other, None, sample_batch(), where, groups=groups)
    ensure(
        _equal(scores, again), f'{where} declares reads = "shapes", and gives other scores for other weights'
    )


def _ensure_lazy(where: str, scorer: Scorer, network: nn.Module, groups: FilterGroups | None = None) -> None:
    """Examples that are made when they are asked for are the same examples."""
    if scorer.examples != "lazy":
        return
    chunked = {"chunk": 5} if "chunk" in scorer.parameters else {}
    images, labels = sample_batch()
    with said(f"{where} with lazy examples"):
        held = _scores(scorer, network, None, (images, labels), where, chunked, groups)
        lazy = _scores(scorer, network, None, (MadeWhenAsked(images), labels), where, chunked, groups)
    ensure(_equal(held, lazy), f"{where} gives other scores for lazy examples than for tensors")


def _refuse(sentence: str) -> None:
    """What is only a warning in use, as that all scores are equal, is a fault of a scorer on its own."""
    raise AssertionError(sentence)


@contextlib.contextmanager
def _missing_batch(where: str, scorer: Scorer, network: nn.Module) -> Iterator[None]:
    """Say of a scorer that fails without a batch, and works with one, that it declares none."""
    try:
        yield
    except PrunebenchError as error:
        if scorer.needs == "batch":
            raise
        try:
            _scores(replace(scorer, needs="batch"), network, None, sample_batch(), where)
        except PrunebenchError:
            raise error from None
        raise ComponentError(
            f'{error}. It gets batch = None, as it declares needs = "nothing"; with needs = "batch" it works'
        ) from error


def _scores(
    scorer: Scorer,
    network: nn.Module,
    mask: Mask | None,
    batch: tuple[Any, Tensor],
    where: str,
    parameters: Mapping[str, Any] | None = None,
    groups: FilterGroups | None = None,
) -> Mapping[str, Tensor]:
    scoring = Scoring(
        scorer.function,
        parameters={**scorer.parameters, **(parameters or {})},
        mode=scorer.mode,
        precision=scorer.precision,
        batch=batch if scorer.needs == "batch" else None,
        input_shape=SHAPE,
        who=where,
        gives=scorer.gives,
    )
    return score_network(network, scoring, mask=mask, groups=groups, rng=stream(0, "scores"), warn=_refuse)


def _partial_mask(network: nn.Module, groups: FilterGroups | None = None) -> Mask:
    """Return a mask that keeps about half of each layer, or of the groups of filters."""
    if groups is not None:
        return groups.mask(stream(0, "conformance", "filters").uniform((len(groups),)) < 0.5)
    return Mask(
        {
            name: torch.from_numpy(stream(0, "conformance", name).uniform(tuple(weight.shape)) < 0.5)
            for name, weight in prunable_weights(network).items()
        }
    )


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _equal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


@at_last_documented
def check_diagnostic(diagnostic: Diagnostic) -> None:
    """Check a diagnostic on two small networks, with masks that keep all, a part, and nothing of a layer.

    Unless it is a measure of masks, it is also asked about networks without one.
    It must take (net, mask, input_shape), as its timing must if it has one, of a course also the course,
    which here is one of training alone, of pruning at initialization and of pruning while training, by epoch
    the masks of several epochs, of one, and of none, of networks that were scored what is known of these, at
    initialization, after training and in levels; return plain JSON values with finite numbers, the same when
    asked again, none but the declared fields where it declares some; and leave the network and global states
    as they were.

    Raises: AssertionError.
    """
    who = ensure_common(diagnostic)
    fourth = {"course": ("course",), "epochs": ("masks",), "scored": ("finding",)}.get(diagnostic.of, ())
    ensure_callable(who, "its function", diagnostic.function, "net", "mask", "input_shape", *fourth)
    for kind, network in sample_networks().items():
        network.eval()
        for mask in _masks(network, diagnostic.of):
            if mask is not None:
                mask.apply(network)
            for rest in _rests(diagnostic.of, mask):
                _check_answer(who, kind, diagnostic, network, (mask, SHAPE, *rest))


def _check_answer(
    who: str, kind: str, diagnostic: Diagnostic, network: nn.Module, arguments: tuple[Any, ...]
) -> None:
    before = _state(network)
    with said(who), untouched(who):
        first = diagnostic.function(network, *arguments)
    ensure(_equal(before, _state(network)), f"{who} changes {kind} that it measures")
    ensure(not network.training, f"{who} leaves {kind} in training mode")
    try:
        spelled = canonical(first)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{who} must return plain JSON values with finite numbers: {error}") from error
    if diagnostic.fields:
        others = [
            name
            for name, _ in fields_of(first)
            if not any(fnmatchcase(name, pattern) for pattern in diagnostic.fields)
        ]
        ensure(not others, f"{who} gives numbers that its fields do not name: {', '.join(others)}")
    with said(who):
        again = diagnostic.function(network, *arguments)
    ensure(canonical(again) == spelled, f"{who} gives another answer when it is asked again")
    if diagnostic.timing is not None:
        with said(who), untouched(who):
            seconds = dict(diagnostic.timing(network, *arguments[:2]))
        ensure(_equal(before, _state(network)), f"{who}: its timing changes {kind}")
        wrong = [name for name, time in seconds.items() if not (isinstance(time, float) and 0 < time < inf)]
        ensure(not wrong, f"{who}: its timing must return seconds above 0 by name; found {seconds!r:.80}")


def _masks(network: nn.Module, of: str) -> list[Mask | None]:
    half = _partial_mask(network)
    first = next(iter(half))
    gone = Mask({name: tensor & (name != first) for name, tensor in half.items()})
    masks: list[Mask | None] = [Mask.full(half), half, gone]
    return masks if of in ("mask", "epochs", "scored") else [None, *masks]


def _rests(of: str, mask: Mask | None) -> list[tuple[Any, ...]]:
    """Return what a diagnostic is given beside network, mask and shape of an input."""
    if of == "epochs" and mask is not None:
        return [({0: Mask.full(mask), 1: mask},), ({0: mask},), ({},)]
    if of == "scored" and mask is not None:
        return list(_findings(mask))
    return list(_courses(mask)) if of == "course" else [()]


def _findings(mask: Mask) -> list[tuple[Finding]]:
    """Return what can be known of the networks that a mask was found in."""
    every = mask.prunable
    drawn = ScoredNetwork(0, every, every)
    trained = ScoredNetwork(10, every, every, 10, 90, 100, 0.25)
    level = ScoredNetwork(10, (mask.kept + every) // 2, every, 5, 85, 100, 0.5)
    return [(Finding(drawn, drawn),), (Finding(trained, trained),), (Finding(level, trained),)]


def _courses(mask: Mask | None) -> list[tuple[Course]]:
    """Return courses that can have led to this mask; without one, that of a network that is not pruned."""
    dense = Phase("train", examples=1280, passes=3.0, steps=10, evaluated=mask is None)
    if mask is None:
        return [(Course((dense,)),)]
    scored = Phase("score", examples=40, passes=3.0, rounds=2, kept=(mask.prunable, mask.prunable // 2))
    pruned = Phase("train", examples=1280, passes=3.0, steps=10, weights="mask", evaluated=True, before=4)
    gradual = Phase("train", examples=1280, passes=3.0, steps=10, weights="history", evaluated=True)
    changes = (Change(3, {name: len(mask[name].view(-1)) for name in mask}), Change(6, _kept(mask)))
    return [(Course((dense, scored, pruned)),), (Course((gradual,), changes),)]


def _kept(mask: Mask) -> dict[str, int]:
    return {name: mask.kept_in(name) for name in mask}
