"""`prunebench run` is hermetic: what the user's shell, folder and pytest hold does not reach its cells."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import prunebench

ODD = "run[1]::$HOME ..%s 'é' -x"

SHADOWS = ("random", "queue", "json", "torch", "numpy", "pytest", "xdist", "execnet", "select", "pickle")

PLUGIN = '''
import os
from helper import spoken
import prunebench

print("printed at import")
os.system("echo printed below Python")
{at_import}

def score(net, batch, rng):
    """Magnitude, talkative."""
    print("printed while scoring")
    {fault}
    return {{name: weight.detach().abs() for name, weight in net.weights.items()}}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
'''


def odd_place(project: Any, *, fault: str = "pass", at_import: str = "pass") -> tuple[Path, Path, Path]:
    """Return a suite, a plugin file with a helper beside it, and a store, in a folder of a name to stumble over."""
    folder = project.folder / ODD
    folder.mkdir()
    suite = folder / "a::b[c]$X.toml"
    shutil.move(project.suite(["mine", "snip"]), suite)
    plugin = folder / "my plugin[0].py"
    plugin.write_text(PLUGIN.format(fault=fault, at_import=at_import))
    (folder / "helper.py").write_text("spoken = 1\n")
    return suite, plugin, folder / "$HOME" / "store[::]"


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `prunebench run` as its script does: without the working directory on the path."""
    call = "import sys; from prunebench.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-P", "-c", call, "run", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, **environment},
    )


@pytest.mark.slow
def test_workers_start_where_prunebench_itself_lies(project: Any) -> None:
    """An editable install is found through the working directory there, which is no place to import from."""
    suite = project.suite(["magnitude"])
    done = run(
        Path(prunebench.__file__).parents[1], str(suite), "--store", str(project.folder / "s"), "-n", "2"
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param((), id="one"),
        pytest.param(("-n", "2"), id="two", marks=pytest.mark.slow),
    ],
)
def test_nothing_around_it_reaches_a_run(project: Any, workers: tuple[str, ...]) -> None:
    """Odd names, pytest's variables and settings, shadowing modules, -W error; standard output is JSON."""
    suite, plugin, store = odd_place(project, fault="import warnings; warnings.warn('mind', stacklevel=1)")
    here = project.folder / "here"
    here.mkdir()
    for name in SHADOWS:
        (here / f"{name}.py").write_text(f"raise RuntimeError('the wrong {name}')\n")
    (here / "pytest.ini").write_text("[pytest]\naddopts = --collect-only --strict-nonsense\n")
    (here / "conftest.py").write_text("raise RuntimeError('not for cells')\n")
    done = run(
        here,
        os.path.relpath(suite, here),
        "--plugin",
        os.path.relpath(plugin, here),
        "--store",
        os.path.relpath(store, here),
        "--json",
        *workers,
        PYTEST_ADDOPTS="-k nosuch --cov=x --collect-only",
        PYTEST_PLUGINS="nosuch",
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="",
        PYTEST_THEME="nosuch",
        PYTEST_XDIST_WORKER="gw7",
        PYTEST_XDIST_AUTO_NUM_WORKERS="many",
        PYTEST_CURRENT_TEST="somebody else's",
        PYTHONWARNINGS="error",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    cells = [f"main::digits-mlp-digits-{cell}-s0" for cell in ("none-d1", "mine-d0.5", "snip-d0.5")]
    assert sorted(found["made"]) == sorted(cells)
    assert found["jobs"] == 11
    lines = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert [line.split()[0] for line in lines] == ["[1/3]", "[2/3]", "[3/3]"]
    assert "printed at import" in done.stderr
    assert "printed while scoring" not in done.stdout + done.stderr
    assert any("printed while scoring" in log.read_text() for log in (store / "logs").iterdir())


@pytest.mark.slow
def test_workers_take_suites_and_stores_whose_names_are_no_utf_8(project: Any) -> None:
    """Folder, file and store: what workers report of their cells is text all the same."""
    folder = project.folder / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    suite = folder / os.fsdecode(b"\xe9t\xe9.toml")
    shutil.move(project.suite(["snip"]), suite)
    done = run(project.folder, str(suite), "--store", str(folder / "store"), "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 cells made now" in done.stdout


def test_workers_get_no_empty_entry_of_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty entry of PYTHONPATH, as in ":/mine", means the working directory; what is named stays."""
    from prunebench.engine.on_pytest.hermetic import _surroundings

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", "/mine", ""]))
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "/mine"])
    with _surroundings():
        assert (os.environ["PYTHONPATH"], sys.path) == ("/mine", ["/mine"])
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert sys.path == ["", str(tmp_path), "/mine"]
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with _surroundings():
        assert sys.path == [str(tmp_path), "/mine"]


@pytest.mark.parametrize(
    ("fault", "workers"),
    [
        pytest.param("os._exit(0)", (), id="exit"),
        pytest.param("os._exit(0)", ("-n", "2"), id="exit-two", marks=pytest.mark.slow),
        pytest.param("import ctypes; ctypes.string_at(0)", (), id="crash", marks=pytest.mark.slow),
        pytest.param("os.kill(os.getpid(), 9)", (), id="killed", marks=pytest.mark.slow),
        pytest.param("raise KeyboardInterrupt", ("-n", "2"), id="interrupt-two", marks=pytest.mark.slow),
    ],
)
def test_a_scorer_that_ends_the_process_is_a_failed_job(
    project: Any, fault: str, workers: tuple[str, ...]
) -> None:
    """Exit code 1; the attempt is written down and told; the other cells are made and counted once."""
    suite, plugin, store = odd_place(project, fault=fault)
    done = run(project.folder, str(suite), "--plugin", str(plugin), "--store", str(store), "--json", *workers)
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["exit_code"] == 1
    assert len(found["made"]) == 2
    assert found["before"] == []
    ((name, error),) = found["failed"].items()
    assert name == "main::digits-mlp-digits-mine-d0.5-s0"
    assert "score" in error
    assert len(list((store / "attempts").iterdir())) == 1
    numbers = [line.split()[0] for line in done.stderr.splitlines() if line.startswith("[")]
    assert numbers == ["[1/3]", "[2/3]", "[3/3]"]


@pytest.mark.parametrize(
    ("at_import", "said"),
    [
        ("os._exit(0)", "a plugin's code ended the run"),
        pytest.param("raise KeyboardInterrupt", "my plugin[0].py", marks=pytest.mark.slow),
    ],
)
def test_a_plugin_that_ends_the_process_at_import_is_an_error(
    project: Any, at_import: str, said: str
) -> None:
    """One sentence, and no exit code 0."""
    suite, plugin, store = odd_place(project, at_import=at_import)
    done = run(project.folder, str(suite), "--plugin", str(plugin), "--store", str(store))
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_workers_that_cannot_start_end_the_run(project: Any) -> None:
    """After a few tries, with what they wrote."""
    at_import = "if os.environ.get('PYTEST_XDIST_WORKER'): os.write(2, b'no room for me\\n'); os._exit(3)"
    suite, plugin, store = odd_place(project, at_import=at_import)
    arguments = (str(suite), "--plugin", str(plugin), "--store", str(store), "-n", "2")
    done = run(project.folder, *arguments, PYTEST_XDIST_WORKER="")  # this test may itself run in a worker
    assert done.returncode != 0
    assert "workers cannot start" in done.stderr
    assert "no room for me" in done.stderr
    assert "Traceback" not in done.stderr
