"""Fitting a form to points.

fitting: from points to a fit, the one way in
result: a fit, and what it says of networks
choice, obstacles: which forms points can be fitted by, and what keeps them from it
problem: one fit as numbers
search, projection, losses: the least of a loss, from many starts
intervals, directions, regions: how surely coefficients are known, and how far measurements scatter
resampling: intervals from networks drawn again
notes: what the points do not determine, in sentences
stored, schema: fits read back from their files
"""

from prunebench.scaling.fit.fitting import LOSSES, check_fixed, fit, prepared
from prunebench.scaling.fit.result import Fit, Worst

__all__ = ["LOSSES", "Fit", "Worst", "check_fixed", "fit", "prepared"]
