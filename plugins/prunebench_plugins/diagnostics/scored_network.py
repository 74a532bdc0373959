"""How accurate the network was that a mask was found in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from prunebench import Finding, Mask
    from prunebench.training.scored_network import ScoredNetwork

__all__ = ["scored_network"]


def scored_network(
    net: nn.Module, mask: Mask | None, input_shape: Sequence[int], finding: Finding
) -> dict[str, Any]:
    """The network by whose scores the mask was made: what it got right, and when (Lan et al. 2021, H_find).

    Under `find` it is not the network that is evaluated. accuracy: in percent, correct of examples; loss:
    mean cross entropy. step: the steps of its schedule that were done when it was scored. evaluated: the step
    at which it was evaluated, which the accuracy is of: the same, but for networks of levels that are scored
    where their recipe does not evaluate. kept, prunable: its weights, of which a chain has removed some.
    unpruned: the same of the unpruned network that was scored for the first level; in one shot both are one.
    A network that was scored before its first evaluation has no accuracy.
    """
    return {**_told(finding.scored), "unpruned": _told(finding.unpruned)}


def _told(network: ScoredNetwork) -> dict[str, Any]:
    told: dict[str, Any] = {"step": network.step, "kept": network.kept, "prunable": network.prunable}
    if network.correct is not None and network.examples:
        told["accuracy"] = 100 * network.correct / network.examples
        told |= {name: getattr(network, name) for name in ("correct", "examples", "loss", "evaluated")}
    return told
