"""LeNet-300-100 on MNIST as in Appendix K: against a plain loop that shares no code with prunebench.

The reference below reads the files, draws the numbers, makes the masks and trains by itself; it imports
nothing of ours. Weights after 200 steps (of each training, where a method trains twice) agree to 1e-5.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import ndtri
from torch.nn import functional as F

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

LAYERS = {"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)}
PRUNABLE = 266_200
STEPS = 200
DENSITY = 0.107374182400  # 0.8 to the tenth
SEED = 0

Weights = dict[str, torch.Tensor]


# -- the reference ---------------------------------------------------------------------------------------


def raw(n: int, *parts: Any) -> np.ndarray[Any, Any]:
    """n numbers of 64 bits of Philox, keyed by the SHA-256 of the stream's name."""
    name = hashlib.sha256(json.dumps([SEED, *parts], separators=(",", ":")).encode()).digest()
    return np.random.Philox(key=np.frombuffer(name[:16], dtype="<u8")).random_raw(n)


def uniform(n: int, *parts: Any) -> np.ndarray[Any, Any]:
    return ((raw(n, *parts) >> np.uint64(12)).astype(np.float64) + 0.5) / 2**52


def initial(purpose: str) -> Weights:
    """Kaiming normal with fan-in; biases uniform in ±1/√fan-in."""
    weights: Weights = {}
    for layer, (out, fan) in LAYERS.items():
        normal = ndtri(uniform(out * fan, purpose, f"{layer}.weight")).astype(np.float32)
        weights[f"{layer}.weight"] = torch.from_numpy(normal).view(out, fan) * (2 / fan) ** 0.5
        bias = (2 * uniform(out, purpose, f"{layer}.bias") - 1) / fan**0.5
        weights[f"{layer}.bias"] = torch.from_numpy(bias.astype(np.float32))
    return weights


@cache
def mnist(root: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised training images as rows, and labels."""
    folder = root / "MNIST" / "raw"

    def read(name: str, skip: int) -> np.ndarray[Any, Any]:
        packed = folder / f"{name}.gz"
        content = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()
        return np.frombuffer(content, dtype=np.uint8, offset=skip)

    pixels = read("train-images-idx3-ubyte", 16).reshape(60_000, 784)
    mean, std = pixels.mean() / 255, pixels.std() / 255
    images = torch.from_numpy(pixels.astype(np.float32)) * (1 / (255 * std)) + -mean / std
    return images, torch.from_numpy(read("train-labels-idx1-ubyte", 8).astype(np.int64))


def logits(weights: Weights, x: torch.Tensor) -> torch.Tensor:
    x = torch.relu(F.linear(x, weights["fc1.weight"], weights["fc1.bias"]))
    x = torch.relu(F.linear(x, weights["fc2.weight"], weights["fc2.bias"]))
    return F.linear(x, weights["fc3.weight"], weights["fc3.bias"])


def trained(root: Path, weights: Weights, mask: Weights | None = None) -> Weights:
    """Two hundred steps of plain SGD at 0.1 on batches of 128; the mask is applied after every step."""
    images, labels = mnist(root)
    order = np.argsort(raw(60_000, "order", 0), kind="stable")
    weights = {name: w.clone() * (mask[name] if mask and name in mask else 1) for name, w in weights.items()}
    for step in range(STEPS):
        chosen = torch.from_numpy(order[128 * step : 128 * (step + 1)])
        live = {name: w.requires_grad_() for name, w in weights.items()}
        loss = F.cross_entropy(logits(live, images[chosen]), labels[chosen])
        gradients = torch.autograd.grad(loss, list(live.values()))
        with torch.no_grad():
            weights = {
                name: w.add(g, alpha=-0.1) * (mask[name] if mask and name in mask else 1)
                for (name, w), g in zip(live.items(), gradients, strict=True)
            }
    return weights


def scoring_batch(root: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Ten examples of every class."""
    images, labels = mnist(root)
    order = np.argsort(raw(60_000, "batch"), kind="stable")
    chosen = torch.cat([torch.from_numpy(order[labels.numpy()[order] == c][:10]) for c in range(10)])
    return images[chosen], labels[chosen]


def names() -> list[str]:
    return [f"{layer}.weight" for layer in LAYERS]


def kept_highest(scores: Weights, kept: int) -> Weights:
    """The mask of the highest scores of all layers together, by a full stable sort."""
    flat = torch.cat([scores[name].flatten() for name in names()])
    best = torch.sort(flat, descending=True, stable=True).indices[:kept]
    mask = torch.zeros(len(flat))
    mask[best] = 1
    parts = mask.split([scores[name].numel() for name in names()])
    return {name: part.view(scores[name].shape) for name, part in zip(names(), parts, strict=True)}


def snip(root: Path, weights: Weights) -> Weights:
    x, y = scoring_batch(root)
    live = {name: w.clone().requires_grad_() for name, w in weights.items()}
    gradients = torch.autograd.grad(F.cross_entropy(logits(live, x), y), [live[n] for n in names()])
    return {n: (g * weights[n]).abs() for n, g in zip(names(), gradients, strict=True)}


def grasp(root: Path, weights: Weights) -> Weights:
    x, y = scoring_batch(root)
    live = {name: w.clone().requires_grad_() for name, w in weights.items()}
    inputs = [live[n] for n in names()]
    loss = F.cross_entropy(logits(live, x) / 200, y)
    gradients = torch.autograd.grad(loss, inputs, create_graph=True)
    flow = sum((g.detach() * g).sum() for g in gradients)
    products = torch.autograd.grad(flow, inputs)
    return {n: weights[n] * h for n, h in zip(names(), products, strict=True)}


def rounds(scores_of: Any, weights: Weights, kept: int, n: int) -> Weights:
    mask = {name: torch.ones_like(weights[name]) for name in names()}
    for k in range(1, n + 1):
        scores = scores_of({name: w * mask.get(name, torch.ones(())) for name, w in weights.items()})
        live = {name: torch.where(mask[name] > 0, s, -torch.inf) for name, s in scores.items()}
        mask = kept_highest(live, round((kept / PRUNABLE) ** (k / n) * PRUNABLE))
    return mask


def synflow(weights: Weights) -> Weights:
    live = {name: w.double().abs().requires_grad_() for name, w in weights.items()}
    flow = logits(live, torch.ones(1, 784, dtype=torch.float64)).sum()
    gradients = torch.autograd.grad(flow, [live[n] for n in names()])
    return {n: (g * live[n]).detach().abs() for n, g in zip(names(), gradients, strict=True)}


def magnitude(weights: Weights) -> Weights:
    return {name: weights[name].abs() for name in names()}


def shuffled(mask: Weights) -> Weights:
    found = {}
    for name, m in mask.items():
        order = torch.from_numpy(np.argsort(raw(m.numel(), "shuffle", name), kind="stable"))
        found[name] = m.flatten()[order].view(m.shape)
    return found


def reference(root: Path, method: str, end: Weights) -> tuple[Weights, Weights | None]:
    """The weights after 200 steps and the mask of a method.

    `end` are prunebench's weights at the end of the dense run, which methods after training score: a last bit
    that two trainings differ in moves a weight over the threshold. The dense run itself is compared too.
    """
    kept = round(DENSITY * PRUNABLE)
    start = initial("init")
    mask: Weights | None
    match method.split("+"):
        case ["none"]:
            mask = None
        case ["random", *_]:
            scores = {
                n: torch.from_numpy(uniform(start[n].numel(), "scores", n)).view(start[n].shape)
                for n in names()
            }
            mask = kept_highest(scores, kept)
        case ["magnitude", *_]:
            mask = kept_highest(magnitude(start), kept)
        case ["snip", *_]:
            mask = kept_highest(snip(root, start), kept)
        case ["grasp", *_]:
            mask = kept_highest(grasp(root, start), kept)
        case ["synflow", *_]:
            mask = rounds(synflow, start, kept, 100)
        case ["iterative-snip", *_]:
            mask = rounds(lambda w: snip(root, w), start, kept, 100)
        case ["magnitude-after-training" | "ltr", *_]:
            mask = kept_highest(magnitude(end), kept)
            if method.startswith("magnitude"):
                start = end
        case _:
            raise AssertionError(method)
    if method.endswith("+invert"):
        scores = {"snip": lambda: snip(root, start), "grasp": lambda: grasp(root, start)}[
            method.split("+")[0]
        ]()
        mask = kept_highest({name: -s for name, s in scores.items()}, kept)
    if method.endswith("+shuffle"):
        assert mask is not None
        mask = shuffled(mask)
    if method.endswith("+reinit"):
        start = initial("fresh")
    return trained(root, start, mask), mask


# -- prunebench against it -------------------------------------------------------------------------------

METHODS = [
    "none",
    "random",
    "magnitude",
    "snip",
    "grasp",
    "synflow",
    "iterative-snip",
    "magnitude-after-training",
    "ltr",
    *(f"{m}+{a}" for m in ("snip", "magnitude-after-training") for a in ("shuffle", "reinit")),
    "snip+invert",
    "grasp+invert",
]


@pytest.fixture(scope="module")
def ours(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The suite pai-lenet's matrix at one density and 200 steps, run whole; its engine."""
    from prunebench.engine.request import Request
    from prunebench.engine.session import Session
    from prunebench.store import Store

    folder = tmp_path_factory.mktemp("pai-lenet")
    (folder / "steps.toml").write_text(SUITE.format(epochs=STEPS / 469, density=DENSITY))
    request = Request(
        suite=str(folder / "steps.toml"),
        store=str(folder / "store"),
        data=str(data_root),
        third_party=False,
        keep_states=True,
    )
    engine = Session.prepare(request).worker(Store.open(request.store))
    for cell in engine.plan.cells:
        engine.make(cell)
    return engine


@pytest.mark.parametrize("method", METHODS)
def test_weights_after_200_steps_agree_with_an_independent_loop(
    ours: Any, data_root: Path, method: str
) -> None:
    """Every parameter lies within 1e-5 of the reference's; the mask is the reference's to the bit."""
    from prunebench.jobs.states import unpack_state

    name, _, ablation = method.partition("+")
    cell = next(
        c
        for c in ours.plan.cells
        if c.labels["method"] == name and (c.labels["ablations"] or "none") == (ablation or "none")
    )
    state = unpack_state(ours.store.read_artifact(ours.plan.jobs[cell.key].inputs[0]))
    dense = ours.plan.jobs[next(c for c in ours.plan.cells if c.labels["method"] == "none").key].inputs[0]
    end = unpack_state(ours.store.read_artifact(dense)).parameters
    weights, mask = reference(data_root, method, end)
    assert state.step == STEPS
    if mask is None:
        assert state.mask is None
    else:
        assert state.mask is not None
        assert state.mask.kept == round(DENSITY * PRUNABLE)
        for layer in names():
            assert torch.equal(state.mask[layer], mask[layer] > 0), layer
    for parameter, expected in weights.items():
        torch.testing.assert_close(state.parameters[parameter], expected, rtol=0, atol=1e-5)


SUITE = """
schema = 1
name = "steps"
version = "1"

[[matrix]]
name = "early"
architecture = "lenet-300-100"
dataset = "mnist"
recipe = {{name = "pai-lenet", epochs = {epochs}}}
methods = ["random", "magnitude", "snip", "grasp", "synflow", "iterative-snip"]
ablations = ["none", "shuffle", "reinit", "invert"]
densities = [{density}]
seeds = 1
only = [{{ablation = "none"}}, {{method = "snip"}}, {{method = "grasp", ablation = "invert"}}]

[[matrix]]
name = "late"
architecture = "lenet-300-100"
dataset = "mnist"
recipe = {{name = "pai-lenet", epochs = {epochs}}}
methods = ["magnitude-after-training", "ltr"]
ablations = ["none", "shuffle", "reinit"]
densities = [{density}]
seeds = 1
"""


WHOLE = {
    # accuracy in percent of one whole run each (40 epochs), seed 0; density 0.8 to the tenth but for `none`
    "none": 98.03,
    "random": 96.86,
    "snip": 97.70,
    "grasp": 96.78,
    "synflow": 97.61,
    "magnitude-after-training": 97.84,
    "ltr": 97.98,
}


@pytest.fixture(scope="module")
def whole_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store for whole runs; where PRUNEBENCH_STORE is set that one, so that a stopped test goes on."""
    return os.environ.get("PRUNEBENCH_STORE") or str(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("method", WHOLE)
def test_whole_runs_of_the_shipped_suite_reach_their_accuracies(
    data_root: Path, whole_store: str, method: str
) -> None:
    """A cell of `pai-lenet` run to its end lies within 0.4 points (three standard errors) of what it was."""
    from prunebench.engine.request import Request
    from prunebench.engine.session import Session
    from prunebench.store import Store

    request = Request(suite="pai-lenet", store=whole_store, data=str(data_root), third_party=False)
    engine = Session.prepare(request).worker(Store.open(request.store))
    density = "1" if method == "none" else "0.1073741824"
    cell = next(
        c
        for c in engine.plan.cells
        if (c.matrix, c.labels["method"], c.density, c.seed) == ("methods", method, density, 0)
    )
    engine.make(cell)
    result = engine.store.read_record(cell.key).result
    assert result["outcome"] == "finished"
    assert result["curve"][-1]["step"] == 40 * 469
    assert len(result["curve"]) == 40
    assert result["test"]["examples"] == 10_000
    assert abs(100 * result["test"]["correct"] / 10_000 - WHOLE[method]) < 0.4
