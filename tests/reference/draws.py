"""The random numbers of a seed: Philox, keyed by the SHA-256 of the name of what they are for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor


def raw(n: int, seed: int, *parts: Any) -> np.ndarray[Any, Any]:
    """n numbers of 64 bits."""
    name = hashlib.sha256(json.dumps([seed, *parts], separators=(",", ":")).encode()).digest()
    return np.random.Philox(key=np.frombuffer(name[:16], dtype="<u8")).random_raw(n)


def uniform(n: int, seed: int, *parts: Any) -> np.ndarray[Any, Any]:
    """n numbers in (0, 1)."""
    return ((raw(n, seed, *parts) >> np.uint64(12)).astype(np.float64) + 0.5) / 2**52


def integers(n: int, high: int, seed: int, *parts: Any) -> Tensor:
    """n whole numbers in 0 … high − 1."""
    share = (raw(n, seed, *parts) >> np.uint64(11)).astype(np.float64) / 2**53
    return torch.from_numpy((share * high).astype(np.int64))


def order(n: int, seed: int, *parts: Any) -> np.ndarray[Any, Any]:
    """0 … n − 1 in random order."""
    return np.argsort(raw(n, seed, *parts), kind="stable")


def initial(
    shapes: Mapping[str, Sequence[int]], seed: int, purpose: str = "init", *, gamma: str = "uniform"
) -> dict[str, Tensor]:
    """Kaiming normal with fan-in; biases uniform in ±1/√fan-in; BatchNorm's γ in (0, 1) and β 0.

    A one-dimensional weight is BatchNorm's, and so is the bias after it; any other bias is of the layer
    whose weight comes before it.
    """
    found: dict[str, Tensor] = {}
    fan = 0
    for name, shape in shapes.items():
        n = int(np.prod(shape))
        if len(shape) > 1:
            fan = n // shape[0]
            normal = torch.from_numpy(ndtri(uniform(n, seed, purpose, name)).astype(np.float32))
            found[name] = (normal * (2 / fan) ** 0.5).view(*shape)
        elif name.endswith("weight"):
            fan = 0
            values = uniform(n, seed, purpose, name) if gamma == "uniform" else np.ones(n)
            found[name] = torch.from_numpy(values.astype(np.float32))
        elif fan == 0:
            found[name] = torch.zeros(n)
        else:
            bias = (2 * uniform(n, seed, purpose, name) - 1) / fan**0.5
            found[name] = torch.from_numpy(bias.astype(np.float32))
    return found


def shuffled(masks: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Each layer's mask with its entries in random order."""
    return {
        name: mask.flatten()[torch.from_numpy(order(mask.numel(), seed, "shuffle", name))].view(mask.shape)
        for name, mask in masks.items()
    }
