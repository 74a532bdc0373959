"""A network trained by two processes is the one trained by one, but for rounding."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import training_together
from states import same
from training_together import CASES, alone

from prunebench.errors import UsageError
from prunebench.training.devices import part_of
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

SCRIPT = Path(training_together.__file__)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Mapping[str, list[State]]]:
    """What two processes with gloo made of every case: one start of them for all."""
    folder = tmp_path_factory.mktemp("together")
    started = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(number), str(folder)], stderr=subprocess.PIPE, text=True
        )
        for number in range(2)
    ]
    told = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    return [torch.load(folder / f"states-{number}", weights_only=False) for number in range(2)]


def close(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.allclose(one[name].double(), other[name].double(), rtol=1e-4, atol=2e-6) for name in one)


@pytest.mark.parametrize("name", [name for name in CASES if not {"stopped", "diverges"} & set(name.split())])
def test_two_processes_train_the_network_that_one_trains(
    name: str, trained: list[Mapping[str, list[State]]]
) -> None:
    """Weights, momentum and losses to rounding; masks exactly, and what they prune is exactly zero."""
    together, single = trained[0][name][-1], alone(CASES[name])[-1]
    assert close(together.parameters, single.parameters)
    assert close(together.slots["momentum"], single.slots["momentum"])
    if "per device" not in name:  # whose running statistics are of the first device's examples
        assert close(together.buffers, single.buffers)
        assert [point["correct"] for point in together.curve] == [point["correct"] for point in single.curve]
    for ours, theirs in zip(together.curve, single.curve, strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-5)
    assert (together.mask is None) == (single.mask is None)
    for layer, kept in (single.mask or {}).items():
        assert torch.equal(together.mask[layer], kept)
        assert not together.parameters[layer][~kept].any()
    assert together.history == single.history


@pytest.mark.parametrize("name", CASES)
def test_both_processes_hold_the_same_weights(name: str, trained: list[Mapping[str, list[State]]]) -> None:
    """To the last bit, in every state: each has made the same steps."""
    for one, other in zip(trained[0][name], trained[1][name], strict=True):
        for parameter, value in one.parameters.items():
            assert torch.equal(value, other.parameters[parameter])


@pytest.mark.slow
def test_a_run_that_diverges_ends_on_all_devices_at_the_same_step(
    trained: list[Mapping[str, list[State]]],
) -> None:
    """Whose examples the loss was of that is not finite does not matter, nor how often it is looked at."""
    single = alone(CASES["diverges"])[-1]
    assert single.diverged is not None
    for name in ("diverges", "diverges now and then"):
        assert [states[name][-1].diverged for states in trained] == [single.diverged, single.diverged]


def test_going_on_from_a_state_gives_the_bits_of_never_having_stopped(
    trained: list[Mapping[str, list[State]]],
) -> None:
    """Three starts of the processes' networks, or one."""
    assert same(trained[0]["stopped on the way"][-1], trained[0]["not stopped"][-1])


@pytest.mark.parametrize("size", [2, 3, 8, 9, 1024])
@pytest.mark.parametrize("count", [2, 3, 8])
def test_parts_are_whole_and_differ_by_one(size: int, count: int) -> None:
    """Together they are the batch, in order."""
    parts = [range(size)[part_of(size, number, count)] for number in range(count)]
    assert [k for part in parts for k in part] == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"devices": 1}, "greater than or equal to 2"),
        ({"devices": 16}, "devices = 16 cannot share batches of 8"),
        ({"devices": 2, "micro_batch": 1}, "a micro_batch of 2 or more"),
        ({"batch_norm": "synchronized"}, "needs devices = 2 or more"),
    ],
)
def test_recipes_that_cannot_be_shared_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Recipe(epochs=1, batch=8, lr=0.1, **changes)


def test_a_last_batch_too_small_for_all_devices_is_refused() -> None:
    """What is left over, not the size of a batch, says so; dropped, it is none."""
    recipe = Recipe(epochs=1, batch=8, lr=0.1, devices=4)
    assert recipe.batch_norm == "per-device"
    for examples in (52, 56):
        recipe.check_shares(examples)
    with pytest.raises(UsageError, match="the last batch of an epoch has 3 of 51 examples"):
        recipe.check_shares(51)
    recipe.model_copy(update={"last_batch": "drop"}).check_shares(51)


def test_recipes_of_one_device_have_the_fields_that_they_had() -> None:
    """Whose keys hold them."""
    assert not {"devices", "batch_norm"} & Recipe(epochs=1, batch=8, lr=0.1).run_fields().keys()
    several = Recipe(epochs=1, batch=8, lr=0.1, devices=2).run_fields()
    assert (several["devices"], several["batch_norm"]) == (2, "per-device")
