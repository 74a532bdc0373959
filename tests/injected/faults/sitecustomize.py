"""Faults that Python brings along when it starts, as PRUNEBENCH_INJECTED (a JSON object) says.

`notes`: a file to which every job that begins, every commit and every checkpoint that is gone on from is added.
`kills`: places, one after another: whoever comes to the next one is killed there, or all of the run's processes
are. `checkpoints`: seconds between checkpoints. `host`: the name of another host. `stale`: seconds after which a silent claim is abandoned. `lag`: seconds by which
listings lag behind. `links`: false for a file system without hard links.
"""

from __future__ import annotations

import errno
import importlib.machinery
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

SAID = json.loads(os.environ.get("PRUNEBENCH_INJECTED", "{}"))


def note(*words):
    """Add a line to the notes: short ones are whole, whoever else writes."""
    with open(SAID["notes"], "a") as file:
        file.write(" ".join(map(str, (*words, os.getpid()))) + "\n")


# -- killing ---------------------------------------------------------------------------------------------


def at(place):
    """Be killed, if this is the place that is next."""
    kills = SAID.get("kills", [])
    turn = len(list(Path(SAID["turns"]).iterdir())) if kills else 0
    if turn >= len(kills) or kills[turn][0] != place:
        return
    try:
        (Path(SAID["turns"]) / str(turn)).touch(exist_ok=False)
    except FileExistsError:
        return  # another has come first
    note("killed", place)
    whom = kills[turn][1]
    if whom == "all":
        os.killpg(os.getpgid(0), signal.SIGKILL)
    elif whom == "first":  # the process that was started, which leads the session
        os.kill(os.getsid(0), signal.SIGKILL)
    elif whom == "parent":
        os.kill(os.getppid(), signal.SIGKILL)
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def on_beat(pulse):
    beat, count = pulse.beat, 0

    def beaten():
        nonlocal count
        beat()
        if sys._getframe(1).f_globals.get("__name__") != "prunebench.training.loop":
            return  # a module that is imported beats too
        count += 1
        if count % 10 == 9:
            at("in an epoch")

    pulse.beat = beaten


def on_commit(module):
    write, link = module._write_temporary, module._link

    def written(path, chunks):
        def pieces():
            for number, chunk in enumerate(chunks):
                if number == 1 and "artifacts" in path.parts and "@" not in path.name:  # scores
                    at("while an artifact is written")
                yield chunk

        return write(path, pieces())

    def linked(hidden, path):
        part = path.parts[-3] if len(path.parts) > 2 else ""
        if part == "artifacts" and "@" in path.name:  # states
            at("just before its commit")
        won = link(hidden, path)
        if won and part in ("artifacts", "records", "measures"):
            note("committed", path.name.removesuffix(".json").removesuffix(".safetensors"))
        if part == "records":
            at("between record and log")
        if path.parts[-2] == "claims":
            at("right after its claim")
        return won

    module._write_temporary, module._link = written, linked


def on_job(module):
    run = module.run_job

    def ran(job, context):
        note("began", job.key)
        if "checkpoints" in SAID:
            context.checkpoint_seconds = SAID["checkpoints"]
        if job.kind == "mask":
            threading.Timer(0.002, at, ["while a mask is computed"]).start()
        run(job, context)

    ran.__module__, ran.__qualname__ = run.__module__, run.__qualname__
    module.run_job = ran


def on_train(module):
    stored = module._stored

    def found(*arguments):
        progress = stored(*arguments)
        if progress is not None and progress.state is not None and progress.unfinished:
            note("went on from", progress.state.step)
        return progress

    module._stored = found


def on_summary(module):
    summary = module.summary

    def summed(*arguments):
        at("before its line")
        return summary(*arguments)

    module.summary = summed


# -- network file systems --------------------------------------------------------------------------------


def without_links():
    def refused(*_, **__):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    os.link = refused


def with_lag(seconds):
    """Let listings show a folder as it was: what came or went since is not known yet, by whomever."""
    list_now, seen = os.listdir, {}

    def listed(folder="."):
        names = list_now(folder)
        if "store" not in os.fspath(folder):
            return names
        now, looks = time.monotonic(), seen.setdefault(os.fspath(folder), [])
        looks.append((now, names))
        old = [(when, then) for when, then in looks if when <= now - seconds]
        if old:
            seen[os.fspath(folder)] = looks[looks.index(old[-1]) :]
            return old[-1][1]
        return [name for name in looks[0][1] if _age(folder, name) > seconds]

    os.listdir = listed


def _age(folder, name):
    try:
        return time.time() - os.lstat(os.path.join(folder, name)).st_ctime
    except OSError:
        return float("inf")


def on_claims(module):
    module.STALE_AFTER = module._CONFIRMED = SAID["stale"]
    module._BEAT = SAID["stale"] / 8


def on_process(module):
    module.host_name = lambda: SAID["host"]


# -- where to put them -----------------------------------------------------------------------------------

WHEN = {
    "prunebench.pulse": on_beat,
    "prunebench.store._commit": on_commit,
    "prunebench.jobs.run": on_job,
    "prunebench.jobs.train": on_train,
    "prunebench.engine.summary": on_summary,
}


class Finder:
    """Changes a module right after it has been imported."""

    def find_spec(self, name, path=None, target=None):
        if name not in WHEN:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        execute, change = spec.loader.exec_module, WHEN.pop(name)

        def exec_module(module):
            execute(module)
            change(module)

        spec.loader.exec_module = exec_module
        return spec


if SAID:
    if "host" in SAID:
        WHEN["prunebench.store._process"] = on_process
    if "stale" in SAID:
        WHEN["prunebench.store.claims"] = on_claims
    if SAID.get("links") is False:
        without_links()
    if "lag" in SAID:
        with_lag(SAID["lag"])
    sys.meta_path.insert(0, Finder())
