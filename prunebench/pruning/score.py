"""Runs a scorer: nothing of the caller's is changed, everything the scorer returns is checked."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from prunebench.errors import ComponentError, PrunebenchError, UsageError
from prunebench.faults import failure
from prunebench.isolation import isolated
from prunebench.pruning.mask import Mask
from prunebench.pruning.network import Loss, ScoringNetwork
from prunebench.pruning.product import Product
from prunebench.pruning.rng import RandomStream

__all__ = ["ScoringFunction", "run_scorer", "score_network"]

ScoringFunction = Callable[..., Mapping[str, Tensor] | Mapping[str, Product]]
"""function(net, batch, rng, **parameters) → {parameter name: scores}."""


def score_network(
    module: nn.Module,
    function: ScoringFunction,
    *,
    mode: Literal["train", "eval"] = "eval",
    precision: Literal["float32", "float64"] = "float32",
    batch: tuple[Any, Any] | None = None,
    rng: RandomStream | None = None,
    mask: Mask | None = None,
    of: Literal["weights", "convolutions"] = "weights",
    except_: Iterable[str] = (),
    loss: Loss | None = None,
    input_shape: Sequence[int] | None = None,
    parameters: Mapping[str, Any] | None = None,
    who: str = "the scorer",
) -> dict[str, Tensor]:
    """Return the scores of the prunable weights by name: CPU tensors of the weights' shapes.

    The function works on a private copy (`ScoringNetwork`) with gradients on, autocast off, and torch's,
    numpy's and Python's global generators seeded from `rng`, so that dropout or a scorer's own `torch.rand`
    repeat; all these are put back afterwards (`prunebench.isolation`). Scores stay in the scorer's own
    precision (half precisions become float32, exactly).

    Raises: ComponentError, naming `who`, where the function fails or returns other names or shapes than the
    weights', or numbers that are not finite; LeakError where it changes what others' results are made with.
    """
    net = ScoringNetwork(
        module,
        mask,
        mode=mode,
        precision=precision,
        of=of,
        except_=except_,
        loss=loss,
        input_shape=shape_of(batch) if input_shape is None else input_shape,
    )
    found = run_scorer(net, function, batch=batch, rng=rng, parameters=parameters or {}, who=who)
    with torch.inference_mode(False):
        return {name: _own(score, name, who) for name, score in found.items()}


def shape_of(batch: tuple[Any, Any] | None) -> tuple[int, ...] | None:
    """Return the shape of one input of a batch (x, y), where it can be told."""
    shape = None if batch is None else getattr(batch[0], "shape", None)
    return None if shape is None else tuple(int(size) for size in shape[1:])


def run_scorer(
    net: ScoringNetwork,
    function: ScoringFunction,
    *,
    batch: tuple[Any, Any] | None,
    rng: RandomStream | None,
    parameters: Mapping[str, Any],
    who: str,
) -> dict[str, Tensor | Product]:
    """Run a scoring function on a network made for it and check names, shapes and types of what it returns.

    The scores may be the network's own tensors, and whether they are finite is not looked at: they are for
    `keep_top`, which sees it, before anything else is done with the network.
    """
    shapes = {name: weight.shape for name, weight in net.weights.items()}
    seed = 0 if rng is None else int(rng.child("torch").raw(1)[0] >> np.uint64(1))
    with isolated(who), _scoring(net.device, seed):
        moved = None
        try:
            moved = (
                None
                if batch is None
                else (_moved(batch[0], net, cast=True), _moved(batch[1], net, cast=False))
            )
            found = function(net, moved, rng, **parameters)
        except PrunebenchError:
            raise
        except (Exception, SystemExit) as error:
            _refuse_inputs(net, moved)
            raise ComponentError(failure(who, error)) from error
        return _checked(found, shapes, who)


def _refuse_inputs(net: ScoringNetwork, batch: tuple[Any, Any] | None) -> None:
    """Refuse inputs that the network, as it was given, does not take: then no scorer is to blame.

    Of inputs that are no tensor, or too many for the memory, nothing is said.
    """
    if not net.restore(net.mask):
        return
    try:
        x = (
            torch.zeros(1, *net.input_shape, dtype=net.dtype, device=net.device)
            if batch is None
            else batch[0]
        )
        if isinstance(x, Tensor):
            with torch.no_grad():
                net.outputs(x)
    except (PrunebenchError, MemoryError, torch.OutOfMemoryError):
        return
    except Exception as error:
        raise UsageError(f"the network does not take inputs of shape {tuple(x.shape)}: {error}") from error


def _moved(value: Any, net: ScoringNetwork, *, cast: bool) -> Any:
    """Bring a tensor to the network's device; inputs in floating point to its precision as well."""
    if not isinstance(value, Tensor):
        return value
    if value.is_inference():
        value = value.clone()  # autograd refuses tensors made under inference mode
    dtype = net.dtype if cast and value.is_floating_point() else value.dtype
    return value.detach().to(net.device, dtype)


def _checked(found: Any, shapes: Mapping[str, torch.Size], who: str) -> dict[str, Tensor | Product]:
    if not isinstance(found, Mapping):
        raise ComponentError(f"{who} returned a {type(found).__name__}; a mapping name → tensor wanted")
    missing = [name for name in shapes if name not in found]
    unknown = [str(name) for name in found if name not in shapes]
    if missing or unknown:
        said = [f"no scores for {', '.join(missing)}"] if missing else []
        said += [f"scores for {', '.join(unknown)}, which is no prunable weight"] if unknown else []
        raise ComponentError(f"{who} returned {' and '.join(said)}; expected: {', '.join(shapes)}")
    scores: dict[str, Tensor | Product] = {}
    for name, shape in shapes.items():
        score = found[name]
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
    bad = tensor.numel() - int(torch.isfinite(tensor).count_nonzero())
    if bad:
        raise ComponentError(f"{who}: {bad} of {tensor.numel()} scores of '{name}' are NaN or infinite")
    return tensor.detach().to("cpu", copy=not copied).contiguous()


@contextlib.contextmanager
def _scoring(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the global generators and set the modes for scoring; `isolated` puts them back."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast("cpu", enabled=False),
        torch.autocast(device.type, enabled=False) if device.type != "cpu" else contextlib.nullcontext(),
    ):
        yield
