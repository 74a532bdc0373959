"""Pruning without the harness: `prune` and `score` for any torch.nn.Module."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from prunebench.arguments import (
    Batch,
    Function,
    checked_batch,
    component_of,
    host_of,
    method_of,
    refuse_mask,
    refuse_method,
    refuse_parameters,
    refuse_training,
    share_kept,
)
from prunebench.errors import PruningWarning, UsageError
from prunebench.host.borrowed import clash, donor, no_counts, regrowth_call
from prunebench.host.components import Scorer
from prunebench.host.form import Form, Like, ScorerCall
from prunebench.pruning import (
    Mask,
    MaskForm,
    Regrow,
    Scoring,
    kept_count,
    make_mask,
    nested,
    prunable_weights,
    score_network,
    shuffle_mask,
    uncovered,
)
from prunebench.pruning.degenerate import emptied_layers
from prunebench.pruning.existing import existing_mask
from prunebench.pruning.filters import FilterGroups, shuffle_filters
from prunebench.pruning.filters.rounds import groups_for
from prunebench.pruning.losses import Loss, Reduction
from prunebench.pruning.prunable import computed_weights
from prunebench.schedules import Removal
from prunebench.training.streams import stream

__all__ = ["prune", "score"]


def prune(
    model: nn.Module,
    method: str | Form | Scorer | Function,
    *,
    density: float | str | None = None,
    sparsity: float | None = None,
    batch: Batch | None = None,
    seed: int = 0,
    loss: Loss | None = None,
    reduction: Reduction | None = None,
    except_: Iterable[str] = (),
    mask: Mapping[str, Tensor] | None = None,
    precision: Literal["own"] | None = None,
    input_shape: Sequence[int] | None = None,
    unit: Literal["weight", "filter"] | None = None,
    plugins: Sequence[Path | str] = (),
) -> Mask:
    """Return the mask that a method makes of the network at hand; `mask.apply(model)` prunes it.

    Of whole filters `apply` leaves biases and BatchNorm's factors and shifts where they are: `taken_along`
    says what goes with them, and `shrink` takes all of it out.

    model: any network. Its weights, buffers, gradients, flags, mode and device, and the global random state
        are left as they are. Scores are taken on a private copy on the model's device, in float32 (SynFlow,
        and any model with parameters in float64: float64); a model in half precision is scored by its own
        rounded weights. Hooks that were registered on the model or its layers do not run on the copy, but for
        torch's own (`weight_norm`, `spectral_norm`); a compiled model is scored as what it was compiled from.
    method: the name of a method or scorer ("snip", "synflow", …), a `Form`, a `Scorer`, or a scoring function
        `function(net, batch, rng)`.
    density, sparsity: the share of the prunable weights that is kept, in (0, 1], or removed, in [0, 1); one
        of the two. Exactly round(density · prunable) weights are kept; of whole filters as many groups as
        have no more weights than that.
    batch: (x, y) for methods that need data: in papers ten examples of every class. Both may hold tensors in
        dicts, tuples, lists and dataclasses. A tuple x is passed as model(*x) where the model's forward takes
        so many positional arguments, a dict as model(**x) where forward has arguments of these names, and
        anything else as model(x). For a scorer with `examples = "lazy"` (in a `chunk`, where it has one), x
        may be anything with `len`, `shape` (examples, …) and x[numbers of examples] → tensor.
    seed: decides random scores, shuffles, and dropout while scoring.
    loss: function(outputs, y) → scalar, of whatever the model returns; unless given, the mean cross entropy
        of logits, without labels of −100.
    reduction: what `loss` is over the examples, for scorers with a `chunk`: their "mean", their "sum", or a
        sum over them divided by function(y) (with class weights: the sum of weight[y]). Known of torch's own
        `cross_entropy`, `CrossEntropyLoss`, `mse_loss`, `MSELoss` and their like.
    except_: names of parameters or modules that are not pruned.
    mask: the mask that is on already. What it removed stays removed, and the new mask is within it; rounds go
        on from what it keeps. The density is of all prunable weights, as ever. What torch.nn.utils.prune has
        masked counts without being named. Otherwise weights that are zero, as after `mask.apply`, are
        weights like others: a scorer whose scores are not zero there may bring them back.
    precision: "own" scores the network in its own precision, as it is, for networks that work in no other.
    input_shape: the shape of one input, for methods that make their own (SynFlow) and for filters; taken from
        a batch. For filters it is guessed where it is not known.
    unit: "filter" removes whole filters, output channels of convolutions and units of linear layers: those
        that belong together, by residual sums, depthwise convolutions and the like, at once. The mask has the
        layers whose filters may go, and the density is of their weights; `prunebench.shrink` makes the really
        smaller network. Unless given, the method's own: "weight" where it says nothing.
    plugins: plugin files whose components are wanted too.

    Raises: UsageError for arguments that are wrong or do not fit the model or the method, among them weights
        that prune does not cover and that are not excepted, or a loss that is not finite; ComponentError
        where a scorer fails, or its scores are not what they should be or all zero.
    Warns: PruningWarning that names layers of which no weight is kept, or says that scores rank fewer weights
        than are kept, so that the rest was chosen by position.

    >>> model = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 3))
    >>> mask = prune(model, "magnitude", density=0.1)
    >>> mask.kept, mask.prunable
    (115, 1150)
    """
    share = share_kept(density, sparsity)
    form, scorer, who = method_of(method, batch, tuple(plugins))
    network = _Network(
        model, batch, seed, loss, reduction, except_, input_shape, mask, precision, tuple(plugins)
    )
    if unit not in (None, "weight", "filter"):
        raise UsageError(f'unit must be "weight" or "filter"; found {unit!r}')
    if unit is not None:
        form = _of_unit(form, unit)
    made = _mask(network, form, scorer, who, share)
    empty = emptied_layers(made, who)
    _warn([*network.said, empty] if empty else network.said)
    return made


def score(
    model: nn.Module,
    scorer: str | ScorerCall | Scorer | Function,
    *,
    batch: Batch | None = None,
    seed: int = 0,
    loss: Loss | None = None,
    reduction: Reduction | None = None,
    except_: Iterable[str] = (),
    mask: Mapping[str, Tensor] | None = None,
    precision: Literal["own"] | None = None,
    input_shape: Sequence[int] | None = None,
    plugins: Sequence[Path | str] = (),
) -> dict[str, Tensor]:
    """Return a scorer's score of every prunable weight by name: CPU tensors of the weights' shapes.

    One scoring of the network as it is. A `ScorerCall` gives a scorer's parameters:
    `ScorerCall(name="grasp", parameters={"temperature": 1.0})`. Other arguments and errors as of `prune`.
    """
    call = ScorerCall(name=scorer) if isinstance(scorer, str) else scorer
    if isinstance(call, ScorerCall):
        host = host_of(tuple(plugins))
        refuse_method(call.name, host)
        component = cast(Scorer, host.get("scorers", call.name))
    else:
        component = component_of(call, batch, "the name of a scorer, a ScorerCall")
        call = ScorerCall(name=component.name)
    network = _Network(
        model, batch, seed, loss, reduction, except_, input_shape, mask, precision, tuple(plugins)
    )
    scoring = network.scoring(component, Form(scorer=call), "score")
    there, _ = network.there(scoring)
    scores = score_network(
        model, scoring, mask=there, rng=stream(network.seed, "scores"), warn=network.said.append
    )
    _warn(network.said)
    return scores


def _warn(sentences: Iterable[str]) -> None:
    """Warn whoever called `prune` or `score`."""
    for sentence in dict.fromkeys(sentences):
        warnings.warn(sentence, PruningWarning, stacklevel=3)


@dataclass
class _Network:
    """The caller's network and what comes with it, checked."""

    model: nn.Module
    batch: Batch | None
    seed: int
    loss: Loss | None
    reduction: Reduction | None
    except_: Iterable[str]
    input_shape: Sequence[int] | None
    mask: Mapping[str, Tensor] | None
    precision: Literal["own"] | None
    plugins: tuple[Path | str, ...]
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        loss, reduction = self.loss, self.reduction
        if not isinstance(self.model, nn.Module):
            raise UsageError(f"model must be a torch.nn.Module; found {type(self.model).__name__}")
        try:
            self.seed = operator.index(self.seed)
        except TypeError:
            raise UsageError(f"seed must be a whole number; found {self.seed!r}") from None
        if loss is not None and not callable(loss):
            raise UsageError(f"loss must be a function of (outputs, y); found {type(loss).__name__}")
        if not (reduction in (None, "mean", "sum") or callable(reduction)):
            raise UsageError(f'reduction must be "mean", "sum" or a function of y; found {reduction!r}')
        if reduction is not None and loss is None:
            raise UsageError("reduction says what loss= divides by; without a loss of your own leave it out")
        if self.precision not in (None, "own"):
            raise UsageError(
                f"precision must be \"own\", the network's, or None, the scorer's; found {self.precision!r}"
            )
        self.except_ = (self.except_,) if isinstance(self.except_, str) else tuple(self.except_)
        self.batch = None if self.batch is None else checked_batch(self.batch, loss)
        self.input_shape = nested.checked_shape(self.input_shape)

    def scoring(self, scorer: Scorer, form: Form, doing: str = "prune") -> Scoring:
        """Return how a form's scorer scores the network, after asking for what it lacks."""
        assert form.scorer is not None
        excepted = (*self.except_, *form.prunable.except_)
        beyond = uncovered(self.model, excepted)
        if beyond:
            would = "stay as they are and count in no density" if doing == "prune" else "get no scores"
            raise UsageError(
                f"the network has weights that {doing} does not cover: {', '.join(beyond)}. They would "
                f"{would}. If that is meant: except_={[*excepted, *beyond]}"
                + "".join(f"; {reason}" for reason in computed_weights(self.model).values())
            )
        if scorer.needs == "batch" and self.batch is None:
            raise UsageError(
                f"scorer '{scorer.name}' needs data: give batch=(x, y), in papers ten examples of every class"
            )
        parameters = form.scorer.parameters
        refuse_parameters(scorer, parameters)
        if scorer.needs == "batch":
            self._refuse_lazy(scorer, parameters)
        if form.regrowth != "none":  # written out, for it is told by them whether one scorer serves both
            parameters = {**scorer.parameters, **parameters}
        return Scoring(
            scorer.function,
            parameters=parameters,
            mode=scorer.mode,
            precision=self.precision or scorer.precision,
            batch=self.batch if scorer.needs == "batch" else None,
            of=cast(Any, form.prunable.of),
            except_=excepted,
            loss=self.loss,
            reduction=self.reduction,
            input_shape=self.input_shape,
            like=None if self.batch is None else self.batch[0],
            who=f"scorer '{scorer.name}'",
            gives=scorer.gives,
        )

    def there(self, scoring: Scoring, groups: FilterGroups | None = None) -> tuple[Mask | None, int]:
        """Return the mask that is on already, if there is one, and how many weights are prunable.

        Raises: UsageError for a mask that does not fit, and for weights that are not finite.
        """
        weights = prunable_weights(self.model, scoring.of, scoring.except_)
        if groups is not None:
            mask = _mask_of_filters(groups, existing_mask(self.model, weights, self.mask))
            _refuse_not_finite(weights)
            return mask, groups.prunable
        mask = existing_mask(self.model, weights, self.mask)
        _refuse_not_finite(weights)
        return mask, sum(weight.numel() for weight in weights.values())

    def _refuse_lazy(self, scorer: Scorer, parameters: Mapping[str, Any]) -> None:
        """Refuse examples that are made when they are asked for where a scorer would want all at once."""
        assert self.batch is not None
        if self.loss is not None or nested.tensors(self.batch[0]):
            return
        given = f"batch: x is a {type(self.batch[0]).__name__}, which makes its examples when they are wanted"
        if scorer.examples != "lazy":
            raise UsageError(f"{given}; scorer '{scorer.name}' wants a torch tensor")
        if not scorer.takes_lazy(parameters):
            raise UsageError(
                f"{given}; for scorer '{scorer.name}' say how many at a time: "
                f'ScorerCall(name="{scorer.name}", parameters={{"chunk": 100}})'
            )


def _mask(network: _Network, form: Form, scorer: Scorer, who: str, density: float) -> Mask:
    """Return a form's mask of the network at hand."""
    refuse_training(form, who)
    scoring = network.scoring(scorer, form)
    groups = groups_for(network.model, scoring) if form.unit == "filter" else None
    there, prunable = network.there(scoring, groups)
    allocation: Any = form.allocation
    if isinstance(allocation, Like):
        allocation = _counts_like(network, form, allocation, density)
    mask_form = MaskForm(
        kept_count(density, prunable),
        keep=form.keep,
        allocation=allocation,
        rounds=_rounds(form, prunable, density),
        density=density,
        regrowth=_regrow(form, scorer, network.plugins),
        unit="weight" if groups is None else "filter",
    )
    made = make_mask(
        network.model,
        mask_form,
        scoring,
        mask=there,
        groups=groups,
        rng=stream(network.seed, "scores"),
        warn=network.said.append,
    )
    if "shuffle" not in form.alter:
        return made
    draws = stream(network.seed, "shuffle")
    return shuffle_mask(made, draws, there) if groups is None else shuffle_filters(made, groups, draws, there)


def _of_unit(form: Form, unit: str) -> Form:
    """Return a form that removes such units.

    Raises: UsageError where it has other fields that forbid that.
    """
    try:
        return form.changed(unit=unit)
    except ValidationError as error:
        told = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise UsageError(told if told.startswith("unit") else f"unit = {unit!r}: {told}") from None


def _mask_of_filters(groups: FilterGroups, mask: Mask | None) -> Mask | None:
    """Return the mask that is on already as one of whole filters.

    Raises: UsageError where it removes anything else.
    """
    if mask is None:
        return None
    for name, why in groups.stays.items():
        if name in mask and mask.kept_in(name) < mask[name].numel():
            raise UsageError(f"mask removes weights of '{name}', and with unit = 'filter' they stay: {why}")
    whole = Mask({name: mask[name] for name in groups.shapes})
    groups.kept(whole)
    return whole


def _rounds(form: Form, prunable: int, density: float) -> Callable[[int], Sequence[int]] | None:
    """Return how many weights a form keeps after each round, of how many are there; None for one shot."""
    target, schedule = kept_count(density, prunable), form.schedule
    if schedule.counts(Removal(prunable, prunable, target, density)) is None:
        return None
    return lambda there: schedule.checked_counts(Removal(prunable, there, target, density)) or ()


def _regrow(form: Form, scorer: Scorer, plugins: tuple[Path | str, ...]) -> Regrow | None:
    """Return what lets removed weights return between rounds, where a form says so."""
    if form.regrowth == "none":
        return None
    call = regrowth_call(form)
    other = cast(Scorer, host_of(plugins).get("scorers", call.name))
    refuse_parameters(other, call.parameters)
    why = clash(scorer, other)
    if why:
        raise UsageError(f"regrowth: scorer {why}")
    parameters = {**other.parameters, **call.parameters}
    return Regrow(other.function, parameters, form.regrowth.every or 1, f"scorer '{other.name}'")


def _refuse_not_finite(weights: Mapping[str, Tensor]) -> None:
    for name, weight in weights.items():
        with torch.no_grad():  # isfinite knows no float8
            numbers = weight.float() if weight.element_size() == 1 else weight
            bad = 0 if weight.is_meta else weight.numel() - int(numbers.isfinite().count_nonzero())
        if bad:
            raise UsageError(
                f"{bad} of {weight.numel()} weights of '{name}' are NaN or infinite: the network cannot be "
                "scored; has its training diverged?"
            )


def _counts_like(network: _Network, form: Form, like: Like, density: float) -> dict[str, int]:
    """Return how many weights each layer keeps under another method, or this one with changes."""
    refuse_mask(like)
    base, changes = donor(form, like, host_of(network.plugins))
    try:
        other = base.changed(**changes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(("allocation", "like", *map(str, first["loc"])))
        raise UsageError(f"{where}: {first['msg']} (found {first['input']!r:.80})") from None
    called = f"method '{like.like}'" if isinstance(like.like, str) else "the method"
    if reason := no_counts(other, form):
        raise UsageError(f"allocation.like: {called} {reason}")
    other, scorer, who = method_of(other, network.batch, network.plugins, called)
    return _mask(network, other, scorer, who, density).counts()
