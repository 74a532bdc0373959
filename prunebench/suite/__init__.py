"""The file format, and its cells: `load_suite` (imports no torch)."""

from __future__ import annotations

from prunebench.checks.grammar import Check
from prunebench.shipped import shipped_suites
from prunebench.suite.cell import ArchitectureCall, Cell
from prunebench.suite.load import load_suite
from prunebench.suite.suite import Suite, with_limit, with_methods, with_seeds

__all__ = [
    "ArchitectureCall",
    "Cell",
    "Check",
    "Suite",
    "load_suite",
    "shipped_suites",
    "with_limit",
    "with_methods",
    "with_seeds",
]
