"""Views of the page: links into it, the history, light and dark, narrow screens, the keyboard, paper."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Page = Callable[..., Any]
MLP, CONVNET, BARE = "digits-mlp on digits", "digits-convnet on digits", "lenet-300-100 on digits"
SHOWN = "document.getElementById('setting').selectedOptions[0].textContent"


@pytest.fixture(autouse=True)
def nothing_is_said(browser: Any) -> Iterator[None]:
    """Whatever a test does: no message in the console."""
    yield
    browser.listen()
    assert browser.said == []


@pytest.mark.parametrize(
    ("view", "setting", "section"),
    [
        ("", MLP, None),
        ("#digits-convnet/tables", CONVNET, "tables"),
        ("#digits-mlp/provenance", MLP, "provenance"),
        ("#digits-convnet", CONVNET, None),
        ("#tables", MLP, "tables"),
        ("#nothing/of-the-kind?range=none&hide=nobody", MLP, None),
        ("#%E0%A4%A", MLP, None),
    ],
)
def test_a_link_leads_to_a_view(page: Page, view: str, setting: str, section: str | None) -> None:
    """A setting and a section; what is not known is as if it were not asked for."""
    found = page(view)
    assert found.ask(SHOWN) == setting
    if section is None:
        assert found.ask("scrollY") == 0
    else:
        top = f"document.getElementById('{section}').getBoundingClientRect().top"
        end = "scrollY + innerHeight >= document.documentElement.scrollHeight - 2"
        found.wait(f"Math.abs({top}) < 200 || ({end} && {top} < innerHeight)")


def test_a_link_has_the_range_and_what_is_hidden(page: Page) -> None:
    found = page("#digits-mlp/answer?range=all&hide=random~shuffle")
    assert found.ask("document.getElementById('range').value") == "all"
    assert found.texts("#chips-methods [aria-pressed=false]") == ["random"]
    assert found.texts("#chips-ablations [aria-pressed=false]") == ["shuffle"]


def test_choosing_a_setting_is_a_step_of_the_history(page: Page) -> None:
    """Back goes back, forward goes forward; figures, words and tables are the setting's."""
    found = page("#digits-mlp/answer")
    found.click("[data-step='1']")
    found.wait(f"{SHOWN} === '{CONVNET}'")
    assert found.ask("location.hash").startswith("#digits-convnet")
    assert (
        found.ask("[...document.querySelectorAll('.answer [data-setting]')].filter((e) => !e.hidden).length")
        == 1
    )
    found.run("history.back()")
    found.wait(f"{SHOWN} === '{MLP}'")
    found.run("history.forward()")
    found.wait(f"{SHOWN} === '{CONVNET}'")


def test_back_leads_to_the_setting_and_the_place_that_were_left(page: Page) -> None:
    """From an address that names nothing, too; and another setting leaves the reader where they read."""
    found = page()
    assert found.ask("location.hash") == ""
    found.run("document.getElementById('table-accuracies').scrollIntoView()")
    found.wait("document.querySelector('#table-accuracies tbody tr')")
    at = "document.getElementById('table-accuracies').getBoundingClientRect().top"
    before = found.ask(at)
    found.keys("]")
    found.wait(f"{SHOWN} === '{CONVNET}'")
    assert found.ask("location.hash") == "#digits-convnet/tables"
    found.wait(f"document.body.classList.contains('drawn') && Math.abs({at} - {before}) < 3")
    found.run("scrollTo(0, 0); history.back()")
    found.wait(f"{SHOWN} === '{MLP}'")
    assert found.ask("location.hash") == ""
    found.wait(f"Math.abs({at} - {before}) < 3")


def test_the_place_is_kept_though_the_address_names_another(page: Page) -> None:
    """A link led to Cost, the reader went on to the tables: there they stay."""
    found = page("#digits-mlp/cost")
    found.run("dispatchEvent(new Event('wheel')); document.getElementById('table-cells').scrollIntoView()")
    found.wait("document.querySelector('#table-cells tbody tr')")
    at = "document.getElementById('table-cells').getBoundingClientRect().top"
    before = found.ask(at)
    found.keys("[")
    found.wait(f"{SHOWN} === '{BARE}'")
    found.wait(f"Math.abs({at} - {before}) < 3")
    assert found.ask("location.hash") == "#lenet-300-100/tables"


def test_a_setting_shows_a_range_that_it_has_and_no_empty_section(page: Page) -> None:
    """Where nothing is known of matching sparsities the answer is that of all; nav leads to what is there."""
    found = page("#lenet-300-100")
    assert found.ask("document.getElementById('range').value") == "all"
    assert (
        found.ask("[...document.getElementById('range').options].filter((each) => !each.disabled).length")
        == 1
    )
    assert len(found.texts("#places tbody tr")) == 2
    assert (
        found.ask(
            "[...document.querySelectorAll('.answer .says')].filter((each) => each.offsetParent).length"
        )
        == 1
    )
    assert found.ask("document.getElementById('layers').hidden")
    links = "[...document.querySelectorAll('nav a')].filter((each) => each.offsetParent)"
    assert found.ask(
        f"{links}.every((each) => document.getElementById(each.dataset.section).querySelector('.figure:not([hidden]), p, table'))"
    )
    assert "Layers" not in found.ask(f"{links}.map((each) => each.textContent)")
    found.keys("]")
    found.wait(f"{SHOWN} === '{MLP}'")
    assert found.ask("document.getElementById('range').value") == "matching"
    assert "Layers" in found.ask(f"{links}.map((each) => each.textContent)")


def test_the_section_that_is_read_is_marked(page: Page) -> None:
    """Down, and at the top again."""
    found = page()
    here = "[...document.querySelectorAll('nav a.here')].map((each) => each.dataset.section).join()"
    found.wait(f"{here} === 'answer'")
    found.wait(f"(scrollTo(0, document.documentElement.scrollHeight), {here}) === 'provenance'")
    found.run("scrollTo(0, 0)")
    found.wait(f"{here} === 'answer'")
    assert found.ask("document.querySelector('nav [aria-current]').textContent") == "The answer"


def test_ablations_that_a_setting_lacks_are_not_offered(page: Page) -> None:
    found = page("#digits-convnet/answer")
    assert found.ask("document.getElementById('legend-ablations').hidden")


def test_it_is_dark_where_the_reader_is_and_can_be_switched(page: Page) -> None:
    """By the system's wish first, then by the switch, which is remembered."""
    ground = "getComputedStyle(document.body).backgroundColor"
    found = page(dark=True)
    night = found.ask(ground)
    assert sum(map(int, re.findall(r"\d+", night)[:3])) < 150
    assert found.ask("getComputedStyle(document.querySelector('.chart text')).fill") != "rgb(0, 0, 0)"
    found.click("#theme")
    found.wait(f"{ground} !== '{night}'")
    assert sum(map(int, re.findall(r"\d+", found.ask(ground))[:3])) > 700
    found.click("#theme")
    found.wait(f"{ground} === '{night}'")
    found.run("localStorage.clear()")


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_in_light_and_dark(page: Page, dark: bool) -> None:
    """Contrast of texts to what they stand on: 4.5 to 1, as WCAG 2.2 asks for (1.4.3)."""
    found = page(dark=dark)
    pairs = found.ask(
        "[...document.querySelectorAll('p, th, td, a, button, summary, h1, h2, h3, figcaption, .pill, li')]"
        ".filter((each) => each.textContent.trim() && each.offsetParent)"
        ".map((each) => { let ground = each; const clear = 'rgba(0, 0, 0, 0)';"
        "  while (ground && getComputedStyle(ground).backgroundColor === clear) ground = ground.parentElement;"
        "  return [getComputedStyle(each).color, getComputedStyle(ground ?? document.body).backgroundColor]; })"
    )
    for ink, ground in {tuple(pair) for pair in pairs if "0." not in pair[1]}:
        assert contrast(ink, ground) >= 4.5, (ink, ground)


def contrast(ink: str, ground: str) -> float:
    """Return the contrast of two colours (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dim, bright = sorted((luminance(ink), luminance(ground)))
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    """Figures fit, tables scroll by themselves; the page never does sideways."""
    found = page("#digits-mlp/answer", size=(width, 800))
    assert found.ask("document.documentElement.scrollWidth") <= width
    inside = "[...document.querySelectorAll('.chart')].every((each) => each.getBoundingClientRect().right <= innerWidth)"
    assert found.ask(inside)
    charts = "[...document.querySelectorAll('.figure:not([hidden]) .chart')].filter((each) => each.querySelector('svg'))"
    assert found.ask(f"{charts}.length") > 5
    assert (
        found.ask(
            f"{charts}.filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.parentElement.id)"
        )
        == []
    )


def test_on_a_phone_methods_are_a_touch_away(page: Page) -> None:
    """The legend is folded into the bar that stays at the top."""
    found = page("#digits-mlp/answer", size=(390, 800))
    assert found.ask(
        "document.querySelector('.bar #legend') !== null && !document.getElementById('legend').open"
    )
    found.click("#legend summary")
    found.click("#chips-methods button:nth-of-type(2)")
    assert "hide=random" in found.ask("location.hash")


def test_the_keyboard_reaches_and_does_everything(page: Page) -> None:
    """Past the skip link to the switch, settings, sections, methods, rows; without a mouse."""
    found = page("#digits-mlp/answer")
    found.run("document.activeElement.blur(); scrollTo(0, 0); document.querySelector('.skip').focus()")
    reached = []
    for _ in range(60):
        reached.append(
            found.ask(
                "document.activeElement.closest('table')?.className || document.activeElement.id"
                " || document.activeElement.className || document.activeElement.tagName"
            )
        )
        found.keys("\ue004")  # Tab
    for wanted in ("skip", "theme", "setting", "range", "chip"):
        assert wanted in reached, reached
    assert sum("places" in each for each in reached) == 1
    found.run("document.querySelector('#chips-methods button').focus()")
    found.keys(" ")
    assert "hide=none" in found.ask("location.hash")
    assert found.ask("document.activeElement.textContent") == "none"
    found.run("document.activeElement.blur()")
    found.keys("]")
    found.wait(f"{SHOWN} === '{CONVNET}'")
    found.keys("?")
    assert found.ask("document.getElementById('keys').open")
    found.keys("\ue00c")  # Escape
    assert not found.ask("document.getElementById('keys').open")


def test_a_table_is_one_stop_and_is_gone_through_by_arrows(page: Page) -> None:
    """Rows, the filters above them, the headings above those; Enter opens, Escape leads out of a filter."""
    found = page("#digits-mlp/tables")
    found.run("document.getElementById('table-cells').scrollIntoView()")
    found.wait("document.querySelector('#table-cells tr[data-row]')")
    stops = (
        "[...document.querySelectorAll('#table-cells table *')].filter((each) => each.tabIndex === 0).length"
    )
    assert found.ask(stops) == 1
    found.run("document.querySelector('#table-cells [tabindex=\"0\"]').focus()")
    focused = "document.activeElement"
    first = found.ask(f"{focused}.dataset.row")
    found.keys("\ue015")  # down
    assert found.ask(f"{focused}.dataset.row") not in (first, None)
    found.keys("\ue007")  # Enter
    assert found.ask("document.getElementById('row').open")
    found.keys("\ue00c")  # Escape
    found.keys("\ue013\ue013")  # up, up
    assert found.ask(f"{focused}.getAttribute('aria-label')") == "filter by setting"
    found.keys("\ue00c\ue014\ue014\ue014")  # Escape, right three times
    assert found.ask(f"{focused}.closest('th').dataset.column") == "seed"
    found.keys("\ue007")
    assert found.ask(f"{focused}.closest('th').ariaSort") == "descending"
    found.keys("\ue0152\ue015")  # down, into its filter, down to the rows
    seeds = (
        "[...document.querySelectorAll('#table-cells tr[data-row]')].map((row) => row.cells[3].textContent)"
    )
    assert set(found.ask(seeds)) == {"2"}
    assert found.ask(f"{focused}.dataset.row") == found.ask(
        "document.querySelector('#table-cells tr[data-row]').dataset.row"
    )
    assert found.ask(stops) == 1


def test_every_figure_has_words_and_a_table(page: Page) -> None:
    """For those who do not see it: a role, a label that is more than its title, the numbers behind it."""
    found = page("#digits-mlp/answer")
    figures = found.ask("[...document.querySelectorAll('.figure:not([hidden])')].map((each) => each.id)")
    assert figures
    for figure in figures:
        label = found.ask(f"document.querySelector('#{figure} .chart').getAttribute('aria-label')")
        assert len(label) > 40
        found.click(f"#{figure} details summary")
        found.wait(f"document.querySelectorAll('#{figure} tbody tr[data-row]').length")
        assert found.texts(f"#{figure} .alt") == [label]


def test_it_prints_with_every_figure_and_the_first_rows(page: Page) -> None:
    """Dark on white whatever the reader has, no controls, nothing dimmed though the reader points at a row."""
    found = page(dark=True)
    row = "document.querySelector('#places tbody tr')"
    found.run(f"{row}.focus()")
    found.wait("document.querySelectorAll('#figure-accuracy .dim').length")
    inks = (
        "[...new Set([...document.querySelectorAll('.chart svg text, .chart svg .mark-rule line')]"
        "  .map((each) => getComputedStyle(each)[each.tagName === 'text' ? 'fill' : 'stroke']))]"
    )
    night = found.ask(inks)
    made = found.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(made["data"]).startswith(b"%PDF")
    assert found.ask(inks) == night  # as it was, when it is printed
    assert found.ask("document.querySelectorAll('#table-cells tbody tr').length") >= 20
    found.run(f"{row}.focus(); dispatchEvent(new Event('beforeprint'))")
    found.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    assert found.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert found.ask("getComputedStyle(document.querySelector('.bar')).display") == "none"
    assert found.ask("document.querySelectorAll('.dim, .lit').length") == 0
    for ink in found.ask(
        "[...new Set([...document.querySelectorAll('.chart svg text')].map((each) => getComputedStyle(each).fill))]"
    ):
        assert contrast(ink, "rgb(255, 255, 255)") >= 3, ink
    found.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen", "features": []})
    found.run("dispatchEvent(new Event('afterprint'))")


def test_a_browser_that_cannot_inflate_shows_the_answer_in_words(page: Page) -> None:
    """It says which browsers can; the sentences stand in the page itself."""
    found = page()
    old = found.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.DecompressionStream"}
    )
    try:
        found.driver.refresh()
        assert found.ask("document.getElementById('old').offsetParent !== null")
        assert "highest mean" in found.texts(".says")[0] or "best" in found.texts(".says")[0]
        assert found.ask("document.querySelector('.bar').offsetParent") is None
    finally:
        found.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", old)
