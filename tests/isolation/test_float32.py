"""torch's switches for TF32, the older and the newer ones, in whatever state the caller has left them."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import nn

import prunebench
from prunebench.isolation import isolated
from prunebench.training.numerics import deterministic

BACKENDS = torch.backends

SWITCHES = {
    "all": BACKENDS,
    "cuda": BACKENDS.cudnn,
    "cuda matmul": BACKENDS.cuda.matmul,
    "cuda conv": BACKENDS.cudnn.conv,
    "cuda rnn": BACKENDS.cudnn.rnn,
    "mkldnn": BACKENDS.mkldnn,
    "mkldnn matmul": BACKENDS.mkldnn.matmul,
    "mkldnn conv": BACKENDS.mkldnn.conv,
    "mkldnn rnn": BACKENDS.mkldnn.rnn,
}
"""Every switch of the newer set, outer ones first."""

OPERATIONS = [name for name in SWITCHES if " " in name]

EVERY = [
    (name, value)
    for name in SWITCHES
    for value in ("none", "ieee", "tf32", "bf16")
    if not (value == "bf16" and name.startswith("cuda"))
]


def put(name: str, value: str) -> None:
    SWITCHES[name].fp32_precision = value


def seen() -> dict[str, str]:
    return {name: switch.fp32_precision for name, switch in SWITCHES.items()}


def as_torch_begins() -> None:
    """cuDNN's operations by TF32, everything else by nothing."""
    torch.set_float32_matmul_precision("highest")
    BACKENDS.cudnn.allow_tf32 = True
    for name in SWITCHES:
        put(name, "tf32" if name in ("cuda conv", "cuda rnn") else "none")


@pytest.fixture(autouse=True)
def begun() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        as_torch_begins()
        yield
        as_torch_begins()


def older() -> tuple[object, ...]:
    """What the older set says, each None where torch refuses to tell."""

    def told(get: object) -> object:
        try:
            return get()  # type: ignore[operator]
        except RuntimeError:
            return None

    return (
        told(torch.get_float32_matmul_precision),
        told(lambda: BACKENDS.cudnn.allow_tf32),
        told(lambda: BACKENDS.cuda.matmul.allow_tf32),
    )


def inherited() -> list[dict[str, str]]:
    """What the switches come to where outer ones are changed: whether each follows; leaves them changed."""
    rows = [seen()]
    for outer in ("all", "cuda", "mkldnn"):
        put(outer, "ieee")
        rows.append(seen())
        put(outer, "none")
        rows.append(seen())
    return rows


def check_plain_within_and_back() -> None:
    before = (seen(), older())
    with deterministic("cpu"):
        assert {seen()[name] for name in OPERATIONS} == {"ieee"}
        assert older() == ("highest", False, False)  # no caller of either set is refused
        with BACKENDS.cudnn.flags(enabled=False):
            pass
    assert (seen(), older()) == before


@pytest.mark.parametrize(("name", "value"), EVERY)
def test_each_switch_set_by_the_caller_is_off_within_and_back_after(name: str, value: str):
    """Also where the older set contradicts it, so that torch refuses to read that."""
    put(name, value)
    check_plain_within_and_back()


@pytest.mark.parametrize("matmul", ["highest", "high", "medium"])
@pytest.mark.parametrize("convolutions", [True, False])
def test_both_sets_mixed_are_off_within_and_back_after(matmul: str, convolutions: bool):
    """Whatever the older set said before the newer one was used."""
    for name, value in EVERY:
        as_torch_begins()
        torch.set_float32_matmul_precision(matmul)
        BACKENDS.cudnn.allow_tf32 = convolutions
        put(name, value)
        check_plain_within_and_back()


@pytest.mark.parametrize("outer", ["all", "cuda"])
def test_what_follows_an_outer_switch_follows_it_after(outer: str):
    """Two switches set by the caller: each is back as it was itself, not as what it came to."""
    inner = [pair for pair in EVERY if pair[0] in ("cuda", "cuda matmul", "mkldnn matmul", "mkldnn conv")]
    for value, (name, own) in itertools.product(("none", "ieee", "tf32"), inner):

        def set_both(outer_value: str = value, name: str = name, own: str = own) -> None:
            as_torch_begins()
            put(outer, outer_value)
            put(name, own)

        set_both()
        expected = inherited()
        set_both()
        with deterministic("cpu"):
            pass
        assert inherited() == expected, (outer, value, name, own)


@pytest.mark.parametrize(("name", "value"), EVERY)
def test_what_a_component_sets_is_put_back(name: str, value: str):
    """Of the caller's own switches none is changed, and what follows an outer one goes on doing so."""
    expected = (older(), inherited())
    as_torch_begins()
    with isolated("somebody"):
        put(name, value)
    assert (older(), inherited()) == expected


@pytest.mark.parametrize(("name", "value"), EVERY)
@pytest.mark.filterwarnings("error")
def test_prune_works_whatever_the_caller_has_set(name: str, value: str):
    """Nor does torch's warning of the older set reach a caller who makes warnings errors."""
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))  # no unit of it is ever dead
    torch.set_float32_matmul_precision("high")
    put(name, value)
    before = (seen(), older())
    mask = prunebench.prune(net, "snip", density=0.5, batch=(torch.ones(4, 3), torch.tensor([0, 1, 0, 1])))
    assert mask.kept == 10
    assert (seen(), older()) == before


@pytest.mark.parametrize(("name", "value"), EVERY)
def test_tf32_is_on_within_for_gpus_alone_and_back_after(name: str, value: str):
    """Both sets of switches say it; those of CPUs say plain float32."""
    put(name, value)
    before = (seen(), older())
    with deterministic("cpu", "tf32"):
        assert BACKENDS.cuda.matmul.fp32_precision == "tf32"
        assert BACKENDS.cudnn.conv.fp32_precision == "tf32"
        assert BACKENDS.cudnn.rnn.fp32_precision == "tf32"
        assert BACKENDS.mkldnn.matmul.fp32_precision == "ieee"
        assert BACKENDS.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "high"
        with deterministic("cpu"):
            assert BACKENDS.cuda.matmul.fp32_precision == "ieee"
    assert (seen(), older()) == before
