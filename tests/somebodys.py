"""A network and a batch that somebody may bring: nothing of them is made for pruning."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["PRUNABLE", "Custom", "make_batch", "make_model"]


class Custom(nn.Module):
    """Somebody's network: convolution, BatchNorm, dropout, a tied layer, a plain head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.dropout = nn.Dropout(0.2)
        self.one = nn.Linear(6, 6)
        self.two = nn.Linear(6, 6)
        self.two.weight = self.one.weight
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn(self.conv(x))).mean((2, 3))
        return self.head(self.dropout(torch.relu(self.two(torch.relu(self.one(x))))))


PRUNABLE = 6 * 2 * 9 + 36 + 18


def make_model() -> Custom:
    model = Custom()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def make_batch(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    x = torch.randn(12, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    return x.to(dtype), torch.arange(12) % 3
