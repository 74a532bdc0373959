"""Networks outside the papers, and how a smaller one is compared, for tests of filters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prunebench.pruning import Mask
from prunebench.pruning.filters import FilterGroups, shrink, taken_along

__all__ = ["NETWORKS", "assert_same_outputs", "at_zero", "half", "randomised"]


def randomised(net: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter and statistic values that are not the initial ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in (*net.named_parameters(), *net.named_buffers()):
            if not tensor.is_floating_point():
                continue
            draws = torch.randn(tensor.shape, generator=generator)
            if name.endswith("running_var"):
                draws = draws.abs() + 0.5
            elif tensor.dim() > 1:
                draws *= (2 / tensor[0].numel()) ** 0.5
            elif name.endswith("weight"):
                draws = draws * 0.3 + 1
            tensor.copy_(draws)
    return net.eval()


def half(groups: FilterGroups, seed: int = 0, share: float = 0.5) -> Mask:
    """Return a mask that keeps a share of the groups at random."""
    return groups.mask(np.random.Generator(np.random.PCG64(seed)).random(len(groups)) < share)


def at_zero(net: nn.Module, stays: Mapping[str, Tensor]) -> None:
    """Set what does not stay to zero, in place."""
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name in stays:
                parameter.masked_fill_(~stays[name], 0)


def assert_same_outputs(net: nn.Module, groups: FilterGroups, mask: Mask, x: Tensor) -> nn.Module:
    """Compare the smaller network with the one whose removed filters are set to zero, which is changed."""
    with torch.no_grad():
        dense = net(x)
    small = shrink(net, mask, groups)
    stays = taken_along(net, mask, groups)
    with torch.no_grad():
        torch.testing.assert_close(net(x), dense, rtol=0, atol=0)  # the caller's network is untouched
        at_zero(net, stays)
        masked, outputs = net(x), small(x)
        size = float(masked.abs().max())
        assert float((outputs - masked).abs().max()) <= 1e-5 * size
        assert float((dense - masked).abs().max()) > 1e-2 * size  # what was removed made a difference
    count = sum(int(stays[n].count_nonzero()) if n in stays else p.numel() for n, p in net.named_parameters())
    emptied = [name for name in groups.sets if not any(mask.kept_in(layer) for layer in name)]
    if not emptied:
        assert sum(p.numel() for p in small.parameters()) == count
    return small


class Mobile(nn.Module):
    """Depthwise separable convolutions, one with two outputs a channel, inverted residuals."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 16, 3, 1, 1, groups=8), nn.BatchNorm2d(16), nn.ReLU6())
        self.pointwise = nn.Sequential(nn.Conv2d(16, 12, 1, bias=False), nn.BatchNorm2d(12))
        self.expand = nn.Sequential(nn.Conv2d(12, 24, 1), nn.BatchNorm2d(24), nn.Hardswish())
        self.inner = nn.Sequential(nn.Conv2d(24, 24, 3, 1, 1, groups=24), nn.BatchNorm2d(24), nn.Hardswish())
        self.squeeze, self.excite = nn.Conv2d(24, 6, 1), nn.Conv2d(6, 24, 1)
        self.project = nn.Sequential(nn.Conv2d(24, 12, 1, bias=False), nn.BatchNorm2d(12))
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Map N×3×H×W to N×5."""
        x = self.pointwise(self.depthwise(self.stem(x)))
        y = self.inner(self.expand(x))
        y = y * torch.sigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))))
        return self.head((x + self.project(y)).mean((2, 3)))  # type: ignore[no-any-return]


class Inception(nn.Module):
    """Branches that are concatenated, one of them a pool; an auxiliary shortcut across the concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.one = nn.Conv2d(8, 4, 1)
        self.three = nn.Sequential(nn.Conv2d(8, 5, 1), nn.ReLU(), nn.Conv2d(5, 6, 3, padding=1))
        self.pooled = nn.Conv2d(8, 3, 1)
        self.norm = nn.BatchNorm2d(21)
        self.mix = nn.Conv2d(21, 13, 3, padding=1)
        self.across = nn.Conv2d(3, 13, 1)
        self.hidden, self.head = nn.Linear(13 * 4 * 4, 11), nn.Linear(11, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Map N×3×8×8 to N×5."""
        y = F.relu(self.stem(x))
        pool = self.pooled(F.max_pool2d(y, 3, 1, 1))
        y = F.relu(self.norm(torch.cat([self.one(y), self.three(y), y, pool], 1)))
        across = self.across(x)
        first, second = torch.cat([self.mix(y), across], 1).split([13, 13], 1)
        y = F.max_pool2d(F.relu(first + second), 2)
        return self.head(F.relu(self.hidden(y.flatten(1))))  # type: ignore[no-any-return]


class UNet(nn.Module):
    """Two levels down and up, by transposed convolutions and by upsampling; skips are concatenated."""

    def __init__(self) -> None:
        super().__init__()

        def block(before: int, after: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(True))

        self.down1, self.down2, self.bottom = block(3, 6), block(6, 8), block(8, 10)
        self.up2 = nn.ConvTranspose2d(10, 8, 2, stride=2)
        self.join2, self.join1 = block(16, 8), block(14, 6)
        self.slopes = nn.PReLU(6)
        self.out = nn.Conv2d(6, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map N×3×H×W to N×2×H×W."""
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        y = self.up2(self.bottom(F.avg_pool2d(two, 2)))
        y = self.join2(torch.cat([two, y], 1))
        y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        return self.out(self.slopes(self.join1(torch.cat([one, y], 1))))  # type: ignore[no-any-return]


class Grouped(nn.Module):
    """Grouped convolutions as in ResNeXt, and a layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.grouped, self.norm = nn.Conv2d(12, 18, 3, padding=1, groups=3), nn.BatchNorm2d(18)
        self.back = nn.Conv2d(18, 12, 1)
        self.shared = nn.Conv2d(12, 12, 3, padding=1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Map N×3×H×W to N×5."""
        x = self.back(F.relu(self.norm(self.grouped(F.relu(self.stem(x))))))
        x = F.relu(self.shared(F.relu(self.shared(x))))
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


NETWORKS = {net.__name__: net for net in (Mobile, Inception, UNet, Grouped)}
