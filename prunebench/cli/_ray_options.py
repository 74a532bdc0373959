"""The options of `--engine ray`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["RAY_OPTIONS"]

RAY_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--address",
        metavar="ADDR",
        help="Ray: a cluster to join, auto or HOST:PORT.  [default: one of this machine, for the run alone]",
    ),
)
