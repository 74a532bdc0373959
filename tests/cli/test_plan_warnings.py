"""What `plan` warns of: hours of scoring on the CPU, and what does not fit the memory of a GPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from prunebench.engine.devices import gpus
from prunebench.inventory import slow_scoring
from prunebench.inventory.fitting import RESERVE

SUITE = """
schema = 1
name = "large"
version = "1"

[[matrix]]
name = "main"
architecture = "small-convnet"
dataset = "digits"
recipe = {name = "digits", epochs = 1}
methods = ["random", "iterative-snip", {method = "snip", as = "while-training", schedule = {gradual = {from = "init", to = "end", every = 2}}}]
sparsities = [0.5, 0.75]
seeds = 2
MORE
"""


@pytest.fixture
def planned(place: Any) -> Any:
    """Return `plan --json` of the suite with some more lines and options."""

    def plan(more: str = "", *options: str) -> Any:
        return place.json(
            "plan", place.write("large.toml", SUITE.replace("MORE", more)), "--no-plugins", *options
        )

    return plan


def test_hours_of_scoring_on_the_cpu_are_told_with_what_to_set(
    planned: Any, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred rounds each for four masks, twelve scorings while one trains; random scores take no time."""
    assert planned()["slow_scoring"] == []
    monkeypatch.setattr(slow_scoring, "LONG", 0.001)
    rows = {row["method"]: row for row in planned()["slow_scoring"]}
    assert set(rows) == {"iterative-snip", "while-training"}
    macs = 100 * 3 * 100 * forward_macs()
    assert rows["iterative-snip"]["longest"] == pytest.approx(macs / 20e9)
    assert rows["iterative-snip"]["seconds"] == pytest.approx(4 * macs / 20e9)
    assert (rows["iterative-snip"]["jobs"], rows["iterative-snip"]["cells"]) == (4, 4)
    assert rows["while-training"]["longest"] == pytest.approx(macs / 20e9 * 12 / 100)
    said = place.call("plan", "large.toml", "--no-plugins").stderr
    assert "Warning: scoring takes hours on one thread of the CPU:" in said
    assert 'set overrides = {scorer = {device = "cuda"}} in main to score on a GPU' in said
    assert planned("", "--threads", "4")["slow_scoring"][0]["longest"] == pytest.approx(macs / 80e9)
    assert planned('overrides = {scorer = {device = "cuda"}}')["slow_scoring"] == []


def forward_macs() -> int:
    """Multiply-accumulates of the small network on the digits, of one image."""
    from prunebench.host.registry import Host

    architecture: Any = Host.load(third_party=False).get("architectures", "small-convnet")
    module = architecture.build((1, 8, 8), 10)
    macs = 0

    def count(layer: Any, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal macs
        macs += layer.weight.numel() * output[0].numel() // layer.weight.shape[0]

    for layer in module.modules():
        if getattr(layer, "weight", None) is not None and layer.weight.dim() > 1:
            layer.register_forward_hook(count)
    module.eval()(torch.zeros(1, 1, 8, 8))
    return macs


def test_what_does_not_fit_a_gpu_is_told_with_what_to_set(planned: Any, place: Any) -> None:
    """A gigabyte more than is kept free is enough; a few megabytes are not: a smaller part of a batch is."""
    found = planned("", "--gpu-memory", f"{RESERVE / (1 << 20) + 1000:.0f}MiB")
    assert found["gpu_memory"] == RESERVE + (1000 << 20)
    assert found["too_large"] == []
    assert planned()["gpu_memory"] is None
    more = "overrides = {recipe = {batch = 1437}}"
    large, *others = planned(more, "--gpu-memory", f"{RESERVE / (1 << 20) + 10:.0f}MiB")["too_large"]
    assert others == []
    assert (large["architecture"], large["what"], large["cells"]) == ("small-convnet", "a step of 1437", 14)
    assert large["bytes"] > 10 << 20
    assert any(setting.startswith("micro_batch = ") for setting in large["remedies"])
    said = place.call("plan", "large.toml", "--no-plugins", "--gpu-memory", "1552MiB").stderr
    assert "Warning: not everything fits a GPU of 1.5 GiB" in said
    assert "small-convnet on digits: a step of 1437 takes about" in said


def test_scoring_on_a_gpu_has_to_fit_too(planned: Any) -> None:
    """Two thousand images at once: a chunk of them would fit."""
    scorer = "{device = 'cuda', batch = {examples = 1400}}"
    more = f"[[matrix]]\nname = 'more'\narchitecture = 'small-convnet'\ndataset = 'digits'\nrecipe = 'digits'\nmethods = [{{method = 'snip', as = 'large', scorer = {scorer}}}]\nsparsities = [0.5]\nseeds = 1"
    rows = planned(more, "--gpu-memory", f"{RESERVE / (1 << 20) + 10:.0f}MiB")["too_large"]
    row = next(row for row in rows if row["what"] == "scoring by snip")
    assert row["cells"] == 1
    assert row["remedies"][0].startswith("scorer = {chunk = ")


def test_the_gpu_at_hand_is_asked(planned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --device cuda the smallest of the GPUs that torch sees."""
    sizes = [24 << 30, 12 << 30]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(sizes))
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda number: SimpleNamespace(total_memory=sizes[number])
    )
    assert planned("", "--device", "cuda")["gpu_memory"] == 12 << 30
    assert planned("", "--device", "cuda", "--workers-per-gpu", "2")["gpu_memory"] == 6 << 30


def test_run_refuses_more_devices_than_a_worker_has(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs are there, and each worker has one: a sentence with the option, and nothing is written."""
    monkeypatch.setattr(gpus, "present_gpus", lambda: [gpus.Gpu("0"), gpus.Gpu("1")])
    monkeypatch.setattr(gpus, "cuda_of_torch", lambda: "13.0")
    suite = place.write("large.toml", SUITE.replace("MORE", "overrides = {recipe = {devices = 2}}"))
    before = place.files()
    said = place.call("run", suite, "--no-plugins", "--device", "cuda", code=2).stderr
    assert "trains on 2 devices at once (devices = 2), and a worker has 1 GPU: --gpus-per-worker 2" in said
    assert place.files() == before


@pytest.mark.parametrize(
    ("size", "allowed"),
    [
        ("80", "at least 64 MiB, as"),
        ("0GiB", "at least 64 MiB"),
        ("many", "an amount such as 8GiB"),
        ("-3GB", "an amount"),
    ],
)
def test_a_size_that_is_none_is_refused(place: Any, size: str, allowed: str) -> None:
    """A number with a unit is wanted."""
    said = place.call("plan", "tiny.toml", "--gpu-memory", size, code=2).stderr
    assert f"--gpu-memory: found '{size}', allowed: {allowed}" in said


def test_densities_at_which_scores_decide_whether_a_filter_stays_are_told(planned: Any, place: Any) -> None:
    """Only where a mask may keep none; what a method removes singly never does."""
    assert planned()["may_keep_none"] == []
    more = "[[matrix]]\nname = 'more'\narchitecture = 'small-convnet'\ndataset = 'digits'\nrecipe = 'digits'\nmethods = ['magnitude', {method = 'magnitude', as = 'whole', unit = 'filter'}]\nsparsities = [0.5, 0.99]\nseeds = 2"
    (row,) = planned(more)["may_keep_none"]
    assert (row["method"], row["densities"], row["cells"]) == ("whole", ["0.01"], 2)
    said = place.call("plan", "large.toml", "--no-plugins").stderr
    assert "Warning: masks of whole filters that may keep none, as the scores decide:" in said
    assert (
        f"at density 0.01 ({row['kept'][0]:,} weights), 2 cells: the largest filters that go together" in said
    )
