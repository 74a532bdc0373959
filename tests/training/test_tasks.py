"""The loss and the evaluation are the task's: one that only this test knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State
from prunebench.training.streams import stream
from prunebench.training.tasks import TASKS, Task

RECIPE = Recipe(epochs=3, batch=8, lr=0.05)  # 7 steps an epoch


def distance(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.mse_loss(outputs[:, 0], labels.float())


def far_off(module: nn.Module, data: Data, channels_last: bool) -> dict[str, Any]:
    with torch.no_grad():
        return {"loss": float(distance(module(data.evaluation_images / 255), data.evaluation_labels))}


@pytest.fixture
def regression(make_data: Callable[..., Data], monkeypatch: pytest.MonkeyPatch) -> Data:
    """Data whose label is a number to be met by the first output."""
    monkeypatch.setitem(TASKS, "regression", Task(lambda recipe: distance, far_off))
    return dataclasses.replace(make_data(), task="regression")


def test_a_task_is_one_entry(regression: Data, make_mlp: Callable[..., nn.Module]) -> None:
    """Training goes down its loss; the curve's points are its evaluation's."""
    net, plain = make_mlp(), make_mlp()
    state = train(net, State.of(net), RECIPE, regression, seed=3, to_step=10)
    images = (regression.images / 255 - 0.4) / 0.25
    for step in range(10):
        epoch, position = divmod(step, 7)
        chosen = stream(3, "order", epoch).permutation(50)[position * 8 : position * 8 + 8]
        plain.zero_grad()
        distance(plain(images[chosen]), regression.labels[chosen]).backward()
        with torch.no_grad():
            for weight in plain.parameters():
                weight -= 0.05 * weight.grad
    for name, weight in plain.named_parameters():
        assert torch.allclose(state.parameters[name], weight, atol=1e-5), name
    assert [set(point) for point in state.curve] == [{"step", "train_loss", "loss"}]


def test_an_evaluation_whose_loss_is_not_finite_ends_the_run(
    regression: Data, make_mlp: Callable[..., nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step made is the one named."""
    never = Task(lambda recipe: distance, lambda module, data, last: {"loss": float("nan")})
    monkeypatch.setitem(TASKS, "regression", never)
    net = make_mlp()
    assert train(net, State.of(net), RECIPE, regression, seed=3, to_step=10).diverged == 7
