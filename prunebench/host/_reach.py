"""What a function can reach: the code that decides what it computes (standard library only).

From a function the names that it means are followed, through definitions of its module and of the modules
beside it. With them counts all code that runs when these modules are imported; definitions that nothing
reaches count for nothing. Where names are looked up that no code spells, the whole module counts.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType

from prunebench.host._purity import Judge
from prunebench.host._scopes import (
    Imported,
    References,
    Scope,
    bindings,
    changed_inside,
    enclosing,
    is_dynamic,
    references,
)
from prunebench.host._source_digest import Tree, digest_of_tree

__all__ = ["Root", "reach_digest"]

Find = Callable[[str], Path | None]
"""The file of a module of the plugin's own by its dotted name."""


@dataclass(frozen=True)
class Root:
    """Code to start from: a function or class, by its file, its qualified name and its compiled form."""

    path: Path
    name: str
    code: CodeType | None = None


def reach_digest(roots: Iterable[Root], tree: Tree) -> str:
    """Return the digest of all that these functions and classes can reach.

    Raises: OSError where a file cannot be read, SyntaxError where one is not Python.
    """
    reach = _Reach(tree)
    roots = list(roots)
    listing = [f"root {reach.start(root)}" for root in roots]
    own = roots[0].path if roots else None
    # renaming a plugin changes nothing that it does
    labelled = [("" if m.path == own else m.name, m) for m in reach.modules.values()]
    for label, module in sorted(labelled, key=lambda one: one[0]):
        listing += [f"{label} {module.items[place].digest}" for place in sorted(module.reached)]
    return hashlib.sha256("".join(f"{line}\n" for line in listing).encode()).hexdigest()


@dataclass
class _Item:
    """A statement of a module, or one name of an import statement."""

    scope: Scope
    """What it binds."""
    acts: bool
    """True if it does something else as well when it runs."""
    package: str
    node: ast.AST | None = None
    text: str = ""

    @cached_property
    def digest(self) -> str:
        """What it does, in hexadecimal; of an import, what it imports."""
        return digest_of_tree(self.node) if self.node is not None else self.text

    @cached_property
    def references(self) -> References:
        """What it means outside itself."""
        return references(self.node, self.package) if self.node is not None else References()


class _Module:
    """A module of the plugin, read and not run."""

    def __init__(self, path: Path, name: str, find: Find) -> None:
        self.path, self.name, self._find = path, name, find
        self.items: list[_Item] = []
        self.reached: set[int] = set()
        self.whole = False
        self.parsed = ast.parse(path.read_bytes(), filename=str(path))
        self.package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self._statements = list(_running(self.parsed.body))
        self._scope = bindings(self._statements, self.package)
        self.stars = self._scope.stars
        definitions: dict[str, list[ast.AST]] = {}
        for node in self._statements:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                definitions.setdefault(node.name, []).append(node)
        judge = Judge(definitions, self._scope.bound, self._dotted)
        for node in self._statements:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.items += map(self._import, _single(node))
            elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                self.items.append(self._statement(node, judge))
        self.table: dict[str, list[int]] = {}
        for place, item in enumerate(self.items):
            for bound in item.scope.bound:
                self.table.setdefault(bound, []).append(place)

    def _import(self, node: ast.stmt) -> _Item:
        scope = bindings([node], self.package)
        targets = [(name, *target) for name, meanings in scope.imports.items() for target in meanings]
        return _Item(scope, False, self.package, text=f"import {targets or scope.stars}")

    def _statement(self, node: ast.stmt, judge: Judge) -> _Item:
        scope = bindings([node], self.package)
        changed = judge.changed(node)
        if changed is not None:
            scope.bound |= self._held(changed)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            scope.bound |= changed_inside(node, self.package) & self._scope.bound
        return _Item(scope, changed is None and not judge.statement(node), self.package, node)

    def gives(self, name: str) -> bool:
        """True if a package gives a name itself: not one that is a module within, imported as it is."""
        targets = self._scope.imports.get(name, ())
        plain = any(target == (self.package, name) for target in targets)
        return name in self._scope.bound and not plain

    def _dotted(self, chain: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the full name of what is imported from elsewhere, None of what is the plugin's own."""
        for module, name in self._scope.imports.get(chain[0], ()):
            if self._find(module) is None and self._find(f"{module}.{name or chain[-1]}") is None:
                return (*module.split("."), *([name] if name else []), *chain[1:])
        return None

    def _held(self, name: str) -> set[str]:
        """Return a name and those whose objects it may hold: changing it may change them."""
        holders: set[str] = set()
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if one not in holders:
                holders.add(one)
                for node in self._statements:
                    if isinstance(node, ast.Assign | ast.AnnAssign) and one in bindings([node], "").bound:
                        waiting += [chain[0] for chain in references(node, "").chains]
        return holders & self._scope.bound


def _single(node: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
    """Return an import statement for each name: one name more changes nothing for the others."""
    if isinstance(node, ast.Import):
        return [ast.Import([alias]) for alias in node.names]
    return [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]


def _running(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported: not those for type checkers or scripts."""
    for node in statements:
        if isinstance(node, ast.If) and _is_never(node.test):
            yield from _running(node.orelse)
        else:
            yield node


def _is_never(test: ast.expr) -> bool:
    """True if a condition is false in a module that is imported."""
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case ast.Compare(ast.Name("__name__"), [ast.Eq()], [ast.Constant("__main__")]):
            return True
    return False


def _function_node(parsed: ast.Module, root: Root) -> ast.AST | None:
    """Return the function that `root` is, found by its line; None where that does not tell."""
    if root.code is None:
        return None
    line, name = root.code.co_firstlineno, root.code.co_name
    candidates: list[ast.AST] = []
    for node in ast.walk(parsed):
        if isinstance(node, ast.Lambda) and name == "<lambda>" and node.lineno == line:
            candidates.append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            candidates += (
                [node] if min([node.lineno, *(d.lineno for d in node.decorator_list)]) == line else []
            )
    if len(candidates) > 1:
        candidates = _around(candidates, root.code)
    return candidates[0] if len(candidates) == 1 else None


def _around(nodes: list[ast.AST], code: CodeType) -> list[ast.AST]:
    """Return the smallest of several functions on one line that holds all of the code."""
    places = [p for p in code.co_positions() if None not in p and p[3]]
    holding: list[tuple[int, int, int, ast.AST]] = []
    for node in nodes:
        first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        if places and all(first <= (p[0], p[2]) and (p[1], p[3]) <= last for p in places):
            holding.append((last[0] - first[0], last[1] - first[1], len(holding), node))
    return [min(holding)[3]] if holding else []


class _Reach:
    """Follows names from module to module."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.modules: dict[Path, _Module] = {}
        """The modules whose code runs on import, by file."""
        self._read: dict[Path, _Module] = {}
        self._found: dict[str, Path | None] = {}
        self._waiting: list[tuple[_Module, References]] = []
        self._asked: set[tuple[Path, tuple[str, ...]]] = set()

    def start(self, root: Root) -> str:
        """Reach a function or class and all that follows; return its own digest where no name means it."""
        module = self._module(root.path)
        name = root.name.partition(".")[0]
        node = _function_node(module.parsed, root) if "<" in root.name else None
        if node is not None:
            around = enclosing(module.parsed, node, module.package)
            self._waiting.append((module, references(node, module.package, around)))
        elif name in module.table:
            self._name(module, (name,))
        else:
            self._take_whole(module)
        while self._waiting:
            self._follow(*self._waiting.pop())
        return digest_of_tree(node) if node is not None else ""

    def _find(self, name: str) -> Path | None:
        if name not in self._found:
            path = self._tree.find(name) if name else None
            self._found[name] = None if path is None else path.resolve()
        return self._found[name]

    def _reading(self, path: Path) -> _Module:
        if path not in self._read:
            inside = path.is_relative_to(self._tree.folder)
            name = self._tree.name_of(path) if inside else path.stem
            self._read[path] = _Module(path, name, self._find)
        return self._read[path]

    def _module(self, path: Path) -> _Module:
        """Return a module; its code that runs on import is reached, and that of what it imports."""
        module = self._reading(path)
        if path not in self.modules:
            self.modules[path] = module
            for place, item in enumerate(module.items):
                if item.acts:
                    self._take(module, place)
                self._run(item.scope.runs)
        return module

    def _run(self, imports: Iterable[Imported]) -> None:
        """Reach the code that runs when these are imported.

        A package that only lists its modules is left out, or a change in one of them would change all.
        """
        for module, name in imports:
            path = self._find(module)
            inner = self._find(f"{module}.{name}" if module else name) if name is not None else None
            if inner is not None:
                self._module(inner)
            if path is not None and (inner is None or self._reading(path).gives(str(name))):
                self._module(path)

    def _take(self, module: _Module, place: int) -> None:
        if place not in module.reached:
            module.reached.add(place)
            self._waiting.append((module, module.items[place].references))

    def _take_whole(self, module: _Module) -> None:
        if module.whole:
            return
        module.whole = True
        for place, item in enumerate(module.items):
            self._take(module, place)
            for targets in item.scope.spelled.values():
                for target in targets:
                    self._imported(target, ())
            for star in item.scope.stars:
                self._of_module(star, ())

    def _follow(self, module: _Module, found: References) -> None:
        self._run(sorted(found.runs, key=str))
        for chain in sorted(found.chains):
            self._name(module, chain)
        dynamic = [self._imported(*one) for one in sorted(found.imported, key=str)]
        if found.dynamic or any(dynamic):
            self._take_whole(module)

    def _name(self, module: _Module, chain: tuple[str, ...]) -> bool:
        """Reach what a name of a module means, with the attributes read of it; return whether it is there."""
        if (module.path, chain) in self._asked:
            return True
        self._asked.add((module.path, chain))
        places = module.table.get(chain[0], [])
        for place in places:
            self._take(module, place)
            scope = module.items[place].scope
            dynamic = [self._imported(target, chain[1:]) for target in scope.imports.get(chain[0], ())]
            if len(chain) == 1:  # the module itself is handed on
                dynamic += [self._imported(target, ()) for target in scope.spelled.get(chain[0], ())]
            if any(dynamic):
                self._take_whole(module)
        there = bool(places)
        for star in module.stars:
            if (path := self._find(star)) is not None:
                there |= self._name(self._module(path), chain)
        return there

    def _imported(self, target: Imported, rest: tuple[str, ...]) -> bool:
        """Reach what was imported; return whether it looks names up that nobody spells."""
        if target.name is None:
            return self._of_module(target.module, rest)
        return self._of_module(target.module, (target.name, *rest))

    def _of_module(self, name: str, rest: tuple[str, ...]) -> bool:
        """Reach what is read of a module, all of it where nothing is read of it by name."""
        path = self._find(name)
        inner = f"{name}.{rest[0]}".lstrip(".") if rest else ""
        within = bool(inner) and self._find(inner) is not None
        if within and (path is None or not self._reading(path).gives(rest[0])):
            return self._of_module(inner, rest[1:])
        if path is None:
            return is_dynamic(Imported(name), rest)
        module = self._module(path)
        if not rest or not self._name(module, rest):
            self._take_whole(module)
        return False
