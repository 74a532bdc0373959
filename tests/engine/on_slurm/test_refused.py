"""Mistakes with --engine slurm: a sentence, exit code 2, nothing planned and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from prunebench.cli import main

from .test_queue import Commands

EXTRA = '--engine slurm needs submitit, which is not installed: pip install "prunebench[slurm]" installs it'


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (
            "--partition gpu",
            "--partition belongs to --engine slurm, and the engine is local: add --engine slurm",
        ),
        ("--starts 10", "--starts belongs to --engine slurm"),  # though it is the default
        ("--engine local --detach", "--detach belongs to --engine slurm"),
        ("--engine slrum -n 2", "no engine 'slrum'; did you mean 'slurm'? allowed: "),
        ("--engine slurm", "--engine slurm: say how many pilots work at once, as --workers 8"),
        ("--engine slurm --workers auto", "found --workers auto; say how many pilots work at once"),
        ("--engine slurm --workers 2 --time soon", "--time: found 'soon', allowed: a time such as"),
        ("--engine slurm --workers 2 --slurm array=1-9", "--slurm array=1-9: not to be set"),
        ("--engine slurm --workers 2 --detach -x", "-x and --detach: nobody sees the first failure"),
        ("--engine slurm --workers 2", "--engine slurm: sbatch and srun cannot be found here"),
    ],
)
def test_a_mistake_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: str, told: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(
        "prunebench.engine.session.Session.prepare", lambda *_: pytest.fail("it must not get that far")
    )
    store = tmp_path / "store"
    result = CliRunner().invoke(main, ["run", "quick", "--store", str(store), *args.split()])
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert not store.exists()


def test_without_its_extra_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = CliRunner().invoke(
        main, ["run", "quick", "--store", str(tmp_path / "store"), "--engine", "slurm", "--workers", "2"]
    )
    assert result.exit_code == 2
    assert EXTRA in result.stderr


def test_a_partition_that_there_is_not_ends_the_run_with_the_words_of_sbatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(tmp_path / "bin")
    commands.add("srun", "")
    commands.add("squeue", "")
    commands.add("sbatch", "echo 'sbatch: error: invalid partition specified: gpuu' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{commands.folder}:/usr/bin:/bin")
    store = tmp_path / "store"
    asked = ["--engine", "slurm", "--workers", "2", "--partition", "gpuu", "-k", "random"]
    result = CliRunner().invoke(main, ["run", "quick", "--store", str(store), "--no-plugins", *asked])
    assert result.exit_code == 2
    assert "Error: Slurm takes no pilots: invalid partition specified: gpuu" in result.stderr
    assert not store.exists()
