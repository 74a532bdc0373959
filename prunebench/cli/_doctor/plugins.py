"""Plugins: whether they load, and whether each component can be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prunebench.cli._doctor import Finding
from prunebench.host.components import KINDS

if TYPE_CHECKING:
    from prunebench.host.registry import Host

__all__ = ["findings"]


def findings(host: Host) -> Iterator[Finding]:
    """Yield what was loaded and what was not; each component's identity is worked out, as planning does."""
    counts: Counter[str] = Counter()
    for kind in KINDS.values():
        for name in host.names(kind.kind):
            counts[kind.kind] += 1
            try:
                host.identity(kind.kind, name)
            except Exception as error:  # whatever a component of others does
                yield Finding(
                    "plugins", "bad",
                    f"{kind.kind} {name} cannot be identified: {type(error).__name__}: {error}",
                    "declare its version, so that its code need not be read",
                )  # fmt: skip
    others = [origin for origin in host.plugins if origin.distribution != "prunebench"]
    plural = {kind.kind: name for name, kind in KINDS.items()}
    some = ", ".join(f"{number} {plural[kind]}" for kind, number in sorted(counts.items()))
    yield Finding("plugins", "ok", f"{len(host.plugins)} loaded, {len(others)} of them others': {some}")
    for problem in host.problems:
        first = (str(problem.error).strip().splitlines() or ["no reason given"])[0]
        yield Finding(
            "plugins", "bad", f"plugin {problem.plugin} is left out: {first}",
            f"update or uninstall {problem.distribution or problem.plugin}, or use --no-plugins",
        )  # fmt: skip
    for origin, seconds in host.slow:
        yield Finding(
            "plugins", "warning", f"plugin {origin} took {seconds:.1f} s to import: every command waits"
        )
