"""What settings are called: a short name for links and files, a title for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prunebench.labels import STEP
from prunebench.report.escapes import plain

__all__ = ["SettingName", "setting_names"]

Labels = Mapping[str, str]

_WORDS: Mapping[str, str] = {
    "recipe": "recipe {}",
    "split": "{} split",
    "find": "find {}",
    "score_at": "pruned at {}",
}
"""How labels are said in a title, beside "ARCHITECTURE on DATASET"."""


class SettingName(NamedTuple):
    """What a setting is called."""

    id: str
    """Small letters, digits, dashes and dots; another one for each setting."""
    title: str
    """Architecture, data set, and those other labels that differ between settings of the two."""


def setting_names(settings: Sequence[Labels]) -> list[SettingName]:
    """Return the names of settings, as short as they can be told apart.

    >>> one = {"architecture": "resnet20", "dataset": "cifar10", "recipe": "pai", "split": "test"}
    >>> for name in setting_names([one, one | {"score_at": "end"}]): print(*name, sep=": ")
    resnet20: resnet20 on cifar10
    resnet20-end: resnet20 on cifar10, pruned at end
    """
    chosen = [_telling(labels, settings) for labels in settings]
    ids = _distinct([_slug(each) for each in chosen])
    return [SettingName(name, _title(labels, settings)) for name, labels in zip(ids, settings, strict=True)]


def _telling(labels: Labels, settings: Sequence[Labels]) -> list[str]:
    """Return the values that tell a setting from the others, its architecture first."""
    alike = [other for other in settings if other["architecture"] == labels["architecture"]]
    values = [labels["architecture"]]
    for name in STEP:
        if len({other.get(name, "") for other in alike}) > 1:
            alike = [other for other in alike if other.get(name, "") == labels.get(name, "")]
            values.append(labels.get(name, ""))
    return values


def _slug(values: Sequence[str]) -> str:
    parts = (re.sub(r"[^a-z0-9.]+", "-", value.lower())[:60].strip("-.") for value in values)
    return "-".join(filter(None, parts)) or "setting"


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, one that is there already with a number."""
    told: dict[str, None] = {}
    for name in names:
        free = (f"{name}-{number}" if number else name for number in (0, *range(2, len(names) + 2)))
        told[next(each for each in free if each not in told)] = None
    return list(told)


def _title(labels: Labels, settings: Sequence[Labels]) -> str:
    pair = ("architecture", "dataset")
    alike = [other for other in settings if all(other[name] == labels[name] for name in pair)]
    differing = [name for name in _WORDS if len({other.get(name, "") for other in alike}) > 1]
    details = [_WORDS[name].format(plain(labels[name])) for name in differing if labels.get(name)]
    return ", ".join([f"{plain(labels['architecture'])} on {plain(labels['dataset'])}", *details])
