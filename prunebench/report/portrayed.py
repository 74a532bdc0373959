"""The page "what kind of method is this", for people and programs: what `prunebench judge` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prunebench.analysis import SETTING
from prunebench.numbers import spelled
from prunebench.percent import percent_labels
from prunebench.report.answers import Answer, Asked, spanned
from prunebench.report.document import Block, Cell, Document, Notes, Section, Table
from prunebench.report.escapes import json_text
from prunebench.report.fields import absent, signed
from prunebench.report.formats import markdown
from prunebench.report.formats.values import plain_value
from prunebench.report.portrait import Portrait
from prunebench.report.portrait_rows import cost_rows, mask_rows
from prunebench.report.results import COST_FORMS
from prunebench.report.settings import heading

__all__ = ["FORMATS", "SCHEMA", "document", "portrayed", "sections"]

SCHEMA = 1
"""Of the JSON: it rises when a key changes its meaning or goes; new ones may come."""

LEGEND = (
    "Each question is a check of paired differences, with 95 % one-sided bounds; yes and no are decided with "
    "regard to the margin δ that does not matter to a user, in each setting over its matching sparsities "
    "(where magnitude after training still reaches the unpruned accuracy and random pruning does not) and "
    "over its extreme ones (where neither does). Where the seeds cannot tell, the last column says how many "
    "would. Over all places the answer is yes or no where every place says so; “in places” and “it depends” "
    "are said where one place says so also after Holm over all of them and both ways; so is the opposite."
)

MASKS_LEGEND = (
    "Means over seeds. Effective: the density when kept weights that lie on no path from input to output are "
    "not counted. Disconnected: these weights, and their share of the kept ones. Neurons without input: of "
    "all."
)

OVERLAPS_LEGEND = (
    "The share of the weights that the method keeps that the other keeps too, at the same seed, so from the "
    "same initial weights; in brackets what it would be if both kept weights of each layer at random, as "
    "many as they do. What goes beyond that is a choice of single weights."
)


def portrayed(portrait: Portrait, format: str = "md") -> str:
    """Return the page in a format, "md" or "json", ending in a newline."""
    return FORMATS[format](portrait)


def document(portrait: Portrait) -> Document:
    """Return the page: what kind of method it is in sentences, then the evidence."""
    suite = portrait.results.suite
    title = f"What kind of method is {portrait.method}? ({suite['name']}, version {suite.get('version')})"
    kind = Notes(tuple((None, sentence) for sentence in (*portrait.kind, *portrait.cautions)))
    return Document(title, (kind,), tuple(sections(portrait)))


def sections(portrait: Portrait) -> list[Section]:
    """Return the parts of the page that hold evidence, for a report to show too."""
    parts = [Section("The questions", (_questions(portrait.answers), *_evidence(portrait), LEGEND))]
    masks = mask_rows(portrait)
    if len(masks):
        parts.append(Section("Its masks", _masks(masks.to_dict("records"))))
    if portrait.overlaps is not None and len(portrait.overlaps):
        parts.append(Section("Its masks beside others", (_overlaps(portrait), OVERLAPS_LEGEND)))
    costs = cost_rows(portrait).to_dict("records")
    if costs:
        parts.append(Section("What it costs", (_costs(costs),)))
    if portrait.missing:
        parts.append(Section("Not run", (_missing(portrait),)))
    return parts


def _questions(answers: Sequence[Answer]) -> Table:
    columns = ("question", "answer", "yes", "no", "cannot be told", "not run")
    rows = [
        (
            Cell(answer.question.asks),
            Cell(answer.word),
            *(Cell(str(answer.counts[word]) if answer.counts[word] else "", True) for word in columns[2:]),
        )
        for answer in answers
    ]
    return Table("questions", columns, tuple(rows), left=(1,))


def _evidence(portrait: Portrait) -> list[Block]:
    """Return a table for each setting: every question over every range."""
    columns = ("question", "over", "compared", "difference", "bounds", "seeds", "answer", "seeds needed")
    blocks: list[Block] = []
    for labels in {tuple(place.items()): place for place, _ in portrait.places}.values():
        rows = [
            _asked(answer, one)
            for answer in portrait.answers
            for one in answer.asked
            if one.setting == labels
        ]
        if rows:
            name = f"evidence {heading(labels)}"
            told = f"In detail, {heading(labels)} ({portrait.ranges_told(labels)}):"
            blocks += [told, Table(name, columns, tuple(rows), left=(1, 2, 6))]
    return blocks


def _asked(answer: Answer, one: Asked) -> tuple[Cell, ...]:
    outcome = one.outcome
    bounds = (
        ""
        if outcome.lower is None or outcome.upper is None
        else f"[{signed(outcome.lower)}, {signed(outcome.upper)}]"
    )
    return (
        Cell(answer.question.asks),
        Cell(f"{one.range} ({shown})" if (shown := spanned(one.sparsities)) else one.range),
        Cell(f"{outcome.of} − {outcome.against}"),
        Cell("" if outcome.effect is None else signed(outcome.effect), True),
        Cell(bounds, True),
        Cell(str(outcome.n) if outcome.n else "", True),
        Cell("no, the opposite" if one in answer.turned else one.word),
        Cell("" if outcome.seeds_needed is None else f"{outcome.seeds_needed:,}", True),
    )


def _masks(rows: Sequence[Mapping[Any, Any]]) -> tuple[Block, ...]:
    labels = percent_labels(row["sparsity"] for row in rows)
    columns = (
        "setting",
        "method",
        "sparsity",
        "effective",
        "disconnected",
        "share",
        "neurons without input",
        "layers without a weight",
    )
    body = [
        (
            Cell(f"{row['architecture']} on {row['dataset']}"),
            Cell(row["method"]),
            Cell(f"{labels[row['sparsity']]} %", True),
            _percent(row["effective_density"]),
            Cell("" if absent(row["disconnected"]) else spelled(row["disconnected"], "count"), True),
            _percent(row["disconnected_share"]),
            _percent(row["neurons_collapsed"]),
            Cell(_layers(row)),
        )
        for row in rows
    ]
    return Table("masks", columns, tuple(body), left=(1, 7)), MASKS_LEGEND


def _layers(row: Mapping[Any, Any]) -> str:
    if not row["n"] + row["diverged"]:
        return "not run"
    names = [
        f"{layer.layer}{' (output)' if layer.output else ''}: {layer.seeds} seeds"
        for layer in row["empty_layers"]
    ]
    return ", ".join(names) or "none"


def _percent(value: float) -> Cell:
    return Cell() if absent(value) else Cell(spelled(value, "share"), True)


def _overlaps(portrait: Portrait) -> Table:
    frame = portrait.overlaps
    assert frame is not None
    keys = [*SETTING, "density", "sparsity", "other"]
    means = frame.groupby(keys, sort=False)[["shared", "by_layers"]].mean().reset_index()
    labels = percent_labels(means["sparsity"])
    body = [
        (
            Cell(f"{row['architecture']} on {row['dataset']}"),
            Cell(row["other"]),
            Cell(f"{labels[row['sparsity']]} %", True),
            Cell(f"{spelled(row['shared'], 'share')} ({spelled(row['by_layers'], 'share')})", True),
        )
        for row in means.to_dict("records")
    ]
    return Table("overlaps", ("setting", "other", "sparsity", "shared"), tuple(body), left=(1,))


_COSTS = (
    *("scoring_rounds", "scoring_passes", "scoring_seconds", "train_seconds"),
    *("relative_dense", "relative_sparse"),
)


def _costs(rows: Sequence[Mapping[Any, Any]]) -> Table:
    labels = percent_labels(row["sparsity"] for row in rows)
    columns = (
        "setting",
        "sparsity",
        "scorings",
        "forward passes",
        "scoring time",
        "training time",
        "FLOPs",
        "sparse FLOPs",
    )
    body = [
        (
            Cell(f"{row['architecture']} on {row['dataset']}"),
            Cell(f"{labels[row['sparsity']]} %", True),
            *(Cell("" if absent(row[n]) else spelled(row[n], COST_FORMS[n]), True) for n in _COSTS),
        )
        for row in rows
    ]
    return Table("costs", columns, tuple(body))


def _missing(portrait: Portrait) -> str:
    cells = portrait.results.cells.drop_duplicates("key").set_index("key")
    names = [
        str(cells.loc[key, "matrix"]) + "::" + str(cells.loc[key, "cell"])
        for key in portrait.missing
        if key in cells.index
    ]
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20:,} more" if len(names) > 20 else "")
    return f"{len(portrait.missing):,} cells that an answer needs have no result: {shown}."


def _json(portrait: Portrait) -> str:
    results = portrait.results
    overlaps = [] if portrait.overlaps is None else portrait.overlaps.to_dict("records")
    whole = {
        "schema": SCHEMA,
        "suite": {name: results.suite.get(name) for name in ("name", "version", "digest")},
        "method": portrait.method,
        "kind": portrait.kind,
        "cautions": portrait.cautions,
        "ranges": [
            {"setting": labels, **{name: list(points) for name, points in ranges.items()}}
            for labels, ranges in portrait.sparsities
        ],
        "questions": [_plain(answer) for answer in portrait.answers],
        "masks": [plain_value(dict(row)) for row in mask_rows(portrait).to_dict("records")],
        "overlaps": [plain_value(dict(row)) for row in overlaps],
        "costs": [plain_value(dict(row)) for row in cost_rows(portrait).to_dict("records")],
        "missing": portrait.missing,
    }
    return json_text(whole) + "\n"


def _plain(answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.question.id,
        "asks": answer.question.asks,
        "answer": answer.word,
        "says": answer.sentence,
        "asked": [
            {"setting": one.setting, "over": one.range, "answer": one.word, "outcome": one.outcome.plain()}
            for one in answer.asked
        ],
    }


def _markdown(portrait: Portrait) -> str:
    return markdown.write(document(portrait))


FORMATS: Mapping[str, Callable[[Portrait], str]] = {"md": _markdown, "json": _json}
"""The formats of the page."""
