"""Reading files of tables: where one stands in a file, what is wrong with it, how values are spelled.

What suites and checks are read with; it knows neither, and imports no torch.
"""

from __future__ import annotations

from prunebench.reading.cursor import Cursor, Location, Problems
from prunebench.reading.spelling import at, show

__all__ = ["Cursor", "Location", "Problems", "at", "show"]
