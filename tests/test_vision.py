"""torchvision comes in through one module, and works there whatever its compiled operators do."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOOR = ROOT / "prunebench" / "vision.py"


def run(code: str) -> str:
    """Run code in a fresh interpreter that takes warnings for errors, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_data_sets_transforms_and_models_work_through_the_door():
    """Everything of torchvision that does not need its compiled operators."""
    printed = run("""
import torch
from prunebench.vision import torchvision
from prunebench.vision import torchvision as again
assert torchvision is again
net = torchvision.models.resnet18()
print(sum(p.numel() for p in net.parameters()))
flip = torchvision.transforms.v2.RandomHorizontalFlip(1.0)
print(flip(torch.arange(4).reshape(1, 2, 2)).flatten().tolist())
data = torchvision.datasets.FakeData(3, (3, 8, 8), transform=torchvision.transforms.v2.PILToTensor())
print(tuple(data[0][0].shape))
""")
    assert printed.split("\n")[:3] == ["11689512", "[1, 0, 3, 2]", "(3, 8, 8)"]


@pytest.mark.parametrize("there", [True, False], ids=["operators-there", "operators-missing"])
def test_operators_are_declared_only_where_they_are_missing(tmp_path, there):
    """A torchvision that knows its operators keeps them; another gets their schemas before its import."""
    package = tmp_path / "torchvision" / "transforms" / "v2"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("")
    (package.parent.parent / "__init__.py").write_text(
        "import torch\n"
        "torch.library.register_fake('torchvision::nms')(lambda dets, scores, iou_threshold: dets)\n"
    )
    schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    printed = run(f"""
import sys, torch
sys.path.insert(0, {str(tmp_path)!r})
if {there}:
    own = torch.library.Library("torchvision", "DEF")
    own.define("nms{schema}")
    own.define("qnms{schema}")
from prunebench import vision
print(vision._declared is None, vision.torchvision.__file__.startswith({str(tmp_path)!r}))
""")
    assert printed.split() == [str(there), "True"]


def test_without_torchvision_the_error_is_one_line():
    """A person is told what to install."""
    printed = run("""
import importlib.util, sys
importlib.util.find_spec = lambda name: None
from prunebench.errors import UsageError
try:
    import prunebench.vision
except UsageError as error:
    print(error)
""")
    assert "torchvision is not installed" in printed


def imports(path: Path) -> set[str]:
    """The top-level packages that a file which names torchvision imports anywhere in it."""
    found, text = set(), path.read_text(encoding="utf-8")
    if "torchvision" not in text:  # most files: there is no need to parse them
        return found
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("folder", ["prunebench", "plugins", "tests", "benchmarks"])
def test_nothing_else_imports_torchvision(folder):
    """One door, so that one place copes with builds that do not match."""
    direct = [p for p in sorted((ROOT / folder).rglob("*.py")) if p != DOOR and "torchvision" in imports(p)]
    assert direct == []


def test_the_door_itself_imports_torchvision():
    """The scan above can see an import."""
    assert "torchvision" in imports(DOOR)
