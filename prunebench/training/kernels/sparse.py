"""Linear layers that compute with the weights that are there, and with no others.

A masked weight is zero, and a product of matrices multiplies by it all the same. Here a layer's weight is a
sparse matrix W (rows of values, CSR), of which the values alone are trained:

    forward  yᵀ = W xᵀ,  gradient of the inputs  Wᵀ gᵀ,  gradient of the values  gᵀ x at the places of W

Each is one call of the sparse kernels that torch takes from MKL. Sums run in another order than in a dense
product, so the bits are others: a numerics class of its own, taken where it is asked for (`--kernels`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import nn

__all__ = ["SparseLinear", "sparse_layers"]

DENSITY = 0.2
"""Up to this density of a layer its sparse kernels are quicker. Measured on a thread of an AMD EPYC: a whole
step of LeNet-300-100 (batch of 128, both large layers at that density) takes 0.36 of the time that it takes
with dense kernels at 0.02, 0.59 at 0.1, 0.68 at 0.15, 0.82 at 0.2 and 1.09 at 0.25."""

WEIGHTS = 10_000
"""Smaller layers are left dense: a call takes longer than it saves (10×100 gains nothing at any density)."""


class SparseLinear:
    """The weight of a linear layer as its kept values, while a network trains.

    From its making until `undo` the layer computes with `values`; its own weight is what it was.

    values: nn.Parameter of the kept weights, row by row (float32)
    """

    def __init__(self, layer: nn.Linear, kept: torch.Tensor) -> None:
        self._layer = layer
        self._shape = (layer.out_features, layer.in_features)
        self._places = kept.flatten().nonzero().flatten()
        rows, columns = self._places // layer.in_features, self._places % layer.in_features
        self._rows, self._columns = _starts(rows, self._shape[0]), columns.int()
        self._order = torch.argsort(columns, stable=True)
        self._transposed_rows = _starts(columns[self._order], self._shape[1])
        self._transposed_columns = rows[self._order].int()
        self._nothing = torch.zeros(len(self._places))
        self.values = nn.Parameter(self.at_places(layer.weight))
        vars(layer)["forward"] = self.forward

    def at_places(self, dense: torch.Tensor) -> torch.Tensor:
        """Return the numbers at kept places of a tensor of the weight's shape: 1-D, a tensor of its own."""
        return dense.detach().flatten()[self._places]

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """Return numbers at kept places in the weight's shape, zeros around them."""
        dense = torch.zeros(self._shape, dtype=values.dtype)
        dense.view(-1)[self._places] = values.detach()
        return dense

    def write_back(self) -> None:
        """Let the layer's own weight hold the values."""
        with torch.no_grad():
            self._layer.weight.view(-1)[self._places] = self.values

    def undo(self) -> None:
        """Write back, and let the layer compute by itself again."""
        self.write_back()
        vars(self._layer).pop("forward", None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map …×inputs to …×outputs, as the layer does."""
        y = _Product.apply(x.reshape(-1, self._shape[1]), self.values, self)  # type: ignore[no-untyped-call]
        if self._layer.bias is not None:
            y = y + self._layer.bias
        return y.reshape(*x.shape[:-1], self._shape[0])  # type: ignore[no-any-return]

    def matrix(self, values: torch.Tensor) -> torch.Tensor:
        """Return the weight, outputs × inputs."""
        return _csr(self._rows, self._columns, values, self._shape)

    def transposed(self, values: torch.Tensor) -> torch.Tensor:
        """Return the weight's transpose, inputs × outputs."""
        shape = (self._shape[1], self._shape[0])
        return _csr(self._transposed_rows, self._transposed_columns, values[self._order], shape)

    def at(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Return the product of outputs×n and n×inputs at kept places."""
        sampled = torch.sparse.sampled_addmm(self.matrix(self._nothing), left, right, beta=0.0)
        values: torch.Tensor = sampled.values()
        return values


class _Product(torch.autograd.Function):
    """x Wᵀ. The kernels read matrices whose columns are examples; what comes out lies in memory as a dense
    layer leaves it, for dropout draws its noise in that order.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, values: torch.Tensor, weight: SparseLinear) -> torch.Tensor:
        columns = x.t().contiguous()
        ctx.save_for_backward(columns, values)
        ctx.weight = weight
        return (weight.matrix(values) @ columns).t().contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        columns, values = ctx.saved_tensors
        of_outputs = gradients[0].t().contiguous()
        weight: SparseLinear = ctx.weight
        of_inputs = None
        if ctx.needs_input_grad[0]:
            of_inputs = (weight.transposed(values) @ of_outputs).t().contiguous()
        return of_inputs, weight.at(of_outputs, columns.t()), None


def sparse_layers(
    module: nn.Module, kept: Mapping[str, torch.Tensor] | None, device: torch.device
) -> dict[str, SparseLinear]:
    """Return those layers of a network that sparse kernels are quicker for, by their weight's name.

    kept: of parameters, bool tensors: True stays; None is a dense network

    Layers are torch's own nn.Linear with float32 weights that no other layer shares, on a CPU, of at least
    `WEIGHTS` weights and at most `DENSITY`. Each computes by sparse kernels from here on, until its `undo`.
    """
    if kept is None or device.type != "cpu" or not torch.backends.mkl.is_available():  # type: ignore[no-untyped-call]
        return {}
    owners: dict[int, list[tuple[str, nn.Module]]] = {}
    for path, layer in module.named_modules():
        for parameter in layer._parameters.values():
            if parameter is not None:
                owners.setdefault(id(parameter), []).append((path, layer))
    chosen = {}
    for name, stays in kept.items():
        layer = module.get_submodule(name.rpartition(".")[0])
        if type(layer) is nn.Linear and name.rpartition(".")[2] == "weight":
            weight = layer.weight
            small = weight.numel() < WEIGHTS or int(stays.count_nonzero()) > DENSITY * weight.numel()
            own = len(owners[id(weight)]) == 1 and weight.requires_grad and "forward" not in vars(layer)
            if own and not small and weight.dtype == torch.float32:
                chosen[name] = SparseLinear(layer, stays.to(device))
    return chosen


def _starts(sorted_rows: torch.Tensor, rows: int) -> torch.Tensor:
    """Return where each row begins among entries that are sorted by row, and where the last ends (int32)."""
    counts = torch.bincount(sorted_rows, minlength=rows)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)]).int()


def _csr(
    rows: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:
    _warned()
    return torch.sparse_csr_tensor(rows, columns, values.detach(), shape)


@cache
def _warned() -> None:
    """Let torch say once, unheard, that its sparse tensors are in beta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        torch.sparse_csr_tensor([0, 0], [], [], (1, 1))
