"""Tables in which the truth is known, and how often the statistics say it.

`python tests/simulations.py` prints the table of docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunebench.analysis import SETTING, compare

MEAN, GUESS = 90.0, 10.0
SEED_SPREAD = 0.5  # what the methods of a table have in common at a seed


@dataclass(frozen=True)
class Scenario:
    """Methods with one true mean; `spreads` are of their single runs around the seed's luck."""

    says: str
    spreads: tuple[float, ...]
    collapsed: int = 0
    """So many methods have the same value in every run."""
    names: int = 1
    missing: float = 0.0
    diverging: tuple[float, ...] = ()
    """Each method's chance that a run diverges."""


SCENARIOS = {
    "equal": Scenario("equal spreads", (1.0,) * 10),
    "one-x3": Scenario("one method × 3", (1.0,) * 9 + (3.0,)),
    "one-x10": Scenario("one method × 10", (1.0,) * 9 + (10.0,)),
    "mixed": Scenario("spreads 0.2 0.2 0.2 1 1 1 4", (0.2, 0.2, 0.2, 1.0, 1.0, 1.0, 4.0)),
    "collapsed": Scenario("five of ten collapsed", (1.0,) * 10, collapsed=5),
    "two-names": Scenario("every method under two names", (1.0,) * 10, names=2),
    "missing": Scenario("20 % of cells missing", (1.0,) * 10, missing=0.2),
}
DIVERGING = {
    "all-diverge": Scenario("every run diverges with 10 %", (1.0,) * 10, diverging=(0.1,) * 10),
    "one-diverges": Scenario("runs of one method with 20 %", (1.0,) * 10, diverging=(0.0,) * 9 + (0.2,)),
}
SEEDS = (3, 5, 10)


@dataclass(frozen=True)
class Found:
    """What `compare` said of many tables."""

    tables: int
    pairs: int
    """Pairs of methods in one table."""
    coverage: float
    """Share of intervals that hold the true difference, of all pairs with a spread and two common seeds."""
    lowest: float
    highest: float
    """The same of the single pair (of − against, over all tables) that is covered least, and most."""
    false: float
    """Share of tables in which a true difference of 0 is significant after Holm, for one pair or more."""
    without_spread: int
    """Pairs, over all tables, with two common seeds or more and one and the same difference in all."""
    alone: int
    """Pairs, over all tables, with fewer than two common seeds."""


def make_tables(scenario: Scenario, seeds: int, tables: int, *, stream: int = 1) -> pd.DataFrame:
    """Return `tables` settings of one sparsity as one table of cells."""
    rng = np.random.default_rng([stream, seeds, tables, len(scenario.says)])
    methods = len(scenario.spreads)
    shape = (tables, methods, seeds)
    luck = rng.normal(0, SEED_SPREAD, (tables, 1, seeds))
    values = MEAN + luck + rng.normal(0, 1, shape) * np.array(scenario.spreads)[:, None]
    values[:, methods - scenario.collapsed :] = MEAN
    status = np.full(shape, "finished", dtype=object)
    if scenario.diverging:
        status[rng.random(shape) < np.array(scenario.diverging)[:, None]] = "diverged"
    status[rng.random(shape) < scenario.missing] = "missing"
    values = np.where(status == "finished", values, np.nan)
    table, method, seed = (index.ravel() for index in np.indices(shape))
    key = pd.Series(np.ravel_multi_index((table, method, seed), shape)).astype(str).to_numpy(object)
    frame = pd.DataFrame({name: pd.Series("", index=range(table.size), dtype=object) for name in SETTING})
    frame = frame.assign(
        architecture=np.array([f"net{i}" for i in range(tables)], dtype=object)[table],
        method=np.array([f"m{i}" for i in range(methods)], dtype=object)[method],
        ablations=pd.Series("", index=frame.index, dtype=object),
        density=pd.Series("0.5", index=frame.index, dtype=object),
        sparsity=0.5,
        seed=seed,
        key=key,
        status=status.ravel(),
        accuracy=values.ravel(),
        classes=int(100 / GUESS),
    )
    again = [frame.assign(method=frame["method"] + f"-again{i}") for i in range(1, scenario.names)]
    return pd.concat([frame, *again], ignore_index=True)


def simulate(scenario: Scenario, seeds: int, tables: int, *, stream: int = 1) -> Found:
    """Return how often the statistics of `tables` tables of `scenario` are right."""
    found = compare(make_tables(scenario, seeds, tables, stream=stream))
    chance = dict(enumerate(scenario.diverging or (0.0,) * len(scenario.spreads)))
    loss = {f"m{i}": p * (GUESS - MEAN) for i, p in chance.items()}
    truth = (found["of_method"].map(loss) - found["against_method"].map(loss)).to_numpy(float)
    asked = (found["n"] >= 2) & (found["sd"] > 0)
    right = ((found["low"] <= truth) & (truth <= found["high"]))[asked]
    each = right.groupby([found["of_method"][asked], found["against_method"][asked]]).mean()
    wrong = (found["p_holm"] < 0.05) & (truth == 0)
    return Found(
        tables=tables,
        pairs=len(found) // tables,
        coverage=float(right.mean()),
        lowest=float(each.min()),
        highest=float(each.max()),
        false=float(wrong.groupby(found["architecture"]).any().mean()),
        without_spread=int(((found["n"] >= 2) & (found["sd"] == 0)).sum()),
        alone=int((found["n"] < 2).sum()),
    )


def main(tables: int = 2000) -> None:
    """Print the table of what 2,000 tables of each scenario gave."""
    print("| true means equal, and | seeds | covered (each pair) | a false pair | without spread |")
    print("|---|--:|--:|--:|--:|")
    for scenario in (*SCENARIOS.values(), *DIVERGING.values()):
        for seeds in SEEDS:
            found = simulate(scenario, seeds, tables)
            print(
                f"| {scenario.says} | {seeds} | {100 * found.coverage:.1f} % "
                f"({100 * found.lowest:.1f}–{100 * found.highest:.1f}) | {100 * found.false:.1f} % "
                f"| {found.without_spread / tables:.2f} of {found.pairs} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
