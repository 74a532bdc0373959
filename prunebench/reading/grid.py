"""Which sparsity of a grid a person means by a number."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench.canonical import decimal12

__all__ = ["density_on_grid", "nearest_on_grid"]


_LISTED = 12


def density_on_grid(value: float, densities: Sequence[str], *, sparsity: bool) -> str | None:
    """Return the density of a grid that a person means by `value`.

    The very one, or the nearest within 0.0005 of a sparsity (within 0.05 % of a density): papers print
    98.2 % for 1 − 0.8^18.

    >>> density_on_grid(0.982, ["0.022517998137", "0.018014398509"], sparsity=True)
    '0.018014398509'
    """
    exact = decimal12(1 - value if sparsity else value)
    if exact in densities or not densities:
        return exact if densities else None
    target = float(exact)
    best = min(densities, key=lambda d: abs(float(d) - target))
    allowed = 5e-4 if sparsity else 5e-4 * float(best)
    return best if abs(float(best) - target) <= allowed else None


def nearest_on_grid(value: float, densities: Sequence[str], *, sparsity: bool) -> str:
    """Return the end of a message: the nearest sparsity, or density, of a grid, and all of at most 12.

    >>> nearest_on_grid(0.5, ["0.8", "0.64"], sparsity=True)
    '; the nearest is 0.36; allowed: 0.2, 0.36'
    """
    values = [round(1 - float(d), 12) if sparsity else float(d) for d in densities]
    near = min(values, key=lambda v: abs(v - value), default=None)
    if near is None:
        return ""
    listed = ", ".join(f"{v:.12g}" for v in sorted(set(values)))
    return f"; the nearest is {near:.12g}" + (f"; allowed: {listed}" if len(values) <= _LISTED else "")
