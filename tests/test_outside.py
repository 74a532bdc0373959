"""No privileges for built-in components: copies of them that a plugin file registers do the same.

The plugin takes every built-in component and registers it under another name. A suite that names the copies
gives the bits, the measures and the memory of the suite that names the built-in ones.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from prunebench.errors import ComponentError
from prunebench.host import KINDS, Host
from prunebench.host.components import Scorer
from prunebench.host.identity import component_identity
from prunebench.testing import check_component
from prunebench.training.images.data import Normalized

COPIES = """
from dataclasses import replace
from importlib import import_module

import prunebench


def copies(kind):
    hook = getattr(import_module(f"prunebench_plugins.{kind}"), f"prunebench_{kind}")
    return [renamed(component) for component in hook()]


def renamed(component):
    changes = {"name": f"my-{component.name}"}
    if getattr(component, "preset", None):
        base, parameters = component.preset
        changes["preset"] = (f"my-{base}", parameters)
    if component.kind == "recipe":
        changes["recipe"] = component.recipe.model_copy(update={"init": f"my-{component.recipe.init}"})
    if component.kind == "method" and component.form.scorer:
        form = component.form.model_dump(mode="json", by_alias=True)
        form["scorer"]["name"] = f"my-{form['scorer']['name']}"
        if form["regrowth"] != "none":
            form["regrowth"]["scorer"]["name"] = f"my-{form['regrowth']['scorer']['name']}"
        changes["form"] = prunebench.Form.model_validate(form)
    return replace(component, **changes)

"""
HOOK = """
@prunebench.hookimpl
def prunebench_{kind}():
    return copies("{kind}")
"""

SUITE = """
schema = 1
name = "inside"
version = "1"

[[matrix]]
name = "held"
architecture = "digits-mlp"
dataset = "digits"
recipe = {name = "digits", epochs = 1}
methods = ["snip", {method = "grasp", scorer = {name = "grasp", chunk = 20}, as = "in-chunks"}, "force", "ltr",
  {method = "gradual-magnitude", as = "gradual"}]
sparsities = [0.9]
ablations = ["none", "invert", "fixed-variance"]
measures = ["layer-sparsity", "training-flops"]
seeds = 1

[[matrix]]
name = "streamed"
architecture = "small-convnet"
dataset = {name = "image-folder-stream", path = "pictures", size = 8}
recipe = {name = "digits", epochs = 1}
methods = [{method = "snip", scorer = {name = "snip", batch = {per_class = 5}}, as = "whole"},
  {method = "snip", scorer = {name = "snip", chunk = 3, batch = {per_class = 5}}, as = "in-threes"}]
sparsities = [0.5]
seeds = 1
"""


def outside(text: str) -> str:
    """Return the suite with the copies' names in place of the built-in components'."""
    names = {name for kind in KINDS for name in Host.load(third_party=False).names(kind)} - {"none"}
    return re.sub(r'"([\w-]+)"', lambda m: f'"my-{m[1]}"' if m[1] in names else m[0], text)


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(COPIES + "".join(HOOK.format(kind=kind) for kind in KINDS))
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> None:
    """Fourteen training images and four others, of two classes, in files."""
    draw = np.random.default_rng(0)
    for part, count in (("train", 7), ("val", 2)):
        for label in ("a", "b"):
            folder = tmp_path / "data" / "pictures" / part / label
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 256, (12, 10, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")


NAMING = ("diagnostic", "key", "made_from", "run", "scored", "state")
"""Parts of results that name a component, or the artifacts that they were made from."""


class Counted:
    """What is made of lazy examples at once: the largest number, of every batch that is asked for some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.peaks: dict[int, int] = {}
        self._kept: list[Normalized] = []  # so that no two have one id
        plain = Normalized.__getitem__

        def counting(examples: Normalized, part: Any) -> torch.Tensor:
            made = plain(examples, part)
            self._kept.append(examples)
            self.peaks[id(examples)] = max(self.peaks.get(id(examples), 0), len(made))
            return made

        monkeypatch.setattr(Normalized, "__getitem__", counting)

    def take(self) -> list[int]:
        """Return the peaks since the last time, rising."""
        peaks, self.peaks = sorted(self.peaks.values()), {}
        return peaks


def made(project: Any, path: Path, **options: Any) -> list[Any]:
    """Run a suite and return, cell by cell, the record's result, the mask's bits and the measures."""
    engine = project.run(path, store=path.stem, **options)
    cells = []
    for cell in engine.plan.cells:
        job = engine.plan.jobs[cell.key]
        masks = [key for key in job.inputs if engine.plan.jobs[key].kind in ("mask", "shuffle")]
        result = engine.store.read_record(cell.key).result
        result = {name: value for name, value in result.items() if name != "cell"}
        measures = [engine.store.read_measure(key).result for key in cell.targets[1:]]
        cells.append((result, [bits(engine.store, key) for key in masks], measures))
    return cells


def bits(store: Any, key: str) -> dict[str, bytes]:
    """Return a mask's tensors as bytes."""
    return {name: tensor.numpy().tobytes() for name, tensor in store.read_artifact(key).tensors.items()}


def anonymous(value: Any) -> Any:
    """Return a value without what names components and artifacts: the rest is the same for a copy."""
    if isinstance(value, dict):
        return {name: anonymous(part) for name, part in value.items() if name not in NAMING}
    return [anonymous(part) for part in value] if isinstance(value, list | tuple) else value


def test_a_copy_of_every_kind_gives_the_same_bits_in_the_same_memory(
    project: Any, plugin: Path, pictures: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks, data held and streamed, recipes, methods, ablations, scorers in chunks, diagnostics."""
    inside, copied = project.folder / "inside.toml", project.folder / "outside.toml"
    inside.write_text(SUITE)
    copied.write_text(outside(SUITE))
    counted = Counted(monkeypatch)
    ours = made(project, inside)
    our_peaks = counted.take()
    theirs = made(project, copied, plugins=[str(plugin)])
    assert anonymous(theirs) == anonymous(ours)
    assert len(ours) == 19
    assert sum(bool(masks) for _, masks, _ in ours) == 17
    assert counted.take() == our_peaks
    assert {20, 3} <= set(our_peaks)  # the chunks of the two matrices
    assert max(our_peaks) == 100  # ten of each class, for scorers without a chunk


@pytest.mark.slow
def test_every_copy_passes_what_the_built_in_passes(plugin: Path) -> None:
    """They are all there under their names, from the file, and have the identities of the built-in ones."""
    host = Host.load(plugins=[plugin], third_party=False)
    for kind in KINDS:
        own = [name for name in host.names(kind) if host.origin(kind, name).plugin == str(plugin)]
        built_in = [name for name in host.names(kind) if host.origin(kind, name).builtin]
        assert own == sorted(f"my-{name}" for name in built_in)
        for name in built_in:
            mine = host.identity(kind, f"my-{name}")
            if "version" in mine:
                assert {**mine, "name": name} == host.identity(kind, name)


def test_importing_the_built_in_plugins_leaves_nothing_behind() -> None:
    """What would keep another distribution's plugin from being loaded is nothing that they do either."""
    script = """
from prunebench.host import registry
registry.nullcontext = lambda: registry._leaving_no_trace("prunebench_plugins")
assert registry.Host.load(third_party=False).names("scorers")
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def saliency(net: Any, batch: Any, rng: Any, *, chunk: int | None = None) -> dict[str, torch.Tensor]:
    """A scorer of whole batches that a test spoils."""
    x, y = batch
    examples = torch.arange(len(y))
    gradients = torch.autograd.grad(net.loss((net.moved(x[examples]), y)), list(net.weights.values()))
    return {name: (w * g).abs() for (name, w), g in zip(net.weights.items(), gradients, strict=True)}


def first_only(net: Any, batch: Any, rng: Any, *, chunk: int | None = None) -> dict[str, torch.Tensor]:
    """A scorer that sees other examples where they are lazy."""
    x, y = batch
    return saliency(net, (x, y) if isinstance(x, torch.Tensor) else (x[torch.arange(len(y)).flip(0)], y), rng)


def test_a_lazy_scorer_is_held_to_the_same_scores() -> None:
    """The conformance kit gives it lazy examples as well, and refuses one that does something else then."""
    scorer = Scorer("lazy", saliency, needs="batch", mode="train", examples="lazy", version="1")
    check_component(scorer)
    with pytest.raises(AssertionError, match="gives other scores for lazy examples than for tensors"):
        check_component(replace(scorer, function=first_only))


@pytest.mark.parametrize(
    ("fields", "parameters", "lazy"),
    [
        ({"examples": "lazy"}, {"chunk": 8}, True),
        ({"examples": "lazy"}, {}, False),
        ({"examples": "tensors"}, {"chunk": 8}, False),
        ({"examples": "lazy", "function": lambda net, batch, rng: {}}, {}, True),
    ],
)
def test_who_takes_lazy_examples(fields: Any, parameters: Any, lazy: bool) -> None:
    """Whoever declares it: always without a parameter `chunk`, else where that is given."""
    assert replace(Scorer("mine", saliency), **fields).takes_lazy(parameters) is lazy


def test_how_examples_come_is_in_no_identity() -> None:
    """A scorer without a version keeps its keys when it learns to take them lazily."""
    scorer = Scorer("mine", saliency, needs="batch")
    assert component_identity(replace(scorer, examples="lazy")) == component_identity(scorer)


def test_built_in_components_are_watched_when_they_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of one in planning is bracketed as anyone's is."""
    host = Host.load(third_party=False)
    leak = torch.nn.functional.relu
    with pytest.raises(ComponentError), host.calling("ablations", "shuffle"):
        torch.nn.functional.relu = torch.tanh
    assert torch.nn.functional.relu is leak
