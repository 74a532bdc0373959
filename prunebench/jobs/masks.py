"""Score a state, make a mask of scores or in rounds, shuffle a mask."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import torch

from prunebench.errors import ComponentError, DataError, LeakError, UsageError
from prunebench.host.components import Scorer
from prunebench.isolation import isolated
from prunebench.jobs.context import Context, log
from prunebench.jobs.states import mask_from, mask_layers, mask_tensors, unpack_state
from prunebench.plan.job import Job
from prunebench.pruning import Regrow, keep_top, prune_rounds, score_network, shuffle_mask
from prunebench.pruning.ranking import chosen_by_position, emptied_layers
from prunebench.store import Artifact
from prunebench.training.streams import stream

if TYPE_CHECKING:
    from torch import nn

    from prunebench.pruning import Mask

__all__ = ["has_diverged", "run_mask", "run_score", "run_shuffle", "scoring_arguments"]


def run_score(job: Job, context: Context) -> None:
    """Commit the scores of every prunable weight of a state."""
    source = context.read(job.inputs[0])
    meta = _meta(job, context, {job.inputs[0]: source})
    if "diverged" in meta:
        context.store.write_artifact(job.key, {}, meta)
        return
    module, arguments = _scoring(job.params, context, source)
    try:
        scores = score_network(module, **arguments)
    except LeakError:
        raise
    except (ComponentError, UsageError):
        if not _is_to_blame(source, module, arguments):
            raise
        context.store.write_artifact(job.key, {}, {**meta, "diverged": _where(source)})
        return
    context.store.write_artifact(job.key, {name: s.cpu().contiguous() for name, s in scores.items()}, meta)


def run_mask(job: Job, context: Context) -> None:
    """Commit the mask that keeps exactly `kept` weights: of scores, by rounds, or a state's own."""
    inputs = {key: context.read(key) for key in job.inputs}
    meta = _meta(job, context, inputs)
    if "diverged" in meta:
        context.store.write_artifact(job.key, {}, meta)
        return
    params = job.params
    first = inputs[job.inputs[0]]
    if params.get("taken") == "state":
        _commit(job, context, mask_from(first), {**meta, "history": first.meta.get("history", [])})
        return
    allocation: Any = params["allocation"]
    if allocation == "like":
        liked = mask_from(inputs[job.inputs[1]])
        allocation = {layer["name"]: layer["kept"] for layer in liked.layers()}
    if "rounds" in params:
        module, arguments = _scoring(
            params["scoring"], context, first, params.get("regrowth", {}).get("scorer")
        )
        try:
            mask = prune_rounds(
                module,
                density=params["density"],
                rounds=params["rounds"],
                keep=params["keep"],
                allocation=allocation,
                regrowth=_regrow(params["regrowth"], context) if "regrowth" in params else None,
                **arguments,
            )
        except LeakError:
            raise
        except (ComponentError, UsageError):
            if not _is_to_blame(first, module, arguments):
                raise
            context.store.write_artifact(job.key, {}, {**meta, "diverged": _where(first)})
            return
    else:
        how: Any = {"keep": params["keep"], "allocation": allocation}
        mask = keep_top(first.tensors, params["kept"], **how)
        few = chosen_by_position(first.tensors, mask, who="the scorer", **how)
        if few:
            log.warning("%s", few)
    empty = emptied_layers(mask, "the method")
    if empty:
        log.warning("%s", empty)
    _commit(job, context, mask, meta)


def run_shuffle(job: Job, context: Context) -> None:
    """Commit a mask with each layer's entries permuted at random."""
    source = context.read(job.inputs[0])
    meta = _meta(job, context, {job.inputs[0]: source})
    if "diverged" in meta:
        context.store.write_artifact(job.key, {}, meta)
        return
    _commit(job, context, shuffle_mask(mask_from(source), stream(job.params["seed"], "shuffle")), meta)


def _meta(job: Job, context: Context, inputs: Mapping[str, Artifact]) -> dict[str, Any]:
    """Return an output's metadata: what it was made from, the state scored, divergence inherited."""
    first = inputs[job.inputs[0]]
    scored = first.meta.get("scored") or {"key": first.key, "digest": first.digest}
    meta: dict[str, Any] = {
        "kind": job.kind,
        "made_from": {key: inputs[key].digest for key in job.inputs},
        "scored": scored,
    }
    diverged = next((a.meta["diverged"] for a in inputs.values() if a.meta.get("diverged")), None)
    return {**meta, "diverged": diverged} if diverged else meta


def _is_to_blame(source: Artifact, module: nn.Module, arguments: Mapping[str, Any]) -> bool:
    """Whether it is the trained state's fault that it could not be scored.

    The run itself has not met a loss that is not finite by then: it would at its next step.
    """
    return source.meta["step"] > 0 and has_diverged(module, arguments)


def has_diverged(module: nn.Module, arguments: Mapping[str, Any]) -> bool:
    """Whether weights, buffers or the loss on a scoring batch are not finite."""
    with isolated("the network's forward pass"):
        return _is_not_finite(module, arguments)


def _is_not_finite(module: nn.Module, arguments: Mapping[str, Any]) -> bool:
    if not all(bool(torch.isfinite(tensor).all()) for tensor in (*module.parameters(), *module.buffers())):
        return True
    if arguments["batch"] is None:
        return False
    x, y = arguments["batch"]
    copy = deepcopy(module).train(arguments["mode"] == "train")
    chunk = arguments["parameters"].get("chunk")
    size = chunk if isinstance(chunk, int) and chunk > 0 else len(y)
    with torch.no_grad():
        for start in range(0, len(y), size):
            part = slice(start, start + size)
            if not torch.isfinite(torch.nn.functional.cross_entropy(copy(x[part]), y[part])):
                return True
    return False


def _where(source: Artifact) -> dict[str, Any]:
    return {"run": source.meta["run"], "step": source.meta["step"]}


def _commit(job: Job, context: Context, mask: Mask, meta: dict[str, Any]) -> None:
    tensors, shapes = mask_tensors(mask)
    counts = {"kept": mask.kept, "prunable": mask.prunable, "layers": mask_layers(mask)}
    meta |= {"mask_shapes": shapes, **counts}
    context.store.write_artifact(job.key, tensors, meta)


def _scoring(
    params: Mapping[str, Any], context: Context, source: Artifact, other: Mapping[str, Any] | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network in the state to be scored, and the arguments of `score_network`."""
    module = context.network(params["architecture"], None, params["seed"])
    unpack_state(source).load_into(module)
    return module.to(params["scorer"]["device"]), scoring_arguments(params, context, other)


def scoring_arguments(
    params: Mapping[str, Any], context: Context, other: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the arguments of `score_network`, less the network, that a job's `scoring` says.

    `other` is the call of a scorer that gets the same batch.
    """
    from prunebench.training.images.data import scoring_batch

    call = params["scorer"]
    scorer = cast(Scorer, context.host.get("scorers", call["name"]))
    batch: tuple[Any, torch.Tensor] | None = None
    if "batch" in params:
        data = context.data(params["data"], "cpu")
        # images in floating point take four times the memory of bytes: a scorer may make them chunk by chunk
        lazy = _takes_lazy(call, context) and (other is None or _takes_lazy(other, context))
        try:
            x, y = scoring_batch(data, params["seed"], **params["batch"], lazy=lazy)
        except DataError as error:
            named = f"data set '{params['data']['name']}', training part ({params['data']['split']} split)"
            raise DataError(f"{named}: {error}") from error
        batch = x.to(call["device"]), y.to(call["device"])
    prunable = params["prunable"]
    return {
        "function": scorer.function,
        "mode": scorer.mode,
        "precision": scorer.precision,
        "batch": batch,
        "rng": stream(params["seed"], "scores"),
        "of": prunable["of"],
        "except_": tuple(prunable["except"]),
        "input_shape": tuple(params["architecture"]["input"]),
        "parameters": call["parameters"],
        "who": context.host.who("scorers", scorer.name),
        "warn": log.warning,
    }


def _takes_lazy(call: Mapping[str, Any], context: Context) -> bool:
    scorer = cast(Scorer, context.host.get("scorers", call["name"]))
    return scorer.takes_lazy(call["parameters"])


def _regrow(params: Mapping[str, Any], context: Context) -> Regrow:
    """Return what a mask's `regrowth` says."""
    call = params["scorer"]
    scorer = cast(Scorer, context.host.get("scorers", call["name"]))
    who = context.host.who("scorers", scorer.name)
    return Regrow(scorer.function, call["parameters"], params["every"], who)
