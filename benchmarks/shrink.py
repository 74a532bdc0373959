"""Really smaller networks: parameters, FLOPs and latency beside those of the whole ones, in one run.

    python benchmarks/shrink.py [--networks resnet50 resnet18] [--density 0.5] [--side 224] [--images 4]

Half of the filters of every layer go (`magnitude`, allocation = "uniform", so that no layer is emptied), tied
ones together. FLOPs are of a pass of one image; latency is the median of passes of all images, in
evaluation mode on one thread, of three networks in turn: the whole one, the one with the removed filters at
zero, and the smaller one. It fails where the outputs of the last two differ, or where anything does not fall.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import prunebench
from prunebench import Form, PruningWarning
from prunebench.pruning.filters import filter_groups, shrink, taken_along
from prunebench.vision import torchvision

WARM = 2


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=["resnet50", "resnet18"])
    parser.add_argument("--density", type=float, default=0.5)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--passes", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{options.images} images of {options.side} × {options.side}, density {options.density}, one thread"
    )
    print(f"{'':26} {'parameters':>10} {'GFLOPs':>8} {'ms':>8}")
    fell = [
        measured(name, options.density, (3, options.side, options.side), options.images, options.passes)
        for name in options.networks
    ]
    return int(not all(fell))


def measured(name: str, density: float, shape: tuple[int, int, int], images: int, passes: int) -> bool:
    """Print three lines of the table; return whether everything fell and the outputs agree."""
    torch.manual_seed(0)
    net = torchvision.models.get_model(name).eval()
    x = torch.randn(images, *shape)
    settled(net, x)
    groups = filter_groups(net, input_shape=shape, check=False)
    form = Form.model_validate({"scorer": "magnitude", "allocation": "uniform", "unit": "filter"})
    with warnings.catch_warnings():
        warnings.simplefilter("error", PruningWarning)
        mask = prunebench.prune(net, form, density=density, input_shape=shape)
    small = shrink(net, mask, groups)
    masked = torchvision.models.get_model(name).eval()
    masked.load_state_dict(net.state_dict())
    with torch.no_grad():
        for parameter, stays in taken_along(masked, mask, groups).items():
            masked.get_parameter(parameter).masked_fill_(~stays, 0)
        one, other = masked(x), small(x)
    networks = {"whole": net, "filters at zero": masked, "smaller": small}
    times = latencies(networks, x, passes)
    numbers = {
        what: (sum(p.numel() for p in network.parameters()), flops(network, x[:1]), times[what])
        for what, network in networks.items()
    }
    for what, (parameters, operations, seconds) in numbers.items():
        print(f"{name + ', ' + what:26} {parameters:>10,} {operations / 1e9:>8.2f} {1000 * seconds:>8.1f}")
    shares = [small / whole for small, whole in zip(numbers["smaller"], numbers["whole"], strict=True)]
    apart = float((one - other).abs().max() / one.abs().max())
    print(
        f"{'  smaller / whole':26} "
        + " ".join(f"{share:>{w}.3f}" for share, w in zip(shares, (10, 8, 8), strict=True))
    )
    print(f"  {mask.kept:,} of {mask.prunable:,} weights kept; outputs apart by {apart:.1e} of the largest")
    return apart <= 1e-5 and all(share < 1 for share in shares)


def settled(net: nn.Module, x: torch.Tensor) -> None:
    """Give BatchNorm statistics of data and factors that are not all one, as in a trained network."""
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.uniform_(-0.2, 0.2)
        net.train()
        net(x)
        net.eval()


def flops(net: nn.Module, image: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(image)
    return int(counter.get_total_flops())


def latencies(networks: dict[str, nn.Module], x: torch.Tensor, passes: int) -> dict[str, float]:
    """Return the median seconds of a forward pass of each network, measured in turn."""
    times: dict[str, list[float]] = {what: [] for what in networks}
    with torch.no_grad():
        for number in range(WARM + passes):
            for what, network in networks.items():
                began = time.perf_counter()
                network(x)
                if number >= WARM:
                    times[what].append(time.perf_counter() - began)
    return {what: statistics.median(each) for what, each in times.items()}


if __name__ == "__main__":
    sys.exit(main())
