"""What figures of a law show, computed: means over seeds, transitions, contours, trials."""

from prunebench.scaling.drawing.means import last_below, means
from prunebench.scaling.drawing.study import DRAWS, SCALES, FamilyPoints, Fewest, Study, studied

__all__ = ["DRAWS", "SCALES", "FamilyPoints", "Fewest", "Study", "last_below", "means", "studied"]
