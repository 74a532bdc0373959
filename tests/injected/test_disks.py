"""Disks that are full, limited, read-only or become so: one sentence, nothing blamed, and later the rest."""

from __future__ import annotations

import resource
import subprocess
from typing import Any

import pytest

from .test_hosts import unshared


def script(place: Any, text: str) -> str:
    """Run a shell script with mounts of its own, in which `run` runs the suite; return what it printed."""
    (place.folder / "store").mkdir()
    (place.folder / "kept").mkdir()
    (place.folder / "run").write_text(
        "#!/bin/sh\n" + place.command_line() + ' --no-table "$@"; echo "code $?"\n', encoding="utf-8"
    )
    done = subprocess.run(
        [*unshared("--mount"), "sh", "-e", "-c", f"run() {{ sh ./run; }}\n{text}"],
        cwd=place.folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_full_disk(injected: Any) -> None:
    """A sentence and exit code 2; with room again the same command goes on, and what was finished is kept."""
    place = injected(seeds=2)
    out = script(
        place,
        "mount -t tmpfs -o size=300k tmpfs store\nrun\nls store/attempts && exit 9\n"
        "ls store/records/* > before\nmount -o remount,size=50m store\nrun\ncp -a store/. kept/",
    )
    assert out.count("No space left on device; free some space and run again: what is finished is kept") == 1
    assert [line for line in out.splitlines() if line.startswith("code")] == ["code 2", "code 0"]
    assert (place.folder / "before").read_text().count(".json") >= 1
    place.check(["kept"])


@pytest.mark.slow
def test_a_limit_on_the_size_of_files(injected: Any) -> None:
    """ulimit -f: the sentence says so."""
    place = injected(["snip"])
    out = place.run(
        "--no-table",
        code=2,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert "File too large; raise the limit on files' sizes (ulimit -f), or give another store" in out
    place.run()
    place.check()


@pytest.mark.slow
def test_a_store_that_is_or_becomes_read_only(injected: Any) -> None:
    """Before any work where it is so from the start; in the middle of it as soon as something is written."""
    place = injected(epochs=6)
    out = script(
        place,
        "mount -t tmpfs tmpfs store\n(run > out) &\nwhile ! ls store/records/*/*.json; do sleep 0.05; done 2> none\n"
        "until mount -o remount,ro store; do sleep 0.01; done 2> none\nwait\ncat out\nrun\n"
        "mount -o remount,rw store\nrun\ncp -a store/. kept/",
    )
    assert out.count("Read-only file system; make it writable, or give another store with --store") == 2
    assert [line for line in out.splitlines() if line.startswith("code")] == ["code 2", "code 2", "code 0"]
    place.check(["kept"])


@pytest.mark.slow
@pytest.mark.parametrize("room", ["20k"])
def test_a_temporary_folder_that_is_full_stops_nothing(injected: Any, room: str) -> None:
    """/tmp may be full, or of the size that somebody else has left: nothing of a run is written there."""
    place = injected(["snip"])
    out = script(
        place,
        f"mkdir small\nmount -t tmpfs -o size={room} tmpfs small\ndd if=/dev/zero of=small/all bs=1k 2> none || true\n"
        "export TMPDIR=$PWD/small\nrun\nsh ./run -n 2",
    )
    assert [line for line in out.splitlines() if line.startswith("code")] == ["code 0", "code 0"]
    place.check()
