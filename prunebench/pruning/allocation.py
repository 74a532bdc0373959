"""How many weights are kept: in all, and in each layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Literal

from prunebench.errors import UsageError, nearest

__all__ = ["Allocation", "keeps_none", "kept_count", "layer_counts", "spread"]

Allocation = Literal["global", "uniform", "erk"] | Mapping[str, int]


def kept_count(density: float | str, prunable: int) -> int:
    """Return round(density · prunable), with Python's rounding (halves to even).

    Raises: UsageError for a density outside (0, 1].
    """
    try:
        value = float(density)
    except (TypeError, ValueError):
        raise UsageError(f"density must be a number above 0, at most 1; found {density!r}") from None
    if not 0 < value <= 1:
        raise UsageError(f"density must lie above 0 and at most at 1; found {density}")
    return round(value * prunable)


def keeps_none(density: float | str, prunable: int) -> str:
    """Return what to tell somebody whose density keeps no weight."""
    least = f"; at least {1 / prunable:.3g} keeps one" if prunable else ""
    return f"density {density} keeps none of {prunable} prunable weights{least}"


def layer_counts(
    shapes: Mapping[str, Sequence[int]],
    kept: int,
    allocation: Literal["uniform", "erk"] | Mapping[str, int],
    limits: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Return how many weights each layer keeps; they sum to `kept`.

    uniform: the same share of each layer. erk: a layer's density in proportion to the sum of its weight's
    dimensions over their product (Evci et al. 2020, Erdős–Rényi-Kernel: (n_in + n_out + k_h + k_w) over
    (n_in · n_out · k_h · k_w); n_in is per group). Or the counts themselves. Fractions are settled by the
    largest remainder, then the earlier layer; `limits` caps each layer (its size, or what is left of it),
    and what a capped layer cannot take is spread over the others in the same proportions.

    Raises: UsageError for counts that do not fit the layers or `kept`.
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    caps = sizes if limits is None else {name: limits[name] for name in shapes}
    if not 0 <= kept <= sum(caps.values()):
        raise UsageError(f"cannot keep {kept} weights of {sum(caps.values())}")
    if isinstance(allocation, Mapping):
        return _given(caps, sizes, kept, allocation)
    if allocation == "uniform":
        return spread(sizes, caps, kept)
    if allocation == "erk":  # density × size: the product cancels
        return spread({name: sum(shape) for name, shape in shapes.items()}, caps, kept)
    raise UsageError(
        f"unknown allocation '{allocation}'{nearest(str(allocation), ['global', 'uniform', 'erk'])}"
    )


_NESTED = "in levels no layer gets weights back, so the masks whose counts are taken must lie in one another"


def _given(
    caps: Mapping[str, int], sizes: Mapping[str, int], kept: int, counts: Mapping[str, int]
) -> dict[str, int]:
    if counts.keys() != caps.keys():
        differing = ", ".join(sorted(counts.keys() ^ caps.keys()))
        raise UsageError(f"the allocation and the network have different layers: {differing}")
    for name, cap in caps.items():
        if not 0 <= counts[name] <= cap:
            left = f" left of {sizes[name]}: {_NESTED}" if cap < sizes[name] else ""
            raise UsageError(
                f"the allocation wants {counts[name]} weights of layer '{name}', which has {cap}{left}"
            )
    if sum(counts.values()) != kept:
        raise UsageError(f"the allocation keeps {sum(counts.values())} weights in all; {kept} are to be kept")
    return {name: int(counts[name]) for name in caps}


def spread(shares: Mapping[str, int], caps: Mapping[str, int], total: int) -> dict[str, int]:
    """Return whole numbers in proportion to `shares`, none above its cap, that sum to `total`.

    Exact: in fractions, so that no platform rounds another way. Where everything with a share is full, the
    rest goes to the others in proportion to their caps.
    """
    counts: dict[str, int] = {}
    open_ = [name for name in caps if shares[name] > 0]
    left = total
    while open_:
        whole = sum(shares[name] for name in open_)
        full = [name for name in open_ if shares[name] * left > caps[name] * whole]
        if not full:
            break
        for name in full:
            counts[name] = caps[name]
            left -= caps[name]
        open_ = [name for name in open_ if name not in counts]
    if open_:
        counts |= _remainder({name: shares[name] for name in open_}, left)
    elif left:
        counts |= _remainder({name: cap for name, cap in caps.items() if name not in counts}, left)
    return {name: counts.get(name, 0) for name in caps}


def _remainder(shares: Mapping[str, int], total: int) -> dict[str, int]:
    """Split `total` in proportion to the shares by the largest remainder; ties go to the earlier one."""
    whole = sum(shares.values())
    quotas = {name: Fraction(share * total, whole) for name, share in shares.items()}
    counts = {name: math.floor(quota) for name, quota in quotas.items()}
    order = sorted(shares, key=lambda name: counts[name] - quotas[name])  # stable: the earlier first
    for name in order[: total - sum(counts.values())]:
        counts[name] += 1
    return counts
