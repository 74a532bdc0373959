"""The tables of a suite that has run, without training anything: seeded, plausible, of every kind of outcome.

`simulate("pai")` returns what the tables of a finished store would be: a row for every cell of the suite's
plan, measures beside them, costs, and how many weights were there at each step. Error rises with sparsity
along ε = ε_0 · ((d² + p²R²) / (d² + p²))^(γ/2), R = (ε_1 / ε_0)^(1/γ), from ε_0 unpruned to ε_1 of a guess
(the form that Rosenfeld et al. 2021 found for pruned networks); methods differ in p. Cells with one key have
one result; the runs of a seed have some of their luck in common. Some runs diverge, some cells are missing,
some failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from simulated_measures import by_key, costs, courses, first, layered, measures, no_measures

from prunebench.analysis import SETTING, VARIANT, table
from prunebench.checks.frozen import frozen_checks
from prunebench.checks.reported import reported_rows
from prunebench.host import Host
from prunebench.labels import STEP
from prunebench.report.results import Results
from prunebench.suite import load_suite
from prunebench.suite.cell import Cell
from prunebench.suite.references import kinds_of
from prunebench.suite.suite import Suite

__all__ = ["Simulated", "described", "keys_of", "simulate"]

Floats = npt.NDArray[np.float64]

# data set: classes, evaluated examples, training examples
DATA = {
    "mnist": (10, 10_000, 60_000),
    "digits": (10, 360, 1_437),
    "cifar10": (10, 10_000, 50_000),
    "cifar100": (100, 10_000, 50_000),
    "tiny-imagenet": (200, 10_000, 100_000),
    "miniplaces": (100, 10_000, 100_000),
    "imagenet": (1000, 50_000, 1_281_167),
    "fashion-mnist": (10, 10_000, 60_000),
}
# architecture and data set: unpruned error in percent, and p of magnitude pruning after training
SETTINGS = {
    ("lenet-300-100", "mnist"): (1.7, 1e-5),
    ("resnet20", "cifar10"): (8.3, 9e-4),
    ("vgg16", "cifar10"): (6.4, 1.8e-4),
    ("vgg11", "cifar10"): (8.0, 2e-4),
    ("resnet18", "tiny-imagenet"): (48.5, 5e-3),
    ("modified-resnet18", "tiny-imagenet"): (41.2, 4e-3),
    ("resnet50", "imagenet"): (23.8, 8e-3),
}
# how many times larger p is than that of magnitude pruning after training
P = {
    "magnitude-after-training": 1.0,
    "ltr": 1.1,
    "gradual-magnitude": 1.0,
    "snip": 4.0,
    "iterative-snip": 4.2,
    "grasp": 5.2,
    "grasp-magnitude": 4.9,
    "grasp-inverted": 5.4,
    "synflow": 4.4,
    "synflow-shuffled": 4.1,
    "magnitude": 4.7,
    "random": 11.0,
}
# the same of an ablation, over that of the unmodified method: at initialisation and after training
ABLATIONS = {
    "shuffle": (0.94, 2.6),
    "reinit": (1.0, 2.2),
    "invert": (3.0, 5.0),
    "fixed-variance": (1.1, 1.3),
    "fixed-variance-scores": (1.05, 1.2),
}
GAMMA = 0.5


@dataclass(frozen=True)
class Simulated:
    """What `prunebench.report.results.Results` is made of."""

    suite: Mapping[str, Any]
    """As `Plan.suite` has it."""
    cells: pd.DataFrame
    """As `prunebench.analysis.table` returns it."""
    measures: pd.DataFrame
    """As `prunebench.analysis.measures` returns it."""
    costs: pd.DataFrame
    """A row a cell: scoring seconds and passes, FLOPs of training, parameters kept, effective density."""
    courses: pd.DataFrame
    """As `prunebench.analysis.courses` returns it: the share of weights at each step of every training."""
    host: Host

    @cached_property
    def results(self) -> Results:
        return Results(self.suite, self.cells, self.measures, self.costs, self.quantities, self.courses)

    @cached_property
    def quantities(self) -> Mapping[str, Any]:
        return {name: self.host.get("quantity", name) for name in self.host.names("quantity")}


def named(cell: Cell, key: str) -> dict[str, Any]:
    """Return which cell a row is of, as tables name it."""
    return {
        "matrix": cell.matrix,
        "cell": cell.name,
        "key": key,
        **{name: cell.labels.get(name, "") for name in (*SETTING, *VARIANT)},
        "density": cell.density,
        "sparsity": cell.sparsity,
        "seed": cell.seed,
    }


def simulate(
    suite: str | Suite = "pai",
    *,
    seed: int = 0,
    diverging: float = 0.01,
    missing: float = 0.01,
    failing: float = 0.002,
    measured: bool = True,
) -> Simulated:
    """Return the tables of a suite (its name, a path, or one that is loaded), the same for the same `seed`.

    `diverging`, `missing` and `failing` are chances of a run; at extreme sparsities runs diverge more often.
    Without `measured` the tables of measures, costs and courses are empty (twice as quick).
    """
    host = _host()
    loaded = load_suite(suite, host) if isinstance(suite, str) else suite
    rng = np.random.default_rng([seed, len(loaded.cells)])
    cells = loaded.cells
    keys = keys_of(cells)
    rows = [
        {
            **named(cell, key),
            "classes": DATA.get(cell.dataset, (10, 10_000, 50_000))[0],
            "examples": DATA.get(cell.dataset, (10, 10_000, 50_000))[1],
            "status": "finished",
        }
        for cell, key in zip(cells, keys, strict=True)
    ]
    frame = pd.DataFrame(rows)
    labels = frame[["method", "ablations", "score_at"]]
    frame[list(labels)] = labels.iloc[first(frame)].to_numpy()  # what one key is, it is under any name
    frame = _outcomes(frame, rng, (diverging, missing, failing))
    layers = layered(frame, rng)
    frame["empty_layers"] = layers.empty
    frame["output_layer"] = layers.output
    labelled = frame.assign(**{name: labels[name] for name in labels})
    whole = table(labelled.drop(columns=[n for n in frame if n.startswith("_")]).to_dict("records"))
    measured_of = measures(whole, frame, layers, cells, rng) if measured else no_measures()
    return Simulated(
        described(loaded, host),
        whole,
        measured_of,
        costs(whole, frame, measured),
        courses(whole, measured),
        host,
    )


@lru_cache(maxsize=1)
def _host() -> Host:
    return Host.load(third_party=False)


def keys_of(cells: Sequence[Any]) -> list[str]:
    """Return a key for each cell: cells that differ in nothing but matrix, name, labels have the same one."""
    spelled: dict[int, str] = {}

    def text(part: Any) -> str:
        if id(part) not in spelled:
            spelled[id(part)] = repr(part)
        return spelled[id(part)]

    return [
        hashlib.sha256(
            "|".join(
                [
                    text(c.architecture),
                    c.dataset,
                    c.split,
                    text(c.recipe),
                    text(c.form),
                    c.density,
                    str(c.seed),
                ]
            ).encode()
        ).hexdigest()
        for c in cells
    ]


def described(suite: Suite, host: Host) -> dict[str, Any]:
    """Return what evaluation reads of a suite, as `Plan.suite` has it."""
    names = {cell.dataset for cell in suite.cells}
    known = {name: DATA.get(name, (10, 10_000, 50_000)) for name in names}
    said: dict[str, Any] = {
        "name": suite.name,
        "version": suite.version,
        "digest": suite.digest,
        "baselines": suite.baselines.model_dump(),
        "leaderboard": suite.leaderboard.model_dump(mode="json"),
        "margins": {name: host.dataset(name).margin for name in sorted(names)},
        "classes": {name: known[name][0] for name in sorted(names)},
        "examples": {name: {"test": known[name][1]} for name in sorted(names)},
        **frozen_checks(suite.checks, suite.claims),
    }
    if suite.reported:
        said["reported"] = reported_rows(suite.reported, kinds_of(suite.cells))
    steps: dict[tuple[str, ...], int] = {}
    for cell in {id(cell.labels): cell for cell in suite.cells if cell.labels["score_at"]}.values():
        recipe = cell.recipe.changed(cell.form.find)
        place = tuple(cell.labels[name] for name in STEP)
        steps[place] = recipe.step_of(cell.form.score_at, known[cell.dataset][2])
    return said | {"steps": [[*labels, step] for labels, step in steps.items()]}


# -- accuracies ------------------------------------------------------------------------------------------


def _outcomes(frame: pd.DataFrame, rng: np.random.Generator, chances: tuple[float, ...]) -> pd.DataFrame:
    """Return the table with the status of every run, and correct and loss of those that finished."""
    frame = frame.assign(_density=frame["density"].astype(float))
    own = [SETTINGS.get(k, (12.0, 6e-4)) for k in zip(frame["architecture"], frame["dataset"], strict=True)]
    unpruned = np.array([each[0] for each in own])
    guess = 100 - 100 / frame["classes"].to_numpy(float)
    p = np.array([each[1] for each in own]) * _factors(frame)
    density = frame["_density"].to_numpy()
    ratio = (guess / unpruned) ** (1 / GAMMA)
    error = unpruned * ((density**2 + (p * ratio) ** 2) / (density**2 + p**2)) ** (GAMMA / 2)
    error = np.where(frame["method"] == "none", unpruned, error)
    lost = (error - unpruned) / (guess - unpruned)
    common = frame.groupby([*SETTING[:3], "seed"], sort=False).ngroup().to_numpy()
    luck = rng.normal(0, 0.12, common.max() + 1)[common] + by_key(frame, rng.normal(0, 0.16, len(frame)))
    spread = np.sqrt(unpruned / 8) * (1 + 6 * np.clip(lost, 0, 0.5))
    accuracy = np.clip(100 - error + luck * spread, 0, 100)
    correct = np.rint(accuracy / 100 * frame["examples"].to_numpy()).astype(int)
    status = _statuses(frame, lost, rng, chances)
    finished = status == "finished"
    return frame.assign(
        _lost=lost,
        status=status,
        correct=pd.Series(correct, dtype="Int64").where(finished),
        examples=pd.Series(frame["examples"], dtype="Int64").where(finished),
        loss=np.where(finished, np.round(4 * error / guess, 6), np.nan),
        diverged_run=np.where(status == "diverged", "cell", ""),
        diverged_step=pd.Series(rng.integers(100, 3000, len(frame)), dtype="Int64").where(
            status == "diverged"
        ),
        numerics=np.where(np.isin(status, ("finished", "diverged")), "simulated", ""),
    )


def _factors(frame: pd.DataFrame) -> Floats:
    """Return how many times larger a cell's p is than that of magnitude pruning after training."""
    names = frame[["architecture", *VARIANT, "score_at"]]
    distinct = names.drop_duplicates()
    known = {row: _factor(*row) for row in distinct.itertuples(index=False, name=None)}
    return np.array([known[row] for row in names.itertuples(index=False, name=None)])


def _factor(architecture: str, method: str, ablations: str, score_at: str) -> float:
    kind = method if method in P else "ltr" if method.startswith("ltr") else "random"
    factor = P[kind] * (1 + 0.15 * np.sin(sum(map(ord, architecture + kind))))
    late = kind in ("magnitude-after-training", "ltr", "gradual-magnitude")
    along = _along(score_at)
    if score_at and not late and kind != "random":
        factor = factor ** (1 - along) * (1.15 if kind != "grasp" else 3.0) ** along
    for name in filter(None, ablations.split("+")):
        early, after = ABLATIONS.get(name, (1.0, 1.0))
        if (name, kind) == ("fixed-variance", "magnitude"):
            early = P["random"] / factor
        if kind.startswith("grasp") and name == "invert":
            early, after = 1.02, 1.1
        factor *= after if late else early ** (1 - along) * after**along
    return float(factor)


def _along(score_at: str) -> float:
    """Return how far into training a pruning point is, from 0 to 1."""
    if score_at in ("", "init"):
        return 0.0
    kind, _, number = score_at.partition(" ")
    return min(1.0, float(number) / (50_000 if kind == "step" else 100)) if number else 1.0


def _statuses(
    frame: pd.DataFrame, lost: Floats, rng: np.random.Generator, chances: tuple[float, ...]
) -> npt.NDArray[Any]:
    diverging, missing, failing = chances
    drawn = by_key(frame, rng.random((len(frame), 3)))
    dense = (frame["method"] == "none").to_numpy()
    status = np.full(len(frame), "finished", dtype=object)
    status[(drawn[:, 0] < diverging * (0.2 + 8 * np.clip(lost, 0, 1))) & ~dense] = "diverged"
    if diverging and (extreme := frame["_density"].to_numpy() < 0.025).any():
        # one method of each network for which most seeds diverge at the highest sparsities
        status[extreme & (frame["method"] == "iterative-snip").to_numpy() & (drawn[:, 0] < 0.6)] = "diverged"
    status[(drawn[:, 1] < missing) & ~dense] = "missing"
    status[(drawn[:, 2] < failing) & ~dense] = "failed"
    return status
