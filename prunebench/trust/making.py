"""What is made of a published leaderboard's records: tables, checks, the page; the same bytes every time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from prunebench.analysis import variant_name
from prunebench.inventory.snapshot import Snapshot
from prunebench.numbers import spelled
from prunebench.plan import Plan
from prunebench.report.document import Block, Cell, Document, Section, Table
from prunebench.report.escapes import json_text
from prunebench.report.formats import markdown
from prunebench.report.leaderboard import document, leaderboard
from prunebench.report.results import Results
from prunebench.store import Store, writing
from prunebench.store import replace as rewrite
from prunebench.trust.folder import RECORDS, Published, opened
from prunebench.trust.packs import packed
from prunebench.trust.reruns import Verified

__all__ = ["PAGE", "made", "publish", "remake", "trust_words"]

DATA = "data.zip"
"""leaderboard.json, and checks.json where the suite has checks, packed."""

PAGE = "page.zip"
"""The page, packed, and its first figure as SVG: unpack it and open index.html in any browser."""

_FIGURES: Mapping[str, Sequence[str]] = {"accuracy": ("svg",)}
"""Figures that lie in it as files. No PDF: vl-convert makes other bytes of the same figure each time."""

_OTHER = "folder"
"""What a user may give another of, where one cannot be written."""

_LARGEST_PAGE = 64 << 20

trust_words = (
    "Every number here is a claim: records that somebody says came out. Each has a digest, which catches "
    "accidents, not fraud: whoever edits a record can compute a new one. Only a rerun gives trust. A row is "
    "claimed until somebody has run it again (prunebench verify), and the result is kept here too."
)


def made(published: Published, *, page: bool = True) -> dict[str, bytes]:
    """Return the files that a leaderboard's records give, by name; the page takes longest."""
    results = published.results()
    verified = published.verified()
    data = {"leaderboard.json": leaderboard(results, "json")}
    if results.suite.get("checks"):
        data["checks.json"] = json_text(results.verdicts.plain(keys=False)) + "\n"
    files = {
        "README.md": markdown.write(_document(published, results, verified)).encode(),
        "leaderboard.csv": leaderboard(results, "csv").encode(),
        DATA: _zipped(data),
    }
    if page:
        files[PAGE] = _zipped(_page(published, results, verified))
    return files


def publish(plan: Plan, store: Store, folder: Path, *, partial: bool = False) -> list[str]:
    """Write a leaderboard's own records to a folder, and all that they give; return what changed.

    Submissions and reruns that lie there stay, and must still fit.

    Raises: UsageError where a cell has no record, unless `partial`; StoreError.
    """
    content = packed(plan, store, partial=partial)
    with writing(folder / RECORDS, _OTHER):
        folder.mkdir(parents=True, exist_ok=True)
    rewrite(folder / RECORDS, content, _OTHER)
    return [RECORDS, *remake(folder)]


def remake(folder: Path, *, check: bool = False) -> list[str]:
    """Make a folder's tables, data and page again from its records; return the names of those that differ.

    They are written unless `check`; then the page is not compared, which has another version's scripts in it
    where it was written by one. What is compressed is compared by what it holds.

    Raises: StoreError, naming each record and row that is refused; nothing is written then.
    """
    with opened(folder) as published:
        files = made(published, page=not check)
    changed = [name for name, content in files.items() if not _same(folder / name, content)]
    if not check:
        for name in changed:
            rewrite(folder / name, files[name], _OTHER)
    return changed


def _same(path: Path, content: bytes) -> bool:
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST_PAGE:
            return False
        there = path.read_bytes()
    except OSError:
        return False
    if there == content or path.suffix != ".zip":
        return there == content
    return _unzipped(there) == _unzipped(content)


def _zipped(files: Mapping[str, str | bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, text in files.items():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(member, text, compresslevel=9)
    return whole.getvalue()


def _unzipped(content: bytes) -> dict[str, bytes] | None:
    """Return what a small archive holds; None where it is none, or holds more than any page."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > 200 or sum(member.file_size for member in members) > _LARGEST_PAGE:
                return None
            return {member.filename: archive.read(member) for member in members}
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError):
        return None


# -- the page for people ----------------------------------------------------------------------------------


def _document(published: Published, results: Results, verified: list[Verified]) -> Document:
    """Return the leaderboard with what a reader must know of trust before and behind it."""
    whole = document(results)
    first: list[Block] = [trust_words, *_partly(published), *_took(published), *_differing(verified)]
    return replace(
        whole, blocks=(*first, *whole.blocks), sections=(*whole.sections, *_trust(published, verified))
    )


def _partly(published: Published) -> Iterator[str]:
    """Yield how much of a leaderboard is there, where cells have no record."""
    cells = published.plan.cells
    lacking = sum(not published.store.has_record(cell.key) for cell in cells)
    if lacking:
        yield (
            f"Partial: {len(cells) - lacking:,} of {len(cells):,} cells have been run. A row of fewer seeds "
            "than planned says its n, and a footnote how many are missing."
        )


def _took(published: Published) -> Iterator[str]:
    """Yield how long the networks were trained in all, and when, as their records say."""
    snapshot = Snapshot(published.plan, published.store)
    records = (snapshot.result(cell.key) for cell in published.plan.cells)
    times = [record.provenance.get("time") or {} for record in records if record is not None]
    seconds = [time["train_seconds"] for time in times if time.get("train_seconds") is not None]
    days = sorted({str(time["finished"])[:10] for time in times if time.get("finished")})
    if seconds and days:
        whole = sum(seconds)
        long = f"{whole / 3600:,.1f} h" if whole >= 3600 else f"{whole / 60:,.1f} min"
        when = " to ".join(dict.fromkeys((days[0], days[-1])))
        yield f"Training the {len(seconds):,} networks of these rows took {long}, one after another ({when})."


def _differing(verified: list[Verified]) -> Iterator[str]:
    """Yield which rows a rerun contradicts: places, comparisons and claims rest on what is claimed."""
    names = [_method(one) for one in verified if one.outcome == "differs"]
    if names:
        yield (
            f"A rerun contradicts {len(names):,} of the rows: {'; '.join(names)}. Places, comparisons and "
            "the outcomes of checks still rest on what is claimed of them."
        )


def _method(one: Verified) -> str:
    name = variant_name(one.row.labels.get("method", ""), one.row.labels.get("ablations", ""))
    return f"{name}: {one.row.name}"


def _trust(published: Published, verified: list[Verified]) -> Iterator[Section]:
    blocks: list[Block] = [*_counts(published, verified)]
    if verified:
        blocks.append(Table("rerun", _COLUMNS, tuple(map(_line, verified)), left=(6,)))
        blocks.append(
            "A rerun agrees when its mean lies in the 95 % prediction interval of the claimed seeds: "
            "mean ± t · s · √(1/n + 1/m) for n claimed and m rerun seeds. Seeds that gave the same bits "
            "again are no further runs, and are judged only where all did. One row of twenty that is right "
            "falls outside by chance."
        )
    yield Section("Claimed and rerun", tuple(blocks))
    if published.submissions:
        rows = tuple(
            (
                Cell(", ".join(one.methods)),
                Cell(name),
                Cell(", ".join(one.files) or "an installed plugin"),
                Cell(one.source),
            )
            for name, one in published.submissions.items()
        )
        yield Section(
            "Submitted", (Table("submitted", ("method", "file", "its code", "source"), rows, left=(1, 2, 3)),)
        )


_COLUMNS = ("row", "claimed", "n", "prediction interval", "rerun", "m", "outcome")


def _counts(published: Published, verified: list[Verified]) -> Iterator[str]:
    from prunebench.trust.reruns import rows_of

    rows = len(rows_of(published.plan))
    agree = sum(one.outcome == "agrees" for one in verified)
    differ = sum(one.outcome == "differs" for one in verified)
    yield (
        f"{rows:,} rows (a method at a sparsity): {rows - agree - differ:,} are claimed, {agree:,} were "
        f"rerun and agree, {differ:,} were rerun and differ."
    )


def _line(one: Verified) -> tuple[Cell, ...]:
    at = one.prediction
    claimed = list(one.claimed.values())
    return (
        Cell(_method(one)),
        Cell(spelled(sum(claimed) / len(claimed), "points") if claimed else "", True),
        Cell(str(len(claimed)), True),
        Cell(f"[{spelled(at.low, 'points')}, {spelled(at.high, 'points')}]" if at else "", True),
        Cell(spelled(one.mean, "points") if one.rerun else "", True),
        Cell(str(len(one.judged)) if one.rerun else "0", True),
        Cell(outcome_words(one)),
    )


def outcome_words(one: Verified) -> str:
    """Return in words what a rerun came to."""
    said = {"agrees": "agrees", "differs": "differs", "undecided": f"undecided: {one.reason}"}[one.outcome]
    if one.same_bits:
        said += f"; the same bits at {len(one.same_bits)} of {len(one.rerun)} seeds"
    if one.other_bits:
        said += f"; other bits within one numerics class at seeds {', '.join(map(str, one.other_bits))}"
    if one.diverged:
        said += (
            f"; {one.diverged} diverged runs count as guesses, and an interval does not describe a mixture"
        )
    return said


def _page(published: Published, results: Results, verified: list[Verified]) -> dict[str, str | bytes]:
    """Return the page, and what lies beside it where vl-convert is installed, by name."""
    from prunebench.report.figures import can_convert
    from prunebench.report.page import Content, figure_files, render

    about = [("trust", trust_words), ("rows", " ".join(_counts(published, verified)))]
    about += [("rerun", f"{one.row.name}: {outcome_words(one)}") for one in verified]
    about += [("submitted", f"{', '.join(s.methods)}: {name}") for name, s in published.submissions.items()]
    files: bool | Mapping[str, Sequence[str]] = _FIGURES if can_convert() else False
    content = Content(results, about=about, files=files, published=f"leaderboards/{results.name}")
    return {"index.html": render(content), **dict(figure_files(content))}
