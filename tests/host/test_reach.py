"""What a function reaches counts in its digest, and nothing else does: a matrix of the forms that Python has."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prunebench.host
from prunebench.host._reach import Root, reach_digest
from prunebench.host._source_digest import Tree


class Folder:
    """A plugin file `main.py` and modules beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **modules: str) -> None:
        for name, text in modules.items():
            file = self.path / f"{name.replace('__in__', '/')}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(textwrap.dedent(text), encoding="utf-8")

    def digest(self, name: str = "score", **modules: str) -> str:
        """Write modules and return the digest of a function of main."""
        self.write(**modules)
        return reach_digest([Root((self.path / "main.py").resolve(), name)], Tree(self.path.resolve()))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# the digest of `score` moves when § is another number
REACHED = {
    "set by a hook": "X = 0\ndef hook():\n    global X\n    X = §\ndef score(): return X",
    "filled by a hook": "T = {}\ndef hook():\n    T['a'] = §\ndef score(): return T",
    "appended by a hook": "T = []\ndef hook():\n    for i in range(§): T.append(i)\ndef score(): return T",
    "dispatched": (
        "import functools\n@functools.singledispatch\ndef f(x): return 0\n"
        "@f.register\ndef _(x: int): return §\ndef score(): return f(1)"
    ),
    "guard of a case": "X = §\ndef score(v):\n    match v:\n        case int() if X: return 1",
    "default of a lambda": "X = §\ndef score(): return (lambda x=X: x)()",
    "class decorator": "def d(c):\n    c.x = §\n    return c\n@d\nclass A: pass\ndef score(): return A.x",
    "keyword of a class": "X = §\nclass B: pass\nclass A(B, key=X): pass\ndef score(): return A",
    "called object": "class A:\n    def __call__(self): return f()\ndef f(): return §\nO = A()\ndef score(): return O()",
    "nonlocal": "X = §\ndef score():\n    y = 0\n    def f():\n        nonlocal y\n        y = X\n    return f()",
    "deleted and bound": "X = 1\ndel X\nX = §\ndef score(): return X",
    "starred": "X, *Y = [1, §, 3]\ndef score(): return Y",
    "loop variable": "for X in range(§): pass\ndef score(): return X",
    "with as": "import contextlib\nwith contextlib.nullcontext(§) as X: pass\ndef score(): return X",
    "walrus at the top": "(X := §)\ndef score(): return X",
    "comprehension in a class": "X = §\nclass A:\n    X = [X for _ in range(2)]\ndef score(): return A.X",
    "constant": "X = §\ndef score(): return X",
    "function": "def f(): return §\ndef score(): return f()",
    "through another": "def f(): return g()\ndef g(): return §\ndef score(): return f()",
    "class": "class A:\n    x = §\ndef score(): return A().x",
    "base": "class B:\n    x = §\nclass A(B): pass\ndef score(): return A().x",
    "method's global": "X = §\nclass A:\n    def m(self): return X\ndef score(): return A().m()",
    "class attribute": "X = §\nclass A:\n    y = X\ndef score(): return A.y",
    "decorator": "def d(f): return f, §\n@d\ndef score(): return 1",
    "decorator's argument": "X = §\ndef d(x): return id\n@d(X)\ndef score(): return 1",
    "default": "X = §\ndef score(x=X): return x",
    "keyword default": "X = §\ndef score(*, x=X): return x",
    "annotation": "X = [§]\ndef score(x: X): return x",
    "nested function": "X = §\ndef score():\n    def f(): return X\n    return f()",
    "lambda": "X = §\ndef score(): return (lambda: X)()",
    "comprehension": "X = §\ndef score(): return [X for _ in range(2)]",
    "condition of one": "X = §\ndef score(): return [i for i in range(2) if i > X]",
    "generator's source": "X = §\ndef score(): return sum(i for i in X)",
    "f-string": "X = §\ndef score(): return f'{X:>{X}}'",
    "walrus": "X = §\ndef score(): return (y := X)",
    "global statement": "X = §\ndef score():\n    global X\n    X += 1\n    return X",
    "match": "class P: x = §\ndef score(v):\n    match v:\n        case P(): return 1",
    "with": "X = §\ndef score():\n    with X: pass",
    "except": "class E(Exception): x = §\ndef score():\n    try: pass\n    except E: pass",
    "raise": "class E(Exception): x = §\ndef score():\n    raise E",
    "subscript": "X = [§]\ndef score(): return X[0]",
    "async": "X = §\nasync def score(): return X",
    "annotated": "X: int = §\ndef score(): return X",
    "unpacked": "X, Y = §, 2\ndef score(): return Y",
    "chained": "X = Y = §\ndef score(): return Y",
    "augmented": "X = 1\nX += §\ndef score(): return X",
    "conditional": "import sys\nif sys.version_info > (4,):\n    X = §\nelse:\n    X = 3\ndef score(): return X",
    "tried": "try:\n    X = §\nexcept ValueError:\n    X = 3\ndef score(): return X",
    "loop": "for i in range(3):\n    X = §\ndef score(): return X",
    "type alias": "X = §\nY = X\ndef score(): return Y",
    "partial": "import functools\ndef f(x): return §\ng = functools.partial(f, 1)\ndef score(): return g()",
    "filled later": "T = {}\nT['a'] = §\ndef score(): return T",
    "appended later": "T = []\nT.append(§)\ndef score(): return T",
    "filled through another name": "T = {}\nU = T\nU['a'] = §\ndef score(): return T",
    "attribute of a function": "def f(): return f.x\nf.x = §\ndef score(): return f()",
    "property": "X = §\nclass A:\n    @property\n    def p(self): return X\ndef score(): return A().p",
    "metaclass": "class M(type): x = §\nclass A(metaclass=M): pass\ndef score(): return A.x",
    "instance": "class A:\n    def m(self): return §\nO = A()\ndef score(): return O.m()",
    "rebound": "def score(): return f()\nf = §\ndef f(): return 3",
    "dataclass": "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = §\ndef score(): return A()",
    "local shadows in another function": "X = §\ndef score():\n    def f(X): return X\n    return f(X)",
    "class body does not reach methods": "X = §\nclass A:\n    X = 5\n    def m(self): return X\ndef score(): return A().m()",
    "call on import": "import random\nrandom.seed(§)\ndef score(): return 1",
    "value of a call": "import lib\nX = lib.make(§)\ndef score(): return 1",
    "patching": "import lib\nlib.x = §\ndef score(): return 1",
    "own function called on import": "def f(): print(§)\nf()\ndef score(): return 1",
    "own function called for a value": "import lib\ndef f(): return lib.set(§)\nX = f()\ndef score(): return 1",
    "conditional on import": "import lib\nif lib.x:\n    lib.do(§)\ndef score(): return 1",
    "while": "i = 0\nwhile i < 1:\n    i += §\ndef score(): return 1",
    "class body that acts": "import lib\nclass A:\n    lib.do(§)\ndef score(): return 1",
    "base that notices": "S = []\nclass B:\n    def __init_subclass__(cls): S.append(cls)\nclass A(B): x = §\ndef score(): return 1",
    "decorator that acts": "S = []\ndef r(f):\n    S.append(f)\n    return f\n@r\ndef other(): return §\ndef score(): return S",
    "default that acts": "import lib\ndef other(x=lib.do(§)): return 1\ndef score(): return 1",
    "exit handler": "import atexit\n@atexit.register\ndef other(): return §\ndef score(): return 1",
    "else of a script": "if __name__ == '__main__':\n    pass\nelse:\n    print(§)\ndef score(): return 1",
    "globals": "X = §\ndef score(): return globals()['X']",
    "eval": "X = §\ndef score(): return eval('X')",
    "exec": "X = §\ndef score(): exec('X')",
    "vars": "X = §\ndef score(): return vars()",
    "modules": "import sys\nX = §\ndef score(): return getattr(sys.modules[__name__], 'X')",
    "modules by name": "from sys import modules as m\nX = §\ndef score(): return m",
    "import of a variable": "import importlib\nX = §\ndef score(n): return importlib.import_module(n)",
    "function's globals": "X = §\ndef score(): return score.__globals__['X']",
    "subclasses": "class A: pass\nclass B(A): x = §\ndef score(): return A.__subclasses__()",
    "operators by name": "import torch\n@torch.library.custom_op('m::f')\ndef f(x): return §\ndef score(x): return torch.ops.m.f(x)",
    "frames": "import inspect\nX = §\ndef score(): return inspect.currentframe()",
}


@pytest.mark.parametrize("form", REACHED)
def test_what_a_function_reaches_counts(folder, form):
    """A change there moves the digest, a comment does not."""
    text = REACHED[form]
    before = folder.digest(main=text.replace("§", "1"))
    assert folder.digest(main=text.replace("§", "1").replace("\ndef ", "\n# nothing\n\n\ndef ")) == before
    assert folder.digest(main=text.replace("§", "2")) != before


BASE = """
import torch
from torch import nn

SCALE = 2

def helper(x):
    return x * SCALE

def score(net, batch, rng):
    scores = {}
    for name, weight in net.weights.items():
        scores[name] = helper(weight)
    return scores
"""

BESIDE = {
    "hook that fills its own": "FOUND = []\ndef hook():\n    FOUND.append(helper)\n    return FOUND",
    "locals of the same names": "def second():\n    SCALE = 3\n    helper = []\n    helper.append(SCALE)\n    return helper",
    "function": "def second(net): return 1",
    "the name of a local": "def weight(net): return 1\ndef scores(): return 2\nname = 3\nnet = 4",
    "its helper and constant": "THEIRS = 3\ndef theirs(x): return x * THEIRS\ndef second(net): return theirs(net)",
    "class": "class Net(nn.Module):\n    width = 3\n    def forward(self, x): return x",
    "hook": "import prunebench\n@prunebench.hookimpl\ndef prunebench_scorers():\n    return [prunebench.Scorer('a', score)]",
    "component": "import prunebench\nSECOND = prunebench.Scorer('b', helper)",
    "partial": "import functools\nsecond = functools.partial(helper, 3)",
    "lambda": "second = lambda net: net",
    "no_grad": "@torch.no_grad()\ndef second(net): return 1",
    "cache": "import functools\n@functools.lru_cache(maxsize=3)\ndef second(net): return 1",
    "dataclass": "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = 3",
    "enumeration": "import enum\nclass Colour(enum.Enum):\n    RED = 1",
    "named tuple": "import typing\nclass P(typing.NamedTuple):\n    x: int = 1",
    "property": "class A:\n    @property\n    def p(self): return 1\n    @p.setter\n    def p(self, v): pass",
    "container": "TABLE = {'a': helper, 'b': [1, 2, (3, None)]}",
    "computed constant": "import math\nHALF = math.sqrt(2) / len([1, 2]) + float('inf') - 2**3",
    "tensor": "ONES = torch.ones(3, dtype=torch.float64)",
    "logger": "import logging\nlog = logging.getLogger(__name__)",
    "pattern": "import re\nPATTERN = re.compile('a+')",
    "path": "from pathlib import Path\nHERE = Path(__file__).parent / 'data'",
    "variable of the environment": "import os\nDEBUG = os.environ.get('DEBUG', '0') == '1'",
    "import": "import os, sys as system\nfrom torch import Tensor",
    "one name more in an import": None,
    "tried import": "try:\n    import cupy\nexcept ImportError:\n    cupy = None",
    "condition": "import sys\nif sys.version_info >= (3, 12):\n    def second(): return 1\nelse:\n    def second(): return 2",
    "for type checkers": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from elsewhere import Thing",
    "script": "if __name__ == '__main__':\n    print(score)",
    "all": "__all__ = ['score', 'second']\n__all__ += ['third']",
    "author": "__author__ = 'me'",
    "factory": "def make(by):\n    def second(net):\n        return by\n    return second\nSECOND = make(3)",
    "decorator of one's own": "def twice(f):\n    def g(*a):\n        return f(*a) * 2\n    return g\n@twice\ndef second(net): return 1",
    "object": "class Maker:\n    def __init__(self, by):\n        self.by = by\n    def score(self, net): return self.by\nMAKER = Maker(3)",
    "registry": "SCORERS = []\nSCORERS.append(helper)\nTABLE = {}\nTABLE['x'] = 3",
    "note on a function": "def second(net): return 1\nsecond.title = 'Second'",
    "globals in another": "def second(net): return globals()['SCALE']",
    "docstring": "'''What this is.'''",
    "deleted": "i = 3\ndel i",
    "loop": "for i in range(3):\n    last = i",
    "switch": "import contextlib\nwith contextlib.suppress(ImportError):\n    import cupy",
}


@pytest.mark.parametrize("form", BESIDE)
def test_what_stands_beside_it_does_not_count(folder, form):
    """A second scorer and all that belongs to it moves nothing, before or after the first one in the file."""
    before = folder.digest(main=BASE)
    text = BESIDE[form]
    if text is None:
        more = BASE.replace("from torch import nn", "from torch import Tensor, nn").replace(
            "import torch\n", "import os, torch\n"
        )
        assert folder.digest(main=more) == before
        return
    assert folder.digest(main=f"{BASE}\n{text}\n") == before
    first, rest = BASE.split("def helper")
    assert folder.digest(main=f"{first}\n{text}\ndef helper{rest}") == before


IMPORTS = {
    "import": "import helper\ndef score(): return helper.f(1)",
    "as": "import helper as h\ndef score(): return h.f(1)",
    "from": "from helper import f\ndef score(): return f(1)",
    "from as": "from helper import f as k\ndef score(): return k(1)",
    "inside": "def score():\n    import helper\n    return helper.f(1)",
    "inside from": "def score():\n    from helper import f\n    return f(1)",
    "inside a nested function": "def score():\n    import helper as h\n    def inner(): return h.f(1)\n    return inner()",
    "star": "from helper import *\ndef score(): return f(1)",
    "tried": "try:\n    from helper import f\nexcept ImportError:\n    f = None\ndef score(): return f(1)",
    "condition": "import sys\nif sys.platform == 'x':\n    import helper as h\nelse:\n    import helper as h\ndef score(): return h.f(1)",
    "by name": "import importlib\nh = importlib.import_module('helper')\ndef score(): return h.f(1)",
    "by name inside": "from importlib import import_module\ndef score(): return import_module('helper').f(1)",
    "dunder": "def score(): return __import__('helper').f(1)",
    "module handed on": "import helper\ndef use(m): return m.f(1)\ndef score(): return use(helper)",
    "module in a list": "import helper\nALL = [helper]\ndef score(): return ALL[0].f(1)",
    "another name": "import helper\nh = helper\ndef score(): return h.f(1)",
    "getattr": "import helper\ndef score(): return getattr(helper, 'f')(1)",
    "dictionary": "import helper\ndef score(): return helper.__dict__['f'](1)",
    "through a third": "import third\ndef score(): return third.helper.f(1)",
    "given on": "from third import given\ndef score(): return given(1)",
    "given on by star": "from fourth import f\ndef score(): return f(1)",
    "method": "import helper\ndef score(): return helper.Thing2().m()",
    "made object": "import helper\nT = helper.Thing2()\ndef score(): return T.m()",
    "base": "import helper\nclass A(helper.Thing2): pass\ndef score(): return A().m()",
    "package": "import pack.inner\ndef score(): return pack.inner.f(1)",
    "package handed on": "import pack.inner\ndef use(m): return m.inner.f(1)\ndef score(): return use(pack)",
    "from package": "from pack import inner\ndef score(): return inner.f(1)",
    "from module of package": "from pack.inner import f\ndef score(): return f(1)",
    "package gives it": "from pack import given\ndef score(): return given(1)",
    "relative in package": "from pack.other import h\ndef score(): return h(1)",
}


@pytest.mark.parametrize("form", IMPORTS)
def test_every_way_to_use_another_module_is_followed(folder, form):
    """What is used of a module beside it counts; what is not used there does not, where names are spelled."""
    f = "def f(x): return x + 1\n"
    text = f + "def g(x): return x + 2\nclass Thing2:\n    def m(self): return f(1)\n"
    more = {
        "third": "import helper\nfrom helper import f as given\n",
        "fourth": "from helper import *\n",
        "pack__in____init__": "from .inner import f as given\n",
        "pack__in__inner": text,
        "pack__in__other": "from .inner import f\nfrom . import inner\ndef h(x): return f(x) + inner.f(x)\n",
    }
    before = folder.digest(main=IMPORTS[form], helper=text, **more)
    where = "pack__in__inner" if "pack" in IMPORTS[form] else "helper"
    assert folder.digest(**{where: text.replace("x + 1", "x + 3")}) != before
    assert folder.digest(**{where: text + "# nothing\n"}) == before
    unspelled = ("by name", "dunder", "handed", "list", "another name", "getattr", "dictionary")
    if not any(word in form for word in unspelled):
        assert folder.digest(**{where: text.replace("x + 2", "x + 4")}) == before


def test_code_that_runs_when_another_module_is_imported_counts(folder):
    """Whoever imports the module for whatever: it may change what everybody uses."""
    main = "import other\ndef score(): return 1"
    before = folder.digest(main=main, other="import helper\nX = 1\n", helper="Y = 1\n")
    assert folder.digest(other="import helper\nX = 2\n") == before
    assert folder.digest(helper="Y = 1\nprint(1)\n") != before


def test_a_module_that_makes_its_names_itself_counts_whole(folder):
    """A module's `__getattr__`, or names that it is given by code."""
    main = "import helper\ndef score(): return helper.thing"
    for text in (
        "X = 1\ndef __getattr__(name): return X",
        "X = 1\nglobals()['thing'] = 3",
        "X = 1\nexec('thing = 1')",
    ):
        before = folder.digest(main=main, helper=text)
        assert folder.digest(helper=text.replace("X = 1", "X = 2")) != before


def test_a_circle_ends(folder):
    """Two modules that import each other are followed once."""
    main = "import a\ndef score(): return a.f()"
    a, b = "import b\ndef f(): return b.g()", "import a\ndef g(): return a.f() + 1"
    before = folder.digest(main=main, a=a, b=b)
    assert folder.digest(b=b.replace("1", "2")) != before
    b = "from c import x\n"
    folder.digest(main="from b import x\ndef score(): return x", b=b, c="from b import x\n")


def test_packages_that_nobody_names_are_no_part(folder):
    """prunebench, and what lies elsewhere."""
    main = "import prunebench, elsewhere\ndef score(): return prunebench.f(elsewhere.g())"
    before = folder.digest(main=main)
    folder.write(prunebench__in____init__="def f(x): return 1\nprint()")
    assert folder.digest() == before


def test_long_code_is_followed(folder):
    """Nothing recurses into an expression: a sum of 900 terms."""
    text = "X = 1\ndef score(): return " + "+".join(["X"] * 900)
    before = folder.digest(main=text)
    assert folder.digest(main=text.replace("X = 1", "X = 2")) != before


def test_names_that_many_statements_bind_are_followed(folder):
    """A thousand definitions, each naming the next."""
    text = (
        "".join(f"def f{i}(): return f{i + 1}()\n" for i in range(1100))
        + "f1100 = 1\ndef score(): return f0()"
    )
    before = folder.digest(main=text)
    assert folder.digest(main=text.replace("f1100 = 1", "f1100 = 2")) != before


_NAMES = [f"n{i}" for i in range(6)]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_exactly_the_reachable_definitions_count(tmp_path_factory, data):
    """Of a random graph of functions in two modules, those count that a walk from the scorer finds."""
    folder = Folder(tmp_path_factory.mktemp("graph"))
    modules = {name: data.draw(st.sampled_from(["main", "other"])) for name in _NAMES}
    edges = {name: data.draw(st.lists(st.sampled_from(_NAMES), max_size=2)) for name in [*_NAMES, "score"]}
    modules["score"] = "main"

    def text(module: str, changed: str = "") -> str:
        other = "other" if module == "main" else "main_"
        lines = [f"import {other}"] if module == "main" else []
        for name in modules:
            if modules[name] == module:
                calls = [t if modules[t] == module else f"other.{t}" for t in edges[name]]
                if module == "other":
                    calls = [t for t in edges[name] if modules[t] == "other"]
                value = 2 if name == changed else 1
                lines.append(f"def {name}(): return [{value}, {', '.join(f'{c}()' for c in calls)}]")
        return "\n".join(lines) + "\n"

    reached, waiting = set(), ["score"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [t for t in edges[name] if modules[name] == "main" or modules[t] == "other"]
    before = folder.digest(main=text("main"), other=text("other"))
    for name in modules:
        after = folder.digest(main=text("main", name), other=text("other", name))
        assert (after != before) == (name in reached), (name, edges, modules)


def test_other_pythons_find_the_same_digest(folder, other_pythons):
    """The same reach under every supported Python, standard library only."""
    texts = REACHED | {name: f"{BASE}\n{text}" for name, text in BESIDE.items() if text}
    for number, text in enumerate(texts.values()):
        folder.write(**{f"main{number}": text.replace("§", "1")})
    code = f"""
        import sys, types, pathlib
        for name, path in {{"prunebench": {str(Path(prunebench.__file__).parent)!r},
                           "prunebench.host": {str(Path(prunebench.host.__file__).parent)!r}}}.items():
            module = sys.modules[name] = types.ModuleType(name)
            module.__path__ = [path]
        from prunebench.host._reach import Root, reach_digest
        from prunebench.host._source_digest import Tree
        folder = pathlib.Path({str(folder.path)!r}).resolve()
        for number in range({len(texts)}):
            print(reach_digest([Root(folder / f"main{{number}}.py", "score")], Tree(folder)))
    """
    found = {}
    for python in [sys.executable, *other_pythons]:
        ran = subprocess.run(
            [python, "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": str(len(found))},
        )
        found[python] = ran.stdout.split()
    assert len(found[sys.executable]) == len(texts)
    assert len({tuple(digests) for digests in found.values()}) == 1
