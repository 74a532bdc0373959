"""Where records come from, in a few lines: only what may be published, never a path, a host or a user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["about_records"]

_SOFTWARE = ("prunebench", "python", "torch", "torchvision", "numpy")


def about_records(provenances: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return names and values for a page: software, commits, processors, from when to when.

    Of a provenance nothing else is read: it is other people's, and may hold what nobody wants published.

    >>> about_records([{"software": {"torch": "2.9"}, "time": {"finished": "2026-01-02T03:04:05+00:00"}}])
    [('software', 'torch 2.9'), ('finished', '2026-01-02 03:04 UTC')]
    """
    software: dict[str, None] = {}
    commits: dict[str, None] = {}
    machines: dict[str, None] = {}
    times: set[str] = set()
    for each in provenances:
        versions, hardware = _table(each, "software"), _table(each, "hardware")
        known = [f"{name} {versions[name]}" for name in _SOFTWARE if isinstance(versions.get(name), str)]
        software[", ".join(known)] = None
        commits[_text(each.get("commit"))[:12]] = None
        machines[" ".join(filter(None, (_text(hardware.get(n)) for n in ("machine", "device", "gpu"))))] = (
            None
        )
        times.add(_text(_table(each, "time").get("finished"))[:16].replace("T", " "))
    days = sorted(times - {""})
    found = [
        ("software", _joined(software)),
        ("commit of prunebench's sources", _joined(commits)),
        ("machines", _joined(machines)),
        ("finished", " to ".join(dict.fromkeys((days[0], days[-1]))) + " UTC" if days else ""),
    ]
    return [(name, value) for name, value in found if value]


def _table(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = whole.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _joined(values: Iterable[str]) -> str:
    return "; ".join(sorted(filter(None, values)))
