"""`prunebench doctor`: whether this machine, its GPUs, torch, data, plugins and store are fit for work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from prunebench.cli._doctor import Finding
from prunebench.cli._options import as_json, data_option, plugin_options, store_option

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench doctor
  prunebench doctor pai --data /data  # also: is all there that this suite needs?
  prunebench doctor --store /shared/store --json

\b
Exit codes: 0 nothing is wrong, 1 something is, 2 a mistake in what was asked.
"""

_MARKS = {"ok": "✓", "note": "·", "warning": "!", "bad": "✗"}
_STYLES = {"ok": None, "note": None, "warning": "yellow", "bad": "bold red"}


@click.command("doctor", epilog=_EPILOG, short_help="Check machine, GPUs, torch, data, plugins, store.")
@click.argument("suite", metavar="[SUITE]", required=False)
@store_option
@data_option
@plugin_options
@as_json
@click.pass_context
def command(ctx: click.Context, /, suite: str | None, as_json: bool, **options: Any) -> None:
    """Check the machine, its GPUs, torch, data sets, plugins, the store and what is optional.

    What is wrong is said with what to do about it.

    With a SUITE, data that it needs and that cannot be downloaded count as wrong. Nothing is changed; in the
    store, or where it would be made, a few hidden files are written and removed again.
    """
    from prunebench.cli._output import say, say_json

    findings: list[Finding] = []
    area = ""
    for finding in _findings(suite, options):
        findings.append(finding)
        if as_json:
            continue
        if finding.area != area:
            area = finding.area
            say(area, "bold")
        say(f"  {_MARKS[finding.state]} {finding.what}", _STYLES[finding.state])
        if finding.do:
            say(f"      {finding.do}")
    wrong = sum(finding.state == "bad" for finding in findings)
    if as_json:
        say_json({"ok": not wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        warnings = sum(finding.state == "warning" for finding in findings)
        say()
        say(
            f"{wrong or 'nothing'} wrong, {warnings or 'no'} {'warning' if warnings == 1 else 'warnings'}",
            "bold",
        )
    ctx.exit(1 if wrong else 0)


def _findings(suite: str | None, options: dict[str, Any]) -> Iterator[Finding]:
    from prunebench.cli._doctor import data, extras, gpus, kit, machine, plugins, stores
    from prunebench.cli._options import request_of
    from prunebench.engine.defaults import data_root, store_root
    from prunebench.errors import PluginError
    from prunebench.host.datasets import whole_of

    root = store_root(options["store"])
    request = request_of(suite or "", options)
    yield from machine.findings()
    yield from gpus.findings()
    try:
        host = (request.with_suite_plugins() if suite else request).host()
        needed = sorted({whole_of(cell.dataset) for cell in request.read_suite(host).cells}) if suite else []
    except PluginError as error:
        yield Finding("plugins", "bad", str(error))
        host, needed = None, []
    store, refused = stores.opened(Path(root))
    if host is not None:
        yield from plugins.findings(host)
        yield from kit.findings(host, request.with_suite_plugins() if suite else request)
        yield from data.findings(host, Path(data_root(options["data"])), store, needed)
    yield from refused
    yield from stores.findings(Path(root), store) if not any(f.state == "bad" for f in refused) else ()
    yield from extras.findings()
