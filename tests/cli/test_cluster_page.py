"""docs/cluster.md: its files are whole, its options are there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from prunebench.cli import main
from prunebench.cli._slurm_options import SLURM_OPTIONS

PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="docs/ is not there")


def block(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.M | re.S)
    return str(text)


def options_of(command: str) -> set[str]:
    known = main.get_command(click.Context(main), command)
    assert known is not None
    return {name for parameter in known.params for name in parameter.opts}


def test_every_option_of_slurm_has_its_row() -> None:
    """And every option in the table is one of `run`."""
    rows = re.findall(r"^\| (`-.*?) \|", PAGE.read_text("utf-8"), flags=re.M)
    named = {name for row in rows for name in re.findall(r"`(-[-\w]+)", row)}

    def none() -> None: ...

    for option in SLURM_OPTIONS:
        option(none)
    own = {parameter.opts[0] for parameter in none.__click_params__}  # type: ignore[attr-defined]
    assert named == own | {"-n", "--workers"}
    assert named <= options_of("run")


def test_the_script_for_hyperqueue_is_a_script() -> None:
    """A shell reads it to its end, and each option that it gives a worker is one."""
    script = block("sh")
    done = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    command = script[script.index("-- prunebench work") :].splitlines()[0]
    assert set(re.findall(r" (--\w[\w-]*)", command)) <= options_of("work")


def test_the_job_for_kubernetes_is_one() -> None:
    """Of the parts that Kubernetes wants: a policy for failed pods goes with pods that are never restarted."""
    yaml = pytest.importorskip("yaml")
    claim, job = yaml.safe_load_all(block("yaml"))
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert "completions" not in spec
    assert pod["restartPolicy"] == "Never"
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["shared"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    containers = [*pod["initContainers"], *pod["containers"]]
    assert {mount["name"] for one in containers for mount in one["volumeMounts"]} == set(volumes)
    (rule,) = (rule for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule)
    assert rule["onExitCodes"]["containerName"] == pod["containers"][0]["name"]
    plan, worker = pod["initContainers"][0]["command"], pod["containers"][0]["args"][0]
    assert {word for word in plan if word.startswith("--")} <= options_of(plan[1])
    assert set(re.findall(r" (--\w[\w-]*)", worker)) <= options_of("work")
