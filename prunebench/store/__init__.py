"""Artifacts, records, measures, attempts, claims: a folder, no server (torch comes in with tensors)."""

from __future__ import annotations

from prunebench.store._bounds import check_bounds, parse_json, shown
from prunebench.store._commit import replace, writing
from prunebench.store._errors import Damaged, Flaw, Missing, Unwritable
from prunebench.store._folder import SetAside, now_text, spelled_time, time_of
from prunebench.store._process import host_name, process_name
from prunebench.store.artifacts import Artifact
from prunebench.store.claims import Claim
from prunebench.store.records import Fits, Record, parse_record, spelled
from prunebench.store.runs import RunStart
from prunebench.store.store import Store
from prunebench.store.times import JobTime, TimesReader
from prunebench.store.trial import Trial, trial_store, trials

__all__ = [
    "Artifact",
    "Claim",
    "Damaged",
    "Fits",
    "Flaw",
    "JobTime",
    "Missing",
    "Record",
    "RunStart",
    "SetAside",
    "Store",
    "TimesReader",
    "Trial",
    "Unwritable",
    "check_bounds",
    "host_name",
    "now_text",
    "parse_json",
    "parse_record",
    "process_name",
    "replace",
    "shown",
    "spelled",
    "spelled_time",
    "time_of",
    "trial_store",
    "trials",
    "writing",
]
