"""What is published of provenance: an allow-list of names and of what a value may look like."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hostile import NAMES

from prunebench.trust.published import allowed, published_provenance

PROVENANCE: dict[str, Any] = {
    "suite": {"name": "quick", "version": "1", "digest": "ab" * 32},
    "components": {
        "scorer snip": {"name": "snip", "version": "1"},
        "scorer mine": {"name": "mine", "digest": "cd" * 32, "rule": 2, "depends": {"torchvision": "0.28.0"}},
        "recipe digits": {"values": "ef" * 32},
        "data mnist": {"fingerprint": "01" * 32},
    },
    "plugins": [
        {"distribution": "prunebench", "version": "0.1.0", "entries": ["builtin-scorers"]},
        {"file": "mine.py", "digest": "cd" * 32},
    ],
    "software": {"prunebench": "0.1.0", "python": "3.11.7", "torch": "2.13.0+cpu"},
    "numerics": "torch 2.13.0+cpu, cpu AVX512, 1 thread",
    "normalization": {"mean": [0.13], "std": [0.31]},
    "hardware": {"machine": "x86_64", "cpus": 2, "device": "cuda", "gpu": "NVIDIA H200"},
    "time": {
        "finished": "2026-11-29T06:12:42+00:00",
        "train_seconds": 0.25,
        "trained_steps": 230,
        "scoring_seconds": 0.5,
    },
    "commit": "0123456789abcdef0123456789abcdef01234567",
}


def test_all_that_is_on_the_list_is_kept() -> None:
    """To the last value and in its order."""
    assert json.dumps(published_provenance(PROVENANCE)) == json.dumps(PROVENANCE)
    assert allowed(PROVENANCE) is None
    assert published_provenance({"commit": None, "normalization": None}) == {
        "commit": None,
        "normalization": None,
    }


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("host",), "cluster-7"),
        (("user",), "somebody"),
        (("software", "my-lab-tools"), "1.0"),
        (("hardware", "hostname"), "cluster-7"),
        (("time", "timezone"), "Europe"),
        (("suite", "path"), "suites/quick.toml"),
        (("components", "scorer snip", "file"), "snip.py"),
        (("numerics",), "/home/somebody/torch"),
        (("numerics",), "somebody@cluster"),
        (("numerics",), "~somebody"),
        (("numerics",), "a\nb"),
        (("numerics",), "x" * 201),
        (("numerics",), 7),
        (("software", "torch"), "C:\\Users\\somebody"),
        (("hardware", "gpu"), "\x1b[31mred"),
        (("hardware", "cpus"), "two"),
        (("commit",), "main"),
        (("time", "finished"), "yesterday"),
        (("suite", "digest"), "not a digest"),
        (("normalization", "mean"), ["a"]),
        (("software",), ["torch"]),
        (("plugins",), "mine"),
    ],
)
def test_nothing_else_is(place: tuple[str, ...], value: Any) -> None:
    """By its name or by what it looks like; the rest stays as it is, and a record that has it is told."""
    changed = copy.deepcopy(PROVENANCE)
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    kept = published_provenance(changed)
    there: Any = kept
    for name in place:
        there = there.get(name, {})
    assert not there or there != value
    assert allowed(changed) == place[0]
    assert allowed(kept) is None


def test_a_plugin_files_folder_is_not_published() -> None:
    """Its name may be."""
    changed = {"plugins": [{"file": "/home/somebody/mine.py", "digest": "cd" * 32, "path": "x"}]}
    assert published_provenance(changed) == {"plugins": [{"digest": "cd" * 32}]}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_hostile_texts_are_one_printable_line_or_not_there(name: str) -> None:
    """Whatever a record says of its machine."""
    kept = published_provenance({"numerics": NAMES[name], "hardware": {"gpu": NAMES[name]}})
    for text in (kept.get("numerics", ""), kept["hardware"].get("gpu", "")):
        assert text.isprintable() or not text
        assert not set("/\\@~") & set(text)


def test_what_prunebench_writes_is_on_the_list() -> None:
    """The provenance of a record of each schema, as it was written."""
    for path in sorted((Path(__file__).parents[1] / "historic").glob("record-schema-*.json")):
        provenance = json.loads(path.read_text("utf-8"))["provenance"]
        kept = published_provenance(provenance)
        assert {"suite", "software", "numerics"} & set(provenance) <= set(kept)
