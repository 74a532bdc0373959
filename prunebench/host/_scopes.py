"""Which names of its module, and of others, a piece of code means (standard library only).

Python's own rules for scopes: what a function binds is its own, a class's names are seen in its body alone,
comprehensions keep their variables. Nothing recurses: a long sum is deeper than Python's limit.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = [
    "Imported",
    "References",
    "Scope",
    "absolute",
    "bindings",
    "chain_of",
    "changed_inside",
    "enclosing",
    "is_dynamic",
    "references",
]

MUTATORS = frozenset(
    {
        *("add", "append", "clear", "discard", "extend", "insert"),
        *("pop", "remove", "reverse", "setdefault", "sort", "update"),
    }
)
"""Methods that change a list, set or dictionary."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DYNAMIC = frozenset({"globals", "locals", "eval", "exec", "__import__", "__builtins__"})
_DYNAMIC_ATTRIBUTES = frozenset({"__globals__", "__subclasses__", "f_globals", "__builtins__"})
_DYNAMIC_CHAINS = (
    *(("sys", "modules"), ("sys", "_getframe"), ("torch", "ops"), ("torch", "library"), ("inspect",)),
    *(("importlib", "import_module"), ("gc",), ("builtins",)),
)


class Imported(NamedTuple):
    """What a name was imported as: a module, or (`name`) something in one."""

    module: str
    name: str | None = None


@dataclass
class Scope:
    """What a function, class or comprehension binds, and what of it are imports."""

    bound: set[str] = field(default_factory=set)
    imports: dict[str, list[Imported]] = field(default_factory=dict)
    spelled: dict[str, list[Imported]] = field(default_factory=dict)
    """What import statements spell in full for a name: `import a.b` binds `a` and spells a.b."""
    stars: list[str] = field(default_factory=list)
    runs: list[Imported] = field(default_factory=list)
    """What its import statements import."""
    outer: set[str] = field(default_factory=set)
    """Names that it declares global or nonlocal."""
    is_class: bool = False


@dataclass
class References:
    """What a piece of code means outside itself."""

    chains: set[tuple[str, ...]] = field(default_factory=set)
    """Names of its module with the attributes that are read of them: ("helper", "f")."""
    imported: set[tuple[Imported, tuple[str, ...]]] = field(default_factory=set)
    """What it imports itself, with the attributes that are read of it."""
    runs: set[Imported] = field(default_factory=set)
    """What it imports itself, whatever is read of it."""
    dynamic: bool = False
    """True if it may look names up that it does not spell."""


def absolute(module: str, level: int, package: str) -> str:
    """Resolve a relative import from within `package`."""
    if not level:
        return module
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - (level - 1)] if level > 1 else parts
    return ".".join([*kept, *([module] if module else [])])


def imports_of(node: ast.Import | ast.ImportFrom, package: str, scope: Scope) -> None:
    """Note what an import statement binds and runs."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            scope.bound.add(name)
            scope.imports.setdefault(name, []).append(Imported(alias.name if alias.asname else name))
            parts = alias.name.split(".")
            # without `as`, the name is the outermost package's, and through it the others'
            first = 1 if alias.asname is None else len(parts)
            every = [Imported(".".join(parts[:n])) for n in range(first, len(parts) + 1)]
            scope.spelled.setdefault(name, []).extend(every)
            scope.runs += every
        return
    base = absolute(node.module or "", node.level, package)
    for alias in node.names:
        if alias.name == "*":
            scope.stars.append(base)
            scope.runs.append(Imported(base))
            continue
        name = alias.asname or alias.name
        scope.bound.add(name)
        scope.imports.setdefault(name, []).append(Imported(base, alias.name))
        scope.spelled.setdefault(name, []).append(Imported(base, alias.name))
        scope.runs.append(Imported(base, alias.name))


def bindings(nodes: Iterable[ast.AST], package: str) -> Scope:
    """Return what statements bind in their own scope, not in those of functions and classes within."""
    scope = Scope()
    stack: list[tuple[ast.AST, bool]] = [(node, False) for node in nodes]
    while stack:
        node, inside = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            scope.bound.add(node.name)
            stack += [(n, inside) for n in _evaluated_outside(node)]
        elif isinstance(node, ast.Lambda):
            stack += [(n, inside) for n in _evaluated_outside(node)]
        elif isinstance(node, _COMPREHENSIONS):
            stack += [(n, True) for n in ast.iter_child_nodes(node)]
        elif isinstance(node, ast.NamedExpr):
            if isinstance(node.target, ast.Name):
                scope.bound.add(node.target.id)
            stack.append((node.value, inside))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports_of(node, package, scope)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            scope.outer.update(node.names)
        else:
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) and not inside:
                scope.bound.add(node.id)
            for attribute in ("name", "rest"):  # except … as name, patterns, type aliases
                text = getattr(node, attribute, None)
                if isinstance(text, str) and not isinstance(node, ast.alias):
                    scope.bound.add(text)
            stack += [(n, inside) for n in ast.iter_child_nodes(node)]
    scope.bound -= scope.outer
    return scope


def _evaluated_outside(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a function or class that are evaluated where it stands."""
    if isinstance(node, ast.ClassDef):
        yield from (*node.decorator_list, *node.bases, *node.keywords)
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        yield from getattr(node, "decorator_list", [])
        yield from node.args.defaults
        yield from (value for value in node.args.kw_defaults if value is not None)
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        for argument in (*arguments, node.args.vararg, node.args.kwarg):
            if argument is not None and argument.annotation is not None:
                yield argument.annotation
        if getattr(node, "returns", None) is not None:
            yield node.returns  # type: ignore[union-attr, misc]


def _scope_of(node: ast.AST, package: str) -> Scope:
    """Return the scope that a function, class or comprehension opens."""
    if isinstance(node, _COMPREHENSIONS):
        return bindings([generator.target for generator in node.generators], package)
    body = node.body if isinstance(node.body, list) else [node.body]  # type: ignore[attr-defined]
    scope = bindings(body, package)
    if isinstance(node, _FUNCTIONS):
        every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        scope.bound |= {a.arg for a in (*every, node.args.vararg, node.args.kwarg) if a is not None}
    scope.bound |= {str(parameter.name) for parameter in getattr(node, "type_params", [])}
    scope.is_class = isinstance(node, ast.ClassDef)
    return scope


def enclosing(tree: ast.AST, wanted: ast.AST, package: str) -> tuple[Scope, ...]:
    """Return the scopes of the functions around a node, outermost first."""
    stack: list[tuple[ast.AST, tuple[Scope, ...]]] = [(tree, ())]
    while stack:
        node, scopes = stack.pop()
        if node is wanted:
            return scopes
        if isinstance(node, (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef)):
            scopes = (*scopes, _scope_of(node, package))
        stack += [(child, scopes) for child in ast.iter_child_nodes(node)]
    return ()


def references(node: ast.AST, package: str, around: tuple[Scope, ...] = ()) -> References:
    """Return what a statement or function means outside itself and the scopes `around` it."""
    outside = References()
    own: list[Scope] = []
    stack: list[tuple[ast.AST, tuple[Scope, ...]]] = [(node, around)]
    while stack:
        item, scopes = stack.pop()
        if isinstance(item, (*_FUNCTIONS, ast.ClassDef)):
            stack += [(part, scopes) for part in _evaluated_outside(item)]
            inner = (*_functions(scopes), _scope_of(item, package))
            outside.runs.update(inner[-1].runs)
            own.append(inner[-1])
            body = item.body if isinstance(item.body, list) else [item.body]
            stack += [(part, inner) for part in (*body, *getattr(item, "type_params", []))]
        elif isinstance(item, _COMPREHENSIONS):
            inner = (*_functions(scopes), _scope_of(item, package))
            stack += [(part, inner) for part in ast.iter_child_nodes(item)]
        elif isinstance(item, ast.Name | ast.Attribute):
            chain = chain_of(item)
            if chain is None:
                assert isinstance(item, ast.Attribute)
                outside.dynamic |= item.attr in _DYNAMIC_ATTRIBUTES
                stack.append((item.value, scopes))
            else:
                outside.dynamic |= any(name in _DYNAMIC_ATTRIBUTES for name in chain[1:])
                _note(chain, scopes, outside)
        else:
            plain = isinstance(item, ast.Call) and _imports_by_name(item, package, outside)
            parts = (*item.args, *item.keywords) if plain else ast.iter_child_nodes(item)  # type: ignore[attr-defined]
            stack += [(part, scopes) for part in parts]
    used = {target for target, _ in outside.imported}
    for scope in own:  # a function that imports what it does not use wants what importing it does: all of it
        for name, targets in scope.imports.items():
            if not used.intersection(targets):
                outside.imported.update((target, ()) for target in scope.spelled[name])
    return outside


def _functions(scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
    """Return the scopes that are seen from a function or class within: a class's names are not."""
    return tuple(scope for scope in scopes if not scope.is_class)


def chain_of(node: ast.AST) -> tuple[str, ...] | None:
    """Return ("a", "b", "c") for a.b.c, or None where it does not begin with a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None


def _note(chain: tuple[str, ...], scopes: tuple[Scope, ...], found: References) -> None:
    name = chain[0]
    for scope in reversed(scopes):
        if name in scope.bound:
            found.imported.update((imported, chain[1:]) for imported in scope.imports.get(name, ()))
            if len(chain) == 1:
                found.imported.update((spelled, ()) for spelled in scope.spelled.get(name, ()))
            return
        if name in scope.outer:
            break
    found.chains.add(chain)
    found.dynamic |= name in _DYNAMIC


def _imports_by_name(call: ast.Call, package: str, found: References) -> bool:
    """Note the module of `import_module("name")`; return whether that is what a call does."""
    function = call.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    found.dynamic |= called == "vars" and not call.args
    first = call.args[0] if call.args else None
    if called not in ("import_module", "__import__") or not isinstance(first, ast.Constant):
        return False
    if not isinstance(first.value, str) or not first.value:
        return False
    bare = first.value.lstrip(".")
    name = absolute(bare, len(first.value) - len(bare), package)
    found.runs.add(Imported(name))
    found.imported.add((Imported(name), ()))
    return True


def changed_inside(node: ast.AST, package: str) -> set[str]:
    """Return the names of its module whose meaning or object a function or class may change when it runs."""
    changed_names: set[str] = set()
    stack: list[tuple[ast.AST, frozenset[str]]] = [(node, frozenset())]
    while stack:
        item, local = stack.pop()
        if isinstance(item, _FUNCTIONS):
            scope = _scope_of(item, package)
            local = (local | scope.bound) - scope.outer
        changed: ast.AST | None = None
        if isinstance(item, ast.Global):
            changed_names.update(item.names)
        elif isinstance(item, ast.Attribute | ast.Subscript) and not isinstance(item.ctx, ast.Load):
            changed = item.value
        elif isinstance(item, ast.Call) and isinstance(item.func, ast.Attribute):
            changed = item.func.value if item.func.attr in MUTATORS else None
        while isinstance(changed, ast.Attribute | ast.Subscript):
            changed = changed.value
        if isinstance(changed, ast.Name) and changed.id not in local:
            changed_names.add(changed.id)
        stack += [(child, local) for child in ast.iter_child_nodes(item)]
    return changed_names


def is_dynamic(target: Imported, rest: tuple[str, ...]) -> bool:
    """True if something of another library, as `sys.modules`, looks names up that nobody spells."""
    dotted = (*target.module.split("."), *([target.name] if target.name else []), *rest)
    return any(dotted[: len(chain)] == chain for chain in _DYNAMIC_CHAINS)
