"""Which statements of a module only give names their meaning, and do nothing else when it is imported.

Standard library only. What is not surely harmless counts as code that runs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from prunebench.host._scopes import MUTATORS, chain_of

__all__ = ["Judge"]

Dotted = Callable[[tuple[str, ...]], "tuple[str, ...] | None"]
"""The full name of something of another library, ("torch", "nn", "Linear"), or None of the plugin's own."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BUILTINS = _words("""
    abs all any bool bytes chr classmethod complex dict divmod enumerate filter float frozenset hash int
    isinstance issubclass len list map max min object ord pow property range repr reversed round set
    slice sorted staticmethod str sum super tuple type zip
""")
_HARMLESS = _words("""
    collections contextlib copy dataclasses decimal.Decimal enum fractions functools
    importlib.metadata.version importlib.util.find_spec itertools json.loads logging.getLogger math
    numpy.arange numpy.array numpy.asarray numpy.dtype numpy.eye numpy.finfo numpy.float32 numpy.float64
    numpy.full numpy.linspace numpy.ones numpy.zeros operator os.environ.get os.getenv os.path pathlib
    prunebench re string textwrap torch.arange torch.as_tensor torch.cuda.is_available torch.device
    torch.dtype torch.eye torch.finfo torch.full torch.Generator torch.iinfo torch.linspace torch.nn
    torch.ones torch.Size torch.tensor torch.zeros types typing
""")
_METHODS = _words("""
    capitalize copy count decode difference encode endswith format get index intersection items join
    keys lower lstrip replace rstrip split splitlines startswith strip title union upper values
""")
_ACTS = ("register", "set_", "seed", "manual_seed", "enable", "disable", "install", "init")
"""How the last part of a name begins that does something to others, wherever it comes from."""


class Judge:
    """Judges the statements of one module.

    `definitions` are its functions and classes by name; `dotted` tells what an imported name is; `locals`
    are names that mean values.
    """

    def __init__(self, definitions: Mapping[str, Sequence[ast.AST]], bound: set[str], dotted: Dotted) -> None:
        self._definitions, self._bound, self._dotted = definitions, bound, dotted
        self._judging: set[int] = set()

    def statement(self, node: ast.AST, *, local: bool = False) -> bool:
        """True if a statement only binds names; in a function (`local`) it may also return."""
        match node:
            case ast.Pass() | ast.Import() | ast.ImportFrom() | ast.Raise() | ast.Delete() | ast.Nonlocal():
                return True
            case ast.Break() | ast.Continue():
                return True
            case ast.Expr(value=ast.Constant()):
                return True
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return all(map(self._decorator, node.decorator_list)) and self._arguments(node.args)
            case ast.ClassDef():
                return self._class(node)
            case ast.Assign():
                return all(map(self._target, node.targets)) and self.expression(node.value)
            case ast.AnnAssign():
                return self._target(node.target) and (node.value is None or self.expression(node.value))
            case ast.AugAssign(target=ast.Name(id=name)):
                return (local or name == "__all__") and self.expression(node.value)
            case ast.Return():
                return local and (node.value is None or self.expression(node.value))
            case ast.If():
                return self.expression(node.test) and self._all([*node.body, *node.orelse], local)
            case ast.For():
                return (
                    self._target(node.target)
                    and self.expression(node.iter)
                    and self._all([*node.body, *node.orelse], local)
                )
            case ast.Try() | ast.TryStar():
                handlers = [s for handler in node.handlers for s in handler.body]
                return self._all([*node.body, *handlers, *node.orelse, *node.finalbody], local)
            case ast.With():
                return all(self.expression(i.context_expr) for i in node.items) and self._all(
                    node.body, local
                )
            case ast.Assert():
                return self.expression(node.test)
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="__init__")) as call):
                return local and self.expression(call)
        return type(node).__name__ == "TypeAlias"

    def changed(self, node: ast.AST) -> str | None:
        """Return the name whose object a statement changes, and nothing else: NAME[…] = …, NAME.append(…)."""
        match node:
            case ast.Assign(targets=[ast.Subscript() | ast.Attribute() as target], value=value):
                base: ast.AST = target
                while isinstance(base, ast.Subscript | ast.Attribute):
                    if isinstance(base, ast.Subscript) and not self.expression(base.slice):
                        return None
                    base = base.value
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=base, attr=method), args=arguments, keywords=named)
            ) if method in MUTATORS:
                if not all(map(self.expression, (*arguments, *(k.value for k in named)))):
                    return None
                value = ast.Constant(None)
            case _:
                return None
        own = isinstance(base, ast.Name) and base.id in self._bound and self._dotted((base.id,)) is None
        return base.id if own and self.expression(value) and isinstance(base, ast.Name) else None

    def _all(self, nodes: Sequence[ast.AST], local: bool) -> bool:
        return all(self.statement(node, local=local) for node in nodes)

    def _target(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Tuple | ast.List):
            return all(map(self._target, node.elts))
        if isinstance(node, ast.Starred):
            return self._target(node.value)
        chain = chain_of(node)  # in a constructor: an attribute of the new object
        return isinstance(node, ast.Name) or (
            bool(self._judging) and chain is not None and chain[0] == "self"
        )

    def _arguments(self, arguments: ast.arguments) -> bool:
        return all(self.expression(d) for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None)

    def _decorator(self, node: ast.expr) -> bool:
        """True if putting a decorator on something does nothing else."""
        called = node.func if isinstance(node, ast.Call) else node
        if isinstance(node, ast.Call) and not self._given(node):
            return False
        chain = chain_of(called)
        if chain is None or chain[-1].startswith(_ACTS) or chain[0] == "atexit":
            return False
        if chain[-1] in ("setter", "getter", "deleter"):
            return True
        dotted = self._dotted(chain)
        if dotted is not None:
            return dotted[:2] != ("torch", "library") and dotted[0] != "atexit"
        return self._call(chain) or chain[0] not in self._bound

    def _class(self, node: ast.ClassDef) -> bool:
        """True if defining a class does nothing else: no metaclass, nor a base that notices."""
        if any(keyword.arg == "metaclass" for keyword in node.keywords) or not all(
            map(self._decorator, node.decorator_list)
        ):
            return False
        if not all(map(self.expression, (*node.bases, *(k.value for k in node.keywords)))):
            return False
        if any(self._notices(base, set()) for base in node.bases):
            return False
        return self._all(node.body, local=False)

    def _notices(self, base: ast.expr, seen: set[str]) -> bool:
        """True if a class of the plugin's own does something when another is made of it."""
        chain = chain_of(base)
        if chain is None or self._dotted(chain) is not None:
            return False
        if chain[0] not in self._definitions:
            return chain[0] in self._bound
        if chain[0] in seen:
            return False
        for definition in self._definitions[chain[0]]:
            if isinstance(definition, ast.ClassDef):
                names = {getattr(statement, "name", "") for statement in definition.body}
                if names & {"__init_subclass__", "__set_name__"} or definition.keywords:
                    return True
                if any(self._notices(b, {*seen, chain[0]}) for b in definition.bases):
                    return True
        return False

    def expression(self, node: ast.AST) -> bool:
        """True if evaluating an expression does nothing but give its value."""
        stack: list[ast.AST] = [node]
        while stack:
            item = stack.pop()
            if isinstance(item, ast.Lambda):
                stack += [d for d in (*item.args.defaults, *item.args.kw_defaults) if d is not None]
                continue
            if isinstance(item, ast.Await | ast.Yield | ast.YieldFrom):
                return False
            if isinstance(item, ast.Call):
                if not self._called(item):
                    return False
                stack += [*item.args, *(keyword.value for keyword in item.keywords)]
                if isinstance(item.func, ast.Attribute) and chain_of(item.func) is None:
                    stack.append(item.func.value)
                continue
            stack += ast.iter_child_nodes(item)
        return True

    def _given(self, call: ast.Call) -> bool:
        return all(map(self.expression, (*call.args, *(keyword.value for keyword in call.keywords))))

    def _called(self, call: ast.Call) -> bool:
        """True if calling this does nothing else; its arguments are looked at elsewhere."""
        chain = chain_of(call.func)
        if chain is None:
            return isinstance(call.func, ast.Attribute) and (
                call.func.attr in _METHODS or call.func.attr == "__init__"
            )
        if len(chain) > 1 and chain[-1] in _METHODS:
            return True
        dotted = self._dotted(chain)
        if dotted is not None:
            name = ".".join(dotted)
            harmless = any(name == one or name.startswith(f"{one}.") for one in _HARMLESS)
            return harmless and not dotted[-1].startswith(_ACTS)
        if chain[0] not in self._bound:
            return len(chain) == 1 and (chain[0] in _BUILTINS or chain[0].endswith(("Error", "Exception")))
        return self._call(chain)

    def _call(self, chain: tuple[str, ...]) -> bool:
        """True if calling a function or class of this module only makes its value."""
        definitions = self._definitions.get(chain[0], ()) if len(chain) == 1 else ()
        return bool(definitions) and all(map(self._makes, definitions))

    def _makes(self, node: ast.AST) -> bool:
        if id(node) in self._judging:
            return True
        self._judging.add(id(node))
        try:
            if isinstance(node, ast.ClassDef):
                functions = [s for s in node.body if isinstance(s, ast.FunctionDef)]
                makers = [f for f in functions if f.name in ("__init__", "__new__", "__post_init__")]
                foreign = all(self._dotted(chain_of(base) or ("",)) is not None for base in node.bases)
                return foreign and self._class(node) and all(self._all(f.body, True) for f in makers)
            return isinstance(node, ast.FunctionDef) and self._all(node.body, True)
        finally:
            self._judging.discard(id(node))
