"""`prunebench report`: the folder that it writes, what it says, and following a suite that runs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Done = tuple[Any, Result]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_page_is_written_and_the_same_again(done: Done, tmp_path: Path) -> None:
    """The same records give the same bytes; what is the same is not written again."""
    place, _ = done
    one, two = tmp_path / "one", tmp_path / "two"
    said = place.call("report", place.suite, "--out", str(one), "--no-files")
    assert "index.html: 8 of 8 runs" in said.stdout
    assert list(files(one)) == ["index.html"]
    place.call("report", place.suite, "--out", str(two), "--no-files")
    assert files(one) == files(two)
    before = (one / "index.html").stat().st_mtime_ns
    place.call("report", place.suite, "--out", str(one), "--no-files")
    assert (one / "index.html").stat().st_mtime_ns == before


def test_the_page_has_no_path_user_or_host(done: Done, tmp_path: Path) -> None:
    """Nothing of where it was made but what may be published."""
    place, _ = done
    place.call("report", place.suite, "--out", str(tmp_path), "--no-files")
    text = (tmp_path / "index.html").read_text("utf-8")
    assert str(place.folder) not in text
    assert str(Path.home()) not in text
    assert "torch 2." in text


def test_cells_are_chosen_as_elsewhere(done: Done, tmp_path: Path) -> None:
    """The page shows these alone; an expression that matches none writes nothing."""
    place, _ = done
    said = place.call("report", place.suite, "--out", str(tmp_path / "own"), "--no-files", "-k", "own")
    assert "runs, selected of 8" in said.stdout
    chips = (tmp_path / "own" / "index.html").read_text("utf-8")
    assert "<b>1</b> method<" in chips
    said = place.call("report", place.suite, "--out", str(tmp_path / "no"), "-k", "onw", code=2)
    assert "onw" in said.output
    assert not (tmp_path / "no").exists()


def test_what_is_not_there_is_said_and_is_the_exit_code(place: Any, tmp_path: Path) -> None:
    """A suite that nobody has run has a page, too: it says that nothing is there."""
    said = place.call("report", place.suite, *place.plugin, "--out", str(tmp_path / "page"), code=1)
    assert "index.html: 0 of 8 runs" in said.stdout
    text = (tmp_path / "page" / "index.html").read_text("utf-8")
    assert "0 of 8 runs are there; 8 are not." in text


def test_without_vl_convert_the_page_is_whole_and_says_how_to_get_files(
    done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prunebench.report.figures.files.importlib.util.find_spec", lambda name: None)
    place, _ = done
    said = place.call("report", place.suite, "--out", str(tmp_path))
    assert list(files(tmp_path)) == ["index.html"]
    assert 'pip install "prunebench[report]"' in said.stderr
    assert "prunebench[report]" in (tmp_path / "index.html").read_text("utf-8")


def test_nothing_is_written_outside_the_folder(done: Done, tmp_path: Path) -> None:
    place, _ = done
    before = place.files()
    place.call("report", place.suite, "--out", str(tmp_path / "in" / "side"), "--no-files")
    assert place.files() == before
    assert {path.name for path in tmp_path.rglob("*")} == {"in", "side", "index.html"}


def test_a_folder_that_cannot_be_written_is_said_without_a_traceback(done: Done, tmp_path: Path) -> None:
    place, _ = done
    (tmp_path / "taken").write_text("")
    said = place.call("report", place.suite, "--out", str(tmp_path / "taken"), code=2)
    assert "Traceback" not in said.output
    inside = place.call("report", place.suite, "--out", str(tmp_path / "taken" / "page"), code=2)
    assert "cannot write" in inside.output


def test_watching_follows_a_run_and_ends_with_it(place: Any, tmp_path: Path) -> None:
    """The page says how much is there and looks at itself again, until all is there; it is never half a page."""
    out = tmp_path / "page"
    page = out / "index.html"
    command = [
        sys.executable,
        "-m",
        "prunebench",
        "report",
        place.suite,
        *place.plugin,
        "--store",
        str(place.store),
    ]
    watching = subprocess.Popen(
        [*command, "--out", str(out), "--watch", "--every", "1", "--no-files"],
        stdout=subprocess.PIPE, text=True, cwd=place.folder,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not page.is_file() and time.monotonic() < until:
            time.sleep(0.1)
        first = page.read_text("utf-8")
        assert "The suite is running" in first
        assert 'id="follow"' in first
        place.call("run", place.suite, *place.plugin)
        said, _ = watching.communicate(timeout=60)
    finally:
        watching.kill()
    assert watching.returncode == 0
    assert said.splitlines()[-1].endswith("8 of 8 runs")
    last = page.read_text("utf-8")
    assert last.endswith("</html>\n")
    assert 'id="follow"' not in last
    assert "The suite is running" not in last
    assert not list(out.glob(".index*"))
