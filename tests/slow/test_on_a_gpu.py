"""On a real GPU, where there is one: the CPU's masks, the same bits twice, workers that share it, memory that is
not enough, its own device and no other. What is asked of a GPU is asked of the CPU too, on smaller networks: so the
questions themselves have been tried where there is none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import training_together
from states import same
from streamed_suite import write_streamed
from torch import Tensor
from training_together import CASES, alone

import prunebench
from prunebench.engine.failures import JobFailed
from prunebench.host.registry import Host
from prunebench.process import prepare_process
from prunebench.pruning import Mask, prunable_weights
from prunebench.pruning.filters import filter_groups
from prunebench.training.images.data import Data
from prunebench.training.initialize import make_network
from prunebench.training.kernels.captured import VARIABLE
from prunebench.training.loop import train
from prunebench.training.policy import FixedMask
from prunebench.training.recipe import Recipe
from prunebench.training.state import State
from prunebench.training.step import Stepper

pytestmark = pytest.mark.slow

prepare_process()  # cuBLAS asks once, at the first product of matrices

GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0

NO_GPU = pytest.mark.skipif(GPUS == 0, reason="there is no GPU that torch sees")
TWO_GPUS = pytest.mark.skipif(GPUS < 2, reason="there are no two GPUs that torch sees")

DISAGREE = 2e-4
"""The share of a mask's weights in which GPU and CPU may differ: scores next to the threshold, by rounding."""

SCORERS = tuple(sorted(Host.load(third_party=False).names("scorers")))


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NO_GPU)])
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def network(name: str = "resnet20", shape: tuple[int, ...] = (3, 32, 32)) -> torch.nn.Module:
    host = Host.load(third_party=False)
    architecture, drawn = host.get("architectures", name), host.get("initializations", "kaiming-normal")
    built: Any = lambda: architecture.build(shape, 10)  # type: ignore[union-attr]  # noqa: E731
    return make_network(built, drawn.draw, 0, "init")  # type: ignore[union-attr]


def images(count: int, shape: tuple[int, ...] = (3, 32, 32)) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 10
    low = torch.randint(156, (10, *shape), generator=generator)[labels]
    noise = torch.randint(100, (count, *shape), generator=generator)
    return (low + noise).to(torch.uint8), labels


# -- masks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("density", [0.5, 0.05])
@pytest.mark.parametrize("method", SCORERS)
@pytest.mark.parametrize(("name", "shape"), [("lenet-300-100", (1, 28, 28)), ("resnet20", (3, 32, 32))])
def test_masks_are_the_cpus(
    name: str, shape: tuple[int, ...], method: str, density: float, device: str
) -> None:
    """Of every scorer, but for weights whose scores lie as near to the threshold as rounding reaches."""
    if device == "cpu" and name == "resnet20":
        name, shape = "resnet8", (3, 16, 16)
    x, y = images(100 if device == "cuda" else 20, shape)
    batch = (x.float() / 128 - 1, y)
    how: dict[str, Any] = {"density": density, "batch": batch, "input_shape": shape}
    here = prunebench.prune(network(name, shape), method, **how)
    there = prunebench.prune(network(name, shape).to(device), method, **how)
    assert there.kept == here.kept
    differing = sum(int((here[layer].cpu() ^ there[layer].cpu()).sum()) for layer in here)
    assert differing <= DISAGREE * here.prunable
    assert differing == 0 or device != "cpu"


@pytest.mark.parametrize(
    ("method", "allocation"),
    [
        ("batchnorm", "global"),
        ("filter-norm", "uniform"),
        ("magnitude", "uniform"),
        ("snip", "uniform"),
        ("random", "global"),
    ],
)
def test_masks_of_filters_are_the_cpus_and_the_smaller_network_has_the_outputs(
    method: str, allocation: str, device: str
) -> None:
    """Smaller on its device, in evaluation mode and, but for rounding, after training."""
    name, shape = ("resnet20", (3, 32, 32)) if device == "cuda" else ("resnet8", (3, 16, 16))
    x, y = images(100 if device == "cuda" else 20, shape)
    batch = (x.float() / 128 - 1, y)
    form = prunebench.Form(scorer=method, unit="filter", allocation=allocation)
    how: dict[str, Any] = {"density": 0.6, "batch": batch, "input_shape": shape}
    here = prunebench.prune(with_scales(network(name, shape)), form, **how)
    net = with_scales(network(name, shape)).to(device)
    there = prunebench.prune(net, form, **how)
    differing = sum(int((here[layer].cpu() ^ there[layer].cpu()).sum()) for layer in here)
    assert differing <= (0.02 if device == "cuda" else 0) * here.prunable  # a filter or two, by rounding

    small = prunebench.shrink(net, there, input_shape=shape)
    stays = prunebench.taken_along(net, there, input_shape=shape)
    assert {p.device.type for p in (*small.parameters(), *small.buffers())} == {device}
    assert sum(p.numel() for p in small.parameters()) < 0.6 * sum(p.numel() for p in net.parameters())
    with torch.no_grad():
        for parameter, kept in stays.items():
            net.get_parameter(parameter).mul_(kept.to(device))
        ours, theirs = (one.eval()(batch[0].to(device)) for one in (net, small))
    assert float((ours - theirs).abs().max()) <= 1e-5 * float(ours.abs().max())


def test_training_filters_gives_the_same_bits_and_the_smaller_network_in_double_precision(
    device: str,
) -> None:
    """What goes along stays zero; thirty steps in double precision leave nothing between the two networks."""
    name, size = shape_of_training(device)
    net = with_scales(network(name))
    groups = filter_groups(net, input_shape=(3, 32, 32), check=False)
    form = prunebench.Form(scorer="batchnorm", unit="filter")
    mask = prunebench.prune(net, form, density=0.6, input_shape=(3, 32, 32))
    recipe = Recipe(epochs=3, batch=size, lr=0.05, momentum=0.9, weight_decay=1e-4)
    data = Data.prepare(images(10 * size), images(100), [0.5] * 3, [0.25] * 3, 10)

    def run(module: torch.nn.Module, on: Mask | None) -> State:
        start = State.of(module, mask=on)
        policy = FixedMask(groups.taken_along)
        return train(module, start, recipe, data, seed=3, to_step=30, device=device, policy=policy)

    first, again = (run(with_scales(network(name)), mask) for _ in range(2))
    assert same(first, again)
    for parameter, kept in groups.taken_along(mask).items():
        assert not first.parameters[parameter].cpu()[~kept].any(), parameter
    double = in_double(net)
    small = prunebench.shrink(double, mask, input_shape=(3, 32, 32))
    run(double, mask)
    run(small, None)
    x = (data.evaluation_images.float() / 128 - 1).to(device)
    with torch.no_grad():
        ours, theirs = double.eval()(x), small.eval()(x)
    assert ours.dtype == torch.float64
    assert float((ours - theirs).abs().max()) <= 1e-9


def with_scales(net: torch.nn.Module) -> torch.nn.Module:
    """BatchNorm's factors as in a trained network: none like another."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.weight.copy_(torch.rand(layer.weight.shape, generator=generator) + 0.5)
    return net


def in_double(net: torch.nn.Module) -> torch.nn.Module:
    """A network in double precision that takes images in single precision."""

    class Double(type(net)):  # type: ignore[misc]
        def forward(self, x: Tensor) -> Any:
            return super().forward(x.double())

    net.double().__class__ = Double
    return net


# -- training --------------------------------------------------------------------------------------------


def shape_of_training(device: str) -> tuple[str, int]:
    """Return a network and the size of its batches: small ones for a CPU."""
    return ("resnet20", 64) if device == "cuda" else ("resnet8", 16)


@pytest.mark.parametrize("augment", [("flip", "shift4"), ("flip", "resized-crop")])
def test_the_same_training_gives_the_same_bits(augment: tuple[str, ...], device: str) -> None:
    """Twice from its beginning, and going on from its middle; the masked weights stay zero."""
    name, batch = shape_of_training(device)
    module = network(name)
    weights = prunable_weights(module)
    mask = Mask({n: torch.arange(w.numel()).view(w.shape) % 5 == 0 for n, w in weights.items()})
    recipe = Recipe(epochs=2, batch=batch, lr=0.1, momentum=0.9, weight_decay=1e-4, augment=augment)
    data = Data.prepare(images(10 * batch), images(200), [0.5] * 3, [0.25] * 3, 10)

    def run(state: State, to_step: int) -> State:
        return train(network(name), state, recipe, data, seed=3, to_step=to_step, device=device)

    first = State.of(module, mask=mask)
    whole, again = run(first, 20), run(first, 20)
    assert same(whole, again)
    assert same(run(run(first, 7), 20), whole)
    assert whole.diverged is None
    assert all(int((whole.parameters[layer][~mask[layer]] != 0).sum()) == 0 for layer in mask)


@pytest.mark.parametrize("optimizer", [{"momentum": 0.9, "weight_decay": 1e-4}, {"optimizer": "adamw"}])
def test_steps_that_a_cuda_graph_replays_have_the_bits_of_steps_one_by_one(
    optimizer: dict[str, Any], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a fall of the rate, with a smaller last batch, and going on from the middle; on a CPU nothing is
    captured.
    """
    name, batch = shape_of_training(device)
    module = network(name)
    weights = prunable_weights(module)
    mask = Mask({n: torch.arange(w.numel()).view(w.shape) % 5 == 0 for n, w in weights.items()})
    recipe = Recipe(epochs=4, batch=batch, lr=0.01, drops=(3,), augment=("flip", "shift4"), **optimizer)
    data = Data.prepare(images(10 * batch + 3), images(200), [0.5] * 3, [0.25] * 3, 10)
    replayed: list[int] = []
    make_step = Stepper.make_step

    def counting(run: Stepper, *, look: bool) -> bool:
        made = make_step(run, look=look)
        if run._captured is not None:
            replayed.append(run._captured.replayed)
        return made

    monkeypatch.setattr(Stepper, "make_step", counting)

    def run(state: State, to_step: int) -> State:
        return train(network(name), state, recipe, data, seed=3, to_step=to_step, device=device)

    first = State.of(module, mask=mask)
    wanted = run(first, 44)
    assert not replayed
    monkeypatch.setenv(VARIABLE, "1")
    assert same(run(first, 44), wanted)
    assert same(run(run(first, 17), 44), wanted)
    assert bool(replayed) == (device == "cuda")
    assert max(replayed, default=30) > 20


@NO_GPU
def test_tf32_is_another_precision() -> None:
    """It trains, to other bits than float32 gives; the same ones twice."""
    module = network("resnet20")
    data = Data.prepare(images(640), images(200), [0.5] * 3, [0.25] * 3, 10)
    states = [
        train(
            network("resnet20"),
            State.of(module),
            Recipe(epochs=1, batch=64, lr=0.01, precision=precision),
            data,
            seed=3,
            to_step=10,
            device="cuda",
        )
        for precision in ("float32", "tf32", "tf32")
    ]
    assert same(states[1], states[2])
    assert not same(states[0], states[1])


def test_recomputed_activations_give_the_same_bits_in_less_memory(device: str) -> None:
    """BatchNorm has counted each batch once. The memory is that of a GPU, which torch counts."""
    name, batch = ("resnet20", 512) if device == "cuda" else ("resnet8", 16)
    data = Data.prepare(images(2 * batch), images(100), [0.5] * 3, [0.25] * 3, 10)
    states, peaks = [], []
    for recompute in (None, True):
        recipe = Recipe(epochs=1, batch=batch, lr=0.1, momentum=0.9, recompute=recompute)
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        start = State.of(network(name))
        states.append(train(network(name), start, recipe, data, seed=1, to_step=2, device=device))
        peaks.append(torch.cuda.max_memory_allocated() if device == "cuda" else 2 - len(peaks))
    assert same(*states)
    assert peaks[1] < 0.8 * peaks[0]


@NO_GPU
def test_two_processes_on_gpus_train_the_network_that_one_trains(tmp_path: Path) -> None:
    """On a GPU each; where there is one, on that, by gloo. (On the CPU that is asked in tests/training.)"""
    script = Path(training_together.__file__)
    started = [
        subprocess.Popen(
            [sys.executable, str(script), str(number), str(tmp_path), "cuda"],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    told = [process.communicate(timeout=180)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    trained = [
        torch.load(tmp_path / f"states-{number}", weights_only=False, map_location="cpu")
        for number in range(2)
    ]
    for name in CASES:
        both = [states[name][-1] for states in trained]
        assert all(torch.equal(both[0].parameters[n], both[1].parameters[n]) for n in both[0].parameters), (
            name
        )
        if "stopped" in name or "diverges" in name:
            continue
        single = alone(CASES[name], "cuda")[-1]
        assert close(both[0].parameters, single.parameters), name
        assert [point["step"] for point in both[0].curve] == [point["step"] for point in single.curve]
        for layer, kept in (single.mask or {}).items():
            assert torch.equal(both[0].mask[layer].cpu(), kept.cpu()), name
    assert same(trained[0]["stopped on the way"][-1], trained[0]["not stopped"][-1])
    ends = [states[name][-1].diverged for states in trained for name in ("diverges", "diverges now and then")]
    assert ends == [alone(CASES["diverges"], "cuda")[-1].diverged] * 4
    assert ends[0] is not None


def close(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """True if weights are the same but for rounding, that of another order of sums on a GPU."""
    return all(torch.allclose(one[n].double(), other[n].double().cpu(), rtol=1e-3, atol=2e-5) for n in other)


# -- the harness -----------------------------------------------------------------------------------------

PLUGIN = """
import os

import torch

import prunebench


def greedy(net, batch, rng):
    \"\"\"Takes memory until there is none: of a GPU really, of a machine at once more than there can be.\"\"\"
    device = next(iter(net.weights.values())).device
    held, size = [], 1 << (30 if device.type == "cuda" else 50)
    while True:
        held.append(torch.empty(size, dtype=torch.uint8, device=device))


def broken(net, batch, rng):
    \"\"\"Reads where nothing is: on a GPU that ends all that the process can do there.\"\"\"
    weight = next(iter(net.weights.values())).detach().flatten()
    index = torch.tensor([weight.numel()], device=weight.device)
    return {name: w.detach().abs() * weight[index].item() for name, w in net.weights.items()}


@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("greedy", greedy, needs="batch"), prunebench.Scorer("broken", broken, needs="batch")]
"""


def with_plugin(project: Any, method: str, device: str) -> tuple[Path, str]:
    """Return a suite of random, of a scorer of the plugin that works on a device, and of SNIP; and the plugin."""
    plugin = project.folder / "memory.py"
    plugin.write_text(PLUGIN)
    bad = {"method": method, "as": "bad", "scorer": {"device": device}}
    return project.suite(["random", bad, "snip"], name=method), str(plugin)


def of_method(engine: Any, method: str) -> Any:
    return next(cell for cell in engine.plan.cells if cell.labels["method"] == method)


def test_memory_that_is_not_enough_fails_one_job_and_is_free_for_the_next(project: Any, device: str) -> None:
    """Really taken, gibibyte by gibibyte; the error says what helps, and nothing of it stays alive."""
    path, plugin = with_plugin(project, "greedy", device)
    engine = project.engine(path, device=device, plugins=(plugin,))
    engine.make(of_method(engine, "random"))
    before = torch.cuda.memory_allocated() if device == "cuda" else 0
    with pytest.raises(JobFailed, match=r"what helps: .*a device with more memory"):
        engine.make(of_method(engine, "bad"))
    if device == "cuda":
        assert torch.cuda.memory_allocated() <= before + (1 << 20)
        assert torch.cuda.memory_reserved() < 1 << 30, "torch keeps what others on the GPU could have"
    engine.make(of_method(engine, "snip"))
    assert engine.store.has_record(of_method(engine, "snip").key)


def run(project: Any, path: Path, *more: str, code: int = 0) -> Any:
    """Run a suite as a user does; return what `--json` says."""
    command = [sys.executable, "-m", "prunebench", "run", path.name, "--json", *more]
    done = subprocess.run(
        command,
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ),
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_code_that_reads_beyond_a_tensor_fails_its_job_and_the_others_are_made(
    project: Any, device: str
) -> None:
    """On a GPU by a process that takes the place of the one that can use it no more."""
    path, plugin = with_plugin(project, "broken", device)
    asked = ["--plugin", plugin, "--no-plugins", "--device", device, "--store", "store"]
    told = run(project, path, *asked, *(["-n", "1"] if device == "cuda" else []), code=1)
    assert len(told["made"]) == 3
    [(cell, error)] = told["failed"].items()
    assert "-bad-" in cell
    assert ("CUDA" in error) == (device == "cuda"), error


def test_two_workers_of_one_device_make_the_bits_of_one(project: Any, device: str) -> None:
    """On a GPU they share it: a slot for each, which says so, and `status` where they worked."""
    path = project.suite(["snip", "magnitude", "ltr"], sparsities=(0.5, 0.9))
    two = ["-n", "2", *(["--workers-per-gpu", "2"] if device == "cuda" else [])]
    for store, more in (("one", ["-n", "1"]), ("two", two)):
        told = run(project, path, "--no-plugins", "--device", device, "--store", store, *more)
        assert len(told["made"]) == 7
    one, other = project.store("one"), project.store("two")
    keys = one.record_keys()
    assert keys == other.record_keys()
    assert {key: one.read_record(key).digest for key in keys} == {
        key: other.read_record(key).digest for key in keys
    }
    times = other.times.reader().new()
    assert {time.device.split()[0] for time in times} == {device}
    assert {time.place.split()[0] for time in times} == {"gpu" if device == "cuda" else "cpu"}
    assert {time.worker for time in times} == {"worker 0", "worker 1"}


def test_images_from_files_give_the_same_bits_however_many_processes_read_them(
    project: Any, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through shared and pinned memory; a dense cell, one pruned gradually, one scored in chunks on the device."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.folder / "cache"))
    path = write_streamed(project, device)
    results = []
    for readers in ("0", "2"):
        monkeypatch.setenv("PRUNEBENCH_LOADERS", readers)
        results.append(project.results(project.run(path, store=f"store-{readers}", device=device)))
    assert results[0] == results[1]
    assert len(results[0]) == 3


# -- several GPUs ----------------------------------------------------------------------------------------


@TWO_GPUS
def test_nothing_comes_to_lie_on_another_gpu() -> None:
    """Training on the second, and a scorer that says "cuda" alone."""
    before = torch.cuda.memory_allocated(0)
    recipe = Recipe(epochs=1, batch=64, lr=0.1)
    data = Data.prepare(images(128), images(100), [0.5] * 3, [0.25] * 3, 10)
    train(network(), State.of(network()), recipe, data, seed=0, to_step=2, device="cuda:1")
    assert torch.cuda.memory_allocated(0) == before
    assert torch.cuda.current_device() == 0


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=TWO_GPUS)])
def test_a_cell_of_two_devices_is_that_of_one_but_for_rounding(project: Any, device: str) -> None:
    """By `run`, with the slot that it takes: a mask made before training is the same."""
    results = []
    for name, more in (("pair", "overrides = {recipe = {devices = 2}}"), ("single", "")):
        path = project.suite(["snip"], name=name, more=more)
        gpus = ["--gpus-per-worker", "2", "-n", "1"] if device == "cuda" and more else []
        told = run(project, path, "--no-plugins", "--device", device, "--store", name, *gpus)
        assert len(told["made"]) == 2
        engine = project.engine(path, store=name)
        results.append(engine.store.read_record(engine.plan.cells[-1].key).result)
    pair, single = results
    assert pair["mask"]["layers"] == single["mask"]["layers"]
    assert abs(pair["test"]["correct"] - single["test"]["correct"]) <= 3
    assert pair["curve"][-1]["train_loss"] == pytest.approx(single["curve"][-1]["train_loss"], rel=1e-3)


@pytest.mark.skipif(GPUS != 1, reason="there is not one GPU")
def test_more_devices_than_gpus_are_refused_with_what_to_give(project: Any) -> None:
    path = project.suite(["snip"], more="overrides = {recipe = {devices = 2}}")
    command = [sys.executable, "-m", "prunebench", "run", path.name, "--no-plugins", "--device", "cuda"]
    done = subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "devices = 2" in done.stderr
    assert "--gpus-per-worker 2" in done.stderr
