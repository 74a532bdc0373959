"""Files: found by name or path, decoded, parsed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunebench.errors import SuiteError
from prunebench.suite import Suite, load_suite, shipped_suites
from prunebench.suite.load import suite_path


def message(call: Callable[[], Any], tmp_path: Path) -> str:
    """Return the text of the SuiteError of a call, without the folder."""
    with pytest.raises(SuiteError) as caught:
        call()
    return str(caught.value).replace(f"{tmp_path}/", "")


BAD = [
    (b'schema = 1\nname = "caf\xe9"\n', "x.toml:2:12: not UTF-8: byte 0xe9; save the file as UTF-8"),
    (
        'name = "é"\nx = ['.encode(),
        "x.toml:2:6: not TOML: Invalid value (the file ends here); the closing ] is missing",
    ),
    (
        b"schema = 1\nname = ",
        "x.toml:2:8: not TOML: Invalid value (the file ends here); the value after = is missing",
    ),
    (b'[[matrix]]\nname == "a"\n', "x.toml:2:7: not TOML: Invalid value; write one ="),
    (
        b"a = 1\na = 2\n",
        "x.toml:2:6: not TOML: Cannot overwrite a value; the key a is there twice (first in line 1): leave one out",
    ),
    (b'name = "a\n', "x.toml:1:10: not TOML: Illegal character '\\n'; the closing quote is missing"),
]


@pytest.mark.parametrize(("content", "expected"), BAD)
def test_what_is_not_toml_is_refused_with_line_and_column(
    content: bytes, expected: str, host: Any, tmp_path: Path
) -> None:
    """A truncated file, another encoding, bad syntax: the place, and what is wrong there."""
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    assert message(lambda: load_suite(path, host), tmp_path) == expected


def test_a_suite_by_path_has_its_path(suite: Callable[..., str], host: Any, tmp_path: Path) -> None:
    """A path ends in .toml or is a file; a byte-order mark and Windows line ends do no harm."""
    text = suite().replace("\n", "\r\n").encode("utf-8-sig")
    for name in ("s.toml", "s"):
        path = tmp_path / name
        path.write_bytes(text)
        found = load_suite(str(path), host)
        assert (found.path, found.name, found.version, found.schema) == (path, "s", "1", 1)


def test_what_is_no_file_is_refused(host: Any, tmp_path: Path) -> None:
    """A missing file and a folder are said as such."""
    (tmp_path / "d.toml").mkdir()
    assert message(lambda: load_suite(tmp_path / "no.toml", host), tmp_path) == "no.toml: no such file"
    assert message(lambda: load_suite(tmp_path / "d.toml", host), tmp_path) == (
        "d.toml: is a folder; a suite is a TOML file"
    )


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("", "SUITE is the name of a shipped suite, or a TOML file"),
        ("plans", "a store is given with --store; SUITE is the name of a shipped suite, or a TOML file"),
        (
            "records.tar.xz",
            "a published leaderboard is given with --from, as in `prunebench leaderboard --from`",
        ),
    ],
)
def test_a_folder_is_no_suite(host: Any, tmp_path: Path, inside: str, said: str) -> None:
    """What it is instead is said, with how that is given; a path that is not there is no shipped suite's name."""
    folder = tmp_path / "here"
    (folder / inside).mkdir(parents=True)
    if inside.endswith("xz"):
        (folder / inside).rmdir()
        (folder / inside).touch()
    assert message(lambda: load_suite(folder, host), tmp_path) == f"here: is a folder; {said}"
    assert message(lambda: load_suite(tmp_path / "there", host), tmp_path) == "there: no such file"


def test_an_unknown_name_is_refused_with_the_nearest(host: Any, tmp_path: Path) -> None:
    """A shipped suite's name that is misspelt: the nearest, all of them, and where they are."""
    folder = next(iter(shipped_suites().values())).parent
    assert message(lambda: load_suite("quik", host), tmp_path) == (
        "no shipped suite 'quik'; did you mean 'quick'? "
        f"allowed: {', '.join(sorted(shipped_suites()))} (in {folder}); "
        "a suite of your own is given as a path that ends in .toml"
    )


def test_shipped_suites_of_a_wheel_come_before_the_checkouts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a wheel they lie in the plugins' package; in a checkout beside it."""
    package = tmp_path / "plugins" / "prunebench_plugins"
    inside, beside = package / "suites", tmp_path / "suites"
    for folder in (inside, beside):
        folder.mkdir(parents=True)
        (folder / f"{folder.parent.name}.toml").touch()

    class Spec:
        submodule_search_locations = (str(package),)

    monkeypatch.setattr("importlib.util.find_spec", lambda name: Spec)
    assert shipped_suites() == {"prunebench_plugins": inside / "prunebench_plugins.toml"}
    (inside / "prunebench_plugins.toml").unlink()
    inside.rmdir()
    assert shipped_suites() == {tmp_path.name: beside / f"{tmp_path.name}.toml"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert shipped_suites() == {}


def test_another_distributions_suites_are_known_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They lie in the package of its entry point, which is not imported; prunebench's own names stay its own."""
    folder, data = tmp_path / "lending_suites" / "suites", tmp_path / "lending_suites-1.0.dist-info"
    folder.mkdir(parents=True)
    data.mkdir()
    (folder.parent / "__init__.py").write_text("raise RuntimeError", encoding="utf-8")
    for name in ("lent", "quick"):
        (folder / f"{name}.toml").touch()
    (data / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: lending-suites\nVersion: 1.0\n", encoding="utf-8"
    )
    (data / "entry_points.txt").write_text("[prunebench]\nlent = lending_suites.plugin\n", encoding="utf-8")
    own = shipped_suites()
    monkeypatch.syspath_prepend(tmp_path)
    assert shipped_suites() == {**own, "lent": folder / "lent.toml"}
    assert suite_path("lent") == folder / "lent.toml"


def test_the_digest_is_of_the_parsed_content(suite: Callable[..., str], load: Callable[[str], Suite]) -> None:
    """Comments, layout and the order of keys leave the digest as it is; a value does not."""
    plain = load(suite()).digest
    text = suite().replace("[0.5]", "[ # half\n  0.50, ]").replace("schema = 1\n", "") + "\n# the end\n"
    assert load("schema = 1 # first\n\n" + text).digest == plain
    reordered = suite().replace('name = "s"\nversion = "1"', 'version = "1"\nname = "s"')
    assert load(reordered).digest == plain
    assert load(suite(sparsities="[0.6]")).digest != plain


def test_suites_are_read_without_torch() -> None:
    """Completion and listings read suites: nothing here imports torch."""
    code = "import sys, prunebench.suite; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
