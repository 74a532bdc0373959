"""What all cells of a setting share, looked up once: network, data, and how keys spell them."""

from __future__ import annotations

from dataclasses import dataclass

from prunebench.canonical import digest
from prunebench.host.datasets import parse_dataset, whole_of
from prunebench.plan.builder import Builder
from prunebench.plan.facts import DataFacts, NetworkFacts
from prunebench.plan.uses import DataUse, NetworkUse
from prunebench.suite.cell import Cell
from prunebench.training.tasks import CLASSIFICATION

__all__ = ["Setting", "setting_of"]


@dataclass(frozen=True, slots=True)
class Setting:
    """Architecture, data set, split and prunable weights of some cells."""

    data: DataFacts
    network: NetworkFacts
    architecture: NetworkUse
    dataset: DataUse
    parts: tuple[str, ...]
    """Names in the table of identities that every one of these cells depends on."""


def setting_of(builder: Builder, cell: Cell) -> Setting:
    """Return the setting of a cell, the same object for equal ones.

    Raises: DataError; UsageError for a network without prunable weights, or without filters that may go.
    """
    objects = (cell.architecture, cell.recipe, cell.form.prunable)
    values = (cell.dataset, cell.split, cell.form.whole_filters)
    return builder.once("setting", objects, values, lambda: _look_up(builder, cell))


def _look_up(builder: Builder, cell: Cell) -> Setting:
    data, whole = builder.facts.data(cell.dataset, cell.split), whole_of(cell.dataset)
    if data.missing:
        builder.missing_data[whole] = data.missing
    dataset_label, dataset_identity = builder.part("datasets", parse_dataset(cell.dataset)[0])
    network_label, network_identity = builder.part("architectures", cell.architecture.name)
    recipe_label = f"recipe {cell.labels.get('recipe', '')}"
    values = cell.recipe.cell_fields()
    builder.identities[recipe_label] = {"values": digest(values)}
    data_label = f"data {whole}"
    builder.identities[data_label] = {"fingerprint": data.fingerprint}
    return Setting(
        data=data,
        network=builder.facts.network(
            cell.architecture, data, cell.form.prunable, filters=cell.form.whole_filters
        ),
        architecture=NetworkUse(
            identity=network_identity,
            name=cell.architecture.name,
            parameters=dict(cell.architecture.parameters),
            input=data.shape,
            classes=data.classes,
        ),
        dataset=DataUse(
            name=cell.dataset,
            fingerprint=data.fingerprint,
            identity=dataset_identity,
            split=cell.split,
            task=None if data.task == CLASSIFICATION else data.task,
        ),
        parts=(network_label, dataset_label, recipe_label, data_label),
    )
