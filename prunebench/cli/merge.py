"""`prunebench merge`: joins stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import as_json, data_option, store_option

if TYPE_CHECKING:
    from prunebench.store.merge import Merged

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench merge cluster/ laptop/ --store all/
  prunebench merge ../colleague/.prunebench

\b
Exit codes: 0 all that could be read is there, 1 some files were left, 2 a mistake in what was asked.
"""


@click.command("merge", epilog=_EPILOG, short_help="Join stores into one.")
@click.argument("sources", metavar="STORE...", nargs=-1, required=True, type=click.Path())
@store_option
@data_option
@as_json
@click.pass_context
def command(
    ctx: click.Context, /, sources: tuple[str, ...], store: str | None, as_json: bool, **_: Any
) -> None:
    """Copy what every STORE holds into one store (--store), which is made where there is none.

    The first commit wins: what the store has stays, then what the first STORE has. Results and artifacts are
    verified before they are copied; where two stores have other bits for one key, that is said. Sources are
    only read. A merge that was stopped goes on with the same command.
    """
    from prunebench.cli._exit_codes import INCOMPLETE
    from prunebench.cli._output import complain, say, say_json
    from prunebench.engine.defaults import store_root
    from prunebench.store.merge import merge

    root = store_root(store)
    merged = merge(sources, root)
    if as_json:
        say_json({"store": str(root), **_plain(merged)})
    else:
        for conflict in merged.conflicts:
            complain(
                f"{conflict.part} {conflict.key[:12]}: {conflict.kept} stays, "
                f"{conflict.source} has {conflict.other}",
                label="Other bits",
            )
        for left in merged.left:
            complain(f"{left.source}: {left.file}: {left.reason}", label="Left out")
        say(f"{root}: {_counts(merged)}")
    if merged.left:
        ctx.exit(INCOMPLETE)


def _counts(merged: Merged) -> str:
    from prunebench.cli._output import counted

    copied, there = (
        ", ".join(counted(number, part.removesuffix("s")) for part, number in sorted(counts.items()))
        for counts in (merged.copied, merged.there)
    )
    parts = [f"copied {copied or 'nothing'}"]
    parts += [f"there already {there}"] if there else []
    parts += [f"{len(merged.conflicts):,} of other bits, the first of each stays"] if merged.conflicts else []
    return "; ".join(parts)


def _plain(merged: Merged) -> dict[str, Any]:
    return {
        "copied": dict(sorted(merged.copied.items())),
        "there": dict(sorted(merged.there.items())),
        "conflicts": [
            {"part": c.part, "key": c.key, "source": str(c.source), "kept": c.kept, "other": c.other}
            for c in merged.conflicts
        ],
        "left": [{"source": str(x.source), "file": x.file, "reason": x.reason} for x in merged.left],
    }
