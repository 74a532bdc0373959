"""What planning has to know of networks and data: shapes, counts, sizes, fingerprints. Trains nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prunebench.canonical import digest
from prunebench.errors import DataError, UsageError
from prunebench.faults import blamed
from prunebench.host.components import Architecture, Dataset
from prunebench.host.datasets import (
    EXAMPLES,
    number_of_examples,
    parse_dataset,
    spell_dataset,
    whole_of,
)
from prunebench.host.form import Prunable
from prunebench.host.registry import Host
from prunebench.plan.cost import forward_macs
from prunebench.schedules import Misfit
from prunebench.suite.cell import ArchitectureCall
from prunebench.training.tasks import CLASSIFICATION

if TYPE_CHECKING:
    from torch import nn

    from prunebench.pruning.filters import FilterGroups

__all__ = ["ABSENT", "DataFacts", "Facts", "NetworkFacts", "training_examples"]

ABSENT = "absent"
"""The fingerprint of data that are not there and whose fingerprint nobody knows without them. No digest is
spelled so: what is planned with it never runs, and no result is ever filed under it."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """A network as planning sees it: its prunable weights by name and its cost.

    Where whole filters are removed, prunable are the weights of those layers whose filters may go.
    """

    shapes: Mapping[str, tuple[int, ...]]
    prunable: int
    total: int
    macs: int
    """Multiply-accumulates of one forward pass of one example, convolutions and linear layers only."""
    least: int = 1
    """How many weights a mask that keeps any keeps at least: of whole filters those of the smallest group."""
    groups: FilterGroups | None = field(default=None, compare=False, repr=False)
    """What goes together where whole filters are removed."""


@dataclass(frozen=True, slots=True)
class DataFacts:
    """A data set as planning sees it."""

    shape: tuple[int, int, int]
    classes: int
    examples: int
    """Training examples of the split (a tenth less for "val")."""
    evaluated: int
    fingerprint: str
    missing: str | None
    """What to put where, when the files are not there."""
    task: str = CLASSIFICATION


def _trained_on(dataset: Dataset, there: int, *, known: bool) -> int:
    """Return how many training examples a data set is asked for, of those that are there.

    Raises: UsageError where there are fewer, if that is known.
    """
    if dataset.examples is None:
        return there
    number = number_of_examples(dataset.examples, there if known else None, whole_of(dataset.name))
    return number if isinstance(number, int) else max(1, round(number * there))


def training_examples(train: int, split: str) -> int:
    """Return the number of training examples: all for "test", all but a tenth (rounded down) for "val"."""
    return train - train // 10 if split == "val" else train


class Facts:
    """Looks things up once and remembers them for the length of a planning."""

    def __init__(self, host: Host, data_root: Path) -> None:
        self._host = host
        self._root = data_root
        self._networks: dict[Any, NetworkFacts] = {}
        self._data: dict[tuple[str, str], DataFacts] = {}

    def data(self, name: str, split: str) -> DataFacts:
        """Return shape, sizes and fingerprint of a data set.

        Where its files are missing, shape and sizes are those declared, and a fingerprint that is not known
        without them is `ABSENT`: such cells can be planned and shown, never run. Raises: DataError.
        """
        facts = self._data.get((name, split))
        if facts is None:
            dataset = self._host.dataset(name)
            own = parse_dataset(name)[0]
            with blamed(self._host.who("datasets", own)), self._host.calling("datasets", own):
                missing = dataset.missing(self._root) if dataset.missing else None
                described = dataset.description(self._root)
                unknown = missing and dataset.describe is not None
                train = _trained_on(dataset, described.train, known=not unknown)
                printed = (_known if missing else fingerprint)(dataset, self._root)
            facts = DataFacts(
                shape=described.shape,
                classes=described.classes,
                examples=training_examples(train, split),
                evaluated=described.train // 10 if split == "val" else described.test,
                fingerprint=printed,
                missing=missing,
                task=dataset.task,
            )
            self._data[name, split] = facts
        return facts

    def spelled(self, name: str) -> str:
        """Return the one spelling of a data set of which a part is asked for: as a number, left out for all.

        The component alone tells of data sets that declare how many examples they have; of others (folders)
        the files do. Where these are missing the name stays as it is.
        """
        dataset = self._host.dataset(name)
        if dataset.examples is None or dataset.describe is None or self.data(name, "test").missing:
            return name
        part, whole = self.data(name, "test").examples, whole_of(name)
        if part == self.data(whole, "test").examples:
            return whole
        own, parameters = parse_dataset(name)
        return spell_dataset(own, {**parameters, EXAMPLES: part})

    def network(
        self, call: ArchitectureCall, data: DataFacts, prunable: Prunable, *, filters: bool = False
    ) -> NetworkFacts:
        """Return the prunable weights' names and shapes, parameter counts and the cost of a forward pass.

        filters: True where whole filters are removed

        Raises: UsageError for a network without prunable weights; Misfit that names `prunable` where it has
            none that are so, and `unit` where nothing says what is tied to a filter.
        """
        key = (digest([call.name, dict(call.parameters)]), data.shape, data.classes, prunable, filters)
        facts = self._networks.get(key)
        if facts is None:
            architecture = cast(Architecture, self._host.get("architectures", call.name))
            who = self._host.who("architectures", call.name)
            with blamed(who), self._host.calling("architectures", call.name):
                facts = _measure(architecture, call.parameters, data, prunable, filters)
            self._networks[key] = facts
        return facts


def fingerprint(dataset: Dataset, root: Path) -> str:
    """Return the data's fingerprint: the component's own, or a digest of the loaded tensors."""
    if dataset.fingerprint is not None:
        return dataset.fingerprint(root)
    import hashlib

    hashed = hashlib.sha256()
    for part in ("train", "test"):
        try:
            images, labels = dataset.load(root, part)
        except OSError as error:
            raise DataError(f"data set '{dataset.name}': {error}") from error
        for tensor in (images, labels):
            hashed.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            hashed.update(tensor.contiguous().numpy().tobytes())
    return hashed.hexdigest()


def _known(dataset: Dataset, root: Path) -> str:
    """Return the fingerprint of a data set whose files are missing: the one known in advance, or `ABSENT`."""
    if dataset.fingerprint is None:
        return ABSENT
    try:
        return dataset.fingerprint(root)
    except (DataError, OSError):
        return ABSENT


def _measure(
    architecture: Architecture,
    parameters: Mapping[str, Any],
    data: DataFacts,
    prunable: Prunable,
    filters: bool,
) -> NetworkFacts:
    import torch

    with torch.device("meta"):
        module = architecture.build(data.shape, data.classes, **parameters)
    shapes = _prunable_shapes(module, prunable)
    macs = forward_macs(
        module, lambda: architecture.build(data.shape, data.classes, **parameters), data.shape
    )
    groups = _groups(module, data.shape, prunable) if filters else None
    shapes = shapes if groups is None else dict(groups.shapes)
    return NetworkFacts(
        shapes=shapes,
        prunable=sum(math.prod(shape) for shape in shapes.values()),
        total=sum(parameter.numel() for parameter in module.parameters()),
        least=1 if groups is None else int(groups.sizes.min()),
        macs=macs,
        groups=groups,
    )


def _prunable_shapes(module: nn.Module, prunable: Prunable) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the prunable weights.

    Raises: Misfit where it is what a form says of them that does not fit; UsageError where it is the network.
    """
    from prunebench.pruning.prunable import prunable_weights

    try:
        weights = prunable_weights(module, of=prunable.of, except_=prunable.except_)
    except UsageError as error:
        prunable_weights(module)
        raise Misfit(str(error), field="prunable") from None
    return {name: tuple(weight.shape) for name, weight in weights.items()}


def _groups(module: nn.Module, input_shape: tuple[int, ...], prunable: Prunable) -> FilterGroups:
    """Return which filters go together. Raises: Misfit where that cannot be told."""
    from prunebench.pruning.filters import filter_groups

    try:
        return filter_groups(module, input_shape=input_shape, of=prunable.of, except_=prunable.except_)
    except UsageError as error:
        raise Misfit(str(error), field="unit") from error
