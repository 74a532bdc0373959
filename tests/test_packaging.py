"""What is installed: the wheel's contents, entry points, light imports, constraints that fit the project."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_import_prunebench_is_light() -> None:
    """`import prunebench` loads neither torch nor pandas nor pytest."""
    code = "import sys, prunebench; print(sorted({'torch', 'pandas', 'scipy', 'pytest'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    """What `prunebench.__all__` names can be imported and is in dir()."""
    import prunebench

    for name in prunebench.__all__:
        assert getattr(prunebench, name) is not None
        assert name in dir(prunebench)


def test_built_ins_come_through_the_entry_points_of_this_distribution() -> None:
    """Each kind of component has an entry point; quantities, and laws, come in with the measures that they read."""
    from prunebench.host.components import KINDS

    points = metadata.distribution("prunebench").entry_points.select(group="prunebench")
    alone = [kind for kind in KINDS if kind not in ("quantities", "forms")]
    assert {point.name for point in points} == {f"builtin-{kind}" for kind in alone}


def test_constraints_lie_within_the_supported_range() -> None:
    """Every pinned version satisfies what pyproject asks for, and every dependency is pinned."""
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    extras = PROJECT["optional-dependencies"]
    wanted = [Requirement(r) for r in (*PROJECT["dependencies"], *extras["test"], *extras["dev"])]
    for requirement in wanted:
        if requirement.name == "prunebench":  # `dev` takes the extra `test` along
            continue
        assert Version(pins[requirement.name.lower()]) in requirement.specifier, requirement


@pytest.mark.slow
def test_the_wheel_holds_both_packages_and_the_suites(tmp_path: Path) -> None:
    """Built from the checkout, the wheel has prunebench, prunebench_plugins, the shipped suites and digits."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for path in (ROOT / "suites").glob("*.toml"):
        assert f"prunebench_plugins/suites/{path.name}" in names
    for package, folder in (("prunebench", ROOT), ("prunebench_plugins", ROOT / "plugins")):
        for file in (folder / package).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert str(file.relative_to(folder)) in names
    assert not any(name.startswith(("tests/", "docs/", "suites/")) for name in names)
