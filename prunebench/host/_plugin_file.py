"""Importing a plugin that is one file, with the modules beside it."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from prunebench.errors import PluginError, nearest_file
from prunebench.host._source_digest import Tree
from prunebench.host._spelling import FILE_MODULE

__all__ = ["FileImporter"]

_beside: set[str] = set()
"""Modules that came from beside a plugin file: a host that is loaded later imports them anew."""


class FileImporter:
    """Imports the plugin files of one host."""

    def __init__(self) -> None:
        self._helpers: dict[str, tuple[Path, ModuleType]] = {}
        for name in _beside:
            sys.modules.pop(name, None)
        _beside.clear()

    def load(self, path: Path) -> ModuleType:
        """Import a plugin file under a name of its own, its folder first on the path meanwhile.

        Raises: PluginError where there is no such file or two files want modules of one name; else
        whatever the file raises.
        """
        path = path.expanduser().resolve()
        if path.is_dir():
            raise PluginError("it is a folder; a Python file is wanted, with a name that ends in .py")
        if not path.is_file():
            raise PluginError(f"there is no such file{nearest_file(path)}")
        name = f"{FILE_MODULE}{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
        spec = spec_from_file_location(name, path)
        if path.suffix != ".py" or spec is None or spec.loader is None:
            raise PluginError("a Python file is wanted, with a name that ends in .py")
        module = module_from_spec(spec)
        before = self._hide_others(path.parent)
        sys.modules[name] = module
        try:
            with _first_on_path(path.parent):
                spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        finally:
            self._note_helpers(path.parent, before)
        return module

    def _hide_others(self, folder: Path) -> set[str]:
        """Take other plugin files' helpers away, or this file would get one of theirs by the same name."""
        for name, (home, _) in self._helpers.items():
            if home != folder:
                sys.modules.pop(name, None)
        return set(sys.modules)

    def _note_helpers(self, folder: Path, before: set[str]) -> None:
        clash = None
        for name in set(sys.modules) - before:
            package = name.partition(".")[0]
            if not _is_beside(name, folder) or (package in before and package not in _beside):
                continue  # a part of a package that was there before is no helper of this file's
            _beside.add(name)
            if name in self._helpers and self._helpers[name][0] != folder:
                clash = clash or (name, self._helpers[name][0])
            else:
                self._helpers[name] = (folder, sys.modules[name])
        for name, (_, helper) in self._helpers.items():
            sys.modules[name] = helper
        if clash:
            raise PluginError(
                f"plugin files in {clash[1]} and in {folder} both import a module {clash[0]!r} from beside "
                "them, and Python can hold only one of that name: rename one"
            )


def _is_beside(name: str, folder: Path) -> bool:
    """Return True if an imported module is a file of this folder, and not of an environment within it."""
    file = getattr(sys.modules[name], "__file__", None)
    return file is not None and Tree(folder).find(name) == Path(file).resolve()


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    """Put `folder` first on sys.path; write no bytecode, which would outlive a quick edit."""
    entry, wrote = str(folder), sys.dont_write_bytecode
    sys.path.insert(0, entry)
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = wrote
        if entry in sys.path:
            sys.path.remove(entry)
