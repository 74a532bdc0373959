"""What is asked of Slurm for a pilot: from the options of `run` to the parameters of submitit's executor."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prunebench.amounts import parse_bytes, parse_seconds
from prunebench.errors import UsageError

__all__ = ["Wishes", "memory_of", "minutes_of", "wishes_of"]

TIME = 60
"""Minutes that a pilot runs unless said otherwise. It is requeued while work is left, and short jobs find a
place in a queue sooner."""

LEAVES = 120
"""Seconds before its time limit at which a pilot is told to leave: Slurm may be a minute late."""

OURS = {
    "array": "the pilots are one already; their number is --workers",
    "output": "logs lie in the store's pilots/",
    "error": "logs lie in the store's pilots/",
    "open_mode": "a requeued pilot goes on in its log",
    "signal": "a pilot is told by it to leave in time",
    "begin": "--starts spreads them",
    "nodes": "a pilot is one process on one node",
    "ntasks": "a pilot is one process on one node",
    "ntasks_per_node": "a pilot is one process on one node",
}
"""What of sbatch is not the user's to set, and why."""

_GRES = re.compile(r"(?:^|,)(?:gres/)?gpu(?::([a-z][\w-]*))?(?:[:=](\d+))?", re.IGNORECASE)
_GPUS = ("gres", "gpus", "gpus_per_node", "gpus_per_task", "tres_per_task", "tres_per_job", "tres_per_node")


@dataclass(frozen=True)
class Wishes:
    """What was asked for."""

    workers: int
    """How many pilots at once."""
    queued: int
    """So many of them at most wait in the queue."""
    starts: int
    """So many of them at most start in a minute."""
    detach: bool
    """True if nobody waits for them."""
    device: str
    """What pilots work on."""
    parameters: Mapping[str, Any]
    """Of submitit's SlurmExecutor."""
    cores: int = 1
    """How many cores a pilot has."""
    gpus: int = 1
    """How many GPUs a pilot has, where it works on some."""
    model: str = ""
    """What these are, as --gres names them; "" where it does not."""


def wishes_of(options: Mapping[str, Any], have_gpus: Callable[[str | None], bool]) -> Wishes:
    """Return what the options of `run` amount to; `have_gpus` says if all nodes of a partition have GPUs.

    Raises: UsageError for a number of workers that is none, and for what sbatch would not take or is not the
    user's to set.
    """
    workers = options["workers"]
    if workers is None or not workers.isdecimal():
        given = "" if workers is None else f"found --workers {workers}; "
        raise UsageError(f"--engine slurm: {given}say how many pilots work at once, as --workers 8")
    if options["workers_per_gpu"] != "1":
        raise UsageError("--workers-per-gpu is for --engine local: a pilot has its GPU for itself")
    parameters = _parameters(options)
    if not _asks_for_gpus(parameters) and _wants_gpus(options, have_gpus):
        parameters["gres"] = f"gpu:{options['gpus_per_worker']}"
    return Wishes(
        workers=int(workers),
        queued=options["queued"],
        starts=options["starts"],
        detach=options["detach"],
        device=_device(options["device"], _asks_for_gpus(parameters)),
        parameters=parameters,
        cores=parameters["cpus_per_task"],
        **_gpus_of(parameters, options["gpus_per_worker"]),
    )


def _gpus_of(parameters: Mapping[str, Any], asked: int) -> dict[str, Any]:
    """Return how many GPUs a pilot gets, and of which model, as far as --gres says so.

    >>> _gpus_of({"gres": "gpu:a100:2"}, 1), _gpus_of({}, 4)
    ({'gpus': 2, 'model': 'A100'}, {'gpus': 4, 'model': ''})
    """
    said = _GRES.search(parameters.get("gres") or "")
    if said is None:
        return {"gpus": asked, "model": ""}
    return {"gpus": int(said[2] or 1), "model": (said[1] or "").upper()}


def _asks_for_gpus(parameters: Mapping[str, Any]) -> bool:
    return any(name in parameters or name in parameters["additional_parameters"] for name in _GPUS)


def _wants_gpus(options: Mapping[str, Any], have_gpus: Callable[[str | None], bool]) -> bool:
    """True if pilots are to have GPUs, as far as nothing else says how many."""
    if options["device"] != "auto":
        return bool(options["device"].startswith("cuda"))
    partition = options["partition"] or dict(_extra(options["slurm"])).get("partition")
    return options["gpus_per_worker"] > 1 or have_gpus(partition)


def _device(asked: str, gpus: bool) -> str:
    """Return what a pilot works on: where it has asked for no GPU, none that it sees is its own."""
    if asked != "auto":
        return asked
    return "cuda" if gpus else "cpu"


def _parameters(options: Mapping[str, Any]) -> dict[str, Any]:
    extra = _extra(options["slurm"])
    named = {
        name: options[name]
        for name in ("partition", "account", "qos", "gres", "mem", "constraint")
        if options[name] is not None
    }
    if "mem" in named:
        named["mem"] = memory_of(named["mem"])
    named["time"] = TIME if options["time"] is None else minutes_of(options["time"])
    for name, value in named.items():
        if name in extra and (name != "time" or options["time"] is not None):
            raise UsageError(f"--{name} and --slurm {name}={extra[name]}: give one of them")
        _check_text(f"--{name}", str(value))
    if "time" in extra:  # submitit counts with it
        named["time"] = minutes_of(str(extra.pop("time")))
    if "no_requeue" not in extra:
        extra = {"requeue": True, **extra}
    for line in options["setup"]:
        _check_text("--setup", line)
    return {
        **named,
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": options["cpus"] or options["threads"],
        "signal_delay_s": min(LEAVES, 30 * named["time"]),
        "stderr_to_stdout": True,
        # started from a folder that holds a numpy.py, say, a pilot must not import that
        "setup": [*options["setup"], "export PYTHONSAFEPATH=1"],
        "additional_parameters": extra,
    }


def _extra(given: Sequence[str]) -> dict[str, Any]:
    """Return what --slurm says, with the names as submitit spells them."""
    extra: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.removeprefix("--").partition("=")
        name = key.replace("-", "_")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or (equals and not value):
            raise UsageError(
                f"--slurm: found '{text}', allowed: an option of sbatch by its long name, as nice=100 or "
                "exclusive"
            )
        if name in OURS:
            raise UsageError(f"--slurm {text}: not to be set, as {OURS[name]}")
        if name in extra:
            raise UsageError(f"--slurm {key}: given twice")
        _check_text(f"--slurm {key}", value or "set")
        extra[name] = value if equals else True
    return extra


def _check_text(option: str, value: str) -> None:
    """Refuse what would end its line in the script for sbatch."""
    if not value.strip() or re.search(r"[\x00-\x1f\x7f]", value):
        raise UsageError(f"{option}: found {value!r}, allowed: text without line ends")


def minutes_of(text: str) -> int:
    """Return the minutes, rounded up, of a time; a number alone is minutes, as sbatch takes it.

    >>> [minutes_of(text) for text in ("90", "2:30", "4:00:00", "1-12", "1-12:30", "1-00:00:01", "1h30m")]
    [90, 3, 240, 2160, 2190, 1441, 90]

    Raises: UsageError.
    """
    return math.ceil(parse_seconds(text, "--time", "m") / 60)


def memory_of(text: str) -> str:
    """Return an amount of memory as sbatch takes it, where a number alone is MiB, and 0 all of a node.

    >>> [memory_of(text) for text in ("16G", "16000", "0", "16GiB", "16 GB")]
    ['16G', '16000', '0', '16384M', '15259M']

    Raises: UsageError.
    """
    if re.fullmatch(r"\d+[KMGT]?", text):  # sbatch's own
        return text
    return f"{math.ceil(parse_bytes(text, '--mem') / 1024**2)}M"
