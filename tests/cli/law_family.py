"""A family of networks whose errors follow a law exactly, and the file of its points."""

from __future__ import annotations

import csv
import itertools

from .conftest import Place

TRUTH = {"error_up": 0.8, "gamma": 0.5, "p": 9e-4, "phi": 1.1, "psi": 1.9}


def law(density: float, unpruned: float, depth: float, width: float) -> float:
    """Rosenfeld's Eq. 2, as printed: the modulus of a complex number."""
    m = depth ** TRUTH["phi"] * width ** TRUTH["psi"] * density
    ratio = (TRUTH["error_up"] / unpruned) ** (1 / TRUTH["gamma"])
    return float(unpruned * abs((m - 1j * TRUTH["p"] * ratio) / (m - 1j * TRUTH["p"])) ** TRUTH["gamma"])


FAMILY = [
    (depth, width, examples, 0.05 + 0.3 * (depth * width**2 * 1e3) ** -0.35 + 20 * examples**-0.66)
    for depth, width, examples in itertools.product((8, 14, 20), (0.25, 0.5, 1.0), (50_000, 12_500))
]


def weights(depth: float, width: float) -> int:
    """A family whose counts are not depth · width²: a first and a last layer beside."""
    return int(10_000 * depth * width**2 + 5_000 * width)


def write_family(place: Place, levels: int) -> None:
    """Write family.csv: every network of the family at densities 0.8^k, k each third below `levels`."""
    with (place.folder / "family.csv").open("w", newline="") as file:
        write = csv.writer(file)
        write.writerow(["depth", "width", "subsample", "density", "error", "prunable", "error_unpruned"])
        for (depth, width, examples, unpruned), k in itertools.product(FAMILY, range(0, levels, 3)):
            error = repr(law(0.8**k, unpruned, depth, width))
            write.writerow([depth, width, examples, 0.8**k, error, weights(depth, width), repr(unpruned)])
