"""The private copy: another object, the same network, whatever the caller's network holds."""

from __future__ import annotations

import copy
import functools
import logging
import os
import queue
import sys
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import prunebench
from prunebench.errors import UsageError
from prunebench.pruning import ScoringNetwork
from prunebench.pruning.copying import private_copy

METHODS = ("magnitude", "snip", "grasp", "synflow", "force")
QUICK = ("snip", "grasp")


def make_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def make_batch() -> tuple[Tensor, Tensor]:
    return torch.randn(9, 6, generator=torch.Generator().manual_seed(1)), torch.arange(9) % 3


def prune(net: nn.Module, method: str, **how: Any) -> prunebench.Mask:
    return prunebench.prune(net, method, density=0.5, batch=make_batch(), **how)


def by_hand(net: nn.Module, weight: Tensor) -> Tensor:
    """|w · g| by torch alone, of the network as it is."""
    x, y = make_batch()
    return (weight * torch.autograd.grad(F.cross_entropy(net(x), y), weight)[0]).detach().abs()


# -- what networks hold ----------------------------------------------------------------------------------


def result() -> Tensor:
    return torch.randn(3, requires_grad=True) * 2


HELD: dict[str, Callable[[], Any]] = {
    "a result": result,
    "results in a list": lambda: [result(), {"deep": (result(),)}],
    "lock": threading.Lock,
    "reentrant lock": threading.RLock,
    "event": threading.Event,
    "condition in a dict": lambda: {"of": threading.Condition()},
    "queue": queue.Queue,
    "logger": lambda: logging.getLogger("prunebench.test"),
    "random numbers": torch.Generator,
    "module of Python": lambda: sys,
    "function": lambda: lambda: 3,
}


@pytest.mark.parametrize("held", HELD)
def test_whatever_a_network_holds_it_is_copied(held: str) -> None:
    """Tensors kept from a forward pass, locks and the like neither stop the copy nor change a score."""
    expected = prune(make_net(), "snip")
    net = make_net()
    net[0].held = HELD[held]()
    assert prune(net, "snip") == expected


def test_a_buffer_that_is_a_result() -> None:
    """A buffer with a history is copied by its value."""
    net = make_net()
    net.register_buffer("kept", net[0].weight * 2)
    assert prune(net, "synflow") == prune(make_net(), "synflow")
    assert torch.equal(private_copy(net).get_buffer("kept"), net.get_buffer("kept"))


class Keeps(nn.Module):
    """Keeps its features, counts its calls in three ways, and has a recurrent state."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(6, 8, batch_first=True)
        self.out = nn.Linear(8, 3)
        self.calls = 0
        self.log: list[Tensor] = []
        self.counts = {"calls": 0}
        self.bump: Callable[[], None] = lambda: self.counts.update(calls=self.counts["calls"] + 1)

    def forward(self, x: Tensor) -> Tensor:
        self.features, self.state = self.cell(x[:, None])
        self.calls += 1
        self.log.append(self.features)
        self.bump()
        return self.out(F.relu(self.features[:, 0]))


@pytest.mark.parametrize("method", METHODS)
def test_what_a_network_writes_to_itself_it_writes_to_the_copy(method: str) -> None:
    """Kept features, counters, lists and dicts of the caller's network stay as they were."""
    net = Keeps()
    net(make_batch()[0])
    features, state = net.features, net.state
    prune(net, method, except_=["cell"])
    assert net.features is features
    assert net.state is state
    assert (net.calls, len(net.log), net.counts) == (1, 1, {"calls": 1})


@pytest.mark.parametrize("attribute", ["stream", "steps", "local"])
def test_what_cannot_be_copied_is_named(attribute: str) -> None:
    """The attribute, its module and its type are told, not a guess."""
    held: dict[str, Any] = {
        "stream": open(os.devnull),  # noqa: SIM115
        "steps": (i for i in range(3)),
        "local": threading.local(),
    }
    net = make_net()
    setattr(net[3], attribute, held[attribute])
    kind = type(held[attribute]).__name__
    with pytest.raises(UsageError, match=rf"attribute '{attribute}' of module '3' \({kind}\) cannot be: .*"):
        prune(net, "magnitude")


def test_a_copy_of_ones_own_making() -> None:
    """A __deepcopy__ that fails is told with its module; one that shares weights is refused."""

    class Failing(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Any:
            raise NotImplementedError("not this one")

    class Sharing(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Any:
            return self

    with pytest.raises(UsageError, match=r"module '0' \(Failing\) cannot be: NotImplementedError: not this"):
        prune(nn.Sequential(Failing(6, 6), nn.Linear(6, 3)), "magnitude")
    net = nn.Sequential(Sharing(6, 6), nn.Linear(6, 3))
    before = net[0].weight.detach().clone()
    with pytest.raises(UsageError, match=r"its '0' \(a Sharing\) is not copied"):
        prune(net, "synflow")
    assert torch.equal(net[0].weight, before)


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (nn.LazyLinear(8), "'0.weight' has no values yet"),
        (nn.LazyBatchNorm1d(), r"'0.weight' has no values yet; its layer \(LazyBatchNorm1d\)"),
        (nn.LazyBatchNorm1d(affine=False), "'0.running_mean' has no values yet"),
        (nn.LazyInstanceNorm1d(affine=True), "'0.weight' has no values yet"),
    ],
)
def test_lazy_layers_are_told_as_what_they_are(layer: nn.Module, named: str) -> None:
    """A parameter or buffer without values yet is named, with what gives it some."""
    with pytest.raises(UsageError, match=named):
        prune(nn.Sequential(layer, nn.Linear(8, 3)), "magnitude")


# -- functions that know the network ---------------------------------------------------------------------


def through_a_closure(net: nn.Module) -> Any:
    own = net.forward
    return lambda x: own(x)


def through_a_partial(net: nn.Module) -> Any:
    return functools.partial(type(net).forward, net)


def through_a_method(net: nn.Module) -> Any:
    return types.MethodType(lambda self, x: nn.Sequential.forward(self, x), net)


def through_a_default(net: nn.Module) -> Any:
    return lambda x, own=net.forward: own(x)


def through_a_global(net: nn.Module) -> Any:
    names: dict[str, Any] = {"net": net, "nn": nn}
    exec("def forward(x):\n    return nn.Sequential.forward(net, x)", names)
    return names["forward"]


def compiled(net: nn.Module) -> Any:
    return torch.compile(net.forward, backend="aot_eager")


@pytest.mark.parametrize(
    "patch",
    [
        through_a_closure,
        through_a_partial,
        through_a_method,
        through_a_default,
        through_a_global,
        compiled,
    ],
)
def test_a_patched_forward_runs_the_copy(patch: Callable[[nn.Module], Any]) -> None:
    """A forward that holds the original, by whatever way, is the copy's: same masks, nothing touched."""
    net = make_net()
    net.forward = patch(net)  # type: ignore[method-assign]
    before = copy.deepcopy(net[1].state_dict())
    for method in (*QUICK, "synflow"):
        assert prune(net, method) == prune(make_net(), method), method
    assert all(torch.equal(value, before[name]) for name, value in net[1].state_dict().items())


def test_weak_references_lead_to_the_copy() -> None:
    """A network that reaches its parts by weak references computes with the copy's."""

    class Weak(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = make_net()
            self.own = weakref.ref(self.body)

        def forward(self, x: Tensor) -> Tensor:
            return self.own()(x)  # type: ignore[misc, no-any-return]

    net = Weak()
    statistics = net.body[1].running_mean.clone()  # type: ignore[operator]
    for method in QUICK:
        assert next(iter(prune(net, method).values())).equal(prune(make_net(), method)["0.weight"])
    assert torch.equal(net.body[1].running_mean, statistics)  # type: ignore[arg-type]


# -- hooks -----------------------------------------------------------------------------------------------


def test_the_users_hooks_see_no_scoring() -> None:
    """No hook of the user's runs, on modules, on tensors or on all modules; afterwards they are there."""
    seen: list[str] = []

    def note(what: str) -> Callable[..., None]:
        return lambda *args, **kwargs: seen.append(what)

    net = make_net()
    for layer in net.modules():
        layer.register_forward_hook(note("forward"))
        layer.register_forward_hook(note("forward"), with_kwargs=True, always_call=True)
        layer.register_forward_pre_hook(note("before"))
        layer.register_full_backward_hook(note("backward"))
        layer.register_full_backward_pre_hook(note("before backward"))
        layer.register_state_dict_post_hook(note("state"))
        layer.register_load_state_dict_pre_hook(note("load"))
    net[0].weight.register_hook(note("tensor"))
    everywhere = nn.modules.module.register_module_forward_hook(note("everywhere"))
    try:
        for method in METHODS:
            assert prune(net, method) == prune(make_net(), method)
            prunebench.score(net, "snip", batch=make_batch())
        assert seen == []
        net(make_batch()[0]).sum().backward()
        assert set(seen) == {"forward", "before", "backward", "before backward", "tensor", "everywhere"}
    finally:
        everywhere.remove()


def test_hooks_that_hold_what_cannot_be_copied_do_not_matter() -> None:
    """What a hook holds is not copied at all."""

    class Trainer:
        def __init__(self) -> None:
            self.log = open(os.devnull)  # noqa: SIM115

        def hook(self, module: nn.Module, inputs: Any, output: Any) -> None:
            raise AssertionError

    net = make_net()
    net[0].register_forward_hook(Trainer().hook)
    assert prune(net, "snip") == prune(make_net(), "snip")


NORMS = {
    "weight_norm": nn.utils.weight_norm,
    "spectral_norm": nn.utils.spectral_norm,
    "parametrizations.weight_norm": parametrizations.weight_norm,
    "parametrizations.spectral_norm": parametrizations.spectral_norm,
    "parametrizations.orthogonal": parametrizations.orthogonal,
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("norm", NORMS)
def test_normed_layers(norm: str) -> None:
    """After a forward pass an excepted one is copied and computes as ever; a prunable one says what it is."""
    torch.manual_seed(0)
    net = nn.Sequential(NORMS[norm](nn.Linear(6, 6)), nn.ReLU(), nn.Linear(6, 3))
    net(make_batch()[0])
    net.eval()
    before = copy.deepcopy(net.state_dict())
    score = prunebench.Scorer("snip-eval", snip, needs="batch")
    found = prunebench.score(net, score, batch=make_batch(), except_=["0"])["2.weight"]
    torch.testing.assert_close(found, by_hand(net, net[2].weight), rtol=1e-5, atol=1e-8)
    for method in ("magnitude", *QUICK):
        assert prune(net, method, except_=["0"]).prunable == 18
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    words = norm.rpartition(".")[2].replace("weight_norm", "weight.?norm").replace("_", ".?")
    for lone in (net, nn.Sequential(net[0])):
        with pytest.raises(
            UsageError, match=rf"(?i)weight of layer '0' is no parameter, {words} comp.*remove"
        ):
            prune(lone, "snip")


def snip(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
    gradients = torch.autograd.grad(net.loss(batch), list(net.weights.values()))
    return {name: (w * g).abs() for (name, w), g in zip(net.weights.items(), gradients, strict=True)}


# -- compiled --------------------------------------------------------------------------------------------


def whole(net: nn.Sequential) -> Any:
    return torch.compile(net, backend="aot_eager")


def parts(net: nn.Sequential) -> Any:
    net[0] = torch.compile(net[0], backend="aot_eager")
    return net


def both(net: nn.Sequential) -> Any:
    return whole(parts(net))


def in_place(net: nn.Sequential) -> Any:
    net.compile(backend="aot_eager")
    return net


@pytest.mark.parametrize("how", [whole, parts, both, in_place])
def test_compiled_networks_are_what_they_were_compiled_from(how: Callable[[nn.Sequential], Any]) -> None:
    """Masks, names and scores are those of the plain network; the mask fits both."""
    net, plain = how(make_net()), make_net()
    for method in (*QUICK, "synflow"):
        assert prune(net, method) == prune(plain, method), method
    mask = prune(net, "grasp", except_=["3"])
    assert list(mask) == ["0.weight"]
    mask.apply(net)
    plain.load_state_dict(dict(zip(plain.state_dict(), net.state_dict().values(), strict=True)))
    assert torch.equal(plain[0].weight != 0, mask["0.weight"])
    assert prunebench.diagnostics.layer_sparsity(net, mask)[0]["kept"] == mask.kept
    assert prunebench.diagnostics.effective_density(net, None, (6,)) == 1


def test_a_class_whose_forward_is_compiled() -> None:
    """GraSP's second derivatives exist there too: what is compiled runs as it was written."""

    class Compiled(nn.Sequential):
        @torch.compile(backend="aot_eager")
        def forward(self, x: Tensor) -> Tensor:
            for layer in self:
                x = layer(x)
            return x

    assert prune(Compiled(*make_net()), "grasp") == prune(make_net(), "grasp")


def test_torch_script_is_refused_by_name() -> None:
    """A scripted or traced network says so."""
    for net in (torch.jit.script(make_net()), torch.jit.trace(make_net().eval(), make_batch()[0])):
        with pytest.raises(UsageError, match=r"compiled by torch\.jit"):
            prune(net, "magnitude")


# -- complex ---------------------------------------------------------------------------------------------


class Rotary(nn.Module):
    """A complex buffer, a complex parameter and a complex attribute between two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.out = nn.Linear(6, 8), nn.Linear(8, 3)
        self.register_buffer("turn", torch.polar(torch.ones(4), torch.arange(4.0) * 0.7))
        self.gain = nn.Parameter(torch.randn(4, dtype=torch.cfloat))
        self.shift = torch.polar(torch.ones(4), torch.arange(4.0) - 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.view_as_complex(self.a(x).reshape(-1, 4, 2)) * self.turn * self.gain + self.shift
        return self.out(torch.view_as_real(h).flatten(1))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_complex_numbers_keep_both_parts(precision: Any) -> None:
    """Scores around complex buffers, parameters and attributes are those of that network."""
    net = Rotary()
    score = prunebench.Scorer("s", snip, needs="batch", precision=precision)
    found = prunebench.score(net, score, batch=make_batch())
    assert {value.dtype for value in found.values()} == {getattr(torch, precision)}
    for name in ("a.weight", "out.weight"):
        expected = by_hand(net, net.get_parameter(name)).to(found[name].dtype)
        torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-7)


def test_complex_numbers_are_made_absolute() -> None:
    """SynFlow's absolute network has |z| for a complex number z."""
    net = ScoringNetwork(Rotary(), precision="float64")
    net.absolute()
    assert torch.equal(net.module.get_buffer("turn").imag, torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(net.module.get_buffer("turn").real, torch.ones(4, dtype=torch.float64))


@pytest.mark.parametrize("method", ["magnitude", "random", "snip", "synflow"])
def test_weights_that_scores_are_not_for_are_refused_by_name(method: str) -> None:
    """A complex or an integer weight is named; excepted, it is no hindrance."""
    net = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 3, dtype=torch.cfloat))
    with pytest.raises(
        UsageError, match=r"weight '1\.weight' is complex \(complex64\).*except_=\['1\.weight'\]"
    ):
        prune(net, method)
    assert list(prunebench.score(net, "magnitude", except_=["1.weight"])) == ["0.weight"]
    net[1] = nn.Linear(6, 3)
    net[1].weight = nn.Parameter(torch.ones(3, 6, dtype=torch.int8), requires_grad=False)
    with pytest.raises(UsageError, match=r"'1\.weight' is no floating-point numbers \(int8\)"):
        prune(net, method)
