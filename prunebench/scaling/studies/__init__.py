"""Studies of a law's points: what the law does on points that it was not fitted to, and beside what.

making: makes the studies that are asked
results: what they come to, as values and as JSON
trials: networks left out, extrapolation, how many points a law needs
against: pruning against not pruning
beside: what stands beside a fit's own error
noise: what no smooth falling law can follow
baseline: interpolation, which a law has to beat
invariant: whether networks of equal depth^phi · width^psi · density have equal errors
answers: whether the law's smallest network is the smallest by brute force
"""

from prunebench.scaling.studies.making import Asked, compared, studies
from prunebench.scaling.studies.results import (
    Compared,
    Extrapolated,
    OfNetwork,
    Part,
    Place,
    Studies,
    compared_plain,
)

__all__ = [
    "Asked",
    "Compared",
    "Extrapolated",
    "OfNetwork",
    "Part",
    "Place",
    "Studies",
    "compared",
    "compared_plain",
    "studies",
]
