"""Code of others: what it changes outside itself is put back; what would change others' results is named."""

from __future__ import annotations

import builtins
import contextlib
import gc
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import prunebench.pruning.keep
from prunebench.errors import ComponentError, LeakError
from prunebench.isolation import Watch, isolated

Leak = Callable[[], object]
_KEPT: list[object] = []


class _Doubled(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        return result * 2 if function is torch.relu else result


class _Dispatched(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


def _patch(owner: Any, name: str, value: Any = None) -> Leak:
    return lambda: setattr(owner, name, (lambda *args, **kwargs: None) if value is None else value)


def _global(name: str) -> Leak:
    module: Any = nn.modules.module
    return lambda: getattr(module, f"register_module_{name}")(lambda *args: None)


def _optimizer_hook() -> None:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    register_optimizer_step_post_hook(lambda *args: None)


def _kernel() -> None:
    library = torch.library.Library("aten", "IMPL")
    _KEPT.append(library)  # else it ends with this function, and its kernels with it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library.impl("relu", lambda x: x * 0 - 7, "CPU")


def _code() -> None:
    F.relu.__code__ = (lambda input, inplace=False: input * 2).__code__


def _delete() -> None:
    del F.relu


LEAKS: dict[str, tuple[Leak, str]] = {
    "forward hook": (_global("forward_hook"), "left a global forward hook behind"),
    "forward pre-hook": (_global("forward_pre_hook"), "left a global forward pre-hook behind"),
    "backward hook": (_global("full_backward_hook"), "left a global backward hook behind"),
    "backward pre-hook": (_global("full_backward_pre_hook"), "left a global backward pre-hook behind"),
    "parameters": (_global("parameter_registration_hook"), "left a global hook on registering parameters"),
    "modules": (_global("module_registration_hook"), "left a global hook on registering modules"),
    "buffers": (_global("buffer_registration_hook"), "left a global hook on registering buffers"),
    "optimizer hook": (_optimizer_hook, "left a global hook after steps of optimizers behind"),
    "saved tensors": (
        lambda: torch.autograd.graph.saved_tensors_hooks(lambda x: x * 0, lambda x: x).__enter__(),
        "left hooks on tensors saved for backward behind",
    ),
    "loss": (_patch(F, "cross_entropy"), r"replaced torch\.nn\.functional\.cross_entropy"),
    "another of torch's": (_patch(F, "softmax", F.log_softmax), r"replaced torch\.nn\.functional\.softmax"),
    "a function deleted": (_delete, r"replaced torch\.nn\.functional\.relu"),
    "code": (_code, r"replaced the code of torch\.nn\.functional\.relu"),
    "torch": (_patch(torch, "relu", torch.tanh), r"replaced torch\.relu"),
    "seeding": (_patch(torch, "manual_seed"), r"replaced torch\.manual_seed"),
    "layer": (_patch(nn.ReLU, "forward"), r"replaced torch\.nn\.modules\.activation\.ReLU\.forward"),
    "inherited": (_patch(nn.Linear, "__call__"), r"replaced torch\.nn\.modules\.linear\.Linear\.__call__"),
    "every layer": (_patch(nn.Module, "__call__"), r"replaced torch\.nn\.modules\.module\.Module\.__call__"),
    "tensor": (_patch(torch.Tensor, "backward"), r"replaced torch\.Tensor\.backward"),
    "inherited by tensors": (_patch(torch.Tensor, "add"), r"replaced torch\.Tensor\.add"),
    "gradient": (_patch(torch.autograd, "grad"), r"replaced torch\.autograd\.grad"),
    "optimizer": (_patch(torch.optim.SGD, "step"), r"replaced torch\.optim\.sgd\.SGD\.step"),
    "a layer's module": (
        _patch(sys.modules["torch.nn.modules.conv"], "F"),
        r"replaced torch\.nn\.modules\.conv\.F",
    ),
    "a builtin": (_patch(builtins, "sum"), r"replaced builtins\.sum"),
    "hides a builtin": (_patch(F, "len"), r"replaced torch\.nn\.functional\.len"),
    "numpy": (_patch(np.random, "permutation"), r"replaced numpy\.random\.permutation"),
    "prunebench": (
        _patch(prunebench.pruning.keep, "keep_top"),
        r"replaced prunebench\.pruning\.keep\.keep_top",
    ),
    "a class of prunebench": (
        _patch(prunebench.pruning.Mask, "apply"),
        r"replaced prunebench\.pruning\.mask\.Mask\.apply",
    ),
    "a module in place of another": (
        lambda: sys.modules.update({"torch.nn.functional": nn.init}),
        r"replaced the module torch\.nn\.functional",
    ),
    "code of prunebench": (
        _patch(prunebench.pruning.keep.keep_top, "__code__", (lambda *args, **kwargs: None).__code__),
        r"replaced the code of prunebench\.pruning\.keep\.keep_top",
    ),
    "defaults": (
        _patch(F.dropout, "__defaults__", (0.9, True, False)),
        r"replaced the code of torch\.nn\.functional\.dropout",
    ),
    "a constructor's defaults": (
        _patch(nn.BatchNorm2d.__init__, "__defaults__", (1e-5, 0.9, True, True, None, None)),
        r"replaced the code of torch\.nn\.modules\.batchnorm\._BatchNorm\.__init__",
    ),
    "kernel": (_kernel, r"gave torch's operators other kernels \(aten/relu/CPU\)"),
    "default dtype": (
        lambda: torch.set_default_dtype(torch.float64),
        r"set the default dtype to torch\.float64",
    ),
    "default device": (lambda: torch.set_default_device("meta"), "set the default device to meta"),
    "function mode": (lambda: _Doubled().__enter__(), "left a mode for torch functions behind"),
    "dispatch mode": (lambda: _Dispatched().__enter__(), "left a mode for dispatching behind"),
    "interrupt": (lambda: signal.signal(signal.SIGINT, signal.SIG_IGN), "set a handler of SIGINT"),
    "two signals": (
        lambda: [signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)],
        "set a handler of SIGINT, SIGTERM",
    ),
    "alarm": (lambda: signal.alarm(60), "left a timer running"),
}


def behaviour() -> dict[str, Any]:
    """Return what a little training gives, and everything else that a leak here would show in."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(net(x), torch.tensor([0, 1])).backward()
        optimizer.step()
    return {
        "momentum": nn.BatchNorm2d(2).momentum,
        "weights": [p.tolist() for p in net.parameters()],
        "functions": [
            F.softmax(x, 1).tolist(),
            torch.relu(x).tolist(),
            F.relu(x).tolist(),
            x.add(1).tolist(),
        ],
        "dtype": str(torch.ones(1).dtype),
        "device": str(torch.ones(1).device),
        "builtins": (sum([1, 2]), F.len([1]) if hasattr(F, "len") else None),
        "numpy": sorted(np.random.permutation(4).tolist()),
        "ours": prunebench.pruning.keep.keep_top is prunebench.pruning.keep_top,
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "timer": signal.getitimer(signal.ITIMER_REAL)[0],
        "hooks": [len(value) for value in vars(nn.modules.module).values() if isinstance(value, dict)][:20],
    }


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_named_and_put_back(name: str) -> None:
    """The call has failed, the message says who and what, and nothing of it is left."""
    leak, said = LEAKS[name]
    before = behaviour()
    watch = Watch()  # so that a failing test does not spoil the others
    try:
        named = rf"^scorer 'x' \(mine\.py\) {said}.*put back"
        with pytest.raises(LeakError, match=named), isolated("scorer 'x' (mine.py)"):
            leak()
        assert behaviour() == before
    finally:
        watch.put_back()


@pytest.mark.parametrize("name", LEAKS)
def test_what_fails_as_well_is_put_back_too(name: str) -> None:
    """An error of the code's own comes through with a note of what it had changed."""
    leak, _ = LEAKS[name]
    before = behaviour()
    with pytest.raises(ZeroDivisionError) as error, isolated("scorer 'x'"):
        leak()
        raise ZeroDivisionError
    assert behaviour() == before
    assert len(error.value.__notes__) == 1


def test_everything_is_named_at_once() -> None:
    """Two changes are one error."""
    with (
        pytest.raises(LeakError, match=r"^a net left a global forward hook behind and replaced torch\.relu;"),
        isolated("a net"),
    ):
        LEAKS["forward hook"][0]()
        LEAKS["torch"][0]()


@settings(max_examples=25, deadline=None)
@given(names=st.lists(st.sampled_from(sorted(LEAKS)), min_size=2, max_size=5, unique=True))
def test_several_leaks_in_any_order_are_all_put_back(names: list[str]) -> None:
    """Whatever was done on top of what."""
    before = behaviour()
    watch = Watch()
    try:
        with pytest.raises(LeakError) as error, isolated("a net"):
            for name in names:
                with contextlib.suppress(
                    AttributeError
                ):  # an earlier one may have deleted what this one patches
                    LEAKS[name][0]()
        assert behaviour() == before
        assert str(error.value).startswith("a net ")
    finally:
        watch.put_back()


def test_a_leak_is_an_error_of_the_component() -> None:
    """Whoever handles components' errors handles this one."""
    assert issubclass(LeakError, ComponentError)


def _quiet() -> dict[str, tuple[Leak, Callable[[], Any]]]:
    backends: Any = torch.backends
    return {
        "Python's generator": (lambda: random.seed(3), random.getstate),
        "numpy's generator": (lambda: np.random.seed(3), lambda: np.random.get_state()[1].tolist()),
        "torch's generator": (lambda: torch.manual_seed(3), lambda: torch.get_rng_state().tolist()),
        "gradients": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
        "autocast": (
            lambda: torch.autocast("cpu", torch.bfloat16).__enter__(),
            lambda: torch.is_autocast_enabled("cpu"),
        ),
        "threads": (lambda: torch.set_num_threads(3), torch.get_num_threads),
        "deterministic": (
            lambda: torch.use_deterministic_algorithms(True, warn_only=True),
            torch.get_deterministic_debug_mode,
        ),
        "anomaly": (lambda: torch.autograd.set_detect_anomaly(True), torch.is_anomaly_enabled),
        "cudnn": (_patch(backends.cudnn, "benchmark", True), lambda: backends.cudnn.benchmark),
        "precision": (
            lambda: torch.set_float32_matmul_precision("medium"),
            torch.get_float32_matmul_precision,
        ),
        "denormals": (lambda: torch.set_flush_denormal(True), lambda: sum([5e-324]) > 0),
        "attention": (
            lambda: backends.cuda.enable_math_sdp(False),
            backends.cuda.math_sdp_enabled,
        ),
        "warnings": (lambda: warnings.simplefilter("error"), lambda: list(warnings.filters)),
        "root logger": (
            lambda: logging.root.addHandler(logging.NullHandler()),
            lambda: list(logging.root.handlers),
        ),
        "own logger": (
            lambda: logging.getLogger("prunebench").setLevel(logging.CRITICAL),
            lambda: logging.getLogger("prunebench").level,
        ),
        "logging": (lambda: logging.disable(logging.CRITICAL), lambda: logging.root.manager.disable),
        "output": (_patch(sys, "stdout", open(os.devnull)), lambda: sys.stdout),
        "excepthook": (_patch(sys, "excepthook"), lambda: sys.excepthook),
        "threads' excepthook": (_patch(threading, "excepthook"), lambda: threading.excepthook),
        "path": (lambda: sys.path.insert(0, "/nowhere"), lambda: list(sys.path)),
        "variable set": (
            lambda: os.environ.update(PRUNEBENCH_TEST="1"),
            lambda: os.environ.get("PRUNEBENCH_TEST"),
        ),
        "variable gone": (lambda: os.environ.pop("PATH"), lambda: os.environ.get("PATH")),
        "folder": (lambda: os.chdir("/"), os.getcwd),
        "recursion": (lambda: sys.setrecursionlimit(12_345), sys.getrecursionlimit),
        "collector": (gc.disable, gc.isenabled),
        "numpy's errors": (lambda: np.seterr(all="raise"), np.geterr),
    }


@pytest.mark.parametrize("name", _quiet())
@pytest.mark.parametrize("fails", [False, True])
def test_settings_are_put_back_without_a_word(name: str, fails: bool) -> None:
    """It is common to set these, and nothing is wrong with a call that does."""
    change, read = _quiet()[name]
    before = read()
    with (
        pytest.raises(ZeroDivisionError) if fails else contextlib.nullcontext() as error,
        isolated("a scorer"),
    ):
        change()
        assert read() != before, "the test changes nothing"
        if fails:
            raise ZeroDivisionError
    assert error is None or not hasattr(error.value, "__notes__")
    assert read() == before


def test_a_logger_of_the_hosts_keeps_its_handlers_object() -> None:
    """The list of warnings' filters and the path stay the same objects: others hold them."""
    held = warnings.filters, sys.path
    with isolated("a scorer"):
        warnings.simplefilter("ignore")
        sys.path = ["/nowhere", *sys.path]
    assert warnings.filters is held[0]
    assert sys.path == held[1]


def test_what_was_there_before_is_nobodys_leak() -> None:
    """Hooks, patches and modes of the caller's own stay, and nobody is blamed for them."""
    handle = nn.modules.module.register_module_forward_hook(lambda *args: None)
    relu = F.relu
    F.relu = F.gelu
    try:
        with torch.device("meta"), isolated("a scorer"):
            assert nn.Linear(2, 2)(torch.ones(1, 2)).is_meta
        assert F.relu is F.gelu
        assert handle.id in nn.modules.module._global_forward_hooks
    finally:
        handle.remove()
        F.relu = relu


def test_brackets_nest() -> None:
    """What the outer call has changed is the outer call's, though an inner one ran since."""
    said = r"^outer replaced torch\.nn\.functional\.relu;"
    with pytest.raises(LeakError, match=said), isolated("outer"):
        F.relu = F.gelu
        with isolated("inner"):
            torch.manual_seed(1)
    assert F.relu is not F.gelu


def test_rounds_of_one_are_looked_at_once() -> None:
    """Within its own bracket a component's settings are put back each time, a leak at the end, by name."""
    with (
        pytest.raises(LeakError, match=r"^a scorer replaced torch\.nn\.functional\.relu;"),
        isolated("a scorer"),
    ):
        for _ in range(2):
            with isolated("a scorer"):
                torch.set_num_threads(3)
                F.relu = F.gelu
            assert torch.get_num_threads() != 3
        with pytest.raises(LeakError, match=r"^another"), isolated("another"):
            F.softmax = F.gelu
        assert F.softmax is not F.gelu
    assert F.relu is not F.gelu


def test_a_round_that_fails_is_put_back_at_once() -> None:
    """So that what went wrong is looked for where nothing is changed; it is noted once."""
    relu = F.relu
    with pytest.raises(ZeroDivisionError) as error, isolated("a scorer"):
        try:
            with isolated("a scorer"):
                F.relu = F.gelu
                raise ZeroDivisionError
        finally:
            assert F.relu is relu
    assert len(error.value.__notes__) == 1


def _train() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        optimizer = kind(net.parameters(), lr=0.1)
        net(torch.randn(2, 3, 6, 6)).sum().backward()
        optimizer.step()


def test_torch_may_wrap_a_step_that_an_optimizer_inherits(monkeypatch: pytest.MonkeyPatch) -> None:
    """AdamW has Adam's, until one is made: whichever of the two a process uses first."""
    step = vars(torch.optim.Adam)["step"]
    monkeypatch.setattr(torch.optim.Adam, "step", step.__wrapped__ if hasattr(step, "hooked") else step)
    if "step" in vars(torch.optim.AdamW):
        monkeypatch.delattr(torch.optim.AdamW, "step")
    with isolated("an architecture"):
        torch.optim.AdamW(nn.Linear(2, 2).parameters())
    assert "step" in vars(torch.optim.AdamW)
    replaced = pytest.raises(ComponentError, match=r"replaced torch\.optim\.adamw\.AdamW\.zero_grad")
    with replaced, isolated("an architecture"):
        torch.optim.AdamW.zero_grad = lambda self: None


ORDINARY: dict[str, Leak] = {
    "training": _train,
    "attention": lambda: nn.TransformerEncoderLayer(16, 2, batch_first=True)(torch.randn(2, 3, 16)),
    "second derivatives": lambda: torch.autograd.functional.hvp(
        lambda w: (w**3).sum(), torch.ones(3), torch.ones(3)
    ),
    "functional": lambda: torch.vmap(torch.func.grad(lambda w: (w**3).sum()))(torch.ones(2, 3)),
    "tracing": lambda: torch.fx.symbolic_trace(nn.Linear(2, 2)),
    "parametrizing": lambda: torch.nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)),
    "meta": lambda: nn.Linear(2, 2, device="meta"),
    "a hook of one's own network": lambda: nn.Linear(2, 2).register_forward_hook(lambda *args: None),
    "a context that ends": lambda: [
        torch.no_grad().__enter__(),
        _Doubled().__enter__().__exit__(*3 * [None]),
    ],
    "a class of one's own": lambda: type("Mine", (nn.Linear,), {"forward": lambda self, x: x})(2, 2),
    "a new name": _patch(torch, "name_of_nobody"),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_work_is_no_leak(name: str) -> None:
    """What torch itself sets up at first use is not held against anybody."""
    with isolated("a scorer"):
        ORDINARY[name]()


@pytest.mark.slow
def test_compiling_is_no_leak() -> None:
    """torch's compiler wraps some of torch's own methods when it is first used."""
    with isolated("a scorer"):
        torch.compile(nn.Linear(2, 2), backend="eager")(torch.ones(1, 2))
