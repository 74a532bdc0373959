"""Networks that are built alike are traced once in a process."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from networks_of_filters import NETWORKS, half, randomised
from prunebench_plugins.diagnostics import latency, shrunk

from prunebench.pruning.filters import filter_groups, find, known, shrink

SHAPE = (3, 8, 8)


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is traced from here on; nothing is known."""
    seen: list[Any] = []
    trace = find.trace
    monkeypatch.setattr(
        find, "trace", lambda net, *rest, **more: seen.append(net) or trace(net, *rest, **more)
    )
    monkeypatch.setattr(known, "_found", {})
    return seen


def test_a_measure_and_its_timing_trace_networks_that_are_built_alike_once(traces: list[Any]) -> None:
    mask = half(filter_groups(NETWORKS["UNet"](), input_shape=SHAPE, check=False))
    traces.clear()
    values = []
    for _ in range(3):
        net = known.built_as(NETWORKS["UNet"](), "a U-Net")
        values.append(shrunk(net, mask, SHAPE))
        assert set(latency(net, mask, SHAPE)) == {"masked", "shrunk"}
    assert len(traces) == 1
    assert values[0] == values[1] == values[2] == shrunk(NETWORKS["UNet"](), mask, SHAPE)
    assert len(traces) == 2  # how that one was built is not known
    assert values[0]["parameters"]["share"] < 1


def test_networks_that_are_built_otherwise_have_groups_of_their_own(traces: list[Any]) -> None:
    for name in ("UNet", "Grouped"):
        net = known.built_as(randomised(NETWORKS[name]()), name)
        mask = half(filter_groups(net, input_shape=SHAPE, check=False))
        assert known.known_groups(net, mask) is None
        small = shrink(net, mask, input_shape=SHAPE)
        again = known.known_groups(net, mask)
        assert again is not None
        assert again.kept(mask).sum() < len(again)
        x = torch.randn(2, *SHAPE)
        torch.testing.assert_close(shrink(net, mask, again)(x), small(x))


def test_no_more_than_the_latest_are_kept(traces: list[Any]) -> None:
    groups = filter_groups(NETWORKS["Grouped"](), input_shape=SHAPE, check=False)
    nets = [known.built_as(torch.nn.Identity(), number) for number in range(20)]
    for net in nets:
        known.remember(net, groups)
    assert [known.known_groups(net, groups.shapes) is groups for net in nets] == [False] * 12 + [True] * 8
