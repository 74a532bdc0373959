"""Groups of filters: channels that go together, as names, shapes and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from prunebench.errors import UsageError
from prunebench.pruning.filters.ties import Array
from prunebench.pruning.mask import Mask
from prunebench.pruning.prunable import plain_name

__all__ = ["FilterGroups", "Follower", "checked"]


@dataclass(frozen=True)
class Follower:
    """A dimension of a parameter or buffer that is indexed by channels.

    groups: of each index, the number of the group that it goes with; −1 where it stays
    """

    name: str
    dim: int
    shape: tuple[int, ...]
    is_buffer: bool
    groups: Array


@dataclass(frozen=True)
class FilterGroups:
    """What of a network goes together when whole filters are removed.

    A *group* is a channel with everything tied to it: the filters, one in each of several layers, that a
    residual sum, a depthwise convolution or the like binds together. Groups are numbered in the order of
    their first filters (module order, then row).

    shapes: the weights whose filters may go, by name in module order: a mask of filters has these layers
    stays: the other prunable weights, and why their filters stay
    dims: of each weight of `shapes`, the dimension of its output channels (0 but for transposed convolutions)
    groups: of each weight of `shapes`, the number of the group that each filter is of
    norms: weight → the factors (γ) of the BatchNorm that its channels enter first, and the place of each
    followers: all that is indexed by groups, the weights' own filters among them
    """

    shapes: Mapping[str, tuple[int, ...]]
    stays: Mapping[str, str]
    dims: Mapping[str, int]
    groups: Mapping[str, Array]
    norms: Mapping[str, tuple[str, Array]]
    followers: tuple[Follower, ...]

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def sizes(self) -> Array:
        """How many weights each group has on its output side: in its filters."""
        sizes: Array = self.weights.sum(axis=1)
        return sizes

    @property
    def weights(self) -> Array:
        """How many weights each group has in each layer of `shapes`: groups × layers."""
        number = 1 + max(int(groups.max()) for groups in self.groups.values())
        by_layer = [
            np.bincount(groups, minlength=number) * (math.prod(self.shapes[name]) // len(groups))
            for name, groups in self.groups.items()
        ]
        return np.stack(by_layer, axis=1)

    @property
    def prunable(self) -> int:
        """How many weights there are in the groups' filters."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def sets(self) -> tuple[tuple[str, ...], ...]:
        """The layers that are tied together: each layer is in one set, in module order."""
        sets: list[tuple[list[str], set[int]]] = []
        for name, groups in self.groups.items():
            tied = [entry for entry in sets if not entry[1].isdisjoint(groups.tolist())]
            if not tied:
                sets.append(([name], set(groups.tolist())))
                continue
            for names, members in tied[1:]:
                tied[0][0].extend(names)
                tied[0][1].update(members)
            tied[0][0].append(name)
            tied[0][1].update(groups.tolist())
            sets = [entry for entry in sets if entry not in tied[1:]]
        place = {name: number for number, name in enumerate(self.groups)}
        return tuple(tuple(sorted(names, key=place.__getitem__)) for names, _ in sets)

    def groups_of(self, layers: tuple[str, ...]) -> Array:
        """Return the numbers of the groups that have filters in these layers, in order."""
        return np.unique(np.concatenate([self.groups[name] for name in layers]))

    def layers_of(self, group: int) -> str:
        """Return the names of the layers that a group has filters in, as messages say them."""
        names = [repr(name) for name, numbers in self.groups.items() if (numbers == group).any()]
        shown = names if len(names) <= 4 else [*names[:2], f"… ({len(names) - 2} more)"]
        return ", ".join(shown)

    def first(self) -> dict[str, Array]:
        """Return which filters of each layer are the first of their groups: bool, one a filter."""
        seen = np.zeros(len(self), dtype=bool)
        first = {}
        for name, numbers in self.groups.items():
            _, places = np.unique(numbers, return_index=True)
            first[name] = np.zeros(len(numbers), dtype=bool)
            first[name][places] = ~seen[numbers[places]]
            seen[numbers] = True
        return first

    def full(self) -> Mask:
        """Return the mask that keeps every filter."""
        return self.mask(np.ones(len(self), dtype=bool))

    def mask(self, kept: Array) -> Mask:
        """Return the mask that keeps these groups (bool, one a group)."""
        return Mask.adopt(
            {
                name: _whole(kept[self.groups[name]], self.dims[name], shape)
                for name, shape in self.shapes.items()
            }
        )

    def kept(self, mask: Mapping[str, Tensor]) -> Array:
        """Return which groups a mask keeps: bool, one a group.

        Raises: UsageError where the mask is for other layers or shapes, cuts a filter apart, or keeps of
            filters that go together some.
        """
        mask = checked(mask)
        if set(mask) != set(self.shapes):
            differing = ", ".join(sorted(set(mask) ^ set(self.shapes)))
            raise UsageError(
                f"a mask of this network's filters is for the layers {', '.join(self.shapes)}; this one "
                f"differs in {differing}"
                + "".join(f"; '{name}': {why}" for name, why in self.stays.items() if name in mask)
            )
        kept = np.ones(len(self), dtype=bool)
        removed_by: dict[int, str] = {}
        rows = {name: self._rows(name, mask[name]) for name in self.shapes}
        for name, own in rows.items():
            for group in self.groups[name][~own]:
                kept[group] = False
                removed_by.setdefault(int(group), name)
        for name, own in rows.items():
            halves = np.flatnonzero(own & ~kept[self.groups[name]])
            if halves.size:
                other = removed_by[int(self.groups[name][halves[0]])]
                raise UsageError(
                    f"the mask keeps filter {halves[0]} of '{name}' and removes one of '{other}' that it "
                    "goes together with: tied filters are kept or removed at once"
                )
        return kept

    def _rows(self, name: str, tensor: Tensor) -> Array:
        """Return which filters of a layer a mask keeps."""
        if tuple(tensor.shape) != self.shapes[name]:
            raise UsageError(f"weight '{name}' has shape {self.shapes[name]}, the mask {tuple(tensor.shape)}")
        flat = tensor.movedim(self.dims[name], 0).reshape(len(self.groups[name]), -1)
        some, every = flat.any(1), flat.all(1)
        cut = torch.nonzero(some & ~every).reshape(-1)
        if len(cut):
            kept = int(flat[cut[0]].count_nonzero())
            raise UsageError(
                f"the mask keeps {kept} of {flat.shape[1]} weights of filter {int(cut[0])} of '{name}'; a "
                "mask of filters keeps or removes each as a whole"
            )
        rows: Array = every.numpy()
        return rows

    def taken_along(self, mask: Mapping[str, Tensor], buffers: bool = False) -> dict[str, Tensor]:
        """Return what stays of everything that removed filters take along: name → bool tensor, True stays.

        The filters themselves, their biases, the factors and shifts of their normalisations, the inputs of
        the layers that read them. Parameters that lose nothing are left out; with `buffers` statistics that
        lose something are there too.

        Raises: UsageError as `kept`.
        """
        return self.left(self.kept(mask), buffers)

    def left(self, kept: Array, buffers: bool = False) -> dict[str, Tensor]:
        """Return `taken_along` of the mask that keeps these groups (bool, one a group)."""
        stays: dict[str, Tensor] = {}
        for follower in self.followers:
            entries = (follower.groups < 0) | kept[follower.groups]
            if entries.all() or (follower.is_buffer and not buffers):
                continue
            whole = stays.setdefault(follower.name, torch.ones(follower.shape, dtype=torch.bool))
            whole &= _whole(entries, follower.dim, follower.shape)
        return stays


def checked(mask: Mapping[str, Tensor]) -> Mask:
    """Return a mask as a Mask, under the names that weights have without torch.compile.

    Raises: UsageError for anything but a mapping to bool tensors.
    """
    if isinstance(mask, Mask):
        return mask
    if not isinstance(mask, Mapping):
        raise UsageError(
            f"mask is a {type(mask).__name__}; wanted: a Mask, or a mapping from names of weights to bool "
            "tensors"
        )
    return Mask({plain_name(str(name)): tensor for name, tensor in mask.items()})


def _whole(entries: Array, dim: int, shape: tuple[int, ...]) -> Tensor:
    """Return entries along a dimension as a bool tensor of a shape."""
    view = [1] * len(shape)
    view[dim] = len(entries)
    return (
        torch.from_numpy(np.ascontiguousarray(entries))
        .reshape(view)
        .expand(shape)
        .clone(memory_format=torch.contiguous_format)
    )
