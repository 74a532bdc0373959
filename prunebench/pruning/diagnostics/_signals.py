"""What the operations of a network do to signals: 1 where something arrives from the input, else 0.

Whatever a network computes, by modules or by functions, passes here. Values are never negative; an operation
without a rule is done as it is, which suits whatever moves values around or adds them up. Backwards, a
gradient becomes 1 where the value is used by an output, else 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["COUNTED", "Signals"]


COUNTED = 0.5
"""Layers count signals, in whole numbers: more than this is at least one, however the sums were rounded."""


class _Live(torch.autograd.Function):
    """1 where a value is above `least`, else 0; the same of what comes back, with a bound of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, least: float, least_back: float) -> Tensor:
        ctx.least_back = least_back
        return (x > least).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return (gradients[0] > ctx.least_back).to(gradients[0].dtype), None, None


def _live(x: Any, least: float = 0.0, least_back: float = 0.0) -> Tensor:
    return cast("Tensor", _Live.apply(x, least, least_back))  # type: ignore[no-untyped-call]


class Signals(TorchFunctionMode):
    """Within this context, the operations of a network pass signals on; it notes what channels carry them.

    sent, returned: for the convolution whose weight has this name, which input channels a signal came in by,
    and which output channels one came back by (after the backward pass).
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._names = {id(weight): name for name, weight in weights.items()}
        self.sent: dict[str, Tensor] = {}
        self.returned: dict[str, Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = _name(func)
        if name in _ALIKE and _has_tensor(args, kwargs):
            return _live(_first(args, kwargs))
        if name not in _RULES:
            return func(*args, **kwargs)
        rule = _RULES[name] or self._layer
        return rule(func, *args, **kwargs)

    def _layer(
        self, func: Any, input: Tensor, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Tensor:
        """A convolution or linear layer: no bias; a signal leaves where a kept weight brings one."""
        name = self._names.get(id(weight))
        x = _live(input, least_back=COUNTED)
        y = func(x, _live(weight) if name is None else weight, None, *args, **kwargs)
        if name is not None and weight.dim() > 2:
            self._note(self.sent, name, x.detach(), weight.dim())
            if y.requires_grad:
                y.register_hook(lambda gradient: self._note(self.returned, name, gradient, weight.dim()))
        return _live(y, COUNTED)

    @staticmethod
    def _note(notes: dict[str, Tensor], name: str, values: Tensor, dimensions: int) -> None:
        channels = values if values.dim() == dimensions else values[None]  # with a batch
        alive = channels.transpose(0, 1).flatten(1).gt(0).any(dim=1)
        notes[name] = notes[name] | alive if name in notes else alive


def _name(func: Any) -> str:
    return _NAMES.get(func) or str(getattr(func, "__name__", ""))


def _has_tensor(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    return isinstance(_first(args, kwargs), Tensor) and bool(_first(args, kwargs).is_floating_point())


def _first(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return args[0] if args else kwargs.get("input")


def _max_pool(
    func: Any,
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest of equal values sends its gradient to one input alone: an average, to all of the window."""
    spatial = int(_name(func)[-2])
    indices = None
    if return_indices:
        _, indices = func(input, kernel_size, stride, padding, dilation, ceil_mode, True)
    if dilation == 1 or set(_listed(dilation, spatial)) == {1}:
        average = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[spatial - 1]
        pooled = average(input, kernel_size, stride or kernel_size, padding, ceil_mode)
    else:
        pooled = _dilated(func, input, spatial, kernel_size, stride, padding, dilation, ceil_mode)
    return _live(pooled) if indices is None else (_live(pooled), indices)


def _dilated(
    func: Any, x: Tensor, spatial: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
) -> Tensor:
    """A pooling with holes, as a convolution of each channel with ones."""
    sizes = _listed(kernel, spatial)
    strides = _listed(stride or kernel, spatial)
    size = func(x.detach(), kernel, stride, padding, dilation, ceil).shape
    maps = x.reshape(-1, 1, *x.shape[-spatial:])
    edges = [side for p, s in zip(_listed(padding, spatial), strides, strict=True) for side in (p, p + s)]
    around = [edges[i + j] for i in range(len(edges) - 2, -1, -2) for j in (0, 1)]  # the last dimension first
    convolve = (F.conv1d, F.conv2d, F.conv3d)[spatial - 1]
    padded = convolve(
        F.pad(maps, around), x.new_ones((1, 1, *sizes)), None, strides, 0, _listed(dilation, spatial)
    )
    inside = tuple(slice(0, n) for n in size[-spatial:])
    return padded[(slice(None), slice(None), *inside)].reshape(size)


def _listed(value: Any, count: int) -> list[int]:
    values = [value] * count if isinstance(value, int) else list(value)
    return values * count if len(values) == 1 else values


def _adaptive_max_pool(func: Any, input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    spatial = int(_name(func)[-2])
    average = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[spatial - 1]
    pooled = _live(average(input, output_size))
    return (pooled, func(input, output_size, True)[1]) if return_indices else pooled


def _lp_pool(
    func: Any, input: Tensor, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    average = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[int(_name(func)[-2]) - 1]
    return _live(average(input, kernel_size, stride or kernel_size, 0, ceil_mode))


def _sum(func: Any, input: Any, other: Any, *args: Any, **kwargs: Any) -> Any:
    """a ± b, the larger of both: a signal where one of them has one; a number is no signal."""
    tensors = [value for value in (input, other) if isinstance(value, Tensor)]
    if not all(value.is_floating_point() for value in tensors):
        return func(input, other, *args, **kwargs)
    live = [_live(value) for value in tensors]
    return _live(live[0] + live[1]) if len(live) == 2 else live[0]


def _sum_in_place(func: Any, input: Any, other: Any, *args: Any, **kwargs: Any) -> Any:
    """a ± b written to a, whether or not the code goes on with what is returned."""
    if not input.is_floating_point():
        return func(input, other, *args, **kwargs)
    return input.add_(other) if isinstance(other, Tensor) else input


def _product(func: Any, input: Any, other: Any, *args: Any, **kwargs: Any) -> Any:
    """a · b, a / b: a signal where both have one; a number other than 0 lets it pass."""
    tensors = [value for value in (input, other) if isinstance(value, Tensor)]
    numbers = [value for value in (input, other) if not isinstance(value, Tensor)]
    if not all(value.is_floating_point() for value in tensors) or any(number == 0 for number in numbers):
        return func(input, other, *args, **kwargs)
    live = [_live(value) for value in tensors]
    return live[0] * live[1] if len(live) == 2 else live[0]


def _counted(func: Any, *args: Any, **kwargs: Any) -> Any:
    """Sums of products: 1 or 0 again, or the counts would grow."""
    result = func(*args, **kwargs)
    return _live(result) if isinstance(result, Tensor) and result.is_floating_point() else result


def _spread(func: Any, input: Tensor, dim: Any = None, *_: Any, keepdim: bool = False, **__: Any) -> Tensor:
    """A variance or a norm over some dimensions: a signal where any value has one."""
    return _live(input.sum() if dim is None or isinstance(dim, bool) else input.sum(dim, keepdim))


def _extreme(func: Any, input: Tensor, *args: Any, **kwargs: Any) -> Any:
    """The largest or smallest of values, or of a tensor's dimension (then with its place)."""
    if (args and isinstance(args[0], Tensor)) or "other" in kwargs:
        return _sum(func, input, args[0] if args else kwargs["other"])
    if not input.is_floating_point():
        return func(input, *args, **kwargs)
    if not args and not kwargs:
        return _live(input.sum())
    result = func(input, *args, **kwargs)
    values = _live(input.sum(*args, **kwargs))
    return values if isinstance(result, Tensor) else type(result)((values, result[1]))


def _gated(func: Any, input: Tensor, dim: int = -1) -> Tensor:
    one, two = _live(input).chunk(2, dim)
    return one * two


def _attention(
    func: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **_: Any,
) -> Tensor:
    """Softmax passes everything on: a value is used where its query and its key carry a signal."""
    weights = _live(_live(query) @ _live(key).transpose(-2, -1))
    if is_causal:
        weights = weights.tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        weights = weights * attn_mask
    return _live(weights @ _live(value))


_FUNCTIONS: tuple[tuple[Callable[..., Any] | None, str], ...] = (
    (_max_pool, "max_pool1d max_pool2d max_pool3d"),
    (_adaptive_max_pool, "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d"),
    (_lp_pool, "lp_pool1d lp_pool2d lp_pool3d"),
    (_sum, "add __add__ __radd__ __iadd__ sub __sub__ __isub__ subtract rsub __rsub__"),
    (_sum_in_place, "add_ sub_"),
    (_sum, "maximum minimum fmax fmin"),
    (_product, "mul __mul__ __rmul__ __imul__ multiply"),
    (_product, "div __div__ __rdiv__ __idiv__ divide"),
    (_product, "true_divide __truediv__ __rtruediv__ __itruediv__"),
    (_counted, "matmul __matmul__ __rmatmul__ bmm mm einsum baddbmm addmm mean sum"),
    (_spread, "var std norm"),
    (_extreme, "max min amax amin"),
    (_gated, "glu"),
    (_attention, "scaled_dot_product_attention"),
    # a convolution or linear layer
    (None, "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d"),
)
"""What is done in place of a function of torch's, or a tensor's method, of these names."""

_RULES = {name: rule for rule, names in _FUNCTIONS for name in names.split()}

_PASSING = """
    batch_norm instance_norm layer_norm group_norm rms_norm local_response_norm normalize
    relu relu_ relu6 leaky_relu leaky_relu_ elu elu_ selu selu_ celu celu_ gelu silu mish prelu rrelu rrelu_
    hardtanh hardtanh_ hardswish hardsigmoid hardshrink softshrink tanhshrink softplus softsign threshold
    threshold_ tanh tanh_ sigmoid sigmoid_ logsigmoid softmax softmin log_softmax gumbel_softmax clamp clamp_
    clip clip_ abs abs_ absolute neg negative __neg__ exp expm1 log log1p sqrt rsqrt square reciprocal pow
    __pow__ erf sin cos dropout dropout_ dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
"""
_ALIKE = frozenset(_PASSING.split())
"""Normalisations and activations: whatever comes in goes out at the same place."""

_NAMES: dict[Any, str] = {
    getattr(owner, name): name
    for owner in (F, torch)
    for name in _RULES
    if "pool" in name and hasattr(owner, name)
}
"""Functions whose own name is not what they are called by: some of torch's poolings are dispatchers."""
