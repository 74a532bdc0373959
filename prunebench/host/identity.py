"""What a component is, for keys: a declared version, or a digest of its source.

A component with a `version` is {"name", "version", "depends": {distribution: installed version}}. One
without is {"name", "digest"}: a digest of the module that its function or class is written in, of what that
module imports beside it, of a partial's arguments and closed-over values, and of the component's own fields.
Comments, docstrings and layout do not count, and every supported Python finds the same digest. The package
`prunebench` is never part of it (job versions speak for that), nor are torch and numpy (the numerics class).
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import sys
from pathlib import Path
from types import CodeType
from typing import Any

from prunebench.canonical import canonical, digest
from prunebench.errors import PluginError
from prunebench.host._reach import Root, reach_digest
from prunebench.host._source_digest import Tree
from prunebench.host._spelling import FILE_MODULE, Speller, Unspellable
from prunebench.host.components import Component

__all__ = [
    "Grounds",
    "component_digest",
    "component_identity",
    "digest_on",
    "grounds_of",
    "source_digest",
]

_NO_SOURCE = frozenset({"prunebench", "torch", "numpy"})
_NO_IDENTITY = frozenset(
    {"name", "version", "depends", "text", "margin", "fingerprint", "download", "missing", "examples"}
)
"""Fields that change no number: names and texts, functions that only find files or look at them, and how
examples are handed over."""

RULE = 2
"""Of what a digest is taken: 1, until 2026-11, of whole modules; 2 of what the component can reach."""

_DECLARE = "declare a version on the component, and change it whenever what the component computes changes"


def component_identity(component: Component, folder: Path | None = None) -> dict[str, Any]:
    """Return the identity of a component.

    `folder` is that of the plugin file which registered it, if one did: modules there are its own.

    Raises: PluginError where the source cannot be read or spelled and no version is declared, or where a
    distribution that it depends on is not installed.
    """
    version = getattr(component, "version", None)
    identity: dict[str, Any] = {"name": component.name}
    if version is not None:
        identity["version"] = version
    else:
        identity |= {"digest": component_digest(component, folder), "rule": RULE}
    depends = {name: _installed(component, name) for name in sorted(getattr(component, "depends", ()))}
    return {**identity, "depends": depends} if depends else identity


def _installed(component: Component, distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        text = f"{component.kind} {component.name!r} depends on the distribution {distribution!r}"
        raise PluginError(f"{text}, which is not installed") from None


def component_digest(component: Component, folder: Path | None = None) -> str:
    """Return the digest of a component's source and of its own fields where they are not the defaults.

    Raises: PluginError as `source_digest` does, naming the component.
    """
    try:
        return _digest_of(component.source, _fields(component), folder)
    except Unspellable as error:
        text = f"{component.kind} {component.name!r} has no version and cannot be identified by its source"
        raise PluginError(f"{text}: {error}; {_DECLARE}") from error


def _fields(component: Component) -> dict[str, Any]:
    """Return the component's own fields that change numbers and are not the defaults."""
    fields = {}
    for field in dataclasses.fields(component):
        value = getattr(component, field.name)
        if field.name not in _NO_IDENTITY and value is not component.source and value != field.default:
            fields[field.name] = value
    return fields


def source_digest(source: object, folder: Path | None = None) -> str:
    """Return the digest of a callable: of its module, of what that imports beside it, and of its arguments.

    Beside it is: the same top-level package, or for a plugin file and a module outside any package the same
    folder. `folder` is a plugin file's.

    Raises: PluginError where the source cannot be read, or where an argument or a closed-over value has no
    fixed spelling.
    """
    try:
        return _digest_of(source, {}, folder)
    except Unspellable as error:
        raise PluginError(f"{source!r} cannot be identified by its source: {error}; {_DECLARE}") from error


def _digest_of(source: object, fields: dict[str, Any], folder: Path | None) -> str:
    spelled, spelled_fields, roots, tree = _spelled(source, fields, folder)
    return digest([spelled, spelled_fields, _reached(roots, tree)])


def _spelled(
    source: object, fields: dict[str, Any], folder: Path | None
) -> tuple[list[Any], list[Any], list[Root], Tree | None]:
    """Return what a digest is of: the spelling of a callable and of fields, and the code to start from."""
    speller = Speller()
    spelled = speller.spell(source)
    if not speller.code:
        raise Unspellable(f"{source!r} has no Python source")
    spelled_fields = speller.spell(fields)
    code = [c for c in dict.fromkeys(speller.code) if c.module.partition(".")[0] not in _NO_SOURCE]
    if not code:
        return spelled, spelled_fields, [], None
    own = _file_of(code[0].module)
    tree = _tree_of(code[0].module, own, folder)
    files = [own, *(_file_within(c.module, tree) for c in code[1:])]
    roots = [Root(file, c.name, c.code) for file, c in zip(files, code, strict=True) if file is not None]
    return spelled, spelled_fields, roots, tree


def _reached(roots: list[Root], tree: Tree | None) -> str:
    if tree is None:
        return ""
    try:
        return reach_digest(roots, tree)
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise Unspellable(f"its source cannot be read ({error})") from error


@dataclasses.dataclass(frozen=True)
class Grounds:
    """What a component's digest is of, apart from source code: with the files it gives the digest again.

    `spelled`: the callable and the component's fields, as JSON. `roots`: where reading of the code starts:
    file below the plugin's folder, qualified name, line of the compiled code (0: a class).
    """

    spelled: str
    roots: tuple[tuple[str, str, int], ...]


def grounds_of(component: Component, folder: Path) -> Grounds | None:
    """Return the grounds of a component's digest; None where its code does not lie in the plugin's folder.

    Raises: PluginError as `component_identity` does.
    """
    home = folder.resolve()
    try:
        spelled, fields, roots, _ = _spelled(component.source, _fields(component), folder)
    except Unspellable as error:
        raise PluginError(f"{component.kind} {component.name!r}: {error}") from error
    if not roots or not all(root.path.is_relative_to(home) for root in roots):
        return None
    places = [
        (root.path.relative_to(home).as_posix(), root.name, root.code.co_firstlineno if root.code else 0)
        for root in roots
    ]
    return Grounds(canonical([spelled, fields]).decode(), tuple(places))


def digest_on(grounds: Grounds, folder: Path) -> str:
    """Return the digest that a component has on these grounds with the files of a folder; imports none.

    Raises: PluginError where the files or the grounds cannot be read.
    """
    home = folder.resolve()
    try:
        spelled, fields = json.loads(grounds.spelled)
        roots = [
            Root(home / file, name, _code_at(home / file, name, line)) for file, name, line in grounds.roots
        ]
        return digest([spelled, fields, reach_digest(roots, Tree(home))])
    except (OSError, SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise PluginError(f"the digest of its code cannot be computed ({error})") from error


def _code_at(path: Path, name: str, line: int) -> CodeType | None:
    """Return the compiled code of a function, by its qualified name and line; the file is not run."""
    waiting = [compile(path.read_bytes(), str(path), "exec")] if "<" in name else []
    while waiting:
        code = waiting.pop()
        if (code.co_qualname, code.co_firstlineno) == (name, line):
            return code
        waiting += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
    return None


def _file_within(module: str, tree: Tree) -> Path | None:
    """Return a further module's file where it belongs to the same tree; others are not the plugin's."""
    if module.startswith(FILE_MODULE):
        return _file_of(module)
    file = tree.find(module)
    return None if file is None else file.resolve()


def _file_of(module: str) -> Path:
    """Return the source file of an imported module."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or not file.endswith(".py") or not Path(file).is_file():
        where = "typed in" if module in ("__main__", "None") else f"in the module {module!r}"
        raise Unspellable(f"its source is {where}, not in a Python file that can be read")
    return Path(file).resolve()


def _tree_of(module: str, file: Path, folder: Path | None) -> Tree:
    """Return the modules that belong to `module`."""
    if folder is not None and file.is_relative_to(folder.resolve()):
        return Tree(folder.resolve())
    top = module.partition(".")[0]
    for base in getattr(sys.modules.get(top), "__path__", ()):
        if file.is_relative_to(Path(base).resolve()):
            return Tree(Path(base).resolve(), top)
    if file.parent.name in ("site-packages", "dist-packages"):  # a lone module among strangers
        return Tree(file.with_suffix(""), top)
    return Tree(file.parent)
