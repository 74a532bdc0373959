"""Runs a scorer: nothing of the caller's is changed, everything the scorer returns is checked."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from prunebench.errors import ComponentError, PrunebenchError, UsageError
from prunebench.faults import failure, said, told
from prunebench.isolation import isolated
from prunebench.pruning import nested
from prunebench.pruning.copying import undisturbed
from prunebench.pruning.degenerate import Warn, tell_no_ranking
from prunebench.pruning.filters.choose import group_scores
from prunebench.pruning.filters.cut import at_zero
from prunebench.pruning.filters.groups import FilterGroups
from prunebench.pruning.losses import Loss, Reduction
from prunebench.pruning.mask import Mask
from prunebench.pruning.network import ScoringNetwork
from prunebench.pruning.precision import Precision, not_finite
from prunebench.pruning.product import Product
from prunebench.pruning.prunable import prunable_weights
from prunebench.pruning.rng import RandomStream

__all__ = ["Scoring", "ScoringFunction", "run_scorer", "score_network"]

ScoringFunction = Callable[..., Mapping[str, Tensor] | Mapping[str, Product]]
"""function(net, batch, rng, **parameters) → {parameter name: scores}."""

Gives = Literal["weights", "filters", "either"]
"""What a scorer gives scores of: of weights; of whole filters; of filters where these are pruned."""


@dataclass(frozen=True)
class Scoring:
    """How a network is scored: a function, and what is to be known of the network and its inputs.

    function, parameters: the scorer's; who: its name, for messages
    mode, precision: the network's while it is scored (`ScoringNetwork`)
    batch: (x, y), or None for a scorer that reads no data
    of, except_: which weights are prunable (`prunable_weights`)
    loss, reduction: the user's own loss, and what it is over the examples; unless given, cross entropy
    input_shape: the shape of one input, where it is known
    like: the inputs that one made up by the scorer is like, where there is no batch
    gives: what the function gives scores of
    """

    function: ScoringFunction
    _: KW_ONLY
    parameters: Mapping[str, Any] = field(default_factory=dict)
    mode: Literal["train", "eval"] = "eval"
    precision: Precision = "float32"
    batch: tuple[Any, Any] | None = None
    of: Literal["weights", "convolutions"] = "weights"
    except_: Sequence[str] = ()
    loss: Loss | None = None
    reduction: Reduction | None = None
    input_shape: Sequence[int] | None = None
    like: Any = None
    who: str = "the scorer"
    gives: Gives = "weights"

    def network(
        self, module: nn.Module, mask: Mask | None = None, groups: FilterGroups | None = None
    ) -> ScoringNetwork:
        """Return the private copy of a network that the function works on, under a mask.

        With `groups` the mask is of whole filters, and what they take along is zero in the copy too.
        """
        if groups is not None and mask is not None:
            stays = groups.taken_along(mask)
            module = at_zero(module, stays)
            mask = Mask(
                {
                    name: stays.get(name, torch.ones(weight.shape, dtype=torch.bool))
                    for name, weight in prunable_weights(module, self.of, self.except_).items()
                }
            )
        return ScoringNetwork(
            module,
            mask,
            groups=groups,
            mode=self.mode,
            precision=self.precision,
            of=self.of,
            except_=self.except_,
            loss=self.loss,
            reduction=self.reduction,
            input_shape=self.input_shape,
            like=self.like if self.batch is None else self.batch[0],
        )


def score_network(
    module: nn.Module,
    scoring: Scoring,
    *,
    mask: Mask | None = None,
    groups: FilterGroups | None = None,
    rng: RandomStream | None = None,
    warn: Warn | None = None,
) -> dict[str, Tensor]:
    """Return the scores of the prunable weights by name: CPU tensors of the weights' shapes.

    With `groups` (of filters that go together) the mask is of whole filters, and a scorer that gives one
    score a filter returns 1-D tensors for the layers of `groups.shapes`.

    The function works on a private copy (`ScoringNetwork`) with gradients on, autocast off, and torch's,
    numpy's and Python's global generators seeded from `rng`, so that dropout or a scorer's own `torch.rand`
    repeat; all these are put back afterwards (`prunebench.isolation`). Attention is computed by its plain
    formula, whose second derivatives exist. Scores stay in the scorer's own precision (half precisions become
    float32, exactly). `warn` is told of scores that are all equal.

    Raises: ComponentError, naming `scoring.who`, where the function fails or returns other names or shapes
    than the weights', numbers that are not finite, or, in a network without a mask, nothing but zeros;
    UsageError where the loss fails or is not finite, or the network does not take the inputs; LeakError where
    the function changes what others' results are made with.
    """
    net = scoring.network(module, mask, groups)
    returned = run_scorer(net, scoring, rng)
    with torch.inference_mode(False):
        scores = {name: _own(score, name, scoring.who) for name, score in returned.items()}
    if groups is None:
        tell_no_ranking(scores, net.mask, scoring.who, warn)
    else:
        sums = {"": torch.from_numpy(group_scores(scores, groups))}
        there = None if mask is None else Mask({"": torch.from_numpy(groups.kept(mask))})
        tell_no_ranking(sums, there, scoring.who, warn)
    return scores


def run_scorer(
    net: ScoringNetwork, scoring: Scoring, rng: RandomStream | None
) -> dict[str, Tensor | Product]:
    """Run a scoring function on a network made for it and check names, shapes and types of what it returns.

    The scores may be the network's own tensors, and whether they are finite is not looked at: they are for
    `keep_top`, which sees it, before anything else is done with the network.
    """
    shapes = _wanted(net, scoring)
    seed = 0 if rng is None else int(rng.child("torch").raw(1)[0] >> np.uint64(1))
    given, moved = scoring.batch, None
    try:
        with isolated(scoring.who), _seeded(net.device, seed):
            moved = None if given is None else (net.moved(given[0]), net.moved(given[1]))
            returned = scoring.function(net, moved, rng, **scoring.parameters)
            return _checked(returned, shapes, scoring.who)
    except PrunebenchError:
        raise
    except (Exception, SystemExit) as error:
        with isolated("the network"), _seeded(net.device, seed):  # as if the scorer had not run
            blamed = _blame(net, moved, given, error, scoring.who)
        for note in getattr(error, "__notes__", ()):
            blamed.add_note(note)
        raise blamed from error


def _wanted(net: ScoringNetwork, scoring: Scoring) -> dict[str, torch.Size]:
    """Return the shapes of the scores that a scorer has to give."""
    if scoring.gives == "weights" or (scoring.gives == "either" and net.groups is None):
        return {name: weight.shape for name, weight in net.weights.items()}
    if net.groups is None:
        raise UsageError(
            f"{scoring.who} gives one score a filter, and single weights are to be pruned: unit = 'filter' "
            "prunes whole filters"
        )
    return {name: torch.Size([len(filters)]) for name, filters in net.groups.groups.items()}


def _blame(
    net: ScoringNetwork,
    batch: tuple[Any, Any] | None,
    given: tuple[Any, Any] | None,
    error: BaseException,
    who: str,
) -> PrunebenchError:
    """Return the error to raise for a scoring that failed: by the inputs' fault, the network's, or `who`'s.

    batch, given: the batch as the scorer got it, and as the caller gave it.

    Of inputs that are made when they are wanted, or too many for the memory, nothing is said.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return ComponentError(failure(who, error))
    failed = net.failed
    in_network = failed is not None and any(cause is failed for cause in _causes(error))
    refused = _refused_inputs(net, batch, given, who, in_network)
    if refused is not None:
        return refused
    if in_network:
        return ComponentError(f"the network failed while {who} ran it: {told(error)}")
    text = said(error)
    if "does not require grad" in text:
        return _no_gradient(net, batch, who) or ComponentError(failure(who, error))
    if any(words in text for words in _NO_DERIVATIVE):
        return ComponentError(
            f"{who} asks for a derivative, perhaps a second one, that an operation of the network lacks: "
            f"{told(error)}"
        )
    if batch is None and "NoneType" in text:
        return ComponentError(failure(f'{who}, which was given no batch (see needs="batch"),', error))
    if isinstance(error, TypeError) and _is_of_the_call(error):
        return ComponentError(
            f"{who} must be a function of (net, batch, rng), and of parameters by keyword: {text}"
        )
    return ComponentError(failure(who, error))


def _is_of_the_call(error: BaseException) -> bool:
    """Return True if the error arose as the scoring function was called, not within it."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and frame.tb_frame.f_code is run_scorer.__code__


_NO_DERIVATIVE = ("derivative for aten", "once_differentiable", "donated buffers", "double backward")
"""What torch says of an operation that cannot be differentiated (as often)."""


def _no_gradient(net: ScoringNetwork, batch: tuple[Any, Any] | None, who: str) -> UsageError | None:
    """Return what to say where the network's outputs, or the loss of them, have no gradient at all."""
    try:
        if batch is None:
            return None
        net = net.fresh(net.mask)
        outputs = net.outputs(batch[0])
        if not any(tensor.requires_grad for tensor in nested.tensors(outputs)):
            what = "the network's outputs are"
            why = "does its forward run under torch.no_grad, or return class numbers?"
        elif not net.criterion(outputs, batch[1]).requires_grad:
            what = "the loss is"
            why = "does loss= detach the outputs, or leave them out?"
        else:
            return None
    except Exception:
        return None
    return UsageError(f"{who} wants a gradient, and {what} cut off from the network's weights: {why}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _refused_inputs(
    net: ScoringNetwork,
    batch: tuple[Any, Any] | None,
    given: tuple[Any, Any] | None,
    who: str,
    in_network: bool,
) -> UsageError | None:
    """Return what to say of inputs that the network, as it was given, does not take; None where it does."""
    x: Any = None
    try:
        net = net.fresh(net.mask)
        x = net.ones() if batch is None else batch[0]
        if nested.tensors(x):
            with torch.no_grad():
                net.outputs(x)
    except (PrunebenchError, MemoryError, torch.OutOfMemoryError):
        return None
    except Exception as error:
        if batch is None and in_network and _takes_whole_numbers(net, x):
            return UsageError(
                f"the network takes whole numbers, indices of tokens say, and {who} puts an input of ones in "
                "floating point in their place: it does not apply to such a network"
            )
        if batch is None and isinstance(x, Tensor):
            with torch.no_grad():
                with_batch = nested.batch_in_shape(net.outputs, x)
            if with_batch is not None:
                return with_batch
        own = net.own_precision(x, x if given is None else given[0], who, error)
        return own or UsageError(f"the network does not take inputs {nested.described(x)}: {told(error)}")
    return None


def _takes_whole_numbers(net: ScoringNetwork, x: Any) -> bool:
    try:
        with torch.no_grad():
            net.outputs(nested.mapped(lambda tensor: torch.zeros_like(tensor, dtype=torch.int64), x))
    except Exception:
        return False
    return True


def _checked(returned: Any, shapes: Mapping[str, torch.Size], who: str) -> dict[str, Tensor | Product]:
    if not isinstance(returned, Mapping):
        raise ComponentError(f"{who} returned a {type(returned).__name__}; a mapping name → tensor wanted")
    missing = [name for name in shapes if name not in returned]
    unknown = [str(name) for name in returned if name not in shapes]
    if missing or unknown:
        words = [f"no scores for {', '.join(missing)}"] if missing else []
        words += [f"scores for {', '.join(unknown)}, which is no prunable weight"] if unknown else []
        raise ComponentError(f"{who} returned {' and '.join(words)}; expected: {', '.join(shapes)}")
    scores: dict[str, Tensor | Product] = {}
    for name, shape in shapes.items():
        score = returned[name]
        if isinstance(score, Product):
            if score.plain and score.weight.shape == shape:
                scores[name] = score
                continue
            score = score.tensor()
        if not isinstance(score, Tensor) or not score.is_floating_point():
            kind = score.dtype if isinstance(score, Tensor) else type(score).__name__
            raise ComponentError(
                f"{who} returned {kind} for '{name}'; a tensor of floating-point numbers wanted"
            )
        if score.shape != shape:
            raise ComponentError(
                f"{who} returned scores of shape {tuple(score.shape)} for '{name}'; expected {tuple(shape)}"
            )
        scores[name] = score.detach()
    return scores


def _own(score: Tensor | Product, name: str, who: str) -> Tensor:
    """Return a layer's scores as a tensor of its own: finite, on the CPU, in single or double precision."""
    copied = isinstance(score, Product)
    tensor = score.tensor() if isinstance(score, Product) else score
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    bad = not_finite(tensor)
    if bad:
        raise ComponentError(f"{who}: {bad} of {tensor.numel()} scores of '{name}' are NaN or infinite")
    return tensor.detach().to("cpu", copy=not copied).contiguous()


@contextlib.contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the global generators and set the modes for scoring; `isolated` puts them back."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            undisturbed(),
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
            sdpa_kernel(SDPBackend.MATH),  # the fast kernels of attention have no second derivative
            torch.autocast(device.type, enabled=False) if device.type != "cpu" else contextlib.nullcontext(),
        ):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
