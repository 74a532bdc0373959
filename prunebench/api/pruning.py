"""`prune`: the mask that a method makes of the network at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from torch import Tensor, nn

from prunebench.api.arguments import Batch, Function, files_of, method_of, share_kept
from prunebench.api.masks import mask_of
from prunebench.api.network import GivenNetwork, warn
from prunebench.errors import UsageError
from prunebench.host.components import Scorer
from prunebench.host.form import Form
from prunebench.pruning import Mask
from prunebench.pruning.degenerate import emptied_layers
from prunebench.pruning.losses import Loss, Reduction

__all__ = ["prune"]


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
    files = files_of(plugins)
    form, scorer, who = method_of(method, batch, files)
    network = GivenNetwork(model, batch, seed, loss, reduction, except_, input_shape, mask, precision, files)
    if unit not in (None, "weight", "filter"):
        raise UsageError(f'unit must be "weight" or "filter"; found {unit!r}')
    if unit is not None:
        form = _of_unit(form, unit)
    made = mask_of(network, form, scorer, who, share)
    empty = emptied_layers(made, who)
    warn([*network.said, empty] if empty else network.said)
    return made


def _of_unit(form: Form, unit: str) -> Form:
    """Return a form that removes such units.

    Raises: UsageError where it has other fields that forbid that.
    """
    try:
        return form.changed(unit=unit)
    except ValidationError as error:
        told = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise UsageError(told if told.startswith("unit") else f"unit = {unit!r}: {told}") from None
