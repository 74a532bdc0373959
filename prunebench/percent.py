"""Percent: accuracies from counts, and sparsities as every table prints them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["accuracy", "percent_labels"]


def accuracy(test: Mapping[str, float]) -> float:
    """Return the share of a record's test examples that are classified correctly, in percent.

    >>> accuracy({"correct": 9_841, "examples": 10_000})
    98.41
    """
    return 100 * test["correct"] / test["examples"]


def percent_labels(sparsities: Iterable[float]) -> dict[float, str]:
    """Return each sparsity in percent, all with as few digits as tell them apart and describe the density.

    At least one digit unless all are whole; the rounded density is within 5 % of the true one.

    >>> list(percent_labels([0.2, 0.5]).values()), list(percent_labels([0.488, 0.99902]).values())
    (['20', '50'], ['48.8', '99.9'])
    """
    values = sorted(set(sparsities))
    labels: list[str] = []
    for digits in range(13):
        labels = [f"{round(100 * value, 9):.{digits}f}" for value in values]
        whole = all(abs(float(label) - 100 * v) < 1e-9 for label, v in zip(labels, values, strict=True))
        near = all(
            abs(float(label) - 100 * v) <= 0.05 * (100 - 100 * v)
            for label, v in zip(labels, values, strict=True)
        )
        if whole or (digits and near and len(set(labels)) == len(values)):
            break
    return {value: label if value else "0" for value, label in zip(values, labels, strict=True)}
