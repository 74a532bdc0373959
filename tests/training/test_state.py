"""States: what they hold, and back into a network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from prunebench.errors import UsageError
from prunebench.training.state import State


def test_a_state_goes_into_a_network_and_back(make_convnet: Callable[..., nn.Module]):
    """Parameters and buffers, BatchNorm's counter among them, as they were."""
    source, target = make_convnet(0), make_convnet(1)
    source(torch.randn(5, 2, 6, 6))
    state = State.of(source, step=7)
    assert state.step == 7
    state.load_into(target)
    assert int(target[1].num_batches_tracked) == 1
    for name, tensor in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], tensor)


def test_a_state_owns_its_tensors_in_the_plain_layout(make_convnet: Callable[..., nn.Module]):
    """Training on does not change it, and a file can hold it."""
    net = make_convnet().to(memory_format=torch.channels_last)
    state = State.of(net)
    before = {name: tensor.clone() for name, tensor in state.parameters.items()}
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1)
    assert all(torch.equal(state.parameters[name], tensor) for name, tensor in before.items())
    assert all(tensor.is_contiguous() for tensor in state.parameters.values())


def test_tied_parameters_are_held_once():
    """Under the first name; loading keeps the tie."""
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    state = State.of(net)
    assert list(state.parameters) == ["0.weight", "0.bias", "1.bias"]
    state.load_into(net)
    assert net[1].weight is net[0].weight


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), r"no parameter '1.weight', which the network has"),
        (nn.Sequential(nn.Linear(2, 2, bias=False)), r"a parameter '0.bias', which the network has not"),
        (nn.Sequential(nn.Linear(2, 3)), r"\(2, 2\) in the state and \(3, 2\) in the network"),
    ],
)
def test_a_state_of_another_network_is_refused(network: nn.Module, message: str):
    """Naming the tensor."""
    with pytest.raises(UsageError, match=message):
        State.of(nn.Sequential(nn.Linear(2, 2))).load_into(network)
