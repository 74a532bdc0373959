"""Plugins made on the spot: files, and distributions as pip would have installed them."""

from __future__ import annotations

import importlib
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
