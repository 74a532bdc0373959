"""`score`: what a scorer gives every weight of the network at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from torch import Tensor, nn

from prunebench.api.arguments import Batch, Function, component_of, files_of, host_of, refuse_method
from prunebench.api.network import GivenNetwork, warn
from prunebench.host.components import Scorer
from prunebench.host.form import Form, ScorerCall
from prunebench.pruning import score_network
from prunebench.pruning.losses import Loss, Reduction
from prunebench.training.streams import stream

__all__ = ["score"]


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
    files = files_of(plugins)
    call = ScorerCall(name=scorer) if isinstance(scorer, str) else scorer
    if isinstance(call, ScorerCall):
        host = host_of(files)
        refuse_method(call.name, host)
        component = cast(Scorer, host.get("scorers", call.name))
    else:
        component = component_of(call, batch, "the name of a scorer, a ScorerCall")
        call = ScorerCall(name=component.name)
    network = GivenNetwork(model, batch, seed, loss, reduction, except_, input_shape, mask, precision, files)
    scoring = network.scoring(component, Form(scorer=call), "score")
    there, _ = network.there(scoring)
    scores = score_network(
        model, scoring, mask=there, rng=stream(network.seed, "scores"), warn=network.said.append
    )
    warn(network.said)
    return scores
