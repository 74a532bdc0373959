"""What `prune` and `score` are given, checked: methods, batches, shares and shapes."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from prunebench.errors import UsageError, nearest
from prunebench.host.components import Scorer
from prunebench.host.form import Form, Like, ScorerCall
from prunebench.pruning import nested
from prunebench.pruning.losses import Loss
from prunebench.pruning.score import ScoringFunction

if TYPE_CHECKING:
    from prunebench.host.registry import Host

__all__ = [
    "Batch",
    "Function",
    "checked_batch",
    "component_of",
    "files_of",
    "host_of",
    "method_of",
    "names_of",
    "refuse_mask",
    "refuse_method",
    "refuse_parameters",
    "refuse_training",
    "share_kept",
]

Function = ScoringFunction
Batch = tuple[Any, Any]


def refuse_training(form: Form, who: str) -> None:
    """Refuse forms that need more than the network at hand."""
    assert form.scorer is not None
    unbuilt = form.unbuilt()
    if unbuilt:
        raise UsageError(f"{who} has {unbuilt}, which is not built yet")
    if form.schedule.prunes_in_training:
        raise UsageError(
            f"{who} prunes while the network trains, and prune takes the network as it is: run it in a suite"
        )
    if form.schedule.trains_between:
        raise UsageError(
            f"{who} trains the network between its levels, and prune takes the network as it is: run it in a "
            "suite"
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


def method_of(
    method: str | Form | Scorer | Function,
    batch: Batch | None,
    plugins: tuple[Path | str, ...],
    called: str = "the method",
) -> tuple[Form, Scorer, str]:
    """Return a method's form, its scorer, and how to call it in a message: a form is `called` so."""
    if isinstance(method, str):
        form, who = host_of(plugins).method(method).form, f"method '{method}'"
    elif isinstance(method, Form):
        form, who = method, called
    else:
        scorer = component_of(method, batch)
        form = Form(
            scorer=ScorerCall(name=scorer.name), unit="filter" if scorer.gives == "filters" else "weight"
        )
        return form, scorer, f"scorer '{scorer.name}'"
    if form.scorer is None:
        raise UsageError(f"{who} prunes nothing: it has no scorer")
    return form, cast(Scorer, host_of(plugins).get("scorers", form.scorer.name)), who


def refuse_mask(like: Like) -> None:
    """Refuse a mask in the place of the method whose layers' counts are taken."""
    if isinstance(like.like, dict) and any(isinstance(value, Tensor) for value in like.like.values()):
        raise UsageError(
            "allocation.like: found a mask; allowed: the name of a method, or a table of changes to the form "
            "whose mask of this network is made and counted"
        )


def refuse_method(name: str, host: Host) -> None:
    """Say which scorer a method has, where the name of a method is given for a scorer's."""
    if name in host.names("scorers") or name not in host.names("methods"):
        return
    form = host.method(name).form
    said = f"its scorer is '{form.scorer.name}'" if form.scorer else "it has no scorer"
    raise UsageError(f"'{name}' is a method, not a scorer; {said}")


def component_of(
    scorer: Scorer | Function, batch: Batch | None, wanted: str = "the name of a method, a Form"
) -> Scorer:
    """Return a scorer that was given as itself or as its function."""
    if isinstance(scorer, Scorer):
        return scorer
    if isinstance(scorer, type) or not callable(scorer):
        raise UsageError(f"expected {wanted}, a Scorer or a scoring function; found {scorer!r}")
    name = getattr(scorer, "__name__", type(scorer).__name__)
    return Scorer(name, scorer, needs="nothing" if batch is None else "batch")


def names_of(given: Any) -> tuple[str, ...]:
    """Return the names that are excepted, one or several."""
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"except_ must be names of parameters or modules; found {name!r:.80}")
    return names


def files_of(given: Any) -> tuple[Path | str, ...]:
    """Return the plugin files that are wanted, one or several."""
    one = isinstance(given, str | Path)
    files = (given,) if one else tuple(given) if isinstance(given, Iterable) else (given,)
    for file in files:
        if not isinstance(file, str | Path):
            raise UsageError(f"plugins must be paths of Python files; found {file!r:.80}")
    return files


def share_kept(density: float | str | None, sparsity: float | None) -> float:
    """Return the share of the weights that is kept, by whichever of the two is given."""
    if (density is None) == (sparsity is None):
        given = "neither" if density is None else "both"
        raise UsageError(f"give density (the share kept) or sparsity (the share removed); found {given}")
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
        percent = f"; write {number / 100:g} for {number:g} %" if 1 < number < 100 else ""
        raise UsageError(f"{name} must be {allowed}; found {value}{percent}")
    return share


def checked_batch(batch: Any, loss: Loss | None) -> Batch:
    """Return (x, y), refusing what is no batch, or none for cross entropy."""
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
            kinds = {type(leaf).__name__ for leaf in nested.leaves(x)} - {type(x).__name__}
            without = f" of {' and '.join(sorted(kinds))}, without any" if kinds else ""
            raise UsageError(f"batch: x must be a torch tensor; found {type(x).__name__}{without}")
        if not isinstance(y, Tensor):
            raise UsageError(
                f"batch: y must be a torch tensor; found {type(y).__name__}; for other targets give "
                "loss=function(outputs, y)"
            )
        if y.dim() == 1 and str(y.dtype) != "torch.int64":
            raise UsageError(f"batch: y must be class labels in torch.int64; found {y.dtype}")
    return x, y


def _is_lazy(x: Any) -> bool:
    """Return True if x has the length, the shape and the indexing of a tensor of examples."""
    array = type(x).__module__ == "numpy"  # its parts are no tensors
    return not array and all(hasattr(x, name) for name in ("shape", "__len__", "__getitem__"))


@functools.lru_cache(maxsize=8)
def host_of(plugins: tuple[Path | str, ...] = ()) -> Host:
    """Return the host with these plugin files, loaded once."""
    from prunebench.host.registry import Host

    return Host.load(plugins=[Path(path) for path in plugins])


def refuse_parameters(scorer: Scorer, parameters: Iterable[str]) -> None:
    """Refuse parameters that a scorer does not have."""
    for name in parameters:
        if name not in scorer.parameters:
            hint = nearest(name, scorer.parameters)
            raise UsageError(f"scorer '{scorer.name}' has no parameter '{name}'{hint}")
