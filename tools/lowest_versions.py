"""Print the lowest version that pyproject.toml allows of everything that prunebench and its tests use.

It is a file of constraints for pip. Linters, type checkers and stubs are left out: they compute nothing.
torch and torchvision are the exception: they are printed as constraints.txt has them, since their lowest
versions come with gigabytes of CUDA packages. `make test-lowest` runs the quick tests with what is printed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
AS_TESTED = ("torch", "torchvision")
_PIN = re.compile(r"([A-Za-z0-9._-]+) *== *([^\s=*]+)")


def declared(project: dict[str, Any]) -> list[Requirement]:
    """Return what a pyproject.toml's `project` table requires, for use and for the tests."""
    return [*map(Requirement, project["dependencies"] + project["optional-dependencies"]["test"])]


def lowest(requirement: Requirement, tested: dict[str, str]) -> str:
    """Return the constraint that takes a requirement's lowest version.

    `tested` has the versions of constraints.txt, by name.

    Raises: ValueError where the requirement has no lower bound, or `tested` lacks one that is taken from it.
    """
    name = canonicalize_name(requirement.name)
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    if name in AS_TESTED:
        if name not in tested:
            raise ValueError(f"constraints.txt has no version of {name}; one is wanted, such as {name}==1.2")
        return f"{name}=={tested[name]}{marker}"
    bounds = [bound.version for bound in requirement.specifier if bound.operator in (">=", "==", "~=")]
    if len(bounds) != 1:
        raise ValueError(f"{requirement}: one lower bound is wanted, such as {name}>=1.2")
    return f"{name}=={bounds[0]}{marker}"


def pinned(text: str) -> dict[str, str]:
    """Return the versions in a file of constraints, by name; markers are left out.

    Raises: ValueError, with the line, for anything but NAME==VERSION.
    """
    versions = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if constraint := line.split("#")[0].split(";")[0].strip():
            match = _PIN.fullmatch(constraint)
            if match is None:
                raise ValueError(f"constraints.txt:{number}: found {constraint!r}; allowed: NAME==VERSION")
            versions[canonicalize_name(match[1])] = match[2]
    return versions


def constraints(root: Path = ROOT) -> list[str]:
    """Return the lowest versions of the project in this folder, a constraint for each dependency."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    tested = pinned((root / "constraints.txt").read_text("utf-8"))
    return sorted(lowest(requirement, tested) for requirement in declared(project))


if __name__ == "__main__":
    try:
        print("\n".join(constraints()))
    except ValueError as error:
        sys.exit(f"lowest_versions.py: {error}")
