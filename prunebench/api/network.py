"""The network that `prune` and `score` are given, with all that comes with it, checked once."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from prunebench.api.arguments import Batch, checked_batch, names_of, refuse_parameters
from prunebench.errors import PruningWarning, UsageError
from prunebench.host.components import Scorer
from prunebench.host.form import Form
from prunebench.pruning import Mask, Scoring, nested, prunable_weights, uncovered
from prunebench.pruning.existing import existing_mask
from prunebench.pruning.filters import FilterGroups
from prunebench.pruning.losses import Loss, Reduction
from prunebench.pruning.prunable import computed_weights

__all__ = ["GivenNetwork", "warn"]


@dataclass
class GivenNetwork:
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
        self.except_ = names_of(self.except_)
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


def warn(sentences: Iterable[str]) -> None:
    """Warn whoever called `prune` or `score`."""
    for sentence in dict.fromkeys(sentences):
        warnings.warn(sentence, PruningWarning, stacklevel=3)


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
