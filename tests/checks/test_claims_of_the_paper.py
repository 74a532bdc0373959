"""Every sentence of the paper is a claim that has checks, every check belongs to one, and docs say the same."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from simulated import simulate

from prunebench.host import Host
from prunebench.suite import Suite, load_suite, shipped_suites

ROOT = Path(__file__).parents[2]
HOST = Host.load(third_party=False)
WITH_CLAIMS = (
    *("pai", "pai-after-init", "pai-extreme", "pai-lenet", "pai-lenet-small"),
    *("pai-modified-resnet18", "pai-replication"),
    *("pai-lenet-test", "pai-after-init-test"),
)
OF_OTHERS = (
    "scaling",
    "scaling-lenet",
    "scaling-cifar-small",
    "find-eval",
    "find-eval-lenet",
    "find-eval-small",
    "find-eval-structured",
)
"""Of the scaling law, and of masks that are found under one recipe and evaluated under another."""

pytestmark = pytest.mark.skipif(
    not (ROOT / "tools").is_dir(), reason="tools/ is not part of a source archive"
)


@pytest.fixture(scope="module")
def suites() -> dict[str, Suite]:
    """Every shipped suite that has checks."""
    loaded = {name: load_suite(name, HOST) for name in shipped_suites()}
    return {name: suite for name, suite in loaded.items() if suite.checks}


def claims_of(suite: Suite) -> dict[str, set[str]]:
    """Return the claims that each check decides: the one that it names, or those of checks that are about it."""
    claims = {check.name: {check.claim} - {None} for check in suite.checks}
    above: dict[str, list[str]] = {check.name: [] for check in suite.checks}
    for check in suite.checks:
        for name in [*(check.all_ or []), *(check.any_ or [])]:
            above[name].append(check.name)

    def decided(name: str) -> set[Any]:
        return claims[name].union(*(decided(one) for one in above[name]))

    return {name: decided(name) for name in claims}


def test_every_suite_with_checks_has_claims(suites: dict[str, Suite]) -> None:
    """And those are the suites of the paper, and those of the two others."""
    assert sorted(suites) == sorted((*WITH_CLAIMS, *OF_OTHERS))


@pytest.mark.parametrize("name", WITH_CLAIMS)
def test_every_check_belongs_to_a_claim_and_every_claim_has_checks(
    name: str, suites: dict[str, Suite]
) -> None:
    """A check names the claim, or is one of those that a check with a claim is about; to one claim it belongs."""
    suite = suites[name]
    ids = [claim.id for claim in suite.claims]
    assert len(set(ids)) == len(ids)
    decided = claims_of(suite)
    assert {check: claims for check, claims in decided.items() if len(claims) != 1} == {}
    assert set().union(*decided.values()) == set(ids)


@pytest.mark.parametrize("name", WITH_CLAIMS)
def test_a_claim_is_a_sentence_with_its_place_in_the_paper(name: str, suites: dict[str, Suite]) -> None:
    """Each sentence is there once; sections, tables and figures are the paper's own."""
    claims = suites[name].claims
    assert len({claim.says for claim in claims}) == len(claims)
    for claim in claims:
        assert re.fullmatch(r"[A-Z].*[.)]", claim.says), claim.id
        assert re.search(r"Abstract|Sections? [1-7]|App\. [A-M]", claim.source), claim.id
        assert "|" not in claim.says + claim.source


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.slow] if one == "pai" else []) for one in WITH_CLAIMS]
)
def test_every_check_can_be_judged_where_everything_has_run(name: str) -> None:
    """Of complete results made up for a suite no check lacks a cell, a setting, a sparsity or a measure."""
    verdicts = simulate(name, diverging=0.0, missing=0.0, failing=0.0).results.verdicts
    assert [(one.check, one.reason) for one in verdicts.outcomes if one.verdict == "not run"] == []
    assert [claim.id for claim in verdicts.claims if claim.own] == []
    nothing = [one.check for one in verdicts.outcomes if not one.parts and not one.n]
    assert nothing in ([], ["S1-resnet50-nearly-half-in-whole-shortcuts"])  # of none that are pruned


def test_kinds_are_the_sentences_own(suites: dict[str, Suite]) -> None:
    """Those that say "generally", "frequently", "tend to", "in most cases", "nearly" are of most; the rest of every."""
    claims = [claim for name in WITH_CLAIMS for claim in suites[name].claims]
    most = {claim.id for claim in claims if claim.kind == "most"}
    assert most == {
        *("P1-generally", "P3-synflow", "P3-magnitude", "P3-improved", "P3-grasp"),
        *("S2-most", "S2-extreme-most", "S2-restores", "S3-late", "S3-even"),
        *("P7-accuracies", "B5-resnet50"),
    }
    assert {claim.kind for claim in claims} == {"every", "most"}


def test_what_is_said_of_the_end_of_training_stands_in_one_suite(suites: dict[str, Suite]) -> None:
    having = [name for name, suite in suites.items() if any(c.id.startswith("E") for c in suite.claims)]
    assert [name for name in having if not name.endswith("-test")] == ["pai"]


def test_claims_that_are_not_the_papers_say_so(suites: dict[str, Suite]) -> None:
    """ResNet-50 after initialisation is an extension; runs of Tanaka et al. were scored in another mode."""
    claims = {claim.id: claim for suite in suites.values() for claim in suite.claims}
    assert "extension" in claims["T1-resnet50"].source
    of_resnet50 = [
        check.name
        for check in suites["pai-after-init"].checks
        if check.where.architecture == ["resnet50"] and check.name.startswith("T1-")
    ]
    assert len(of_resnet50) == 16
    belongs = claims_of(suites["pai-after-init"])
    assert {claim for check in of_resnet50 for claim in belongs[check]} == {"T1-resnet50"}
    theirs = [check for check in suites["pai-extreme"].checks if "tanaka" in str(check.where.matrix)]
    assert len(theirs) == 10
    for claim in {check.claim for check in theirs}:
        assert claim is not None
        assert "evaluation mode" in claims[claim].says


def test_the_page_of_sentences_is_what_the_suites_say(suites: dict[str, Suite]) -> None:
    """`python tools/claims.py` would change nothing, and its numbers are those that are counted here."""
    spec = importlib.util.spec_from_file_location("claims_tool", ROOT / "tools" / "claims.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    text = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    assert tool.page(text, HOST) == text, "run python tools/claims.py"
    rows = re.findall(
        r"^\| ([\w.-]+) \| (.*) \| (.*) \| (every|some|most) \| ([\d +]+) \|$", text, re.MULTILINE
    )
    wanted = []
    for name in tool.SUITES:
        decided = claims_of(suites[name])
        for claim in suites[name].claims:
            mine = [check for check in suites[name].checks if check.claim == claim.id]
            parts = [
                c
                for c in suites[name].checks
                if claim.id in decided[c.name] and c not in mine and not c.group
            ]
            count = f"{len(mine)} + {len(parts)}" if parts else f"{len(mine)}"
            wanted.append((claim.id, claim.says, claim.source, claim.kind, count))
    assert rows == wanted
    total = sum(len(suites[name].checks) for name in tool.SUITES)
    assert f"{len(wanted)} sentences, {total} checks." in text
    small, whole = (suites[name] for name in ("pai-lenet-small", "pai-lenet"))
    assert small.claims == whole.claims


def test_what_cannot_be_tested_names_claims_that_there_are(suites: dict[str, Suite]) -> None:
    """Each row says why, and the claims that it names beside are claims, or the beginnings of some."""
    text = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8").partition("## What cannot be put")[2]
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", text, re.MULTILINE)[1:]
    assert len(rows) > 15
    ids = {claim.id for suite in suites.values() for claim in suite.claims}
    named = {one for row in rows for one in re.findall(r"\b[ABKLPST]\d(?:-[\w-]+)?", row[2])}
    assert len(named) > 10
    assert [one for one in named if not any(f"{each}-".startswith(f"{one}-") for each in ids)] == []
