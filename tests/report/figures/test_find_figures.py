"""Figures of finds: tables as their tables say, accuracies and effects as numpy says, all drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from prunebench_plugins.quantities import prunebench_quantities

from prunebench.analysis import measures, table
from prunebench.errors import UsageError
from prunebench.report.figures import Figure, figures, find_eval, mediation, picture
from prunebench.report.figures.effect_tables import EFFECTS, NETWORKS
from prunebench.report.figures.finds import marked
from prunebench.report.figures.style import COLOURS
from prunebench.report.results import Results

pytest.importorskip("vl_convert")

FINDS = ("lr=0.05", "lr=0.5")
EVALS = ("slow", "fast")
DENSITIES = ("0.8", "0.64", "0.512")
SEEDS = range(3)
FOUR = {"aa": (0.0, 0.0), "ab": (0.0, 3.0), "ba": (1.0, 0.0), "bb": (1.0, 3.0)}
"""What the weights of B, and its ratios, are worth: nothing of A's."""
WHERE = {"architecture": "lenet", "dataset": "fashion", "split": "test", "ablations": "", "score_at": ""}
NAMED = {"base": {"method": "aa"}, "ratios": {"method": "ab"}, "weights": {"method": "ba"}}
CHECKS = [
    {
        "name": "ratios-decide",
        "quantity": {"name": "mediation:total", **NAMED},
        "of": {"method": "bb", "quantity": {"name": "mediation:ratios", **NAMED}},
        "against": {"method": "bb"},
        "compare": "ratio",
        "by": 0.5,
        "range": "all",
        "expect": "above",
        "margin": 0,
    },
    {
        "name": "random-decides",
        "quantity": {"name": "drop", "to": {"method": "aa"}},
        "of": {"method": "rb", "quantity": {"name": "drop", "to": {"method": "ra"}}},
        "against": {"method": "bb"},
        "compare": "ratio",
        "by": 0.5,
        "range": "all",
        "expect": "above",
        "margin": 0,
    },
]


def luck(*names: Any) -> float:
    """Return a number that hangs on the names alone."""
    return float(np.random.default_rng([ord(c) for c in "".join(map(str, names))]).normal(0, 0.3))


def cell(method: str, recipe: str, find: str, density: str, seed: int, accuracy: float) -> dict[str, Any]:
    labels = {**WHERE, "recipe": recipe, "find": find, "method": method}
    name = "-".join((recipe, method, find, density, f"s{seed}"))
    return {
        **labels,
        "matrix": "main",
        "cell": name,
        "key": name,
        "density": density,
        "seed": seed,
        "status": "finished",
        "accuracy": accuracy,
        "classes": 10,
        "examples": 10_000,
    }


def rows() -> Iterator[dict[str, Any]]:
    """Yield a chain under two finds and two evaluations, the four networks, random masks, and no pruning."""
    for recipe in EVALS:
        for seed in SEEDS:
            yield cell("none", recipe, "", "1", seed, 92.0)
            for density in DENSITIES:
                less = 10 * (1 - float(density))
                for find in FINDS:
                    worth = 2.0 if find == FINDS[0] else 0.0
                    yield cell(
                        "chain",
                        recipe,
                        find,
                        density,
                        seed,
                        88 - less + worth + luck(find, recipe, seed, density),
                    )
                for method, (weights, ratios) in FOUR.items():
                    value = 85 - less + weights + ratios
                    yield cell(method, recipe, "", density, seed, value + luck(method, recipe, seed, density))
                for method, ratios in (("ra", 0.0), ("rb", 2.0)):
                    yield cell(
                        method, recipe, "", density, seed, 80 - less + ratios + luck(method, recipe, seed)
                    )


def ratio(layer: int, find: str, epoch: int, seed: int) -> float:
    return (
        0.1 + 0.1 * layer + (0.02 if find == FINDS[1] else 0.005) * (3 - epoch) * (layer + 1) + 0.001 * seed
    )


def measured() -> Iterator[dict[str, Any]]:
    for find in FINDS:
        for seed in SEEDS:
            own = cell("chain", EVALS[0], find, DENSITIES[0], seed, 88.0)
            value = {
                "distance": {
                    str(n): sum(abs(ratio(k, find, n, seed) - ratio(k, find, 3, seed)) for k in (0, 1)) / 2
                    for n in range(4)
                },
                "layers": [
                    {"name": f"fc{k + 1}.weight", "at": {str(n): ratio(k, find, n, seed) for n in range(4)}}
                    for k in (0, 1)
                ],
            }
            yield {**own, "measure": "ratios-by-epoch", "measured": value}


def made_of(checks: Any = CHECKS, measure: bool = True) -> Results:
    suite = {"name": "finds", "checks": checks, "margins": {"fashion": 0.5}, "classes": {"fashion": 10}}
    columns = ("accuracy", "classes", "examples")
    others = [{k: v for k, v in row.items() if k not in columns} for row in measured()]
    quantities = {one.name: one for one in prunebench_quantities()}
    return Results(suite, table(list(rows())), measures(others) if measure else None, quantities=quantities)


@pytest.fixture(scope="module")
def results() -> Results:
    return made_of()


@pytest.fixture(scope="module")
def made(results: Results) -> Mapping[str, Figure]:
    return {figure.id: figure for figure in figures(results)}


IDS = ("find-accuracy", "find-eval", "ratios-by-epoch", "distance-by-epoch", "mediation")


def test_each_is_there_where_its_data_are(made: Mapping[str, Figure]) -> None:
    """Without finds, measures and checks none is."""
    assert set(IDS) <= set(made)
    bare = {figure.id for figure in figures(made_of([], measure=False))}
    assert not bare & {"ratios-by-epoch", "distance-by-epoch", "mediation"}


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("dark", [False, True])
def test_each_is_drawn_and_told(made: Mapping[str, Figure], name: str, dark: bool) -> None:
    """On light and dark ground, without a number that is none; in words; with a table behind it."""
    figure = made[name]
    svg = picture(figure.spec(dark=dark), "svg").decode()
    assert svg.count("<path") > 5
    assert "NaN" not in svg
    assert len(figure.alt) > 80
    assert len(figure.caption) > 80
    assert len(figure.table)
    assert figure.table.notna().to_numpy().all()


def test_accuracies_by_find_are_those_of_the_cells(made: Mapping[str, Figure]) -> None:
    """A panel for each evaluation; only what was found under several recipes is there."""
    shown = made["find-accuracy"].tables["find-accuracy"]
    assert set(shown["method"]) == {"chain", "none"}
    assert set(shown["panel"]) == {f"chain, {recipe}" for recipe in EVALS}
    one = shown[(shown["find"] == FINDS[0]) & (shown["eval"] == EVALS[1]) & (shown["density"] == 0.64)]
    values = [88 - 3.6 + 2 + luck(FINDS[0], EVALS[1], seed, "0.64") for seed in SEEDS]
    assert one["mean"].item() == pytest.approx(np.mean(values), abs=1e-6)


def test_the_table_of_finds_is_at_the_density_asked_for(results: Results, made: Mapping[str, Figure]) -> None:
    """The middle one unless it is; the best find of each column is marked."""
    shown = made["find-eval"].tables["find-eval"]
    assert set(shown["density"]) == {0.64}
    assert set(shown.loc[shown["best"], "find"]) == {FINDS[0]}
    chosen = find_eval(results, 0.512).to_dict()
    assert {row["density"] for row in chosen["datasets"]["find-eval"]} == {0.512}
    with pytest.raises(
        UsageError, match=r"density: found 0\.3, which no find has; allowed: 0\.8, 0\.64, 0\.512"
    ):
        find_eval(results, 0.3)


def test_ratios_and_distances_are_means_over_seeds(made: Mapping[str, Figure]) -> None:
    """Of all runs at each epoch, the layers in their own lines."""
    layers, apart = (made[name].tables[name] for name in ("ratios-by-epoch", "distance-by-epoch"))
    assert dict.fromkeys(layers["panel"]) == {f"found under {find}": None for find in FINDS}
    one = layers[(layers["line"] == FINDS[1]) & (layers["layer"] == "fc2") & (layers["epoch"] == 1)]
    assert one["mean"].item() == pytest.approx(np.mean([ratio(1, FINDS[1], 1, seed) for seed in SEEDS]))
    first = apart[(apart["epoch"] == 0)].set_index("line")["mean"]
    assert first[FINDS[0]] == pytest.approx(0.005 * 3 * 1.5)
    assert first[FINDS[1]] == pytest.approx(0.02 * 3 * 1.5)


def test_of_many_epochs_some_have_marks(made: Mapping[str, Figure]) -> None:
    """All of four; of 111 every tenth, so that marks hide no line."""
    rows = made["distance-by-epoch"].tables["distance-by-epoch"]
    assert marked(rows) == "datum.epoch % 1 == 0"
    assert marked(rows.iloc[[0] * 111].assign(epoch=range(111))) == "datum.epoch % 10 == 0"


def effects_by_hand(recipe: str, density: str) -> dict[str, Any]:
    """Return each effect at each seed."""
    less = 10 * (1 - float(density))
    aa, ab, ba, bb = (
        np.array([85 - less + sum(worth) + luck(name, recipe, seed, density) for seed in SEEDS])
        for name, worth in FOUR.items()
    )
    ra, rb = (np.array([luck(name, recipe, seed) for seed in SEEDS]) for name in ("ra", "rb"))
    both = {"ratios": (ab + bb - aa - ba) / 2, "weights": (ba + bb - aa - ab) / 2}
    return {"total": bb - aa, **both, "random": 2.0 + rb - ra}


@pytest.mark.parametrize("recipe", EVALS)
def test_effects_and_their_intervals_are_those_of_the_seeds(made: Mapping[str, Figure], recipe: str) -> None:
    """By numpy and the t table: 4.302653 for three seeds."""
    shown = made["mediation"].tables["mediation-effects"]
    mine = shown[shown["panel"].str.endswith(recipe) & (shown["density"] == 0.512)].set_index("effect")
    for name, values in effects_by_hand(recipe, "0.512").items():
        row, half = mine.loc[EFFECTS[name]], 4.302653 * values.std(ddof=1) / np.sqrt(3)
        assert row["mean"] == pytest.approx(values.mean(), abs=1e-5)
        assert row["low"] == pytest.approx(values.mean() - half, abs=1e-5)
        assert row["high"] == pytest.approx(values.mean() + half, abs=1e-5)
    networks = made["mediation"].tables["mediation"]
    assert set(networks["network"]) == set(NETWORKS.values())


def test_a_notebook_names_the_networks_itself(made: Mapping[str, Figure]) -> None:
    """Without checks in the suite; with random masks or without."""
    plain = made_of([], measure=False)
    drawn = mediation(plain, base="aa", ratios="ab", weights={"method": "ba"}, both="bb", random=("ra", "rb"))
    rows = drawn.to_dict()["datasets"]["mediation-effects"]
    whole = made["mediation"].tables["mediation-effects"]
    assert [row["mean"] for row in rows] == pytest.approx(whole["mean"].tolist())
    few = mediation(plain, base="aa", ratios="ab", weights="ba", both="bb").to_dict()
    assert {row["effect"] for row in few["datasets"]["mediation-effects"]} < set(EFFECTS.values())
    with pytest.raises(UsageError, match="no results in one setting"):
        mediation(plain, base="aa", ratios="ab", weights="ba", both="nothing")


ACCURACY = {"": 90.0, "lr=0.05": 92.0, "lr=0.5": 88.0}
"""Of the chain at the first density; it falls by a point at each of the others."""


def study(finds: tuple[str, ...], at: str = "", evals: tuple[str, ...] = EVALS) -> Results:
    """Return results of a chain under these finds, beside random pruning, a method of its own, and none."""
    found = []
    for recipe in evals:
        for seed in SEEDS:
            found.append(cell("none", recipe, "", "1", seed, 95.0 + seed))
            for k, density in enumerate(DENSITIES):
                found.append(cell("random", recipe, "", density, seed, 70.0 - 10 * k + seed))
                found.append(cell("other", recipe, "", density, seed, 60.0 + seed))
                chains = [
                    cell("chain", recipe, find, density, seed, ACCURACY[find] - k + seed) for find in finds
                ]
                found += [{**one, "score_at": at} for one in chains]
    told = []
    for recipe in evals:
        for find in finds:
            for seed in SEEDS:
                fast = 0.1 if recipe == "fast" and not find else 0.0
                distance = {str(n): ratio(0, find, n, seed) + fast for n in range(4)}
                layers = [{"name": "fc1.weight", "at": distance}]
                own = cell("chain", recipe, find, DENSITIES[0], seed, 88.0)
                own = {k: v for k, v in own.items() if k not in ("accuracy", "classes", "examples")}
                value = {"distance": distance, "layers": layers}
                told.append({**own, "score_at": at, "measure": "ratios-by-epoch", "measured": value})
    suite = {"name": "finds", "margins": {"fashion": 0.5}, "classes": {"fashion": 10}}
    return Results(suite, table(found), measures(told))


def scored_networks(finds: tuple[str, ...], at: str) -> list[dict[str, Any]]:
    """Return what `scored-network` tells at two densities of the chains of `study`."""
    return [
        {
            **{k: v for k, v in own.items() if k not in ("accuracy", "classes", "examples")},
            "score_at": at,
            "measure": "scored-network",
            "measured": {"unpruned": {"accuracy": (60.0 if find else 65.0) + seed}},
        }
        for recipe in EVALS
        for find in finds
        for seed in SEEDS
        for own in (cell("chain", recipe, find, density, seed, 88.0) for density in DENSITIES[:2])
    ]


def made_from(results: Results) -> dict[str, Figure]:
    return {figure.id: figure for figure in figures(results)}


@pytest.mark.parametrize("finds", [("", "lr=0.05"), ("", "lr=0.05", "lr=0.5")])
def test_a_find_that_changes_nothing_is_one_of_the_finds(finds: tuple[str, ...]) -> None:
    """Called "as eval" in every figure: with one other find, and with several."""
    mine = made_from(study(finds))
    named = {find or "as eval" for find in finds}
    curves = mine["find-accuracy"].tables["find-accuracy"]
    assert set(curves.loc[curves["method"] == "chain", "find"]) == named
    ordinary = curves[(curves["find"] == "as eval") & (curves["density"] == 0.8)]
    assert set(ordinary["mean"]) == {91.0}
    assert set(mine["find-eval"].tables["find-eval"]["find"]) == named
    assert "as eval 90" in mine["find-eval"].alt


def test_ratios_of_a_find_that_changes_nothing_are_those_of_each_recipe() -> None:
    """They are found under it, so that recipes do not share them; of one recipe it is "as eval" alone."""
    mine = made_from(study(("", "lr=0.05")))
    apart = mine["distance-by-epoch"].tables["distance-by-epoch"]
    assert set(apart["line"]) == {"as eval, slow", "as eval, fast", "lr=0.05"}
    first = apart[apart["epoch"] == 0].set_index("line")["mean"]
    assert first["as eval, fast"] - first["as eval, slow"] == pytest.approx(0.1)
    panels = set(mine["ratios-by-epoch"].tables["ratios-by-epoch"]["panel"])
    assert panels == {"found as eval, slow", "found as eval, fast", "found under lr=0.05"}
    one = made_from(study(("", "lr=0.05"), evals=("slow",)))["ratios-by-epoch"]
    assert set(one.tables["ratios-by-epoch"]["panel"]) == {"found as eval", "found under lr=0.05"}
    alone = made_from(study(("",), evals=("slow",)))["ratios-by-epoch"]
    assert set(alone.tables["ratios-by-epoch"]["panel"]) == {"chain"}


def test_baselines_stand_in_every_panel_of_finds() -> None:
    """Random pruning and the unpruned network, in grey and at their own means: what no find concerns."""
    mine = made_from(study(("lr=0.05", "lr=0.5"), at="epoch 3"))["find-accuracy"]
    shown = mine.tables["find-accuracy"]
    for recipe in EVALS:
        panel = shown[shown["panel"] == f"chain, {recipe}, pruned at epoch 3"]
        others = panel[panel["method"] != "chain"]
        assert set(others["find"]) == {"no find: random", "no find: unpruned"}
        assert others.set_index("percent")["mean"].to_dict() == pytest.approx(
            {0.0: 96.0, 20.0: 71.0, 36.0: 61.0, 48.8: 51.0}
        )
    colours = next(
        layer["encoding"]["color"]["scale"]
        for layer in mine.spec()["spec"]["layer"]
        if "scale" in layer["encoding"].get("color", {})
    )
    grey = dict(zip(colours["domain"], colours["range"], strict=True))
    assert grey["no find: random"] == grey["no find: unpruned"] == COLOURS["grey"]
    assert grey["lr=0.05"] != COLOURS["grey"]
    assert "no find: random 51" in mine.alt


def test_the_network_that_was_scored_stands_at_its_find() -> None:
    """Once in each panel, at all weights, as accurate as it was when it was scored: it is no line's first point."""
    finds = ("", "lr=0.05")
    told = study(finds, at="epoch 3")
    results = Results(told.suite, told.cells, measures(scored_networks(finds, "epoch 3")))
    shown = made_from(results)["find-accuracy"].tables["find-accuracy"]
    mine = shown[shown["of"] == "scored network"]
    assert len(mine) == len(EVALS) * len(finds)
    assert set(zip(mine["find"], mine["mean"], mine["density"], mine["n"], strict=True)) == {
        ("as eval", 66.0, 1.0, 3),
        ("lr=0.05", 61.0, 1.0, 3),
    }
    assert set(shown.loc[shown["density"] < 1, "of"]) == {"masks"}


def test_runs_that_diverged_are_marked_at_the_accuracy_of_a_guess() -> None:
    told = study(("lr=0.05", "lr=0.5"))
    lost = (told.cells["find"] == "lr=0.5") & (told.cells["density"].astype(float) == 0.512)
    cells = told.cells.assign(
        status=told.cells["status"].mask(lost, "diverged"), accuracy=told.cells["accuracy"].mask(lost)
    )
    mine = made_from(Results(told.suite, cells))["find-accuracy"]
    shown = mine.tables["find-accuracy"]
    assert set(shown.loc[shown["diverged"] > 0, "height"]) == {90.0}
    assert "place:Q" not in str(mine.chart.to_dict())
    assert "'field': 'height'" in str(mine.chart.to_dict())


def test_masks_of_one_pruning_step_have_a_table_of_finds_and_evaluations() -> None:
    """Where they were evaluated under several recipes, the panel saying when they were pruned."""
    mine = made_from(study(("lr=0.05", "lr=0.5"), at="end"))["find-eval"]
    shown = mine.tables["find-eval"]
    assert set(shown["panel"]) == {"chain, pruned at end"}
    assert len(shown) == len(EVALS) * 2
    assert "find-eval" not in made_from(study(("lr=0.05", "lr=0.5"), at="end", evals=("slow",)))


def test_the_figure_of_mediation_says_who_a_and_b_are(made: Mapping[str, Figure]) -> None:
    """Above its panels where that is the same in all of them, else in each panel's heading."""
    same = made["mediation"]
    assert "weights and ratios of two finds; A: aa, B: bb" in str(same.chart.to_dict())
    four = {"base": {"method": "bb"}, "ratios": {"method": "ba"}, "weights": {"method": "ab"}}
    checks = [
        {**CHECKS[0], "where": {"recipe": EVALS[0]}},
        {
            **CHECKS[0],
            "name": "the-other-way",
            "where": {"recipe": EVALS[1]},
            "quantity": {"name": "mediation:total", **four},
            "of": {"method": "aa", "quantity": {"name": "mediation:ratios", **four}},
            "against": {"method": "aa"},
        },
    ]
    apart = made_from(made_of(checks, measure=False))["mediation"]
    svg = picture(apart.spec(), "svg").decode()
    for sides in ("A: aa, B: bb", "A: bb, B: aa"):
        assert svg.count(f">{sides}<") == 2


def test_panels_of_finds_stand_in_the_suites_order() -> None:
    """Also those of a method that has lower sparsities than the ones before, or one recipe of evaluation."""
    found = [row for row in rows() if row["method"] == "none" or row["density"] != DENSITIES[0]]
    for find in FINDS:
        for density in DENSITIES[:2]:
            found += [cell("a-last", EVALS[1], find, density, seed, 70.0 + seed) for seed in SEEDS]
    suite = {"name": "finds", "margins": {"fashion": 0.5}, "classes": {"fashion": 10}}
    drawn = made_from(Results(suite, table(found)))["find-accuracy"].tables["find-accuracy"]
    assert list(dict.fromkeys(drawn["panel"])) == ["chain, slow", "chain, fast", "a-last, fast"]
