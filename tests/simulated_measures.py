"""What is measured of simulated cells: layers, neurons, paths, costs, and weights along training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from prunebench.analysis import SETTING, VARIANT

__all__ = ["Floats", "by_key", "costs", "courses", "first", "layered", "measures", "no_measures"]

Floats = npt.NDArray[np.float64]

LAYERS = {
    "lenet-300-100": {"fc1.weight": 235_200, "fc2.weight": 30_000, "fc3.weight": 1_000},
}


def first(frame: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Return of each row the first one with its key."""
    keys = frame["key"].to_numpy()
    return pd.Series(np.arange(len(frame))).groupby(keys, sort=False).transform("first").to_numpy()


def by_key(frame: pd.DataFrame, drawn: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return of these draws, one a row, that of the first row with the same key."""
    return drawn[first(frame)]


@dataclass(frozen=True)
class _Layered:
    """Densities of the layers of every cell's mask: a matrix (cells × layers) a network."""

    names: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, Floats]
    rows: Mapping[str, npt.NDArray[np.intp]]
    kept: Mapping[str, Floats]
    empty: list[tuple[str, ...]]
    output: list[str]


def _layers(architecture: str) -> dict[str, int]:
    """Return the prunable weights of a network, roughly, by name."""
    if architecture in LAYERS:
        return LAYERS[architecture]
    if architecture.startswith("vgg"):
        depth = 8 if architecture.startswith("vgg11") else 13
        widths = [64, 64, 128, 128, 256, 256, 256, *[512] * 6][:depth]
        sizes = {
            f"features.{i}.conv.weight": 9 * a * b
            for i, (a, b) in enumerate(zip([3, *widths], widths, strict=False))
        }
        return sizes | {"fc.weight": 5_120}
    stages, convolutions, widths = {
        "resnet20": (3, 6, (16, 32, 64)),
        "resnet50": (4, 12, (64, 128, 256, 512)),
    }.get(architecture, (4, 4, (64, 128, 256, 512)))
    sizes = {"conv.weight": 27 * widths[0]}
    for stage in range(stages):
        for i in range(convolutions):
            sizes[f"blocks.{stage}.{i // 2}.conv{i % 2 + 1}.weight"] = 9 * widths[stage] ** 2
            if i == 1 and stage:
                sizes[f"blocks.{stage}.0.shortcut.0.weight"] = widths[stage] * widths[stage - 1]
    return sizes | {"fc.weight": 10 * widths[-1]}


def layered(frame: pd.DataFrame, rng: np.random.Generator) -> _Layered:
    names, sizes, rows, kept = {}, {}, {}, {}
    empty: list[tuple[str, ...]] = [()] * len(frame)
    output = [""] * len(frame)
    made = frame["status"].isin(("finished", "diverged")).to_numpy()
    for architecture, index in frame.groupby("architecture", sort=False).indices.items():
        layers = _layers(str(architecture))
        size = np.array(list(layers.values()), dtype=float)
        index = index[(frame["method"].to_numpy()[index] != "none") & made[index]]
        mine = frame.iloc[index]
        shares = _profile(mine, list(layers), size, rng)
        counts = np.rint(shares * size)
        names[str(architecture)], sizes[str(architecture)] = tuple(layers), size
        rows[str(architecture)], kept[str(architecture)] = index, counts
        last = list(layers)[-1]
        for i, row in zip(index, counts == 0, strict=True):
            output[i] = last
            if row.any():
                empty[i] = tuple(name for name, gone in zip(layers, row, strict=True) if gone)
    return _Layered(names, sizes, rows, kept, empty, output)


def _profile(cells: pd.DataFrame, names: list[str], size: Floats, rng: np.random.Generator) -> Floats:
    """Return the densities of layers (cells × layers) whose mean by size is the cell's density."""
    depth = np.linspace(-1, 1, len(names))
    slope = {"snip": 0.9, "synflow": 1.4, "grasp": 0.25, "magnitude": 0.6, "random": 0.0}
    kind = cells["method"].str.replace("iterative-", "").str.split("-").str[0]
    steep = kind.map(lambda name: slope.get(name, 0.5)).to_numpy()[:, None]
    noise = by_key(cells, rng.normal(0, 0.04, (len(cells), len(names))))
    weight = np.exp(-steep * depth + noise * (steep > 0))
    shortcut = np.array(["shortcut" in name for name in names])
    synflow = (kind == "synflow").to_numpy()[:, None]
    weight = np.where(shortcut & synflow, weight * 0.15, weight)
    weight[:, -1] *= np.where(steep[:, 0] > 0, 2.0, 1.0)
    density = cells["_density"].to_numpy()[:, None]
    shares = np.minimum(1.0, density * weight)
    for _ in range(12):
        shares = np.minimum(1.0, shares * density / ((shares * size).sum(1) / size.sum())[:, None])
    snip = (kind == "snip").to_numpy() & (density[:, 0] < 0.02)
    shares[snip, -1] = 0.0  # SNIP's output layer is lost at the highest sparsities
    shares[(synflow & (density < 0.06)) & shortcut] = 0.0
    return shares


_MEASURED = ("matrix", "cell", "key", *SETTING, *VARIANT, "density", "sparsity", "seed", "status")


def measures(
    whole: pd.DataFrame,
    frame: pd.DataFrame,
    layers: _Layered,
    cells: Sequence[Any],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the measures that each cell's suite asks for, as one long table."""
    wanted = [cell.measures for cell in cells]
    blocks: list[tuple[npt.NDArray[np.intp], str, Sequence[str], Floats]] = []
    for architecture, rows in layers.rows.items():
        density = layers.kept[architecture] / layers.sizes[architecture]
        for measure, make in _OF_A_MASK.items():
            has = np.array([measure in wanted[i] for i in rows], dtype=bool)
            if has.any():
                fields, values = make(layers.names[architecture], layers.sizes[architecture], density[has],
                                      frame.iloc[rows[has]], rng)  # fmt: skip
                blocks.append((rows[has], measure, fields, values))
    for measure, make_course in _OF_A_COURSE.items():
        rows = np.array([i for i, names in enumerate(wanted) if measure in names], dtype=np.intp)
        if len(rows):
            blocks.append((rows, measure, *make_course(frame.iloc[rows])))
    if not blocks:
        return no_measures()
    owner = np.concatenate([np.repeat(rows, len(fields)) for rows, _, fields, _ in blocks])
    order = np.argsort(owner, kind="stable")
    named = [(m, np.array(f, dtype=object)) for _, m, f, _ in blocks]
    measure = np.concatenate(
        [np.full(v.size, m, dtype=object) for (m, _), (*_, v) in zip(named, blocks, strict=True)]
    )
    field = np.concatenate([np.tile(f, len(v)) for (_, f), (*_, v) in zip(named, blocks, strict=True)])
    value = np.concatenate([v.ravel() for *_, v in blocks])
    owner = owner[order]
    found = whole[list(_MEASURED)].iloc[owner].reset_index(drop=True)
    # a mask is there whatever becomes of the run that trains it
    status = np.where(np.isin(found["status"], ("finished", "diverged")), "finished", found["status"])
    value = np.where(status == "finished", value[order], np.nan)
    return found.assign(status=status, measure=measure[order], field=field[order], value=value)


def no_measures() -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series(dtype=object) for name in (*_MEASURED, "measure", "field")})
    return frame.assign(
        sparsity=pd.Series(dtype=float), seed=pd.Series(dtype="int64"), value=pd.Series(dtype=float)
    )


def _layer_sparsity(
    names: Sequence[str], size: Floats, density: Floats, cells: pd.DataFrame, rng: np.random.Generator
) -> tuple[list[str], Floats]:
    sparsity = 1 - density
    shortcut = np.array(["shortcut" in name for name in names])
    inner = sparsity[:, ~shortcut][:, 1:-1]
    third = -(-inner.shape[1] // 3)
    own = {
        "first": sparsity[:, 0],
        "output": sparsity[:, -1],
        "output_excess": sparsity[:, -1] - sparsity[:, :-1].min(1),
        "early": inner[:, :third].mean(1),
        "late": inner[:, -third:].mean(1),
        "spread": inner.max(1) - inner.min(1),
    }
    if shortcut.any():
        own["shortcuts"] = sparsity[:, shortcut].mean(1)
        own["shortcut_excess"] = sparsity[:, shortcut].mean(1) - sparsity[:, ~shortcut].mean(1)
        own["shortcuts_collapsed"] = (density[:, shortcut] == 0).sum(1).astype(float)
    return [*(f"layers.{name}.sparsity" for name in names), *own], np.column_stack([sparsity, *own.values()])


PERCENTS = tuple(range(0, 101, 5))


def _neuron_sparsity(
    names: Sequence[str], size: Floats, density: Floats, cells: pd.DataFrame, rng: np.random.Generator
) -> tuple[list[str], Floats]:
    """Neurons' sparsities spread around their layer's: widely under SynFlow and SNIP, narrowly under random."""
    kind = cells["method"].str.replace("iterative-", "").str.split("-").str[0]
    wide = kind.map({"synflow": 0.5, "snip": 0.2, "grasp": 0.12, "magnitude": 0.06}).fillna(0.04).to_numpy()
    wide = np.where(
        cells["ablations"].str.contains("shuffle") | (cells["method"] == "synflow-shuffled"), 0.03, wide
    )
    sparsity = cells["sparsity"].to_numpy()
    percent = np.array(PERCENTS) / 100
    low, high = sparsity - wide, sparsity + wide
    share = np.clip((high[:, None] - percent) / (high - low)[:, None], 0, 1)
    share[:, 0] = 1.0
    share = np.maximum(share, np.clip((sparsity[:, None] - 0.5) * wide[:, None], 0, 1))
    neurons = np.full(len(cells), np.sqrt(size).sum().round())
    own = np.column_stack([neurons, share[:, -1], share[:, -1]])
    return ["neurons", "collapsed", "channels", *(f"at_least.{p}" for p in PERCENTS)], np.hstack([own, share])


def _effective(
    names: Sequence[str], size: Floats, density: Floats, cells: pd.DataFrame, rng: np.random.Generator
) -> tuple[list[str], Floats]:
    kept = np.rint((density * size).sum(1))
    lost = np.clip(
        0.0008 / cells["_density"].to_numpy() * (1 + by_key(cells, rng.normal(0, 0.1, len(cells)))), 0, 0.6
    )
    lost *= np.where(cells["ablations"].str.contains("shuffle"), 0.6, 1.0)
    lost = np.where(cells["method"] == "synflow", 0.0, lost)
    effective = np.rint(kept * (1 - lost))
    whole = size.sum()
    columns = (effective / whole, effective, effective / kept, 1 - effective / whole, kept,
               np.full(len(kept), whole), (effective == 0).astype(float))  # fmt: skip
    return ["density", "effective", "share", "sparsity", "kept", "prunable", "collapsed"], np.column_stack(
        columns
    )


def _collapsed(
    names: Sequence[str], size: Floats, density: Floats, cells: pd.DataFrame, rng: np.random.Generator
) -> tuple[list[str], Floats]:
    count = (density == 0).sum(1).astype(float)
    return ["count", "share"], np.column_stack([count, count / len(names)])


_OF_A_MASK = {
    "layer-sparsity": _layer_sparsity,
    "neuron-sparsity": _neuron_sparsity,
    "effective-density": _effective,
    "collapsed-layers": _collapsed,
}

STEPS = 62_000


def _pieces(method: str, density: float) -> list[tuple[int, float]]:
    """Return the course of a method's weights: pieces of (steps, share of the weights that is there)."""
    if method == "none":
        return [(STEPS, 1.0)]
    if method == "gradual-magnitude":
        along = np.linspace(0, 1, 20)
        shares = density + (1 - density) * (1 - along) ** 3
        return [(STEPS // 40, float(share)) for share in shares] + [(STEPS - 20 * (STEPS // 40), density)]
    if method == "magnitude-after-training":
        return [(STEPS, 1.0), (STEPS, density)]
    if method.startswith("ltr"):
        return [(STEPS, 1.0), (STEPS - 1000, density)]
    return [(STEPS, density)]


def _weights_remaining(cells: pd.DataFrame) -> tuple[list[str], Floats]:
    known: dict[tuple[str, float], list[float]] = {}
    for method, density in set(zip(cells["method"], cells["_density"], strict=True)):
        pieces = _pieces(method, density)
        steps, area = sum(n for n, _ in pieces), sum(n * share for n, share in pieces)
        known[method, density] = [steps, area, area / STEPS, area / steps, density]
    rows = zip(cells["method"], cells["_density"], strict=True)
    return ["steps", "area", "relative", "mean", "final"], np.array([known[row] for row in rows])


def _training_flops(cells: pd.DataFrame) -> tuple[list[str], Floats]:
    once = 1e15
    relative = _weights_remaining(cells)[1]
    dense, sparse = relative[:, 0] / STEPS * once, relative[:, 2] * once
    rounds = np.where(cells["method"].isin(["synflow", "iterative-snip", "synflow-shuffled"]), 100, 1)
    scoring = np.where(cells["method"].isin(["random", "magnitude", "none"]), 0, rounds * 1e10)
    columns = (dense + scoring, sparse + scoring, dense, sparse, scoring, scoring * 0.3,
               (dense + scoring) / once, (sparse + scoring) / once)  # fmt: skip
    parts = ("", "training.", "scoring.", "relative.")
    return [f"{part}{how}" for part in parts for how in ("dense", "sparse")], np.column_stack(columns)


_OF_A_COURSE = {"weights-remaining": _weights_remaining, "training-flops": _training_flops}


def costs(whole: pd.DataFrame, frame: pd.DataFrame, measured: bool) -> pd.DataFrame:
    """Return what cells cost, some of the columns of `report.results.COSTS`."""
    place = ["key", *SETTING, *VARIANT, "density", "sparsity", "seed"]
    rows = whole[place] if measured else whole[place].iloc[:0]
    cells = frame.iloc[: len(rows)]
    flops = _training_flops(cells)[1] if len(cells) else np.empty((0, 8))
    rounds = np.where(cells["method"].isin(["synflow", "iterative-snip", "synflow-shuffled"]), 100, 1)
    passes = np.where(cells["method"].isin(["random", "magnitude", "none"]), 0, rounds * 3)
    sizes = {name: sum(_layers(name).values()) for name in set(cells["architecture"])}
    prunable = cells["architecture"].map(sizes).astype(float)
    return rows.assign(
        macs=flops[:, 0] / 2,
        scoring_macs=flops[:, 4] / 2,
        scoring_rounds=rounds,
        scoring_passes=passes,
        scoring_seconds=np.round(0.004 + passes * 0.21, 3),
        kept=np.rint(prunable * cells["_density"]),
        prunable=prunable,
        effective_density=cells["_density"] * 0.999,
        training_flops_dense=flops[:, 0],
        training_flops_sparse=flops[:, 1],
        scoring_flops=flops[:, 4],
        relative_dense=flops[:, 6],
        relative_sparse=flops[:, 7],
    )


def courses(whole: pd.DataFrame, measured: bool) -> pd.DataFrame:
    """Return the share of weights along training of one seed's cells, as every seed's is the same."""
    place = [*SETTING, *VARIANT, "density", "sparsity", "seed", "key"]
    mine = whole[whole["status"] == "finished"].drop_duplicates([*SETTING, *VARIANT, "density"])
    mine = mine[(mine["ablations"] == "") & (mine["score_at"] == "")] if measured else mine.iloc[:0]
    owner, part, step, share = [], [], [], []
    for i, (method, density) in enumerate(zip(mine["method"], mine["density"].astype(float), strict=True)):
        at = 0
        pieces = _pieces(method, density)
        for name, own in (("all", pieces), ("retroactive", [pieces[-1]])):
            at = 0
            for steps, kept in own:
                owner.append(i), part.append(name), step.append(at), share.append(kept)
                at += steps
            owner.append(i), part.append(name), step.append(at), share.append(own[-1][1])
    return mine[place].iloc[owner].reset_index(drop=True).assign(part=part, step=step, share=share)
