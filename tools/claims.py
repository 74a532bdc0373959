"""Write the tables of docs/claims.md: every sentence of the paper that the shipped suites put to the test.

Sentences, sources, kinds and numbers of checks are read from the suites; the rest of the page is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from prunebench.checks.claims import Claim
from prunebench.checks.grammar import Check
from prunebench.host.registry import Host
from prunebench.suite import Suite, load_suite

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "claims.md"

SUITES: Mapping[str, str] = {
    "pai": "Pruning at initialisation, ablations, layers and neurons; pruning at the end of training",
    "pai-after-init": "Pruning after initialisation",
    "pai-extreme": "Extreme sparsities",
    "pai-replication": "Replications of SNIP, GraSP and SynFlow",
    "pai-lenet": "LeNet-300-100 on MNIST",
    "pai-modified-resnet18": "Modified ResNet-18 on TinyImageNet",
}
"""The suites of the paper, with the headings of their sentences."""

SAME = {
    "pai-lenet": "`pai-lenet-small` has the same sentences, and reads them at three sparsities; so does "
    "`pai-lenet-test`, with two epochs and\ntwo seeds, to show that they are judged. "
    "`pai-after-init-test` has those of `pai-after-init` that its cells are enough for."
}
"""What is said of a suite whose sentences another one has too."""

MARKS = ("<!-- sentences -->", "<!-- end of sentences -->")
"""What is between them is written here."""


def lines(host: Host) -> Iterator[str]:
    """Yield the tables, line by line."""
    suites = {name: load_suite(name, host) for name in SUITES}
    count = sum(len(suite.claims) for suite in suites.values())
    checks = sum(len(suite.checks) for suite in suites.values())
    yield f"{count} sentences, {checks} checks.\n"
    for name, suite in suites.items():
        yield f"## {SUITES[name]}\n"
        yield f"`{name}`: {len(suite.claims)} sentences, {len(suite.checks)} checks."
        if name in SAME:
            yield SAME[name]
        yield "\n| | sentence | where | kind | checks |\n|---|---|---|---|---|"
        for claim in suite.claims:
            cells = (claim.id, claim.says, claim.source, claim.kind, _count(claim, suite))
            yield f"| {' | '.join(cells)} |"
        yield ""


def _count(claim: Claim, suite: Suite) -> str:
    mine = [check for check in suite.checks if check.claim == claim.id]
    below = {name for check in mine for name in _below(check, {one.name: one for one in suite.checks})}
    return f"{len(mine)} + {len(below)}" if below else str(len(mine))


def _below(check: Check, checks: Mapping[str, Check]) -> Iterator[str]:
    """Yield the names of the checks that a check is about, whatever is between them."""
    for name in [*(check.all_ or []), *(check.any_ or [])]:
        if not checks[name].group:
            yield name
        yield from _below(checks[name], checks)


def page(text: str, host: Host) -> str:
    """Return the page with its tables written anew."""
    before, found, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not found or not end:
        raise ValueError(f"{PAGE.name} lacks {' or '.join(MARKS)}")
    return before + MARKS[0] + "\n\n" + "\n".join(lines(host)) + "\n" + MARKS[1] + after


def main() -> None:
    """Write the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page(text, Host.load(third_party=False)), encoding="utf-8")


if __name__ == "__main__":
    main()
