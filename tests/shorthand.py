"""A network scored or pruned in one call: what would be a `Scoring` and a `MaskForm` are keywords."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from prunebench.pruning import Mask, MaskForm, Scoring, kept_count, make_mask, prunable_weights
from prunebench.pruning import score_network as score_by
from prunebench.schedules.rounds import round_counts

__all__ = ["prune_rounds", "score_network"]

_FORM = ("keep", "allocation", "rounds", "regrowth")
_CALL = ("mask", "groups", "rng", "warn", "on_round")


def score_network(module: nn.Module, function: Any, **keywords: Any) -> dict[str, Tensor]:
    """Return the scores that a function gives a network."""
    call, scoring = _split(keywords, _CALL)
    return score_by(module, Scoring(function, **scoring), **call)


def prune_rounds(module: nn.Module, function: Any, *, density: float, **keywords: Any) -> Mask:
    """Return the mask of a density that a function's scores make."""
    call, more = _split(keywords, _CALL)
    form, scoring = _split(more, _FORM)
    prunable = prunable_weights(module, scoring.get("of", "weights"), scoring.get("except_", ()))
    sizes = [weight.numel() for weight in prunable.values()]
    kept = kept_count(density, sum(sizes))
    if form.get("rounds") is not None:
        rounds = form["rounds"]
        form["rounds"] = lambda there: (*round_counts(density, sum(sizes), rounds, there)[:-1], kept)
    how = MaskForm(kept, density=density, **form)
    return make_mask(module, how, Scoring(function, **scoring), **call)


def _split(keywords: dict[str, Any], names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    chosen = {name: value for name, value in keywords.items() if name in names}
    return chosen, {name: value for name, value in keywords.items() if name not in names}
