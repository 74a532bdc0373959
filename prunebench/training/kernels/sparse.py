"""Linear layers that compute with the weights that are there, and with no others.

A masked weight is zero, and a product of matrices multiplies by it all the same. Here a layer's weight is a
sparse matrix W (rows of values, CSR), of which the values alone are trained:

    forward  yᵀ = W xᵀ,  gradient of the inputs  Wᵀ gᵀ,  gradient of the values  gᵀ x at the places of W

Each is one call of the sparse kernels that torch takes from MKL. Sums run in another order than in a dense
product, so the bits are others: a numerics class of its own, taken where it is asked for (`--kernels`).
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from prunebench.training import kernels

__all__ = ["SparseLinear", "reads_its_weights", "sparse_layers"]


class SparseLinear:
    """The weight of a linear layer as its kept values, while a network trains.

    From `use` to `undo` the layer computes with `values`; its own weight is what it was when that began, or
    at the last `write_back`.

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

    def use(self) -> None:
        """Let the layer compute with the values."""
        vars(self._layer)["forward"] = self.forward

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
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        columns, values = ctx.saved_tensors
        of_outputs = gradients[0].t().contiguous()
        weight: SparseLinear = ctx.weight
        of_inputs = None
        if ctx.needs_input_grad[0]:
            of_inputs = (weight.transposed(values) @ of_outputs).t().contiguous()
        return of_inputs, weight.at(of_outputs, columns.t()), None


def sparse_layers(
    module: nn.Module,
    kept: Mapping[str, torch.Tensor] | None,
    device: torch.device,
    dense: Collection[str] = (),
) -> dict[str, SparseLinear]:
    """Return those layers of a network that sparse kernels are quicker for, by their weight's name.

    kept: of parameters, bool tensors: True stays; None is a dense network
    dense: names of weights that are left as they are

    Layers are torch's own nn.Linear with float32 weights that no other layer shares and no hook sees, on a
    CPU, of at least `kernels.WEIGHTS` weights and at most `kernels.DENSITY`. Each computes by sparse kernels
    from here on, until its `undo`.
    """
    if kept is None or device.type != "cpu" or not torch.backends.mkl.is_available():  # type: ignore[no-untyped-call]
        return {}
    owners = Counter(
        id(parameter)
        for layer in module.modules()
        for parameter in layer._parameters.values()
        if parameter is not None
    )
    chosen = {}
    for name, stays in kept.items():
        path, _, own = name.rpartition(".")
        layer = module.get_submodule(path)
        if type(layer) is nn.Linear and own == "weight" and name not in dense and not _seen(layer):
            weight = layer.weight
            plain = weight.dtype == torch.float32 and weight.requires_grad and weight.is_contiguous()
            if plain and owners[id(weight)] == 1 and kernels.is_quicker(int(stays.sum()), stays.numel()):
                chosen[name] = SparseLinear(layer, stays.to(device))
    for sparse in chosen.values():
        sparse.use()
    return chosen


def _seen(layer: nn.Module) -> bool:
    """True if somebody looks at what a layer computes, or has given it a forward pass of its own."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return "forward" in vars(layer) or any(getattr(layer, kind) for kind in hooks)


def reads_its_weights(module: nn.Module, layers: Mapping[str, SparseLinear]) -> list[str]:
    """Return the weights that have a gradient of their own: which the network reads beside their layers."""
    return [name for name in layers if module.get_parameter(name).grad is not None]


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
