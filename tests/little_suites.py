"""The text of a little suite on the digits, which plans at once and trains in a second."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prunebench.plan import Plan

__all__ = ["CHAIN", "LAW", "little_suite", "plan", "toml"]

CHAIN = {
    "as": "chain",
    "scorer": "magnitude",
    "score_at": "end",
    "schedule": {"levels": 0.2},
    "train_from": "init",
}
"""A method of levels, each trained from the initial weights, as a suite spells it."""

TEXT = """
schema = 1
name = "{name}"
version = "1"

[[matrix]]
name = "main"
architecture = "{architecture}"
dataset = "digits"
recipe = {{name = "digits", epochs = {epochs}}}
methods = {methods}
sparsities = {sparsities}
ablations = {ablations}
seeds = {seeds}
measures = {measures}
{more}
"""


def little_suite(
    methods: Iterable[Any] = ("random", "snip"),
    *,
    name: str = "tiny",
    architecture: str = "digits-mlp",
    epochs: float = 1,
    sparsities: Any = (0.5,),
    ablations: Iterable[Any] = ("none",),
    seeds: int = 1,
    measures: Iterable[str] = (),
    more: str = "",
) -> str:
    """Return a suite of one matrix; `more` stands behind its keys."""
    return TEXT.format(
        name=name,
        architecture=architecture,
        epochs=epochs,
        methods=toml(list(methods)),
        sparsities=toml(sparsities),
        ablations=toml(list(ablations)),
        seeds=seeds,
        measures=toml(list(measures)),
        more=more,
    )


def toml(value: Any) -> str:
    """Return a value as TOML spells it."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


LAW = """
[[check]]
name = "law"
quantity = "fit:sigma"
of = {method = "random"}
against = 0.1
range = "all"
expect = "not-above"
margin = 0.1
"""
"""A check of a law that is fitted to a whole family."""


def plan(project: Any, text: str) -> Plan:
    """Return the plan of a suite's text, without running it."""
    path: Path = project.suite(["random"], sparsities=[0.5])
    path.write_text(text)
    made: Plan = project.session(path).plan
    return made
