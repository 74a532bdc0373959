"""A mask: which weights are kept, one CPU bool tensor a prunable weight, in module order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from prunebench.errors import UsageError, nearest
from prunebench.pruning.mask_files import read_mask, write_mask
from prunebench.pruning.prunable import named_weights, plain_name
from prunebench.pruning.torch_masks import remove_too

__all__ = ["Mask"]

M = TypeVar("M", bound=nn.Module)


class Mask(Mapping[str, Tensor]):
    """A mapping from parameter names to bool tensors: True is kept.

    The tensors are on the CPU, contiguous and the mask's own; they are not meant to be written to. A mask can
    be copied and pickled. `torch.load` reads what `torch.save` wrote where prunebench was imported after
    torch, or has been used; what `save` wrote is read anywhere.

    >>> mask = Mask({"fc.weight": torch.tensor([[True, False], [True, True]])})
    >>> mask.kept, mask.prunable, mask.density
    (3, 4, 0.75)
    """

    __slots__ = ("_kept", "_tensors")

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        given: object = tensors
        if not isinstance(given, Mapping):
            raise UsageError(
                f"a mask is made of a dict of bool tensors by their names; found {type(given).__name__}"
            )
        for name, tensor in tensors.items():
            if not isinstance(tensor, Tensor) or tensor.dtype != torch.bool:
                kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
                raise UsageError(f"a mask holds bool tensors; '{name}' is {kind}")
        self._tensors = {
            name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
        }
        self._kept = {name: int(tensor.count_nonzero()) for name, tensor in self._tensors.items()}

    @classmethod
    def adopt(cls, tensors: Mapping[str, Tensor]) -> Mask:
        """Return the mask of contiguous CPU bool tensors that nobody else will write to: not copied."""
        mask = cls({})
        mask._tensors = dict(tensors)
        mask._kept = {name: int(np.count_nonzero(tensor.numpy())) for name, tensor in tensors.items()}
        return mask

    @classmethod
    def full(cls, weights: Mapping[str, Tensor]) -> Mask:
        """Return the mask that keeps everything, for weights (or any tensors) of these names and shapes."""
        return cls({name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in weights.items()})

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self._tensors.keys() == other._tensors.keys() and all(
            torch.equal(tensor, other._tensors[name]) for name, tensor in self._tensors.items()
        )

    __hash__ = None  # type: ignore[assignment]  # equality is by content, and tensors cannot be hashed

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self._tensors),)  # what torch.load takes without running code

    def __repr__(self) -> str:
        return f"<Mask: {self.kept} of {self.prunable} weights kept in {len(self)} layers>"

    @property
    def kept(self) -> int:
        """How many weights are kept."""
        return sum(self._kept.values())

    @property
    def prunable(self) -> int:
        """How many weights there are, kept and removed."""
        return sum(tensor.numel() for tensor in self._tensors.values())

    @property
    def density(self) -> float:
        """Kept over prunable; 1 where there is nothing to prune."""
        return self.kept / self.prunable if self.prunable else 1.0

    @property
    def sparsity(self) -> float:
        """Removed over prunable; 0 where there is nothing to prune."""
        return (self.prunable - self.kept) / self.prunable if self.prunable else 0.0

    def kept_in(self, name: str) -> int:
        """How many weights of a layer are kept. Raises: UsageError where the mask has none of that name."""
        if str(name) not in self._kept:
            raise UsageError(f"the mask has no layer {name!r:.80}{nearest(str(name), self._kept)}")
        return self._kept[name]

    def counts(self) -> dict[str, int]:
        """Return how many weights of each layer are kept, in module order."""
        return dict(self._kept)

    def layers(self) -> list[dict[str, Any]]:
        """Return one dict a layer, in module order: name, shape (list), kept and prunable (counts)."""
        return [
            {"name": name, "shape": list(tensor.shape), "kept": self._kept[name], "prunable": tensor.numel()}
            for name, tensor in self._tensors.items()
        ]

    def apply(self, module: M) -> M:
        """Set the removed weights of `module` to zero, in place, and return it.

        Nothing keeps them there: in a training loop of one's own the mask is applied again after each step of
        the optimizer. A mask that torch.nn.utils.prune has put on the layer is narrowed to this one, and does
        keep them there. A compiled module takes the mask of the plain one, and the other way round.

        Raises: UsageError, before anything is changed, where the module lacks a weight of the mask or has
        it in another shape.
        """
        weights = named_weights(module)
        missing = [name for name in self if plain_name(name) not in weights]
        if missing:
            raise UsageError(f"the network has no weights {', '.join(missing)}, which the mask is for")
        pairs = [(name, weights[plain_name(name)], tensor) for name, tensor in self.items()]
        for name, weight, tensor in pairs:
            if weight.shape != tensor.shape:
                raise UsageError(
                    f"weight '{name}' has shape {tuple(weight.shape)}, the mask {tuple(tensor.shape)}"
                )
        with torch.no_grad():
            for _, weight, tensor in pairs:
                weight.masked_fill_(~tensor.to(weight.device), 0)
        remove_too(module, {id(weight): tensor for _, weight, tensor in pairs})
        return module

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the mask to a safetensors file: a bool tensor a layer, by name, in place of what was there.

        Any reader of safetensors reads it; the metadata have the layers' order and a checksum.

        Raises: UsageError where the file cannot be written.
        """
        write_mask(path, self._tensors)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Mask:
        """Return the mask that a file holds: `save`'s, or any safetensors file of bool tensors.

        Raises: UsageError for a file that cannot be read, is damaged or holds anything but bool tensors.
        """
        return cls(read_mask(path))

    def pack(self) -> dict[str, Tensor]:
        """Return one 1-D uint8 tensor a layer: eight weights a byte, row-major, the first in the high bit."""
        return {
            name: torch.from_numpy(np.packbits(tensor.numpy().reshape(-1)))
            for name, tensor in self._tensors.items()
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> Mask:
        """Return the mask that was packed; `shapes` gives the layers' shapes in module order.

        Raises: UsageError where names or sizes do not belong together.
        """
        if packed.keys() != shapes.keys():
            raise UsageError(f"packed layers {sorted(packed)} and shapes {sorted(shapes)} differ")
        tensors = {}
        for name, shape in shapes.items():
            count = int(np.prod(shape, dtype=np.int64))
            data = packed[name]
            if data.dtype != torch.uint8 or data.shape != ((count + 7) // 8,):
                raise UsageError(
                    f"packed layer '{name}' is {data.dtype} of shape {tuple(data.shape)}; "
                    f"{count} weights take {(count + 7) // 8} bytes"
                )
            bits = np.unpackbits(data.cpu().numpy(), count=count).astype(bool)
            tensors[name] = torch.from_numpy(bits).reshape(tuple(shape))
        return cls(tensors)


torch.serialization.add_safe_globals([Mask])
