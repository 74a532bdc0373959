"""Mask: counts, application, packing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from prunebench.errors import UsageError
from prunebench.pruning import Mask


def some_mask() -> Mask:
    return Mask(
        {
            "a": torch.tensor([[True, False, True], [False, False, False]]),
            "b": torch.tensor([[[True]], [[True]]]),
        }
    )


def test_counts() -> None:
    """Kept, prunable, density and sparsity count what the tensors hold."""
    mask = some_mask()
    assert (mask.kept, mask.prunable, mask.density, mask.sparsity) == (4, 8, 0.5, 0.5)
    assert mask.layers() == [
        {"name": "a", "shape": [2, 3], "kept": 2, "prunable": 6},
        {"name": "b", "shape": [2, 1, 1], "kept": 2, "prunable": 2},
    ]


def test_is_a_mapping_in_order() -> None:
    """A mask is a mapping from names to bool tensors, in the order it was given."""
    mask = some_mask()
    assert list(mask) == ["a", "b"]
    assert len(mask) == 2
    assert mask["b"].dtype == torch.bool
    with pytest.raises(TypeError):
        mask["a"] = mask["b"]  # type: ignore[index]


def test_owns_its_tensors() -> None:
    """Writing to the tensor that a mask was made of does not change the mask."""
    tensor = torch.ones(3, dtype=torch.bool)
    mask = Mask({"a": tensor})
    tensor[0] = False
    assert bool(mask["a"].all())


def test_equality_is_exact() -> None:
    """Masks are equal when names and every entry are; a mask is not equal to a plain dict."""
    other = {name: tensor.clone() for name, tensor in some_mask().items()}
    assert some_mask() == Mask(other)
    other["a"][0, 1] = True
    assert some_mask() != Mask(other)
    assert some_mask() != dict(some_mask())


def test_wants_bool_tensors() -> None:
    """Numbers are no mask."""
    with pytest.raises(UsageError, match=r"'a' is torch\.float32"):
        Mask({"a": torch.ones(3)})


def test_full_keeps_all() -> None:
    """The full mask of some weights has their shapes and keeps everything."""
    mask = Mask.full({"a": torch.zeros(2, 3)})
    assert mask["a"].shape == (2, 3)
    assert mask.kept == mask.prunable == 6


def test_apply_zeroes_in_place() -> None:
    """Applying sets removed weights to exactly +0, leaves the others, and returns the module."""
    module = nn.Linear(3, 2)
    before = module.weight.detach().clone()
    mask = Mask({"weight": torch.tensor([[True, False, True], [False, True, True]])})
    assert mask.apply(module) is module
    kept = mask["weight"]
    assert torch.equal(module.weight[kept], before[kept])
    assert not torch.signbit(module.weight[~kept]).any()
    assert not module.weight[~kept].any()


def test_apply_removes_weights_that_are_not_finite() -> None:
    """A removed weight is zero even where it was infinite or NaN."""
    module = nn.Linear(2, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[float("inf"), float("nan")]]))
    Mask({"weight": torch.tensor([[False, False]])}).apply(module)
    assert module.weight.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            {"weight": torch.zeros(2, 3, dtype=torch.bool), "fc.weight": torch.zeros(1, dtype=torch.bool)},
            "fc.weight",
        ),
        ({"weight": torch.zeros(3, 2, dtype=torch.bool)}, r"'weight' has shape \(2, 3\), the mask \(3, 2\)"),
    ],
)
def test_apply_refuses_another_network(tensors: dict[str, torch.Tensor], message: str) -> None:
    """A mask for other weights is refused by name before anything is changed."""
    module = nn.Linear(3, 2)
    before = module.weight.detach().clone()
    with pytest.raises(UsageError, match=message):
        Mask(tensors).apply(module)
    assert torch.equal(module.weight, before)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from([1, 2]))
def test_packing_is_lossless(bits: list[bool], columns: int) -> None:
    """Unpacking what was packed gives the mask back, whatever its size is modulo eight."""
    tensor = torch.tensor(bits * columns).reshape(-1, columns)
    mask = Mask({"a": tensor, "b": ~tensor})
    packed = mask.pack()
    assert packed["a"].dtype == torch.uint8
    assert packed["a"].shape == ((len(bits) * columns + 7) // 8,)
    assert Mask.unpack(packed, {name: list(t.shape) for name, t in mask.items()}) == mask


def test_packing_format() -> None:
    """The first weight is in the high bit: the format is fixed, for stores outlive programs."""
    mask = Mask({"a": torch.tensor([True, False, False, True, False, False, False, False, True])})
    assert mask.pack()["a"].tolist() == [0b10010000, 0b10000000]


@pytest.mark.parametrize("shapes", [{"a": (4, 4)}, {"b": (2, 3)}, {"a": (2, 3)}])
def test_unpack_refuses_other_shapes(shapes: dict[str, tuple[int, ...]]) -> None:
    """Packed bits of other layers or sizes are refused."""
    with pytest.raises(UsageError):
        Mask.unpack(some_mask().pack(), shapes)
