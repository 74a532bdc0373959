"""Runs code on a device that is not there, and sees where its tensors lie and what it computes.

On torch's meta device tensors have shapes and no numbers; what computes with one of them and one of the CPU,
or asks for a number, is seen here as it would be on a GPU.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["OneDevice", "computing"]

FREE = {
    *(
        "detach",
        "view",
        "_unsafe_view",
        "t",
        "transpose",
        "permute",
        "slice",
        "select",
        "unfold",
        "unsqueeze",
    ),
    *("squeeze", "expand", "as_strided", "alias", "split", "unbind", "empty", "empty_like", "empty_strided"),
    *("new_empty", "_reshape_alias", "lift_fresh", "_record_function_enter_new", "_record_function_exit"),
}
"""What computes nothing: other views of the same numbers, fresh memory."""

WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero"}
"""What waits on a GPU until everything before it is done, as the answer is a number of Python or a size."""

ACROSS = {"_to_copy", "copy_", "_foreach_copy_"}
"""What brings tensors from one device to another."""


class OneDevice(TorchDispatchMode):
    """Counts the operations within; an operation on tensors of two devices is an error.

    Numbers alone (tensors without a dimension, on the CPU) may stand beside any tensor, as they may in torch.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = torch.device(device)
        self.counted: Counter[str] = Counter()
        self.moved: list[tuple[torch.device, ...]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = function.name().split("::")[-1].split(".")[0]
        self.counted[name] += 1
        # lists of tensors are among the leaves, as those of the fused optimisers and of `_foreach_mul_`
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        places = {one.device for one in tensors if one.dim() or one.device.type != "cpu"}
        if name in ACROSS:
            to = kwargs.get("device")
            self.moved.append(tuple({*places, *([torch.device(to)] if to is not None else [])}))
        elif len(places) > 1:
            raise AssertionError(f"{name} computes with tensors on {sorted(map(str, places))}")
        if name == "_local_scalar_dense" and tensors[0].is_meta:
            return True if tensors[0].dtype == torch.bool else 1.0
        if name.startswith("_fused_") and self.device.type == "meta":  # torch has no meta kernel of them
            return None
        return function(*args, **kwargs)

    @property
    def waits(self) -> dict[str, int]:
        """The operations that wait for the device, and how often."""
        return {name: count for name, count in self.counted.items() if name in WAITS}


def computing(counted: Counter[str]) -> int:
    """Return the number of operations that compute something."""
    return sum(count for name, count in counted.items() if name not in FREE)
