"""Tells whether a result in the store is the one that the plan asks for (imports no torch).

A record's digest says that it is whole. That it belongs to this cell, and counts what this data set has, only
the plan can say. Records of schema 1 are bound by their cell and their counts, later ones by all that they
were made from too.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from prunebench.canonical import canonical
from prunebench.plan.job import Job
from prunebench.plan.params import MeasureParams, RecordedCell, RecordParams
from prunebench.plan.plan import Plan
from prunebench.store import Fits, Record

__all__ = ["measure_of", "record_of"]


def record_of(plan: Plan, key: str) -> Fits:
    """Return what says why a record is not that of the planned cell."""
    job = plan.jobs[key]
    asked = job.params_as(RecordParams).cell
    planned = asked.plain()
    fewest = plan.suite.get("fewest", {}).get(key, 1)

    def wrong(record: Record) -> str | None:
        result = record.result
        if canonical(result["cell"], read=True) != canonical(planned, read=True):  # both were JSON
            return f"it is the record of another cell: {_difference(result['cell'], planned)}"
        return (
            _wrong_counts(result, asked, _examples(plan, asked), fewest)
            or (_wrong_sources(result, job) if record.schema > 1 else None)
        )  # fmt: skip

    return wrong


def _examples(plan: Plan, cell: RecordedCell) -> int | None:
    """Return how many examples the cell's network is evaluated on, as the plan knows it."""
    examples: int | None = plan.suite.get("examples", {}).get(cell.dataset, {}).get(cell.split)
    return examples


def _difference(recorded: Mapping[str, Any], planned: Mapping[str, Any]) -> str:
    """Return the first field in which two cells differ, in words."""
    for name in [*planned, *(name for name in recorded if name not in planned)]:
        if canonical(recorded.get(name)) != canonical(planned.get(name)):
            return f"its {name!r:.40} is {recorded.get(name)!r:.60}, planned is {planned.get(name)!r:.60}"
    return "its fields are others"


def _wrong_counts(
    result: Mapping[str, Any], cell: RecordedCell, examples: int | None, fewest: int
) -> str | None:
    counted = [point.get("examples") for point in result.get("curve", ())]
    counted += [result["test"]["examples"]] if result.get("test") else []
    for count in counted:
        if examples is not None and count is not None and count != examples:
            return f"it counts {count} examples, its data set has {examples}"
    mask = result.get("mask") or {}
    filters = (cell.form or {}).get("unit") == "filter"
    for name, planned in (("kept", cell.target), ("prunable", cell.prunable)):
        if (count := mask.get(name)) is None or count == planned or (name == "kept" and filters):
            continue
        return f"its mask has {count} weights {name}, planned are {planned}"
    return _wrong_filters(mask, cell, fewest) if filters and mask else None


def _wrong_filters(mask: Mapping[str, Any], cell: RecordedCell, fewest: int) -> str | None:
    """Say what of a mask cannot be that of whole filters, as many as reach the planned count at most.

    fewest: how many weights it keeps at least, as the next filters did not fit
    """
    kept = mask.get("kept") or 0
    if kept < fewest:
        return f"its mask has {kept} weights kept, planned are {fewest} at least"
    if kept > cell.target:
        return f"its mask has {kept} weights kept, planned are {cell.target} at most"
    if lacking := [layer["name"] for layer in mask.get("layers") or () if layer.get("filters") is None]:
        return f"its cell removes whole filters, and layer {lacking[0]!r:.60} does not say how many it keeps"
    return None


def _wrong_sources(result: Mapping[str, Any], job: Job) -> str | None:
    state, *masks = job.inputs
    if result.get("state") != state:
        return f"it was made from state {str(result.get('state'))[:12]}, planned is {state[:12]}"
    mask = result.get("mask")
    if mask is None:
        missing = bool(masks) and result["outcome"] == "finished"
        return "it says nothing of the cell's mask" if missing else None
    if [mask["key"]] != masks:
        return f"its mask is {mask['key'][:12]}, planned is {masks[0][:12] if masks else 'none'}"
    return None


def measure_of(plan: Plan, key: str) -> Fits:
    """Return what says why a measure is not the planned one."""
    job = plan.jobs[key]
    params = job.params_as(MeasureParams)

    def wrong(record: Record) -> str | None:
        result = record.result
        name = params.diagnostic.name
        if result["diagnostic"] != name:
            return f"it is a measure of {result['diagnostic']!r:.60}, planned is {name!r}"
        if result.get("of", params.of) != params.of:
            return f"it measures a {result['of']!r:.40}, planned is a {params.of}"
        source = sorted(result.get("made_from") or job.inputs)
        if source != sorted(job.inputs):
            pairs = zip_longest(source, sorted(job.inputs), fillvalue="nothing")
            mine, planned = next((one, other) for one, other in pairs if one != other)
            return f"it was made from {mine[:12]}, planned is {planned[:12]}"
        return None

    return wrong
