"""Whatever names and texts of others say, in the page it is text: nothing runs, nothing is asked for."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hostile import NAMES
from report.page.test_columns import inflated

from prunebench.analysis import table
from prunebench.checks.outcomes import ClaimVerdict, Outcome, Verdicts
from prunebench.report.page import PAGE, Content, render, write
from prunebench.report.results import Results

SHORT = {name: text[:3000] for name, text in NAMES.items()}
"""The longest are cut where they are shown: a test elsewhere says so."""


@pytest.fixture(scope="module")
def hostile() -> Results:
    """Results in which every text that anybody can choose is a hostile one."""
    names = list(SHORT.values())
    rows = []
    for i, name in enumerate(names):
        for seed in (0, 1, 2):
            for density in ("0.5", "0.1"):
                rows.append(
                    {
                        "matrix": name, "cell": f"{name}-d{density}-s{seed}", "key": f"{i}-{density}-{seed}",
                        "architecture": names[(i // 40) * 7], "dataset": names[3], "recipe": names[4],
                        "split": names[5], "find": names[6], "score_at": names[7], "method": name or "x",
                        "ablations": names[(i + 9) % len(names)] if i % 3 else "", "density": density,
                        "seed": seed, "status": "finished", "correct": 9000 - 10 * i + seed, "examples": 10000,
                        "classes": 10, "numerics": name, "empty_layers": (name,), "output_layer": name,
                    }
                )  # fmt: skip
    suite = {
        "name": SHORT["script"],
        "version": SHORT["image"],
        "digest": SHORT["attribute"],
        "leaderboard": {"title": SHORT["script end"], "margin": None},
        "checks": [{}],
        "limit": SHORT["svg"],
    }
    results = Results(suite, table([row for row in rows if row["architecture"] and row["dataset"]]))
    outcomes = tuple(
        Outcome(
            check=name, claim=name, verdict="undecided", expect="above", quantity=name, setting=name, range=name,
            of=name, against=name, effect=1.0, lower=-1.0, upper=2.0, margin=0.5, n=3, seeds=(0,), differences=(1.0,),
            keys=(f"{i}-0.5-0",), reason=name, notes=(name,), cells=1,
        )
        for i, name in enumerate(names)
    )  # fmt: skip
    claims = tuple(
        ClaimVerdict(
            id=name, says=name, source=name, kind="every", verdict="open", undecided=1, failing=(name,),
            outcomes=(outcome,),
        )
        for name, outcome in zip(names, outcomes, strict=True)
    )  # fmt: skip
    results.__dict__["verdicts"] = Verdicts(outcomes=outcomes, claims=claims, chance=1.0)
    return results


@pytest.fixture(scope="module")
def text(hostile: Results) -> str:
    about = [(name, name) for name in SHORT.values()]
    return render(Content(hostile, suite=SHORT["shell"], about=about, files=False))


class Elements(HTMLParser):
    """All elements of a page with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_no_text_becomes_markup(text: str) -> None:
    """Three scripts and the data, one style, no picture; no attribute that is a program; links within the page."""
    elements = Elements()
    elements.feed(text)
    tags = [tag for tag, _ in elements.found]
    assert tags.count("script") == 4
    assert tags.count("style") == 1
    assert not {"img", "iframe", "object", "embed", "link", "base", "form"} & set(tags)
    for tag, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert (attributes.get("href") or "#").startswith("#")
        assert "src" not in attributes


def test_the_policy_names_the_scripts_that_are_there_and_no_others(text: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy[1].replace("&#39;", "'").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["script-src"].count("sha256-") == 3
    assert not {"unsafe", "http", "*"} & set(
        re.findall(r"unsafe|http|\*", rules["script-src"] + rules["style-src"])
    )
    assert text.index("Content-Security-Policy") < text.index("<script")


def test_no_character_that_acts_is_in_the_page(text: str) -> None:
    """No control character, no mark of direction, no lone surrogate, wherever it may have stood."""
    acts = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
    assert not re.search(acts, text)
    data = re.search(r'<script type="text/plain" id="data">([A-Za-z0-9+/=]+)</script>', text)
    assert data is not None
    assert inflated(data[1])["schema"] == 1
    assert not re.search(acts, json.dumps(inflated(data[1]), ensure_ascii=False))


def test_nothing_runs_in_a_browser(hostile: Results, text: str, browser: Any, tmp_path: Path) -> None:
    """Opened, gone through, pointed at and clicked: the title stays, nothing is set, said or asked for."""
    write(tmp_path, PAGE, text)
    browser.open(tmp_path / PAGE)
    title = browser.ask("document.title")
    for identifier in browser.ask("[...document.querySelectorAll('.listing')].map((each) => each.id)"):
        browser.run("document.getElementById(arguments[0]).scrollIntoView()", identifier)
        browser.wait(f"document.querySelector('#{identifier} tbody tr')")
    browser.run("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    browser.run("document.querySelectorAll('#claims-list tbody tr').forEach((each, i) => { if (i % 9 === 0) each.click();"
                "document.getElementById('row').close(); })")  # fmt: skip
    browser.run("document.querySelectorAll('#table-cells tbody tr[data-row]').forEach((each, i) => { if (i < 40) each.click();"
                "document.getElementById('row').close(); })")  # fmt: skip
    for event in ("mouseenter", "mouseover", "focus", "click"):
        browser.run(
            "document.querySelectorAll('[data-variant], .chip, svg *').forEach((each, i) => {"
            "if (i % 101 === 0) each.dispatchEvent(new MouseEvent(arguments[0], {bubbles: true})); })",
            event,
        )
    browser.wait("document.body.classList.contains('drawn')")
    browser.run("document.querySelectorAll('*').forEach((each) => each.dispatchEvent(new Event('error')))")
    assert browser.ask("document.title") == title
    assert browser.ask("window.owned") is None
    assert (
        browser.ask(
            "document.querySelectorAll('img, iframe, object, embed, link, base, form:not(.vega-bindings)').length"
        )
        == 0
    )
    assert (
        browser.ask(
            "document.querySelectorAll('[onclick], [onerror], [onload], [onfocus], [onmouseover]').length"
        )
        == 0
    )
    assert browser.ask(
        "[...document.querySelectorAll('a[href]')].every((each) => each.getAttribute('href')[0] === '#')"
    )
    browser.listen()
    assert browser.said == []
    assert len(browser.requests) == 1


def test_what_a_page_would_have_to_ask_for_is_refused(text: str, browser: Any, tmp_path: Path) -> None:
    """Even where somebody got markup into the page: the policy stops scripts, styles, requests and forms."""
    added = (
        "<script>window.owned = 1</script><img src=https://example.invalid/x onerror='window.owned = 2'>"
        "<style>body { display: none }</style><p style='color: red' id=styled>x</p>"
        "<iframe src='data:text/html,<script>parent.owned=3</script>'></iframe>"
    )
    page = tmp_path / PAGE
    page.write_text(text.replace("</main>", f"{added}</main>"), "utf-8")
    browser.open(page)
    browser.run("fetch('https://example.invalid/').catch(() => {})")
    assert browser.ask("window.owned") is None
    assert browser.ask("getComputedStyle(document.getElementById('styled')).color") != "rgb(255, 0, 0)"
    assert browser.ask("getComputedStyle(document.body).display") == "block"
    browser.listen()
    assert [url for url in browser.requests if "example.invalid" in url] == []
    assert sum("Content Security Policy" in message for message in browser.said) >= 4


def test_the_command_that_runs_a_row_again_is_one_command(hostile: Results) -> None:
    """A suite or a cell with a shell's own characters is quoted."""
    content = Content(hostile, suite=SHORT["shell"])
    assert content.rerun.startswith("prunebench run '$(touch owned); `touch owned` | touch owned & x' ")
    assert isinstance(hostile.cells, pd.DataFrame)
