"""tools/lowest_versions.py: what `make test-lowest` installs."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "tools" / "lowest_versions.py"

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="tools/ is not part of a source archive")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lowest_versions", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_dependency_is_pinned_to_a_version_that_is_allowed(script: ModuleType) -> None:
    """Each dependency, and each that the tests need, has one constraint within its range."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    wanted += [Requirement(text) for text in project["optional-dependencies"]["test"]]
    pins = dict(line.split("==") for line in script.constraints())
    assert sorted(pins) == sorted(requirement.name for requirement in wanted)
    for requirement in wanted:
        assert Version(pins[requirement.name]) in requirement.specifier


def test_the_lowest_version_is_taken(script: ModuleType) -> None:
    """The lower bound of a range, whatever else the range says; a requirement without one is refused."""
    assert script.lowest(Requirement("Some_Name>=1.2,<3"), {}) == "some-name==1.2"
    with pytest.raises(ValueError, match="one lower bound is wanted, such as other>=1"):
        script.lowest(Requirement("other<3"), {})


def test_torch_is_taken_as_it_is_tested(script: ModuleType) -> None:
    """Its lowest version has no small build for CPUs."""
    tested = script.pinned((ROOT / "constraints.txt").read_text("utf-8"))
    assert script.lowest(Requirement("torch>=2.9"), tested) == f"torch=={tested['torch']}"


def test_a_marker_stays_with_its_constraint(script: ModuleType) -> None:
    """What is needed on one system alone is pinned there alone."""
    requirement = Requirement("other>=1.2,<3; sys_platform == 'win32'")
    assert script.lowest(requirement, {}) == 'other==1.2 ; sys_platform == "win32"'
    assert Requirement(script.lowest(requirement, {})).marker == requirement.marker
    torch = Requirement("torch>=2; sys_platform == 'linux'")
    assert script.lowest(torch, {"torch": "2.9.1"}) == 'torch==2.9.1 ; sys_platform == "linux"'


@pytest.mark.parametrize("line", ["-i https://example.org", "a>=1", "a==1.*", "a===1", "a==1==2"])
def test_a_line_that_pins_nothing_is_refused_with_its_number(script: ModuleType, line: str) -> None:
    """Comments, blanks and markers are none of it."""
    assert script.pinned("# x\n\nSome_Name==1.2 # why\nb == 2 ; python_version > '3'") == {
        "some-name": "1.2",
        "b": "2",
    }
    with pytest.raises(ValueError, match=r"constraints.txt:2: found '.*'; allowed: NAME==VERSION"):
        script.pinned(f"b==2\n{line}\n")
    with pytest.raises(ValueError, match=r"constraints\.txt has no version of torch"):
        script.lowest(Requirement("torch>=2"), {})
