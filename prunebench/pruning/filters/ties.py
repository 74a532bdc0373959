"""Which channels go together: classes of labels, and what is indexed by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["STAYS", "Array", "Ties"]

Array = np.ndarray[Any, np.dtype[Any]]

STAYS = 0
"""The label of a channel that cannot go: of the network's inputs, or a constant."""


@dataclass
class Ties:
    """What tracing has learnt so far.

    Every output channel of a layer has a label of its own; labels that have to go together are of one class.
    Some classes stay.

    rows: weight → the dimension of its output channels, and their labels
    follows: (parameter or buffer, dimension) → the label of each index along it
    norms: weight → the factors (γ) of the first BatchNorm that its channels enter, and where each one is
    """

    rows: dict[str, tuple[int, Array]] = field(default_factory=dict)
    follows: dict[tuple[str, int], Array] = field(default_factory=dict)
    norms: dict[str, tuple[str, Array]] = field(default_factory=dict)
    _parent: Array = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    _reasons: dict[int, str] = field(default_factory=lambda: {STAYS: "its channels meet some that stay"})
    _opaque: dict[str, str] = field(default_factory=dict)

    def outputs(self, weight: str, dim: int, channels: int) -> Array:
        """Return the labels of a layer's output channels: the same at each of its uses.

        A weight that is used the other way round later has its inputs' labels for outputs there.
        """
        if (weight, dim) not in self.follows:
            first = len(self._parent)
            labels = np.arange(first, first + channels)
            self._parent = np.concatenate([self._parent, labels])
            self.follow(weight, dim, labels)
        self.rows.setdefault(weight, (dim, self.follows[weight, dim]))
        return self.follows[weight, dim]

    def roots(self, labels: Array) -> Array:
        """Return the class of each label."""
        return self._parent[labels]

    def tie(self, one: Array, other: Array) -> None:
        """Let the labels at the same places go together."""
        pairs = np.stack([self.roots(one).reshape(-1), self.roots(other).reshape(-1)], axis=1)
        for a, b in np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0):
            self._join(int(a), int(b))
        while True:
            above = self._parent[self._parent]
            if np.array_equal(above, self._parent):
                return
            self._parent = above

    def _join(self, a: int, b: int) -> None:
        a, b = sorted((self._root(a), self._root(b)))
        if a == b:
            return
        self._parent[b] = a
        reason = self._reasons.pop(b, None)
        if reason is not None:
            self._reasons.setdefault(a, reason)

    def _root(self, label: int) -> int:
        while self._parent[label] != label:
            label = int(self._parent[label])
        return label

    def pin(self, labels: Array, reason: str) -> None:
        """Let these channels stay."""
        for root in np.unique(self.roots(labels)):
            self._reasons.setdefault(int(root), reason)

    def why(self, labels: Array) -> str | None:
        """Return why one of these channels stays, or None where all may go."""
        return next(
            (
                self._reasons[int(root)]
                for root in np.unique(self.roots(labels))
                if int(root) in self._reasons
            ),
            None,
        )

    def all_stay(self, labels: Array) -> bool:
        """Return True if none of these channels may go."""
        return all(int(root) in self._reasons for root in np.unique(self.roots(labels)))

    def follow(self, name: str, dim: int, labels: Array) -> None:
        """Let a parameter's or buffer's indices along a dimension go with these channels."""
        known = self.follows.setdefault((name, dim), labels)
        if known is not labels:
            self.tie(known, labels)
        if name in self._opaque:
            self.pin(labels, self._opaque[name])

    def keep_whole(self, name: str, reason: str) -> None:
        """Let everything stay that a parameter is indexed by: it is used in a way that is not followed."""
        self._opaque.setdefault(name, reason)
        for (other, _), labels in self.follows.items():
            if other == name:
                self.pin(labels, reason)

    def whole(self, name: str) -> str | None:
        """Return why everything stays that a parameter is indexed by; None unless `keep_whole` said so."""
        return self._opaque.get(name)

    def norm(self, gamma: str, labels: Array) -> None:
        """Note a BatchNorm's factors for the layers whose channels it is the first to take.

        A filter's factor is that of its own channel; behind a sum, that of the channel it is tied to.
        """
        for weight, (_, own) in self.rows.items():
            if weight in self.norms:
                continue
            places = _places(own, labels)
            places = _places(self.roots(own), self.roots(labels)) if places is None else places
            if places is not None:
                self.norms[weight] = (gamma, places)

    def keep_layers_whole(self, prunable: Iterable[str]) -> None:
        """Let a layer stay of which one channel does, or that is not to be pruned, with all tied to it."""
        wanted = set(prunable)
        for weight, (_, labels) in self.rows.items():
            if weight not in wanted:
                self.pin(labels, f"tied to '{weight}', which is not to be pruned")
        before = -1
        while before != len(self._reasons):
            before = len(self._reasons)
            for _, labels in self.rows.values():
                reason = self.why(labels)
                if reason is not None:
                    self.pin(labels, reason)


def _places(wanted: Array, there: Array) -> Array | None:
    """Return where each label is first, or None where some are nowhere."""
    ordered, first = np.unique(there, return_index=True)
    if not np.isin(wanted, ordered).all():
        return None
    places: Array = first[np.searchsorted(ordered, wanted)]
    return places
