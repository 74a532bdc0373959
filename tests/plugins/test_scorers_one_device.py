"""Every scorer on a device that is not there: all that it computes with lies on it, as it would on a GPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from one_device import OneDevice
from torch import Tensor

from prunebench.host.components import Scorer
from prunebench.host.registry import Host
from prunebench.pruning import Mask, Product, Scoring, network, prune
from prunebench.pruning.filters import filter_groups
from prunebench.pruning.prune import Regrow
from prunebench.training.streams import stream

HOST = Host.load(third_party=False)

SCORERS = HOST.names("scorers")


@pytest.fixture(autouse=True)
def without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks on the meta device be scored: to ask nobody for the values is the purpose here."""
    monkeypatch.setattr(network, "_refuse_weights", lambda weights: None)


def scoring_of(name: str, batch: Any = None) -> Scoring:
    scorer: Any = HOST.get("scorers", name)
    assert isinstance(scorer, Scorer)
    given = batch if scorer.needs == "batch" else None
    how: Any = {"mode": scorer.mode, "precision": scorer.precision, "input_shape": (3, 32, 32)}
    return Scoring(scorer.function, batch=given, who=name, **how)


def module_of(name: str) -> torch.nn.Module:
    architecture: Any = HOST.get("architectures", name)
    with torch.device("meta"):
        built: torch.nn.Module = architecture.build((3, 32, 32), 10)
    return built


def batch() -> tuple[Tensor, Tensor]:
    return torch.ones(20, 3, 32, 32, device="meta"), torch.arange(20) % 10


def cases() -> list[tuple[str, str, int | None]]:
    chunked: list[Any] = [name for name in SCORERS if "chunk" in HOST.get("scorers", name).parameters]  # type: ignore[union-attr]
    whole = [(name, architecture, None) for name in SCORERS for architecture in ("resnet8", "vgg11")]
    return [*whole, *((name, "resnet8", 6) for name in chunked)]


@pytest.mark.parametrize(("name", "architecture", "chunk"), cases())
def test_a_scorer_computes_on_the_networks_device_alone(name: str, architecture: str, chunk: int | None):
    """Its gradients, its sums over chunks, its masks; random scores are drawn on the CPU, for all devices alike."""
    x, y = batch()
    scoring = scoring_of(name, (x, y))
    groups = None
    if HOST.get("scorers", name).gives == "filters":  # type: ignore[union-attr]
        groups = filter_groups(module_of(architecture), input_shape=(3, 32, 32), check=False)
    with OneDevice("meta") as seen:
        net = scoring.network(module_of(architecture), None, groups)
        net.restored = 1  # SynFlow looks at values in its first round
        given = None if scoring.batch is None else (net.moved(x), y if chunk else net.moved(y))
        more = {} if chunk is None else {"chunk": chunk}
        scores = scoring.function(net, given, stream(0, "scores"), **more)
    assert list(scores) == list(net.weights if net.groups is None else net.groups.shapes)
    tensors = [s.factor if isinstance(s, Product) else s for s in scores.values()]
    assert {tensor.device.type for tensor in tensors} == {"cpu" if name == "random" else "meta"}
    if name not in ("random", "magnitude", "batchnorm", "filter-norm"):
        assert seen.counted["convolution_backward"] > 0


@pytest.mark.parametrize("live", ["magnitude", "force", "synflow"])
def test_scores_made_on_the_cpu_are_joined_to_those_of_the_device(live: str, monkeypatch: pytest.MonkeyPatch):
    """Removed weights whose return is drawn at random, beside scores of a network on another device."""
    module = module_of("resnet8")
    scoring = scoring_of(live, (torch.ones(20, 3, 32, 32), torch.arange(20) % 10))
    weights = {n: p for n, p in module.named_parameters() if p.dim() > 1}
    mask = Mask({name: torch.arange(p.numel()).view(p.shape) % 2 == 0 for name, p in weights.items()})
    random: Any = HOST.get("scorers", "random")
    drawn = Regrow(random.function, {}, 1, "random")

    def plainly(net: Any, scoring: Scoring, rng: Any) -> dict[str, Any]:
        """Without autocast switched off, which torch has not on the meta device."""
        moved = None if scoring.batch is None else (net.moved(scoring.batch[0]), net.moved(scoring.batch[1]))
        return dict(scoring.function(net, moved, rng))

    monkeypatch.setattr(prune, "run_scorer", plainly)
    with OneDevice("meta"):
        net = scoring.network(module, mask)
        net.restored = 1  # SynFlow looks at values in its first round
        _, scores = prune._scored(net, scoring, drawn, stream(0, "scores"))
    assert {score.device.type for score in scores.values() if isinstance(score, Tensor)} == {"meta"}
    assert len(scores) == len(mask)
