"""Reading measured points from files: CSV text, what of it is twice or does not agree, points."""

from prunebench.scaling.files.files import SUFFIXES, read_file, read_points

__all__ = ["SUFFIXES", "read_file", "read_points"]
