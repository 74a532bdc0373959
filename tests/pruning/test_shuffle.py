"""The shuffle ablation."""

from __future__ import annotations

import torch

from prunebench.pruning import Mask, shuffle_mask
from prunebench.training.streams import stream


def some_mask() -> Mask:
    generator = torch.Generator().manual_seed(0)
    return Mask(
        {
            "a": torch.rand(8, 3, 3, 3, generator=generator) < 0.3,
            "b": torch.rand(20, 50, generator=generator) < 0.05,
            "c": torch.zeros(4, 4, dtype=torch.bool),
        }
    )


def test_shuffling_changes_every_layer_and_keeps_its_count() -> None:
    """Each layer keeps its count and shape; layers with a choice really change."""
    mask = some_mask()
    shuffled = shuffle_mask(mask, stream(0, "shuffle"))
    assert shuffled.layers() == mask.layers()
    assert not torch.equal(shuffled["a"], mask["a"])
    assert not torch.equal(shuffled["b"], mask["b"])


def test_shuffling_is_the_seeds() -> None:
    """The same seed shuffles alike, another one otherwise, and the mask given is not changed."""
    mask, before = some_mask(), some_mask()
    assert shuffle_mask(mask, stream(0, "shuffle")) == shuffle_mask(mask, stream(0, "shuffle"))
    assert shuffle_mask(mask, stream(0, "shuffle")) != shuffle_mask(mask, stream(1, "shuffle"))
    assert mask == before


def test_layers_are_shuffled_by_their_own_streams() -> None:
    """A layer's permutation is its name's: another layer beside it moves nothing."""
    mask = some_mask()
    alone = shuffle_mask(Mask({"b": mask["b"]}), stream(3, "shuffle"))
    assert torch.equal(alone["b"], shuffle_mask(mask, stream(3, "shuffle"))["b"])


def test_every_place_is_as_likely() -> None:
    """Over 400 seeds a single kept weight of ten lands everywhere about equally often (chi-square)."""
    mask = Mask({"a": torch.arange(10) == 0})
    places = [int(shuffle_mask(mask, stream(seed, "shuffle"))["a"].nonzero()) for seed in range(400)]
    counts = torch.bincount(torch.tensor(places), minlength=10).double()
    assert ((counts - 40) ** 2 / 40).sum() < 27.9  # 0.999 quantile at nine degrees of freedom
