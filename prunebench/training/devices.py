"""Several devices that train one network together: each is a process with its own part of every batch.

What is drawn, is drawn by example or for the whole batch on every device alike, and losses are weighted by
examples, so that the split of a batch changes nothing but rounding; but for BatchNorm, which sees what the
recipe says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

if TYPE_CHECKING:
    from prunebench.pruning.mask import Mask
    from prunebench.training.gradual import Select
    from prunebench.training.recipe import Recipe

__all__ = ["ALONE", "Alone", "Devices", "Shared", "Together", "apart", "part_of"]


class Shared:
    """What stands for a layer's forward pass where that takes in what other devices have."""


def part_of(size: int, number: int, count: int) -> slice:
    """Return which of `size` examples the device `number` of `count` has: parts differ by one at most.

    >>> [part_of(8, k, 3) for k in range(3)]
    [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
    """
    return slice(number * size // count, (number + 1) * size // count)


class Devices(Protocol):
    """The devices that train a network, as the process of one of them sees them."""

    count: int
    first: bool
    """True of the one that evaluates, and whose states are kept."""

    def part(self, size: int) -> slice:
        """Return which examples of a batch are worked on here."""

    def passes(self, size: int, micro: int | None) -> list[slice]:
        """Return the examples of each forward pass, of those that are worked on here."""

    def joined(self, module: nn.Module, recipe: Recipe) -> nn.Module:
        """Return what computes the network's outputs, and whose gradients are those of all devices."""

    def passing(self, network: nn.Module, number: int, passes: int) -> AbstractContextManager[Any]:
        """Return what surrounds a forward and backward pass; gradients are exchanged in the last one."""

    def total(self, loss: torch.Tensor) -> torch.Tensor:
        """Return the sum of all devices' losses, each weighted by its share of the batch."""

    def agreed(self, answer: bool) -> bool:
        """Return the answer of the first device."""

    def chosen(self, select: Select) -> Select:
        """Return what chooses a mask on the first device, for all."""


class Alone:
    """One device, with everything."""

    count, first = 1, True

    def part(self, size: int) -> slice:
        """Return all of a batch."""
        return slice(0, size)

    def passes(self, size: int, micro: int | None) -> list[slice]:
        """Return a batch in micro-batches, the last one smaller."""
        micro = min(micro or size, size)
        return [slice(start, start + micro) for start in range(0, size, micro)]

    def joined(self, module: nn.Module, recipe: Recipe) -> nn.Module:
        """Return the network."""
        return module

    def passing(self, network: nn.Module, number: int, passes: int) -> AbstractContextManager[Any]:
        """Return what does nothing."""
        return nullcontext()

    def total(self, loss: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        return loss

    def agreed(self, answer: bool) -> bool:
        """Return the answer."""
        return answer

    def chosen(self, select: Select) -> Select:
        """Return what chooses."""
        return select


ALONE = Alone()


class Together:
    """One of several devices, each a process of torch's default process group.

    The group has a backend for the CPU (gloo), by which flags and masks are told, beside that of the device.
    """

    def __init__(self, number: int, count: int) -> None:
        self.number, self.count, self.first = number, count, number == 0
        self._size = 0
        self._passes: list[list[slice]] = []
        self._pass = 0

    def part(self, size: int) -> slice:
        """Return which examples of a batch are worked on here."""
        return part_of(size, self.number, self.count)

    def passes(self, size: int, micro: int | None) -> list[slice]:
        """Return the examples of each forward pass here; every device has as many passes.

        micro: examples of a pass at most, on each device
        """
        sizes = [len(range(size)[part_of(size, k, self.count)]) for k in range(self.count)]
        number = -(-max(sizes) // micro) if micro else 1
        self._passes = [[part_of(own, k, number) for k in range(number)] for own in sizes]
        return self._passes[self.number]

    def joined(self, module: nn.Module, recipe: Recipe) -> nn.Module:
        """Return the network as DistributedDataParallel.

        Its buckets stay as they are at the start (`find_unused_parameters` has that effect too), so that a
        sum is rounded alike in every step, whether a run was stopped before or not.
        """
        from torch.nn.parallel import DistributedDataParallel

        _draw_whole(module, self)
        if recipe.batch_norm == "synchronized":
            from prunebench.training.batch_norm import synchronize

            synchronize(module)
        network = DistributedDataParallel(module, find_unused_parameters=True)
        network.broadcast_buffers = False  # nothing reads those of the others; torch renames the argument
        network.register_comm_hook(None, lambda _state, bucket: _summed(bucket))
        return network

    @contextmanager
    def passing(self, network: nn.Module, number: int, passes: int) -> Iterator[None]:
        """Exchange gradients in the last pass alone."""
        self._pass = number
        with nullcontext() if number == passes - 1 else network.no_sync():  # type: ignore[operator]
            yield

    def drawn_for(self) -> tuple[int, slice]:
        """Return how many examples all devices have in this pass, and which of them are those here."""
        sizes = [len(range(part[self._pass].start, part[self._pass].stop)) for part in self._passes]
        start = sum(sizes[: self.number])
        return sum(sizes), slice(start, start + sizes[self.number])

    def total(self, loss: torch.Tensor) -> torch.Tensor:
        """Return the sum of all devices' losses."""
        from torch import distributed

        summed = loss.detach().double().clone()
        distributed.all_reduce(summed)
        return summed

    def agreed(self, answer: bool) -> bool:
        """Return the answer of the first device."""
        return bool(self.given(answer))

    def given(self, value: Any) -> Any:
        """Return what the first device gives, a plain or a picklable value."""
        from torch import distributed

        values = [value if self.first else None]
        distributed.broadcast_object_list(values, src=0, device=torch.device("cpu"))
        return values[0]

    def chosen(self, select: Select) -> Select:
        """Return what chooses a mask on the first device, for all."""
        from prunebench.pruning.mask import Mask
        from prunebench.training.policy import DivergedError

        def choose(step: int, mask: Mask, kept: int) -> Mask:
            diverged, layers = None, None
            if self.first:
                try:
                    layers = dict(select(step, mask, kept))
                except DivergedError as error:
                    diverged = error
            layers = self.given(layers)
            if layers is None:
                raise DivergedError from diverged
            return Mask(layers)

        return choose


def _summed(bucket: Any) -> torch.futures.Future[torch.Tensor]:
    """Add up gradients: losses are shares of the batch's already, so nothing is left to average."""
    from torch import distributed

    work = distributed.all_reduce(bucket.buffer(), async_op=True)
    assert work is not None
    future: Any = work.get_future()
    summed: torch.futures.Future[torch.Tensor] = future.then(lambda done: done.value()[0])
    return summed


_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def _draw_whole(module: nn.Module, devices: Together) -> None:
    """Let dropout draw for the whole batch on every device, and use what is drawn for the examples here."""
    for layer in module.modules():
        if isinstance(layer, _DROPOUTS):
            vars(layer)["forward"] = _Dropout(layer.forward, devices)


def apart(module: nn.Module) -> nn.Module:
    """Let a copy of a network that trains on several devices compute by itself again; return it."""
    for layer in module.modules():
        if isinstance(vars(layer).get("forward"), Shared):
            del vars(layer)["forward"]
    return module


class _Dropout(Shared):
    """A dropout layer's forward pass on a part of a batch: as if the whole had gone through it."""

    def __init__(self, forward: Callable[[torch.Tensor], torch.Tensor], devices: Together) -> None:
        self._forward, self._devices = forward, devices

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        layer: Any = getattr(self._forward, "__self__", None)
        examples, here = self._devices.drawn_for()
        own = here.stop - here.start
        if not layer.training or not own or len(x) % own:
            return self._forward(x)
        rows = len(x) // own  # a network may have made several rows of an example
        last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last and not x.is_contiguous() else torch.contiguous_format
        ones = torch.ones((examples * rows, *x.shape[1:]), dtype=x.dtype, device=x.device)
        noise = self._forward(ones.contiguous(memory_format=layout))
        return x * noise[here.start * rows : here.stop * rows]
