"""Checks are read as part of a suite: its fixtures, and a small host without plugins."""

from __future__ import annotations

from suite.conftest import host, load, problems, suite

__all__ = ["host", "load", "problems", "suite"]
