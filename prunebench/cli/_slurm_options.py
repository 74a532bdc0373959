"""The options of `--engine slurm`: what a pilot asks Slurm for, by the names that sbatch has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["SLURM_OPTIONS"]

SLURM_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--partition", metavar="NAME", help="Slurm: the partition that pilots run in."),
    click.option(
        "--time",
        metavar="TIME",
        help="Slurm: time limit of a pilot: 90 (minutes), 4h, 4:00:00, 1-12.  [default: 1:00:00]",
    ),
    click.option("--account", metavar="NAME", help="Slurm: the account that pays."),
    click.option("--qos", metavar="NAME", help="Slurm: quality of service."),
    click.option(
        "--gres",
        metavar="WHAT",
        help="Slurm: what a pilot gets, as gpu:a100:1.  [default: gpu:1 on GPUs]",
    ),
    click.option(
        "--cpus", metavar="N", type=click.IntRange(min=1), help="Slurm: cores a pilot.  [default: --threads]"
    ),
    click.option("--mem", metavar="SIZE", help="Slurm: memory of a pilot, as 16G or 16GiB."),
    click.option("--constraint", metavar="EXPR", help="Slurm: features that nodes must have."),
    click.option(
        "--setup",
        metavar="LINE",
        multiple=True,
        help="Slurm: a line of shell before a pilot starts, as 'module load cuda'; repeatable.",
    ),
    click.option(
        "--slurm",
        metavar="KEY=VALUE",
        multiple=True,
        help="Slurm: any other option of sbatch, as nice=100 or exclusive; repeatable.",
    ),
    click.option(
        "--queued",
        metavar="N",
        type=click.IntRange(min=1),
        default=1000,
        show_default=True,
        help="Slurm: at most so many pilots wait in the queue.",
    ),
    click.option(
        "--starts",
        metavar="N",
        type=click.IntRange(min=1),
        default=10,
        show_default=True,
        help="Slurm: at most so many pilots start a minute.",
    ),
    click.option(
        "--detach", is_flag=True, help="Slurm: submit the pilots and leave; `status` shows how far they are."
    ),
)
