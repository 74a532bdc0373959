"""A page of a small simulated suite, and a real browser that looks at it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from simulated import simulate

from prunebench.report.page import PAGE, Content, render, write
from prunebench.report.results import Results

SUITE = """
schema = 1
name = "small"
version = "1"

[[matrix]]
name = "methods"
architecture = ["digits-mlp", "digits-convnet"]
dataset = "digits"
recipe = "digits"
methods = ["random", "magnitude", "snip", "grasp", "synflow", "magnitude-after-training"]
sparsities = [0.5, 0.8, 0.9, 0.95]
seeds = 3
measures = ["layer-sparsity"]

[[matrix]]
name = "ablations"
architecture = "digits-mlp"
dataset = "digits"
recipe = "digits"
methods = ["snip", "magnitude-after-training"]
sparsities = [0.5, 0.8, 0.9, 0.95]
ablations = ["shuffle", "reinit"]
seeds = 3
dense = false

[[matrix]]
name = "without-baselines"
architecture = "lenet-300-100"
dataset = "digits"
recipe = "digits"
methods = ["snip", "grasp"]
sparsities = [0.5, 0.9]
seeds = 3

[[claim]]
id = "A"
says = "Magnitude after training is above methods at initialisation."
source = "§1"
kind = "every"

[[check]]
name = "after-training-above-{m}"
for = {m = ["snip", "grasp", "synflow"]}
claim = "A"
of = {method = "magnitude-after-training"}
against = {method = "{m}"}
where = {architecture = "digits-mlp"}
range = "all"
expect = "above"

[[check]]
name = "shuffle-loses-nothing"
of = {method = "snip"}
against = {method = "snip", ablations = ["shuffle"]}
where = {architecture = "digits-mlp"}
range = [0.8, 0.95]
expect = "not-above"

[[check]]
name = "share-of-unpruned-{m}"
for = {m = ["random", "magnitude-after-training"]}
of = {method = "{m}"}
against = {method = "none"}
where = {architecture = "digits-mlp"}
range = [0.95]
compare = "ratio"
by = 0.9
margin = 0.01
expect = "above"

[[check]]
name = "points-below-unpruned"
of = {method = "none"}
against = {method = "random"}
where = {architecture = "digits-convnet"}
range = "all"
by = 5
expect = "not-above"

[leaderboard]
title = "A small suite"
"""


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Results of three settings, ablations, a claim and checks of their own; some runs diverged or are missing.

    The third setting has none of the baselines, and no figure but those of accuracies and costs.
    """
    path = tmp_path_factory.mktemp("suite") / "small.toml"
    path.write_text(SUITE, "utf-8")
    made = simulate(str(path), diverging=0.02, missing=0.02)
    return Results(made.suite, made.cells, made.measures, made.costs, made.quantities)


@pytest.fixture(scope="session")
def folder(small: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its page."""
    place = tmp_path_factory.mktemp("report")
    write(place, PAGE, render(Content(small, files=False)))
    return place


@dataclass
class Browser:
    """Headless Chromium, and what it had to say."""

    driver: Any
    said: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def requests(self) -> list[str]:
        """What it asked for, less what the page's policy stopped."""
        return list(self.asked.values())

    def open(
        self, page: Path, view: str = "", *, size: tuple[int, int] = (1280, 900), dark: bool = False
    ) -> None:
        """Open a page at a view and wait until it is drawn; what it said and asked for before is forgotten."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600},
        )
        self.driver.get("about:blank")
        self.listen()
        self.said.clear()
        self.asked.clear()
        self.driver.get(f"file://{page}{view}")
        self.wait("document.body.classList.contains('drawn')")
        self.listen()

    def listen(self) -> None:
        """Take what the browser logged since it was last asked: messages, and requests for anything."""
        self.said += [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]
        entries = self.driver.get_log("performance")
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        for message in messages:
            told = message["params"]
            if message["method"] == "Network.requestWillBeSent":
                self.asked[told["requestId"]] = told["request"]["url"]
            elif message["method"] == "Network.loadingFailed" and told.get("blockedReason") == "csp":
                self.asked.pop(told["requestId"], None)  # nothing left the browser

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def ask(self, expression: str, *arguments: Any) -> Any:
        """Return what an expression is in the page."""
        return self.run(f"return ({expression});", *arguments)

    def wait(self, expression: str, seconds: float = 30) -> Any:
        """Wait until an expression is true in the page, and return it."""
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, seconds, 0.05).until(
            lambda _: self.ask(expression), f"{expression}; the browser said {self.said}"
        )

    def click(self, selector: str) -> None:
        """Click the first element that a selector finds, as a reader would."""
        from selenium.webdriver.common.by import By

        element = self.driver.find_element(By.CSS_SELECTOR, selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def keys(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def hover(self, selector: str) -> None:
        """Move the mouse onto the first element that a selector finds."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.by import By

        ActionChains(self.driver).move_to_element(
            self.driver.find_element(By.CSS_SELECTOR, selector)
        ).perform()

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that a selector finds."""
        return list(
            self.ask("[...document.querySelectorAll(arguments[0])].map((each) => each.textContent)", selector)
        )


def _programs() -> Mapping[str, str | None]:
    names = {"browser": ("chromium", "chromium-browser", "google-chrome"), "driver": ("chromedriver",)}
    return {
        part: next((found for each in some if (found := shutil.which(each))), None)
        for part, some in names.items()
    }


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser; tests that want it are skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="a browser is driven by selenium")
    programs = _programs()
    if None in programs.values():
        pytest.skip("no browser: Debian's packages are chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = programs["browser"]
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(programs["driver"])
    try:
        driver = webdriver.Chrome(options=options, service=service)
    except Exception as error:
        pytest.skip(f"the browser does not start: {str(error).splitlines()[0]}")
    driver.set_script_timeout(120)
    driver.execute_cdp_cmd("Network.enable", {})
    yield Browser(driver)
    driver.quit()


@pytest.fixture
def page(browser: Browser, folder: Path) -> Callable[..., Browser]:
    """Open the small suite's page at a view."""

    def opened(view: str = "", **how: Any) -> Browser:
        browser.open(folder / PAGE, view, **how)
        return browser

    return opened
