"""What was measured: points, what tells their networks apart, in what these differ.

points: measured errors as columns, and what must hold of them
columns: what each column may hold
networks: which network each row is of
unpruned: the unpruned error of each network
families: in what networks differ, which law that makes theirs, and parts of them
arrays: the kinds of arrays that laws are computed with
"""

from prunebench.scaling.points.arrays import Bools, Floats, Ints
from prunebench.scaling.points.points import Points, checked, points_of

__all__ = ["Bools", "Floats", "Ints", "Points", "checked", "points_of"]
