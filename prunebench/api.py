"""Pruning without the harness: `prune` and `score` for any torch.nn.Module."""

from __future__ import annotations

import functools
import operator
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor, nn

from prunebench.errors import PruningWarning, UsageError, nearest
from prunebench.host.components import Scorer
from prunebench.host.form import Form, Gradual, Like, Rounds, ScorerCall
from prunebench.pruning import (
    Mask,
    Regrow,
    keep_top,
    kept_count,
    nested,
    prune_rounds,
    score_network,
    shuffle_mask,
    uncovered,
)
from prunebench.pruning.allocation import keeps_none
from prunebench.pruning.losses import Loss, Reduction
from prunebench.pruning.prunable import prunable_weights
from prunebench.pruning.ranking import chosen_by_position, emptied_layers
from prunebench.pruning.score import ScoringFunction
from prunebench.training.streams import stream

if TYPE_CHECKING:
    from prunebench.host.registry import Host

__all__ = ["prune", "score"]

Function = ScoringFunction
Batch = tuple[Any, Any]


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
    input_shape: Sequence[int] | None = None,
    plugins: Sequence[Path | str] = (),
) -> Mask:
    """Return the mask that a method makes of the network at hand; `mask.apply(model)` prunes it.

    model: any network. Its weights, buffers, gradients, flags, mode and device, and the global random state
        are left as they are. Scores are taken on a private copy on the model's device, in float32 (SynFlow:
        float64); a model in half precision is scored by its own rounded weights.
    method: the name of a method or scorer ("snip", "synflow", …), a `Form`, a `Scorer`, or a scoring function
        `function(net, batch, rng)`.
    density, sparsity: the share of the prunable weights that is kept, in (0, 1], or removed, in [0, 1); one
        of the two. Exactly round(density · prunable) weights are kept.
    batch: (x, y) for methods that need data: in papers ten examples of every class. Both may hold tensors in
        dicts, tuples, lists and dataclasses. A tuple x is passed as model(*x) where the model's forward takes
        so many positional arguments, a dict as model(**x) where forward has arguments of these names, and
        anything else as model(x). Where a scorer has a `chunk`, x may be anything with `len`, `shape`
        (examples, …) and x[numbers of examples] → tensor.
    seed: decides random scores, shuffles, and dropout while scoring.
    loss: function(outputs, y) → scalar, of whatever the model returns; unless given, the mean cross entropy
        of logits, without labels of −100.
    reduction: what `loss` is over the examples, for scorers with a `chunk`: their "mean", their "sum", or a
        sum over them divided by function(y) (with class weights: the sum of weight[y]). Known of torch's own
        `cross_entropy`, `CrossEntropyLoss`, `mse_loss`, `MSELoss` and their like.
    except_: names of parameters or modules that are not pruned.
    input_shape: the shape of one input, for methods that make their own (SynFlow); taken from a batch.
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
    share = _share_kept(density, sparsity)
    form, scorer, who = _method(method, batch, tuple(plugins))
    network = _Network(model, batch, seed, loss, reduction, except_, input_shape)
    mask = _mask(network, form, scorer, who, share, tuple(plugins))
    empty = emptied_layers(mask, who)
    _warn([*network.said, empty] if empty else network.said)
    return mask


def score(
    model: nn.Module,
    scorer: str | ScorerCall | Scorer | Function,
    *,
    batch: Batch | None = None,
    seed: int = 0,
    loss: Loss | None = None,
    reduction: Reduction | None = None,
    except_: Iterable[str] = (),
    input_shape: Sequence[int] | None = None,
    plugins: Sequence[Path | str] = (),
) -> dict[str, Tensor]:
    """Return a scorer's score of every prunable weight by name: CPU tensors of the weights' shapes.

    One scoring of the network as it is. A `ScorerCall` gives a scorer's parameters:
    `ScorerCall(name="grasp", parameters={"temperature": 1.0})`. Other arguments and errors as of `prune`.
    """
    call = ScorerCall(name=scorer) if isinstance(scorer, str) else scorer
    if isinstance(call, ScorerCall):
        host = _host(tuple(plugins))
        _refuse_method(call.name, host)
        component = cast(Scorer, host.get("scorers", call.name))
    else:
        component = _component(call, batch, "the name of a scorer, a ScorerCall")
        call = ScorerCall(name=component.name)
    network = _Network(model, batch, seed, loss, reduction, except_, input_shape)
    arguments = network.scoring(component, Form(scorer=call), "score")
    _refuse_not_finite(prunable_weights(model, arguments["of"], arguments["except_"]))
    scores = score_network(model, **arguments)
    _warn(network.said)
    return scores


def _warn(sentences: Iterable[str]) -> None:
    """Warn whoever called `prune` or `score`."""
    for sentence in dict.fromkeys(sentences):
        warnings.warn(sentence, PruningWarning, stacklevel=3)


class _Network:
    """The caller's network and what comes with it, checked."""

    def __init__(
        self,
        model: nn.Module,
        batch: Batch | None,
        seed: int,
        loss: Loss | None,
        reduction: Reduction | None,
        except_: Iterable[str],
        input_shape: Sequence[int] | None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise UsageError(f"model must be a torch.nn.Module; found {type(model).__name__}")
        try:
            seed = operator.index(seed)
        except TypeError:
            raise UsageError(f"seed must be a whole number; found {seed!r}") from None
        if loss is not None and not callable(loss):
            raise UsageError(f"loss must be a function of (outputs, y); found {type(loss).__name__}")
        if not (reduction in (None, "mean", "sum") or callable(reduction)):
            raise UsageError(f'reduction must be "mean", "sum" or a function of y; found {reduction!r}')
        if reduction is not None and loss is None:
            raise UsageError("reduction says what loss= divides by; without a loss of your own leave it out")
        self.model = model
        self.seed = seed
        self.loss = loss
        self.reduction = reduction
        self.except_ = (except_,) if isinstance(except_, str) else tuple(except_)
        self.batch = None if batch is None else _checked_batch(batch, loss)
        self.input_shape = _checked_shape(input_shape)
        self.said: list[str] = []

    def scoring(self, scorer: Scorer, form: Form, doing: str = "prune") -> dict[str, Any]:
        """Return the arguments of `score_network`, after asking for what the scorer lacks."""
        assert form.scorer is not None
        excepted = (*self.except_, *form.prunable.except_)
        beyond = uncovered(self.model, excepted)
        if beyond:
            would = "stay as they are and count in no density" if doing == "prune" else "get no scores"
            raise UsageError(
                f"the network has weights that {doing} does not cover: {', '.join(beyond)}. They would "
                f"{would}. If that is meant: except_={[*excepted, *beyond]}"
            )
        if scorer.needs == "batch" and self.batch is None:
            raise UsageError(
                f"scorer '{scorer.name}' needs data: give batch=(x, y), in papers ten examples of every class"
            )
        parameters = form.scorer.parameters
        _refuse_parameters(scorer, parameters)
        if scorer.needs == "batch":
            self._refuse_lazy(scorer, parameters)
        return {
            "function": scorer.function,
            "mode": scorer.mode,
            "precision": scorer.precision,
            "batch": self.batch if scorer.needs == "batch" else None,
            "rng": stream(self.seed, "scores"),
            "of": form.prunable.of,
            "except_": excepted,
            "loss": self.loss,
            "reduction": self.reduction,
            "input_shape": self.input_shape,
            "like": None if self.batch is None else self.batch[0],
            "warn": self.said.append,
            "parameters": parameters,
            "who": f"scorer '{scorer.name}'",
        }

    def _refuse_lazy(self, scorer: Scorer, parameters: Mapping[str, Any]) -> None:
        """Refuse examples that are made when they are asked for where a scorer would want all at once."""
        assert self.batch is not None
        if self.loss is not None or nested.tensors(self.batch[0]):
            return
        found = f"batch: x is a {type(self.batch[0]).__name__}, which makes its examples when they are wanted"
        if "chunk" not in scorer.parameters:
            raise UsageError(f"{found}; scorer '{scorer.name}' wants a torch tensor")
        if parameters.get("chunk") is None:
            raise UsageError(
                f"{found}; for scorer '{scorer.name}' say how many at a time: "
                f'ScorerCall(name="{scorer.name}", parameters={{"chunk": 100}})'
            )


def _mask(
    network: _Network, form: Form, scorer: Scorer, who: str, density: float, plugins: tuple[Path | str, ...]
) -> Mask:
    _refuse_training(form, who)
    arguments = network.scoring(scorer, form)
    weights = prunable_weights(network.model, arguments["of"], arguments["except_"])
    prunable = sum(weight.numel() for weight in weights.values())
    if kept_count(density, prunable) < 1:
        raise UsageError(keeps_none(density, prunable))
    _refuse_not_finite(weights)
    allocation: Any = form.allocation
    if isinstance(allocation, Like):
        allocation = _counts_like(network, form, allocation.like, density, plugins)
    if isinstance(form.schedule, Rounds):
        mask = prune_rounds(
            network.model,
            density=density,
            rounds=form.schedule.rounds,
            keep=form.keep,
            allocation=allocation,
            regrowth=_regrow(form, scorer, plugins),
            **arguments,
        )
    else:
        said: list[str] = []  # equal scores matter as far as they decide, which is told of the mask
        scores = score_network(network.model, **{**arguments, "warn": said.append})
        how: Any = {"keep": form.keep, "allocation": allocation}
        mask = keep_top(scores, kept_count(density, prunable), **how)
        few = chosen_by_position(scores, mask, who=arguments["who"], **how)
        if few:
            network.said.append(few)
    return shuffle_mask(mask, stream(network.seed, "shuffle")) if "shuffle" in form.alter else mask


def _regrow(form: Form, scorer: Scorer, plugins: tuple[Path | str, ...]) -> Regrow | None:
    """Return what lets removed weights return between rounds, where a form says so."""
    if form.regrowth == "none":
        return None
    call = form.regrowth.scorer
    other = cast(Scorer, _host(plugins).get("scorers", call.name))
    parameters = call.parameters
    if form.scorer is not None and form.scorer.name == call.name:  # one scorer for both is one call
        parameters = {**form.scorer.parameters, **parameters}
    _refuse_parameters(other, parameters)
    if (other.mode, other.precision) != (scorer.mode, scorer.precision):
        raise UsageError(
            f"regrowth: scorer '{other.name}' works in {other.mode} mode and {other.precision}, "
            f"'{scorer.name}' in {scorer.mode} mode and {scorer.precision}; they score one network: "
            "take two that agree"
        )
    if other.needs == "batch" and scorer.needs != "batch":
        raise UsageError(
            f"regrowth: scorer '{other.name}' needs data and '{scorer.name}' has none: turn them round, or "
            "take two that agree"
        )
    return Regrow(other.function, parameters, form.regrowth.every or 1, f"scorer '{other.name}'")


def _refuse_parameters(scorer: Scorer, parameters: Iterable[str]) -> None:
    for name in parameters:
        if name not in scorer.parameters:
            hint = nearest(name, scorer.parameters)
            raise UsageError(f"scorer '{scorer.name}' has no parameter '{name}'{hint}")


def _refuse_not_finite(weights: Mapping[str, Tensor]) -> None:
    for name, weight in weights.items():
        bad = 0 if weight.is_meta else weight.numel() - int(weight.isfinite().count_nonzero())
        if bad:
            raise UsageError(
                f"{bad} of {weight.numel()} weights of '{name}' are NaN or infinite: the network cannot be "
                "scored; has its training diverged?"
            )


def _counts_like(
    network: _Network, form: Form, like: str | dict[str, Any], density: float, plugins: tuple[Path | str, ...]
) -> dict[str, int]:
    """Return how many weights each layer keeps under another method, or this one with changes."""
    if isinstance(like, str):
        other, scorer, who = _method(like, network.batch, plugins)
    else:
        changed = form.changed(**{"allocation": "global", "alter": (), **like})
        other, scorer, who = _method(changed, network.batch, plugins)
    mask = _mask(network, other, scorer, who, density, plugins)
    return {layer["name"]: layer["kept"] for layer in mask.layers()}


def _refuse_training(form: Form, who: str) -> None:
    """Refuse forms that need more than the network at hand."""
    assert form.scorer is not None
    unbuilt = form.unbuilt()
    if unbuilt:
        raise UsageError(f"{who} has {unbuilt}, which is not built yet")
    if isinstance(form.schedule, Gradual):
        raise UsageError(
            f"{who} prunes while the network trains, and prune takes the network as it is: run it in a suite"
        )
    if form.score_at != "init" or form.find:
        raise UsageError(
            f"{who} trains the network before it scores it, and prune takes the network as it is: for a "
            f"trained model use the scorer itself, '{form.scorer.name}'; to have it trained, run a suite"
        )
    if "reinit" in form.alter:
        raise UsageError(
            f"{who} draws new initial weights, and prune only makes the mask: leave out 'reinit'"
        )


def _method(
    method: str | Form | Scorer | Function, batch: Batch | None, plugins: tuple[Path | str, ...]
) -> tuple[Form, Scorer, str]:
    """Return a method's form, its scorer, and how to call it in a message."""
    if isinstance(method, str):
        form, who = _host(plugins).method(method).form, f"method '{method}'"
    elif isinstance(method, Form):
        form, who = method, "the method"
    else:
        scorer = _component(method, batch)
        return Form(scorer=ScorerCall(name=scorer.name)), scorer, f"scorer '{scorer.name}'"
    if form.scorer is None:
        raise UsageError(f"{who} prunes nothing: it has no scorer")
    return form, cast(Scorer, _host(plugins).get("scorers", form.scorer.name)), who


def _refuse_method(name: str, host: Host) -> None:
    """Say which scorer a method has, where the name of a method is given for a scorer's."""
    if name in host.names("scorers") or name not in host.names("methods"):
        return
    form = host.method(name).form
    said = f"its scorer is '{form.scorer.name}'" if form.scorer else "it has no scorer"
    raise UsageError(f"'{name}' is a method, not a scorer; {said}")


def _component(
    scorer: Scorer | Function, batch: Batch | None, wanted: str = "the name of a method, a Form"
) -> Scorer:
    if isinstance(scorer, Scorer):
        return scorer
    if isinstance(scorer, type) or not callable(scorer):
        raise UsageError(f"expected {wanted}, a Scorer or a scoring function; found {scorer!r}")
    name = getattr(scorer, "__name__", type(scorer).__name__)
    return Scorer(name, scorer, needs="nothing" if batch is None else "batch")


def _share_kept(density: float | str | None, sparsity: float | None) -> float:
    if (density is None) == (sparsity is None):
        found = "neither" if density is None else "both"
        raise UsageError(f"give density (the share kept) or sparsity (the share removed); found {found}")
    name, value = ("density", density) if sparsity is None else ("sparsity", sparsity)
    allowed = "above 0, at most 1" if name == "density" else "at least 0, below 1"
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(cast(float, value))
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be a number {allowed}; found {value!r}") from None
    share = number if name == "density" else round(1 - number, 12)
    if not 0 < share <= 1:
        raise UsageError(f"{name} must be {allowed}; found {value}")
    return share


def _checked_batch(batch: Any, loss: Loss | None) -> Batch:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        what = f"{len(batch)} values" if isinstance(batch, tuple | list) else type(batch).__name__
        raise UsageError(f"batch must be (x, y), inputs and labels; found {what}")
    x, y = batch
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        if x.dim() == 0 or y.dim() == 0 or len(x) != len(y):
            raise UsageError(
                f"batch: x has shape {tuple(x.shape)}, y {tuple(y.shape)}; as many labels as inputs wanted"
            )
        if len(x) == 0:
            raise UsageError("batch is empty")
    if loss is None:
        if not nested.tensors(x) and not _is_lazy(x):
            raise UsageError(f"batch: x must be a torch tensor; found {type(x).__name__} without any")
        if not isinstance(y, Tensor):
            raise UsageError(
                f"batch: y must be a torch tensor; found {type(y).__name__}; for other targets give "
                "loss=function(outputs, y)"
            )
        if y.dim() == 1 and str(y.dtype) != "torch.int64":
            raise UsageError(f"batch: y must be class labels in torch.int64; found {y.dtype}")
    return x, y


def _is_lazy(x: Any) -> bool:
    """Whether x has the length, the shape and the indexing of a tensor of examples."""
    array = type(x).__module__ == "numpy"  # its parts are no tensors
    return not array and all(hasattr(x, name) for name in ("shape", "__len__", "__getitem__"))


def _checked_shape(shape: Sequence[int] | None) -> tuple[int, ...] | None:
    if shape is None:
        return None
    found: Any = shape
    try:
        sizes = tuple(operator.index(size) for size in found)
    except TypeError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise UsageError(f"input_shape must be the shape of one input, such as (3, 32, 32); found {found!r}")
    return sizes


@functools.lru_cache(maxsize=8)
def _host(plugins: tuple[Path | str, ...] = ()) -> Host:
    from prunebench.host.registry import Host

    return Host.load(plugins=[Path(path) for path in plugins])
