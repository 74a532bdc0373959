"""Plugins made on the spot: files, and distributions as pip would have installed them."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

PluginFile = Callable[..., Path]
Distribution = Callable[..., Path]


@pytest.fixture
def plugin_file(tmp_path: Path) -> PluginFile:
    """Write a plugin file, with modules beside it: plugin_file(text, helper=text) → its path."""

    def write(text: str, name: str = "plugin.py", /, **beside: str) -> Path:
        for module, source in beside.items():
            (tmp_path / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribution]:
    """Install a fake distribution: distribution("name", files, entries, version="1.0") → its folder."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    before = set(sys.modules)

    def install(
        name: str,
        files: Mapping[str, str],
        entries: Mapping[str, str] | str,
        version: str = "1.0",
    ) -> Path:
        for path, text in files.items():
            file = site / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text), encoding="utf-8")
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = entries if isinstance(entries, str) else "".join(f"{k} = {v}\n" for k, v in entries.items())
        (info / "entry_points.txt").write_text(f"[prunebench]\n{lines}")
        importlib.invalidate_caches()
        return site

    yield install
    for module in set(sys.modules) - before:
        file = getattr(sys.modules[module], "__file__", None)
        if file is not None and Path(file).is_relative_to(site):
            del sys.modules[module]


@pytest.fixture(scope="session")
def other_pythons() -> list[str]:
    """Other Pythons of 3.11 or later that are on this machine."""
    folders = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    names = [f"python3.{minor}" for minor in range(11, 16)]
    found = [path for name in names if (path := shutil.which(name))]
    found += [str(path) for folder in folders for name in names for path in folder.glob(f"*/bin/{name}")]
    others = sorted({path for path in found if _minor(path) not in (0, sys.version_info.minor)}, key=_minor)
    return others or pytest.skip("no second Python of 3.11 or later here")


def _minor(python: str) -> int:
    """Return the minor version of an interpreter that runs, else 0 (a shim of a version that is not set)."""
    code = "import sys; print(sys.version_info.minor if sys.version_info[0] == 3 else 0)"
    ran = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return int(ran.stdout) if ran.returncode == 0 else 0
