"""A small host without plugins, and suites made of text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunebench.errors import SuiteError, UsageError
from prunebench.host.components import (
    KINDS,
    Ablation,
    Architecture,
    Dataset,
    Diagnostic,
    Method,
    Quantity,
    RecipeComponent,
    Scorer,
)
from prunebench.host.datasets import parse_dataset, spell_dataset
from prunebench.host.form import Batch, Form, ScorerCall
from prunebench.schedules import Rounds
from prunebench.suite import Suite, load_suite
from prunebench.training.recipe import AtStep, Recipe

_MIRRORED = {"high": "low", "low": "high", "far": "near", "near": "far"}


def _resnet(shape: Any, classes: int, *, depth: int = 20, width: float = 1.0) -> Any: ...
def _mlp(shape: Any, classes: int, *, hidden: Any = (100,)) -> Any: ...
def _plain(net: Any, batch: Any, rng: Any) -> Any: ...
def _grasp(net: Any, batch: Any, rng: Any, *, temperature: float = 200.0, chunk: int = 0) -> Any: ...
def _accuracy(curves: Any) -> Any: ...
def _field(curves: Any, *, of: str) -> Any: ...
def _slope(curves: Any, *, along: str, power: float = 1.0) -> Any: ...
def _crossing(curves: Any, *, along: str, reaches: Any) -> Any: ...
def _distance(curves: Any, *, of: str, reference: Any) -> Any: ...
def _drop(curves: Any, *, to: Any) -> Any: ...
def _images(root: Any, part: str) -> Any: ...
def _pictures(root: Any, part: str, *, path: str = "", size: int = 64) -> Any: ...
def _dataset(name: str, load: Any = _images) -> Dataset:
    return Dataset(name, load, (1, 28, 28), 10, 60_000, 10_000, (0.5,), (0.5,))


def _shuffle(form: Form) -> Form:
    return form.changed(alter=tuple({*form.alter, "shuffle"}))


def _reinit(form: Form) -> Form:
    return form.changed(alter=tuple({*form.alter, "reinit"}))


def _invert(form: Form) -> Form:
    return form.changed(keep=_MIRRORED[form.keep])


def _only_global(form: Form) -> Form:
    if form.allocation != "global":
        raise UsageError("only for methods with allocation = 'global'")
    return form


class FakeHost:
    """What suites ask of a host: get, names, method, dataset."""

    def __init__(self) -> None:
        magnitude = ScorerCall(name="magnitude")
        found = [
            Scorer("random", _plain),
            Scorer("magnitude", _plain),
            Scorer("snip", _plain, needs="batch"),
            Scorer("grasp", _grasp, needs="batch", batch=Batch(per_class=10)),
            Scorer("synflow", _plain),
            Method("none", Form()),
            Method("synflow", Form(scorer=ScorerCall(name="synflow"), schedule=Rounds(rounds=100))),
            Method("after", Form(scorer=magnitude, score_at="end")),
            Method("grasp-inverted", Form(scorer=ScorerCall(name="grasp"), keep="low")),
            Architecture("resnet", _resnet),
            Architecture("resnet20", _resnet, preset=("resnet", {"depth": 20})),
            Architecture("resnet32", _resnet, preset=("resnet", {"depth": 32})),
            Architecture("mlp", _mlp),
            RecipeComponent("short", Recipe(epochs=2, batch=128, lr=0.1, rewind=AtStep(step=0))),
            RecipeComponent("long", Recipe(epochs=160, batch=128, lr=0.1, momentum=0.9, drops=(80, 120))),
            Ablation("shuffle", _shuffle),
            Ablation("reinit", _reinit),
            Ablation("invert", _invert),
            Ablation("only-global", _only_global),
            Diagnostic("layer-sparsity", _plain),
            Quantity("accuracy", _accuracy, "seeds", points=True),
            Quantity("spread", _accuracy, "seeds"),
            Quantity("diverged", _accuracy, "counts"),
            Quantity("range-end", _accuracy, "curve", axis="sparsity"),
            Quantity("measure", _field, "seeds", field="of"),
            Quantity("slope", _slope, "seeds", axis="along"),
            Quantity("crossing", _crossing, "curve", axis="along", selections=("reaches",)),
            Quantity("distance", _distance, "seeds", fields="of", selections=("reference",)),
            Quantity("drop", _drop, "seeds", selections=("to",), points=True),
            *(_dataset(name) for name in ("mnist", "cifar10")),
            _dataset("folder", _pictures),
        ]
        self.parts: dict[str, dict[str, Any]] = {
            "scorers": {},
            "methods": {},
            "architectures": {},
            "recipes": {},
            "ablations": {},
            "diagnostics": {},
            "quantities": {},
            "datasets": {},
            "initializations": {"kaiming-normal": None, "unit-variance": None},
        }
        for part in found:
            plural = next(kind for kind, component in KINDS.items() if isinstance(part, component))
            self.parts[plural][part.name] = part

    def get(self, kind: str, name: str) -> Any:
        return self.parts[kind][name]

    def names(self, kind: str) -> list[str]:
        return sorted(self.parts[kind])

    def dataset(self, spelled: str) -> Dataset:
        name, given = parse_dataset(spelled)
        return _dataset(spell_dataset(name, given))

    def ablated(self, form: Form, name: str) -> Form:
        altered: Form = self.parts["ablations"][name].function(form)
        return altered

    def method(self, name: str) -> Method:
        found: Method = self.parts["methods"].get(name) or Method(name, Form(scorer=ScorerCall(name=name)))
        return found


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


HEAD = 'schema = 1\nname = "s"\nversion = "1"\n'

MATRIX: dict[str, str] = {
    "name": '"main"',
    "architecture": '"resnet20"',
    "dataset": '"mnist"',
    "recipe": '"short"',
    "methods": '["snip"]',
    "sparsities": "[0.5]",
    "seeds": "1",
}


def spell(head: str = HEAD, /, *, more: str = "", **keys: str | None) -> str:
    """Return a suite of one matrix: MATRIX with other keys; None leaves one out."""
    table = {**MATRIX, **keys}
    if "densities" in keys:
        del table["sparsities"]
    lines = "\n".join(f"{key} = {value}" for key, value in table.items() if value is not None)
    return f"{head}\n[[matrix]]\n{lines}\n{more}"


Load = Callable[[str], Suite]
Problems = Callable[[str], list[str]]


@pytest.fixture
def suite() -> Callable[..., str]:
    """The text of a suite of one matrix, with keys changed."""
    return spell


@pytest.fixture
def load(host: FakeHost, tmp_path: Path) -> Load:
    """Load a suite from its text."""

    def load(text: str) -> Suite:
        path = tmp_path / "s.toml"
        path.write_text(text, encoding="utf-8")
        return load_suite(path, host)

    return load


@pytest.fixture
def problems(load: Load, tmp_path: Path) -> Problems:
    """Load a bad suite and return its problems, one a line, without the folder."""

    def problems(text: str) -> list[str]:
        with pytest.raises(SuiteError) as caught:
            load(text)
        return str(caught.value).replace(f"{tmp_path}/", "").split("\n")

    return problems
