"""The digest of source code: blind to layout, the same under every Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prunebench.host import _source_digest
from prunebench.host._reach import Root, reach_digest
from prunebench.host._source_digest import Tree, digest_of_text

TRICKY = Path(__file__).parent / "tricky_source.txt"
"""Python 3.11 source with f-strings, a walrus, match, decorators, async, type hints, nested docstrings."""

GOLDEN = "1400a1ffb3a9e0e739c1ecef3868e258f57751071f38a01c763fd0fcdb3da47a"


def test_the_running_python_finds_the_golden_digest():
    """A digest that was made once, by any Python, is what this one makes."""
    assert digest_of_text(TRICKY.read_bytes()) == GOLDEN


def test_other_pythons_find_the_golden_digest(other_pythons):
    """The module runs by itself under other Pythons, standard library only, and agrees."""
    for python in other_pythons:
        command = [python, "-I", str(_source_digest.__file__), str(TRICKY)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == GOLDEN, python


SAME = {
    "comment": ("x = 1", "x = 1  # one"),
    "layout": ("f(a, b)", "f(\n    a,\n    b,\n)"),
    "quotes": ("x = 'a'", 'x = "a"'),
    "docstring": ("def f():\n    return 1", "def f():\n    'It returns.'\n    return 1"),
    "module docstring": ("x = 1", '"""A module."""\nx = 1'),
    "class docstring": ("class A:\n    x = 1", "class A:\n    '''A.'''\n    x = 1"),
    "async docstring": ("async def f():\n    return 1", "async def f():\n    'x'\n    return 1"),
    "attribute docstring": ("x = 1", "x = 1\n'what x is'"),
    "parentheses": ("x = a + b * c", "x = (a + (b * c))"),
    "number base": ("x = 255", "x = 0xFF"),
    "implicit joining": ("x = 'ab'", "x = 'a' 'b'"),
    "f-string pieces": ("x = f'a{b}c'", "x = 'a' f'{b}' 'c'"),
    "string prefix": ("x = 'a'", "x = u'a'"),
    "pass": ("def f():\n    'x'", "def f():\n    pass"),
}


@pytest.mark.parametrize("change", SAME)
def test_what_does_nothing_does_not_count(change):
    """Comments, docstrings, layout and spelling leave the digest as it is."""
    before, after = SAME[change]
    assert digest_of_text(before) == digest_of_text(after)


OTHER = {
    "int and float": ("x = 1", "x = 1.0"),
    "int and bool": ("x = 1", "x = True"),
    "float and bool": ("x = 1.0", "x = True"),
    "str and bytes": ("x = 'a'", "x = b'a'"),
    "str and number": ("x = '1'", "x = 1"),
    "None and absent": ("return_ = lambda: None", "return_ = lambda: ..."),
    "signed zero": ("x = 0.0", "x = -0.0"),
    "imaginary": ("x = 1j", "x = 1"),
    "operator": ("x = a + b", "x = a - b"),
    "order": ("f()\ng()", "g()\nf()"),
    "name": ("f()", "g()"),
    "string in use": ("x = 'a'", "x = 'b'"),
    "conversion": ("x = f'{a!r}'", "x = f'{a}'"),
    "format": ("x = f'{a:.1f}'", "x = f'{a:.2f}'"),
    "text and value in f-string": ("x = f'a{b}'", "x = f'{a}b'"),
    "f-string and string": ("x = f'{{a}}'", "x = f'{a}'"),
    "keyword": ("f(a=1)", "f(b=1)"),
    "star": ("f(*a)", "f(a)"),
    "dict unpacking": ("{**a}", "{None: a}"),
    "default": ("def f(a=1): return a", "def f(*, a=1): return a"),
    "relative import": ("from . import a", "from .. import a"),
    "annotation": ("x: int = 1", "x: float = 1"),
    "decorator": ("@a\ndef f(): return 1", "def f(): return 1"),
    "async": ("async def f(): return 1", "def f(): return 1"),
    "long integer": ("x = 1" + "0" * 5000, "x = 2" + "0" * 5000),
    "nesting": ("if a:\n    f()\ng()", "if a:\n    f()\n    g()"),
    "surrogates": (r"x = '\ud800'", r"x = '\ud801'"),
}


@pytest.mark.parametrize("change", OTHER)
def test_what_does_something_counts(change):
    """Code that computes something else has another digest; 1, 1.0 and True are three things."""
    if "long" in change:
        sys.set_int_max_str_digits(0)
    try:
        before, after = OTHER[change]
        assert digest_of_text(before) != digest_of_text(after)
    finally:
        sys.set_int_max_str_digits(4300)


def test_long_expressions_are_digested():
    """A sum of 900 terms is a tree 900 deep: nothing recurses into it."""
    assert digest_of_text("x = " + "+".join(["a"] * 900)) != digest_of_text("x = " + "+".join(["a"] * 901))


@pytest.fixture
def package(tmp_path):
    """Write a package `pkg` and return (digest of its module `root`, function that writes a file)."""

    def write(name: str, text: str) -> None:
        path = tmp_path / "pkg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    for name in ("__init__.py", "root.py", "a.py", "sub/__init__.py", "sub/b.py"):
        write(name, "")

    def digest() -> str:
        root = Root(tmp_path / "pkg" / "root.py", "no name of it: all of it")
        return reach_digest([root], Tree(tmp_path / "pkg", "pkg"))

    return digest, write


IMPORTS = {
    "import pkg.a": "a.py",
    "import pkg.a as short": "a.py",
    "import pkg.sub.b": "sub/__init__.py",
    "from pkg import a": "a.py",
    "from pkg.a import f": "a.py",
    "from . import a": "a.py",
    "from .a import f": "a.py",
    "from .sub import b": "sub/b.py",
    "from .sub.b import f as g": "sub/b.py",
    "from .sub import *": "sub/__init__.py",
    "from . import NAME": "__init__.py",
    "def f():\n    import pkg.a": "a.py",
    "def f():\n    from .a import g": "a.py",
    "import importlib\nimportlib.import_module('pkg.a')": "a.py",
    "import importlib\nimportlib.import_module('.a', __package__)": "a.py",
    "try:\n    from .a import f\nexcept ImportError:\n    f = None": "a.py",
}


@pytest.mark.parametrize("statement", IMPORTS)
def test_every_way_to_import_is_followed(package, statement):
    """A change in a module that is imported, however it is spelled, is noticed; a comment there is not."""
    digest, write = package
    write("root.py", statement)
    before = digest()
    write(IMPORTS[statement], "# nothing")
    assert digest() == before
    write(IMPORTS[statement], "x = 1")
    assert digest() != before


@pytest.mark.parametrize(
    "statement", ["import os", "from pkg import a", "import prunebench.errors", "import other"]
)
def test_what_is_not_imported_does_not_count(package, statement, tmp_path):
    """Modules of the package that are not imported, other packages and prunebench are not part of it."""
    digest, write = package
    write("root.py", statement)
    before = digest()
    write("sub/b.py", "x = 1")
    write("../other.py", "x = 1")
    write("../prunebench/errors.py", "x = 1")
    write("__init__.py", "from . import a\nfrom . import root\n")
    assert digest() == before


def test_a_package_that_gives_a_submodules_name_to_something_else_counts(package):
    """`from . import a` reads the package's own `a` where it has one."""
    digest, write = package
    write("root.py", "from . import a")
    before = digest()
    write("__init__.py", "from .sub import b as a")
    assert digest() != before


def test_imports_are_followed_from_module_to_module_and_in_circles(package):
    """What an imported module imports counts as well, and a circle ends."""
    digest, write = package
    write("root.py", "from . import a")
    write("a.py", "from .sub import b")
    write("sub/b.py", "from ..root import f\nfrom .. import a")
    before = digest()
    write("sub/b.py", "from ..root import f\nfrom .. import a\nx = 1")
    assert digest() != before


def test_the_name_of_a_plugin_file_does_not_count(tmp_path):
    """Renaming a plugin file changes nothing that it does."""
    (tmp_path / "helper.py").write_text("x = 1")
    digests = []
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("import helper\n")
        digests.append(reach_digest([Root(tmp_path / name, "nothing")], Tree(tmp_path)))
    assert digests[0] == digests[1]
