"""Networks that draw random numbers while training: dropout, and layers that draw only now and then."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

RECIPE = Recipe(epochs=2, batch=8, lr=0.1, momentum=0.9)


class NowAndThen(nn.Module):
    """Adds noise to batches whose first pixel is bright: draws in some steps only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn_like(x) if self.training and x[0, 0] > 0 else x


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), NowAndThen()], ids=["dropout", "now and then"])
@pytest.mark.parametrize("step", [1, 5, 9, 13])
def test_going_on_gives_the_same_bits_with_noise(layer: nn.Module, step: int) -> None:
    """Whatever a network draws, and whenever: a run that stopped at any step ends with the same weights."""
    images = torch.randint(0, 256, (64, 1, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    labels = torch.arange(64) % 2
    data = Data.prepare((images, labels), (images, labels), (0.5,), (0.3,), 2)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), layer, nn.Linear(16, 2))
    start = State.of(module)
    whole = train(module, start, RECIPE, data, seed=3, to_step=16)
    part = train(module, start, RECIPE, data, seed=3, to_step=step)
    again = train(module, part, RECIPE, data, seed=3, to_step=16)
    assert all(torch.equal(whole.parameters[name], again.parameters[name]) for name in whole.parameters)
    assert whole.curve == again.curve
