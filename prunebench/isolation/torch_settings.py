"""Settings of torch, as (read, write, what changing them was). Nothing is read before torch is imported."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

from prunebench.isolation import float32

__all__ = ["QUIET", "TELLING"]


def _torch() -> Any:
    """Return torch. Raises: AttributeError where it is not imported yet: there is nothing to compare."""
    if "torch" not in sys.modules:
        raise AttributeError("torch")
    return sys.modules["torch"]


# -- what changes the results of others ----------------------------------------------------------------------

_HOOKS = {
    "_global_forward_pre_hooks": "a global forward pre-hook",
    "_global_forward_hooks": "a global forward hook",
    "_global_backward_pre_hooks": "a global backward pre-hook",
    "_global_backward_hooks": "a global backward hook",
    "_global_module_registration_hooks": "a global hook on registering modules",
    "_global_parameter_registration_hooks": "a global hook on registering parameters",
    "_global_buffer_registration_hooks": "a global hook on registering buffers",
    "_global_optimizer_pre_hooks": "a global hook before steps of optimizers",
    "_global_optimizer_post_hooks": "a global hook after steps of optimizers",
}
_FLAGS_OF_HOOKS = ("_global_forward_hooks_with_kwargs", "_global_forward_hooks_always_called")


def _owner_of(name: str) -> Any:
    home = "torch.optim.optimizer" if "optimizer" in name else "torch.nn.modules.module"
    return vars(sys.modules[home]) if home in sys.modules else {}


def _hooks() -> dict[str, dict[Any, Any]]:
    _torch()
    names = (*_HOOKS, *_FLAGS_OF_HOOKS)
    return {name: dict(owner[name]) for name in names if name in (owner := _owner_of(name))}


def _put_hooks(hooks: dict[str, dict[Any, Any]]) -> None:
    for name, items in hooks.items():
        live = _owner_of(name)[name]
        live.clear()
        live.update(items)


def _said_hooks(was: dict[str, dict[Any, Any]], now: dict[str, dict[Any, Any]]) -> str:
    left = [text for name, text in _HOOKS.items() if now.get(name, {}).keys() - was.get(name, {}).keys()]
    return f"left {' and '.join(left)} behind" if left else "removed global hooks of others"


def _saved_tensor_hooks() -> Any:
    return _torch()._C._autograd._top_saved_tensors_default_hooks(False)


def _put_saved_tensor_hooks(was: Any) -> None:
    for _ in range(100):
        if _saved_tensor_hooks() == was:
            return
        _torch()._C._autograd._pop_saved_tensors_default_hooks()


def _default_device() -> Any:
    context = _torch()._GLOBAL_DEVICE_CONTEXT
    return getattr(getattr(context, "device_context", None), "device", None)


def _function_modes() -> list[Any]:
    core = _torch()._C
    return [core._get_function_stack_at(place) for place in range(core._len_torch_function_stack())]


def _put_function_modes(modes: list[Any]) -> None:
    core = _torch()._C
    while core._len_torch_function_stack():
        core._pop_torch_function_stack()
    for mode in modes:
        core._push_on_torch_function_stack(mode)


def _dispatch_modes() -> list[Any]:
    core = _torch()._C
    return [core._get_dispatch_stack_at(place) for place in range(core._len_torch_dispatch_stack())]


def _put_dispatch_modes(modes: list[Any]) -> None:
    core = _torch()._C
    while core._len_torch_dispatch_stack():
        core._pop_torch_dispatch_stack(None)
    for mode in modes:
        core._push_on_torch_dispatch_stack(mode)


def _kernels() -> frozenset[str]:
    """Return the operators of torch's own that Python has given another kernel: "aten/relu/CPU"."""
    _torch()
    impls = getattr(sys.modules.get("torch.library"), "_impls", ())
    if _seen_kernels[0] != len(impls):
        _seen_kernels[:] = len(impls), frozenset(n for n in impls if n.startswith("aten/") and _runs(n))
    kernels: frozenset[str] = _seen_kernels[1]
    return kernels


_seen_kernels: list[Any] = [0, frozenset()]


def _runs(kernel: str) -> bool:
    """True if a kernel is one that runs on a device; torch gives operators others itself, part by part."""
    return kernel.rpartition("/")[2] in ("CPU", "CUDA", "Autograd", "AutogradCPU", "AutogradCUDA")


def _put_kernels(was: frozenset[str]) -> None:
    new = _kernels() - was
    kind = _torch().library.Library
    for library in gc.get_objects():
        if type(library) is kind and getattr(library, "_op_impls", set()) & new:
            library._destroy()


TELLING: list[tuple[Callable[..., Any], ...]] = [
    (_hooks, _put_hooks, _said_hooks),
    (
        _saved_tensor_hooks,
        _put_saved_tensor_hooks,
        lambda was, now: "left hooks on tensors saved for backward behind",
    ),
    (
        _default_device,
        lambda device: _torch().set_default_device(device),
        lambda was, now: f"set the default device to {now}",
    ),
    (
        lambda: _torch().get_default_dtype(),
        lambda dtype: _torch().set_default_dtype(dtype),
        lambda was, now: f"set the default dtype to {now}",
    ),
    (_function_modes, _put_function_modes, lambda was, now: "left a mode for torch functions behind"),
    (_dispatch_modes, _put_dispatch_modes, lambda was, now: "left a mode for dispatching behind"),
    (
        _kernels,
        _put_kernels,
        lambda was, now: f"gave torch's operators other kernels ({', '.join(sorted(now - was))})",
    ),
]


# -- what is put back without a word -------------------------------------------------------------------------


def _path(*names: str) -> tuple[Callable[..., Any], ...]:
    """Return the setting that is an attribute of something in torch: ("backends", "cudnn", "benchmark")."""
    *owners, name = names

    def owner() -> Any:
        part_of = _torch()
        for part in owners:
            part_of = getattr(part_of, part)
        return part_of

    return lambda: getattr(owner(), name), lambda value: setattr(owner(), name, value)


def _call(get: str, put: str) -> tuple[Callable[..., Any], ...]:
    """Return the setting that two functions of torch read and write, by their dotted names."""

    def function(dotted: str) -> Any:
        member = _torch()
        for part in dotted.split("."):
            member = getattr(member, part)
        return member

    return lambda: function(get)(), lambda value: function(put)(value)


def _cpu_state() -> bytes:
    return bytes(_torch().get_rng_state().numpy().tobytes())


def _put_cpu_state(state: bytes) -> None:
    torch = _torch()
    torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


def _gpu_states() -> Any:
    cuda = _torch().cuda
    return [bytes(s.numpy().tobytes()) for s in cuda.get_rng_state_all()] if cuda.is_initialized() else None


def _put_gpu_states(states: Any) -> None:
    torch = _torch()
    if states is not None:
        torch.cuda.set_rng_state_all(
            [torch.frombuffer(bytearray(state), dtype=torch.uint8) for state in states]
        )


def _deterministic() -> tuple[bool, bool]:
    torch = _torch()
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _put_deterministic(flags: tuple[bool, bool]) -> None:
    _torch().use_deterministic_algorithms(flags[0], warn_only=flags[1])


def _autocast() -> tuple[Any, ...]:
    torch = _torch()
    kinds = ("cpu", "cuda")
    states = [(kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in kinds]
    return (torch.is_autocast_cache_enabled(), *states)


def _put_autocast(states: tuple[Any, ...]) -> None:
    torch = _torch()
    cache, *kinds = states
    torch.set_autocast_cache_enabled(cache)
    for kind, on, dtype in kinds:
        torch.set_autocast_enabled(kind, on)
        torch.set_autocast_dtype(kind, dtype)


def _denormals() -> bool:
    _torch()
    return sum([5e-324, 5e-324]) > 0  # false where the processor flushes them to zero


QUIET: list[tuple[Callable[..., Any], ...]] = [
    (_cpu_state, _put_cpu_state),
    (_gpu_states, _put_gpu_states),
    _call("is_grad_enabled", "set_grad_enabled"),
    (_autocast, _put_autocast),
    (_deterministic, _put_deterministic),
    _path("utils", "deterministic", "fill_uninitialized_memory"),
    _call("get_num_threads", "set_num_threads"),
    _call("is_anomaly_enabled", "autograd.set_detect_anomaly"),
    _call("_C._is_multithreading_enabled", "_C._set_multithreading_enabled"),
    *(_path("backends", "cudnn", name) for name in ("enabled", "benchmark", "deterministic")),
    (float32.read, float32.write),
    *(
        _call(f"backends.cuda.{kind}_sdp_enabled", f"backends.cuda.enable_{kind}_sdp")
        for kind in ("flash", "mem_efficient", "math", "cudnn")
    ),
    _call("backends.mha.get_fastpath_enabled", "backends.mha.set_fastpath_enabled"),
    (_denormals, lambda on: _torch().set_flush_denormal(not on)),
]
