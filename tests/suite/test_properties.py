"""Random valid suites: what is written comes back, as many cells as the axes say, each with an id of its own."""

from __future__ import annotations

import json
import math
import re
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunebench.suite import with_seeds
from prunebench.suite.suite import make_suite


def spell(value: Any) -> str:
    """Return a value in TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {spell(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spell, value)) + "]"
    return json.dumps(value)


def write(content: dict[str, Any]) -> str:
    """Return a suite as TOML."""
    tables = "".join(
        "\n[[matrix]]\n" + "".join(f"{k} = {spell(v)}\n" for k, v in table.items())
        for table in content["matrix"]
    )
    return "".join(f"{k} = {spell(v)}\n" for k, v in content.items() if k != "matrix") + tables


def some(*values: Any) -> st.SearchStrategy[list[Any]]:
    """Return lists of different ones of the values, at least one."""
    return st.lists(st.sampled_from(values), min_size=1, unique_by=json.dumps)


METHODS = some(
    "snip",
    "random",
    "synflow",
    "after",
    {"method": "snip", "as": "snip-3", "schedule": {"rounds": 3}},
    {"as": "odd", "scorer": {"name": "grasp", "temperature": 3}, "keep": "near"},
)
GRID = st.one_of(
    st.fixed_dictionaries({"sparsities": some(0.1, 0.5, 0.9, 0.99, 0.98999)}),
    st.fixed_dictionaries({"densities": some(0.1, 0.12345678, 0.12345679, 0.5)}),
    st.builds(
        lambda keep, count: {"sparsities": {"keep": keep, "count": count}},
        st.sampled_from([0.5, 0.8, 0.9]),
        st.integers(1, 20),
    ),
)
AXES = st.fixed_dictionaries(
    {
        "architecture": some(
            "resnet20", "mlp", {"name": "resnet", "width": 2}, {"name": "mlp", "hidden": [3]}
        ),
        "dataset": some("mnist", "cifar10"),
        "recipe": some("short", "long", {"name": "short", "lr": 0.5}),
        "find": some({}, {"lr": 0.25}, {"lr": 0.75, "init": "unit-variance"}),
        "methods": METHODS,
        "ablations": some("none", "shuffle", "invert", "shuffle+reinit"),
        "seeds": st.one_of(st.integers(1, 3), some(0, 3, 12)),
        "dense": st.booleans(),
        "split": st.sampled_from(["test", "val"]),
    },
    optional={"score_at": some("end", "rewind", {"step": 7}, {"epoch": 1.5})},
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(axes=AXES, grid=GRID)
def test_a_random_suite_round_trips(axes: dict[str, Any], grid: dict[str, Any], host: Any) -> None:
    """Parsed content is what was written; cells are the product of the axes; ids differ and can be selected."""
    if "score_at" in axes and "after" in axes["methods"]:
        axes["methods"] = [m for m in axes["methods"] if m != "after"] or ["snip"]
    content = {
        "schema": 1,
        "name": "s",
        "version": "1",
        "matrix": [{"name": "main", **axes, **grid}],
    }
    suite = make_suite(tomllib.loads(write(content)), "s.toml", Path("s.toml"), host)
    assert suite.content == content
    assert suite.digest == make_suite(content, "t.toml", None, host).digest

    cells = suite.cells
    sizes = {key: len(value) for key, value in axes.items() if isinstance(value, list)}
    seeds = sizes.pop("seeds", None) or axes["seeds"]
    (values,) = grid.values()
    points = values["count"] if isinstance(values, dict) else len(values)
    settings = sizes["architecture"] * sizes["dataset"] * sizes["recipe"]
    assert len(cells) == math.prod(sizes.values()) * points * seeds + axes["dense"] * settings * seeds
    names = {cell.name for cell in cells}
    assert len(names) == len(cells)
    assert all(re.fullmatch(r"[A-Za-z0-9._+-]+", name) for name in names)

    resolved = {
        (
            c.architecture.name,
            str(c.architecture.parameters),
            c.dataset,
            c.recipe.model_dump_json(),
            c.form.model_dump_json(),
            c.density,
            c.seed,
        )
        for c in cells
    }
    assert len(resolved) == len(cells)
    assert {c.seed for c in with_seeds(suite, 2, host).cells} == {0, 1}
