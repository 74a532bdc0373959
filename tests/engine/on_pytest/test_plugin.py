"""Suites as pytest items: collected when named, selected and reported as pytest does; silent elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prunebench.engine.failures import JobFailed

from ...conftest import Project  # noqa: TID252


def run_pytest(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--assert=plain", *arguments],  # else all of prunebench is rewritten
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PRUNEBENCH_STORE": str(folder / "store"), **environment},
    )


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with two suites, one of them with ablations, and other TOML files, and what a listing of it says."""
    project = Project(tmp_path_factory.mktemp("listed"))
    project.suite(["snip", "ltr"], ablations=["none", "shuffle"], name="one")
    project.suite(["snip"], name="two")
    (project.folder / "pyproject.toml").write_text(OTHER + "[[tool.other.matrix]]\n")
    (project.folder / "data.toml").write_text("[[matrix]]\nrows = 3\n")
    (project.folder / "below").mkdir()
    (project.folder / "below" / "three.toml").write_text((project.folder / "two.toml").read_text())
    done = run_pytest(project.folder, ".", "--collect-only", "-q")
    assert done.returncode == 0
    return SimpleNamespace(folder=project.folder, lines=done.stdout.splitlines())


def test_cells_are_items_named_by_suite_matrix_and_cell(listed: Any) -> None:
    """--collect-only lists quick.toml::main::… in the file's order."""
    assert listed.lines[:5] == [
        "one.toml::main::digits-mlp-digits-none-d1-s0",
        "one.toml::main::digits-mlp-digits-snip-d0.5-s0",
        "one.toml::main::digits-mlp-digits-snip-shuffle-d0.5-s0",
        "one.toml::main::digits-mlp-digits-ltr-d0.5-s0",
        "one.toml::main::digits-mlp-digits-ltr-shuffle-d0.5-s0",
    ]


def test_collect_only_writes_nothing(listed: Any) -> None:
    """A listing makes no store and no plan."""
    assert not (listed.folder / "store").exists()


def test_a_folder_that_is_named_collects_the_suites_in_it(listed: Any) -> None:
    """Those directly in it; no other TOML files; nothing where pytest merely starts in it."""
    assert listed.lines[5:7] == [
        f"two.toml::main::digits-mlp-digits-{cell}-s0" for cell in ("none-d1", "snip-d0.5")
    ]
    assert not [line for line in listed.lines[7:] if "::" in line]
    assert run_pytest(listed.folder, "-q").returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_k_selects_cells_and_what_they_need_comes_along(project: Any) -> None:
    """-k ltr runs one cell, whose name is printed whole though it has dots, as of a class in a doctest; the dense
    run that it needs is made, other cells are not.
    """
    path = project.suite(["snip", "ltr"])
    done = run_pytest(project.folder, path.name, "-v", "-k", "ltr")
    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 deselected" in done.stdout
    assert "tiny.toml::main::digits-mlp-digits-ltr-d0.5-s0 PASSED" in done.stdout
    engine = project.engine(path)
    assert [c.labels["method"] for c in engine.plan.cells if engine.store.has_record(c.key)] == ["ltr"]


def test_a_failed_cell_is_a_failed_item_with_its_jobs_error_and_lf_finds_it(project: Any) -> None:
    """The scorer's error is shown without a traceback, and -x leaves the cells behind it alone; --lf runs the
    failed cell alone, which passes once mended.
    """
    plugin = project.folder / "mine.py"
    plugin.write_text(BROKEN)
    path = project.suite(["mine", "snip"])
    options = (path.name, "--prunebench-plugin", str(plugin))
    done = run_pytest(project.folder, *options, "-x")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "out of luck" in done.stdout
    assert "Traceback" not in done.stdout
    plugin.write_text(BROKEN.replace("raise ValueError('out of luck')", "pass"))
    again = run_pytest(project.folder, *options, "--lf")
    assert "1 passed" in again.stdout
    assert again.returncode == 0


def test_a_bad_suite_is_an_error_of_collection_without_a_traceback(project: Any) -> None:
    """pytest reports the suite's own message and exits with 2."""
    path = project.suite(["snap"])
    done = run_pytest(project.folder, path.name)
    assert done.returncode == 2
    assert "snip" in done.stdout
    assert "Traceback" not in done.stdout


OTHER = """
[tool.something]
matrix = "not ours"
"""


def test_the_plugin_is_silent_in_other_peoples_projects(tmp_path: Path) -> None:
    """A project with toml files of its own, a suite among them, collects its tests and nothing else; no torch."""
    (tmp_path / "pyproject.toml").write_text(OTHER)
    (tmp_path / "suite.toml").write_text('schema = 1\nname = "x"\n[[matrix]]\nname = "m"\n')
    (tmp_path / "test_own.py").write_text(
        "import sys\ndef test_own():\n    assert 'torch' not in sys.modules\n    assert 'prunebench.plan' not in sys.modules\n"
    )
    done = run_pytest(tmp_path, "-q")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "prunebench" not in done.stdout + done.stderr
    assert {p.name for p in tmp_path.iterdir()} - {".pytest_cache", "__pycache__"} == {
        "pyproject.toml",
        "suite.toml",
        "test_own.py",
    }


def test_every_option_of_run_has_its_counterpart() -> None:
    """Added to pytest under --prunebench-…, but for those that pytest has itself; all are documented."""
    from prunebench.cli._engines import _belonging
    from prunebench.cli.run import command
    from prunebench.engine.on_pytest import plugin as pytest_plugin

    ours = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    ours -= {"--lf", "--quiet", "--verbose", "--json", "--no-table"}
    ours -= {"--strict"}  # a check that fails is an item that fails
    ours -= {"--again"}  # what it sets aside, it sets aside once, before pytest begins
    ours -= {"--workers", "--workers-per-gpu", "--gpus-per-worker"}  # how many there are is pytest-xdist's
    ours -= {"--engine", *(flag for flag, _ in _belonging().values())}  # pytest itself is the local one
    theirs: set[str] = set()
    group = SimpleNamespace(addoption=lambda name, **_: theirs.add(name))
    pytest_plugin.pytest_addoption(SimpleNamespace(getgroup=lambda *_: group))  # type: ignore[arg-type]
    assert {option.replace("--", "--prunebench-", 1) for option in ours} == theirs - {"--prunebench-request"}
    documented = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    assert not [name for name in theirs - {"--prunebench-request"} if name not in documented]


def test_options_make_the_request_that_run_makes(tmp_path: Path) -> None:
    """Scorers, seeds, plugins and the rest arrive; what contradicts itself is refused."""
    from prunebench.engine.on_pytest.suites import request_for
    from prunebench.errors import UsageError

    def request(**given: Any) -> Any:
        options = {"scorer": [], "plugin": [], "load": [], "no-plugins": False, "keep-states": False, **given}
        config = SimpleNamespace(getoption=lambda name: options.get(name.removeprefix("--prunebench-")))
        return request_for(config, tmp_path / "x.toml")  # type: ignore[arg-type]

    found = request(scorer=["obd", "mine"], seeds=2, load=["other"], threads=3, **{"keep-states": True})
    assert (found.scorers, found.seeds, found.load, found.threads) == (("obd", "mine"), 2, ("other",), 3)
    assert found.keep_states
    assert found.third_party
    assert not request(**{"no-plugins": True}).third_party
    assert request().load is None
    with pytest.raises(UsageError, match="give one of them"):
        request(load=["other"], **{"no-plugins": True})
    assert (request().kernels, request(kernels="sparse").kernels) == ("dense", "sparse")
    with pytest.raises(UsageError, match="found 0"):
        request(seeds=0)
    with pytest.raises(UsageError, match="--prunebench-kernels: found 'spars'; did you mean 'sparse'"):
        request(kernels="spars")


def test_a_toml_file_that_is_no_suite_is_left_to_others(tmp_path: Path) -> None:
    """Named on the command line, a file without matrices is not ours to collect."""
    (tmp_path / "other.toml").write_text("[tool.x]\na = 1\n")
    done = run_pytest(tmp_path, "other.toml", "-q")
    assert done.returncode in (pytest.ExitCode.NO_TESTS_COLLECTED, pytest.ExitCode.USAGE_ERROR)
    assert "prunebench" not in done.stdout


@pytest.mark.slow
def test_two_workers_share_one_dense_run(project: Any) -> None:
    """With -n 2 no job is made twice: each job's log says done once."""
    path = project.suite(["magnitude-after-training", "ltr"], sparsities=[0.3, 0.5, 0.7, 0.9])
    done = run_pytest(project.folder, path.name, "-n", "2", "-q")
    assert done.returncode == 0, done.stdout
    for log in (project.folder / "store" / "logs").iterdir():
        assert log.read_text().count(" done") == 1, log.read_text()


BROKEN = '''
import prunebench

def score(net, batch, rng):
    """Broken on purpose."""
    raise ValueError('out of luck')
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
'''


def test_a_cell_fails_of_a_death_only_where_it_needs_that_job() -> None:
    """While a worker's item waits, it makes jobs of other cells: the item is handed out again then."""
    from prunebench.engine.on_pytest import plugin

    cells = [
        SimpleNamespace(id="main::a", targets=["record-a"]),
        SimpleNamespace(id="main::b", targets=["b"]),
    ]
    needs = {"record-a": {"record-a", "score-a"}, "b": {"b", "score-b"}}
    suite: Any = SimpleNamespace(
        session=SimpleNamespace(plan=SimpleNamespace(cells=cells, ancestors=needs.get))
    )
    assert plugin._needs("tiny.toml::main::a", suite, "score-a")
    assert not plugin._needs("tiny.toml::main::a", suite, "score-b")
    assert plugin._needs("tiny.toml::no cell of ours", suite, "score-b")


def test_a_killed_worker_that_is_not_gone_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pipes close a moment before the process is dead: its claim is asked for until it can be taken."""
    from prunebench.engine.on_pytest import plugin as pytest_plugin
    from prunebench.engine.on_pytest import suites as pytest_suites

    answers: list[list[Path]] = [[], [], [Path("claims/cafe.json")], [Path("claims/another.json")]]
    store = SimpleNamespace(
        bury=lambda ended: answers.pop(0),
        attempts=lambda key: [{"error": f"process 7 died while it worked on {key}"}],
        log_path=lambda key: Path(f"logs/{key}.log"),
    )
    job: Any = SimpleNamespace(kind="score", key="cafe")
    failed = JobFailed(job, "process 7 died while it worked on cafe", log_path="logs/cafe.log")
    worker = SimpleNamespace(store=store, given_up={}, failed_elsewhere={"cafe": failed}.get)
    plan = SimpleNamespace(suite={}, cells=(), jobs={"cafe": job})
    session = SimpleNamespace(plan=plan)
    stash = {pytest_suites._LOADED: {"suite": SimpleNamespace(worker=worker, session=session)}}
    monkeypatch.setattr(pytest_plugin.time, "sleep", lambda seconds: None)
    node = SimpleNamespace(gateway=SimpleNamespace(id="gw0"))
    report = SimpleNamespace(longrepr="worker 'gw0' crashed", node=node)
    sched = SimpleNamespace(config=SimpleNamespace(stash=stash, pluginmanager=pytest.PytestPluginManager()))
    pytest_plugin.pytest_handlecrashitem("tiny.toml::main::x", report, sched)
    assert answers == [[Path("claims/another.json")]]
    assert (
        report.longrepr == "score cafe failed: process 7 died while it worked on cafe\n  log: logs/cafe.log"
    )
    assert worker.given_up == {"cafe": "process 7 died while it worked on cafe"}
