"""A built-in component that computes something else must say so: its digest is recorded for its version.

`builtin_identities.json` holds {kind: {name: {"version", "digest", "same_bits"?}}}. When this fails:

- the component computes other numbers now: raise its `version`, then refresh the file by
  `PRUNEBENCH_UPDATE_IDENTITIES=1 python -m pytest tests/host/test_builtin_identities.py`;
- it computes the same bits (a renaming, a type hint): say that by
  `PRUNEBENCH_UPDATE_IDENTITIES=same-bits python -m pytest …`, which keeps the older digest under "same_bits".
- two branches that were each in order have been merged, or digests follow a new rule: record all digests as
  they are now by `PRUNEBENCH_UPDATE_IDENTITIES=anew python -m pytest …`, which still keeps every version.

The digest is of what the component can reach in `prunebench_plugins`. What it uses of `prunebench` itself is
spoken for by the job versions; but a schedule, which stands there, has a version too, and the digest of its module, and
so have the modules that decide which filters go (`prunebench.pruning.filters.VERSION`).
"""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

import pytest

import prunebench.pruning.filters
from prunebench.host import KINDS, Host
from prunebench.host._source_digest import digest_of_text
from prunebench.host.identity import component_digest
from prunebench.schedules import SCHEDULES, Gradual

FILE = Path(__file__).with_name("builtin_identities.json")
Entries = dict[str, dict[str, dict[str, Any]]]


def current() -> Entries:
    """Return version and source digest of every schedule, of what finds filters, and of every built-in component."""
    host = Host.load(third_party=False)
    found: Entries = {}
    for kind in sorted(KINDS):
        for name, component in host.all(kind).items():
            version = getattr(component, "version", None)
            if version is not None:
                entry = {"version": version, "digest": component_digest(component)}
                found.setdefault(kind, {})[name] = entry
    found["schedules"] = {
        one.key(): {"version": one.version, "digest": digest_of_text(source_of(one))} for one in SCHEDULES
    }
    filters = prunebench.pruning.filters
    found["filters"] = {
        path.stem: {"version": filters.VERSION, "digest": digest_of_text(text_of(path))}
        for path in sorted(Path(filters.__file__).parent.glob("*.py"))
    }
    return found


def text_of(path: Path) -> bytes:
    """Return the text of a module that has a part in which filters go."""
    return path.read_bytes()


def source_of(schedule: type) -> bytes:
    """Return the text of the module that a schedule is written in."""
    return Path(inspect.getfile(schedule)).read_bytes()


def faults(recorded: Entries, found: Entries) -> list[str]:
    """Return what does not agree, a sentence each."""
    said = []
    for kind, name in sorted({(k, n) for entries in (recorded, found) for k in entries for n in entries[k]}):
        old, new = recorded.get(kind, {}).get(name), found.get(kind, {}).get(name)
        if old is None or new is None or old["version"] != new["version"]:
            said.append(f"{kind} {name}: recorded {old}, found {new}; refresh the file")
        elif new["digest"] != old["digest"] and new["digest"] not in old.get("same_bits", []):
            said.append(f"{kind} {name}: the source has changed, the version has not ({old['version']!r})")
    return said


def refreshed(recorded: Entries, found: Entries, *, same_bits: bool) -> Entries:
    """Return what to record: new versions as found, and changed sources only where they are the same bits."""
    result: Entries = {}
    for kind, entries in found.items():
        for name, new in entries.items():
            old = recorded.get(kind, {}).get(name)
            entry = new
            if old is not None and old["version"] == new["version"]:
                entry = old
                if same_bits and new["digest"] != old["digest"]:
                    older = [d for d in [*old.get("same_bits", []), old["digest"]] if d != new["digest"]]
                    entry = {**new, "same_bits": older}
            result.setdefault(kind, {})[name] = entry
    return result


def recorded_anew(recorded: Entries, found: Entries) -> Entries:
    """Return what is found, for the versions that are recorded: a component of another version stays out."""
    return {
        kind: {
            name: new
            if new["version"] == recorded.get(kind, {}).get(name, new)["version"]
            else recorded[kind][name]
            for name, new in entries.items()
        }
        for kind, entries in found.items()
    }


def test_built_in_components_change_only_with_their_version():
    """No built-in component has another source than the one recorded for its version."""
    recorded: Entries = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    update = os.environ.get("PRUNEBENCH_UPDATE_IDENTITIES")
    found = current()
    if update:
        if update == "anew":
            recorded = recorded_anew(recorded, found)
        else:
            recorded = refreshed(recorded, found, same_bits=update == "same-bits")
        FILE.write_text(json.dumps(recorded, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert faults(recorded, found) == []


def test_another_formula_of_a_schedule_needs_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sign changed in its module fails, and no longer once its version is raised and recorded."""
    recorded = current()
    other = source_of(Gradual).replace(b"(1 - left**3)", b"(1 - left**2)")
    assert other != source_of(Gradual)
    monkeypatch.setitem(globals(), "source_of", lambda one: other if one is Gradual else b"")
    said = faults({"schedules": {"gradual": recorded["schedules"]["gradual"]}}, only_gradual(current()))
    assert said == ["schedules gradual: the source has changed, the version has not ('1')"]
    monkeypatch.setattr(Gradual, "version", "2")
    raised = only_gradual(current())
    assert faults(refreshed(recorded, raised, same_bits=False), raised) == []


def test_another_way_to_choose_filters_needs_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """One order of equal scores turned round fails, and no longer once the version is raised and recorded."""
    recorded = {"filters": current()["filters"]}
    read = text_of
    monkeypatch.setitem(
        globals(), "text_of", lambda path: read(path).replace(b'side="right"', b'side="left"')
    )
    said = faults(recorded, {"filters": current()["filters"]})
    assert said == ["filters choose: the source has changed, the version has not ('1')"]
    monkeypatch.setattr(prunebench.pruning.filters, "VERSION", "2")
    raised = {"filters": current()["filters"]}
    assert faults(refreshed(recorded, raised, same_bits=False), raised) == []


def only_gradual(entries: Entries) -> Entries:
    return {"schedules": {"gradual": entries["schedules"]["gradual"]}}


def test_every_built_in_component_that_computes_has_a_version():
    """Scorers, architectures, initializations, data sets, diagnostics, quantities and forms declare one."""
    host = Host.load(third_party=False)
    kinds = [kind for kind, component in KINDS.items() if hasattr(component, "version")]
    assert kinds == [
        "scorers", "architectures", "initializations", "datasets", "diagnostics", "quantities", "forms"
    ]  # fmt: skip
    assert [f"{kind} {n}" for kind in kinds for n, c in host.all(kind).items() if c.version is None] == []


ONE = {"scorers": {"a": {"version": "1", "digest": "d1"}}}
EDITED = {"scorers": {"a": {"version": "1", "digest": "d2"}}}
RAISED = {"scorers": {"a": {"version": "2", "digest": "d2"}}}
SAME = {"scorers": {"a": {"version": "1", "digest": "d2", "same_bits": ["d1"]}}}


@pytest.mark.parametrize(
    ("recorded", "found", "fails"),
    [
        (ONE, ONE, False),
        (ONE, EDITED, True),
        (ONE, RAISED, True),
        ({}, ONE, True),
        (ONE, {}, True),
        (SAME, EDITED, False),
        (SAME, ONE, False),
        (RAISED, RAISED, False),
    ],
)
def test_what_counts_as_a_change(recorded, found, fails):
    """A new digest needs a new version or an entry that says the same bits; the file is complete."""
    assert bool(faults(recorded, found)) == fails


@pytest.mark.parametrize(
    ("recorded", "found", "same_bits", "expected"),
    [
        ({}, ONE, False, ONE),
        (ONE, EDITED, False, ONE),
        (ONE, EDITED, True, SAME),
        (ONE, RAISED, False, RAISED),
        (SAME, RAISED, False, RAISED),
        (SAME, ONE, True, {"scorers": {"a": {"version": "1", "digest": "d1", "same_bits": ["d2"]}}}),
        (ONE, {}, False, {}),
    ],
)
def test_refreshing_never_hides_a_change(recorded, found, same_bits, expected):
    """A changed source under the same version is recorded only when it is said to be the same bits."""
    assert refreshed(recorded, found, same_bits=same_bits) == expected


def test_recording_anew_keeps_versions():
    """Digests are taken as found, a version that was not recorded is not."""
    assert recorded_anew(SAME, ONE) == ONE
    assert recorded_anew(ONE, RAISED) == ONE
    assert recorded_anew({}, ONE) == ONE
