"""A data set of which only some training examples are trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prunebench.host.components import Dataset
from prunebench.host.datasets import EXAMPLES, number_of_examples, parse_dataset, spell_dataset

__all__ = ["part_of"]


def part_of(dataset: Dataset, examples: Any) -> Dataset:
    """Return a data set with so many, or that share, of its training examples to train on.

    Raises: UsageError for a number that cannot be.
    """
    known = dataset.train if dataset.describe is None else None
    number = number_of_examples(examples, known, dataset.name)
    whole = isinstance(number, float) and number == 1  # the number 1 is one example
    if whole or number == known:
        return dataset
    name, parameters = parse_dataset(dataset.name)
    return replace(dataset, name=spell_dataset(name, {**parameters, EXAMPLES: number}), examples=number)
