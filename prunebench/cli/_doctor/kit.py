"""Components of others: whether they pass the conformance kit, in a process that they may hang or end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prunebench.cli._doctor import Finding
from prunebench.host.components import KINDS

if TYPE_CHECKING:
    from prunebench.engine.request import Request
    from prunebench.host.registry import Host

__all__ = ["findings"]

PATIENCE = 300
"""Seconds that a process may check."""

Named = tuple[str, str]
"""A component: kind and name."""


def findings(host: Host, request: Request) -> Iterator[Finding]:
    """Yield which components of others do not pass the kit, and how many do.

    `request` says which plugins `host` has.
    """
    every = [(kind.kind, name) for kind in KINDS.values() for name in host.names(kind.kind)]
    left = [(kind, name) for kind, name in every if not host.origin(kind, name).builtin]
    passed = 0
    while left:
        for (kind, name), problem in _checked(request, left):
            left.remove((kind, name))
            passed += not problem
            if problem:
                who = f"{kind} {name} of {host.origin(kind, name)}"
                yield Finding(
                    "plugins", "bad", f"{who} does not conform: {problem}",
                    "`prunebench.testing.check_component` says the same in the plugin's own tests",
                )  # fmt: skip
    if passed:
        some = "component conforms" if passed == 1 else "components conform"
        yield Finding("plugins", "ok", f"{passed:,} {some} of plugins that do not come with prunebench")


def _checked(request: Request, components: Sequence[Named]) -> list[tuple[Named, str]]:
    """Return what is wrong with each component that one process has come to, "" where nothing is."""
    asked = {
        "plugins": request.plugins,
        "third_party": request.third_party,
        "only": request.load,
        "components": components,
    }
    command = [sys.executable, "-P", "-m", "prunebench.testing", json.dumps(asked)]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE, check=False
        )
        output, ended = done.stdout, f"its check ended the process: {_how(done.returncode)}"
    except subprocess.TimeoutExpired as error:
        output, ended = error.stdout or b"", f"its check took more than {PATIENCE} s"
    problems = [str(json.loads(line)) for line in output.splitlines() if line.endswith(b'"')]
    if len(problems) < len(components):  # it died or hung at the next one
        problems.append(ended)
    return list(zip(components, problems, strict=False))


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
