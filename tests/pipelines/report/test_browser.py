"""The report in a real browser: Debian's ``chromium`` and ``chromium-driver``, driven by selenium.

Nothing is installed here: without them the tests are skipped. The page is that of a made run of
Common Crawl and of a small run of GitHub, with token shards and a training.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from tests.pipelines.github.github_export import curate, write_tables
from tests.pipelines.report.made_run import (
    HOSTILE,
    page,
    pages,
    reject,
    write_run,
    write_shards,
    write_training,
)
from tests.pipelines.report.test_report import figures_of

webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install selenium")

PHONE, TABLET, DESKTOP = (360, 740), (800, 1100), (1280, 900)  # CSS pixels
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a browser without anything stored, which notes its requests and messages."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, path in programs.items() if path is None]:
        pytest.skip(f"no {' and no '.join(missing)}: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(programs["chromedriver"])
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the report of two runs, shards and a training."""
    folder = tmp_path_factory.mktemp("browser")
    kept, rejected = pages(400)
    kept.append(page(9001, f"{HOSTILE}\n{'x' * 5000}", url=f"https://x.example/{HOSTILE}"))
    rejected.append(reject(9002, HOSTILE, "bucket bucket_all", "y" * 500))
    write_run(folder / "runs" / "commoncrawl", kept, rejected)
    assert curate(folder / "runs" / "github", write_tables(folder / "in")) == 0
    write_shards(folder / "tokens", "commoncrawl", train=123_456_789_012, heldout=500)
    write_shards(folder / "tokens", "github", train=2_001, heldout=100)
    write_training(folder / "trained", "commoncrawl", read=15_000)
    flags = ["--tokens", str(folder / "tokens"), "--trained", str(folder / "trained")]
    out = ["-o", str(folder / "report.html")]
    assert main(["report", str(folder / "runs"), *flags, *out]) == 0
    return folder


@pytest.fixture
def look(browser: Any, runs: Path) -> Callable[[tuple[int, int]], Any]:
    """Return a function that opens the report in a window of a size."""

    def opened(size: tuple[int, int], scheme: str = "light") -> Any:
        browser.get("about:blank")
        for log in ("browser", "performance"):
            browser.get_log(log)  # what came before is forgotten
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get((runs / "report.html").as_uri())
        return browser

    return opened


def test_every_number_that_is_seen_is_that_of_the_run(look: Any, runs: Path) -> None:
    """As the browser shows it, not as the file writes it."""
    browser = look(DESKTOP)
    shown = browser.execute_script(
        "return [...document.querySelectorAll('[data-figure]')]"
        ".map(e => [e.dataset.figure, e.innerText])"
    )
    expected: dict[str, int] = {}
    for key in ("commoncrawl", "github"):
        expected |= figures_of(json.loads((runs / "runs" / key / "stats.json").read_text()), key)
    found = {name: text for name, text in shown if name in expected}
    assert found == {name: f"{n:,}" for name, n in expected.items()}


def test_charts_have_their_marks(look: Any, runs: Path) -> None:
    """Bars of some size, as many as there are stages and rules, and the numbers beside them."""
    browser = look(DESKTOP)
    charts = browser.execute_script(
        "return [...document.querySelectorAll('svg.chart')].map(svg => ({"
        "label: svg.getAttribute('aria-label'), role: svg.getAttribute('role'),"
        "text: [...svg.querySelectorAll('text')].map(t => t.textContent),"
        "titles: [...svg.querySelectorAll('.mark > title')].map(t => t.textContent),"
        "areas: [...svg.querySelectorAll('.mark')].map(m => m.getBoundingClientRect())"
        ".map(r => r.width + r.height)}))"
    )
    assert all(chart["role"] == "img" and chart["titles"] for chart in charts)
    assert all(min(chart["areas"]) > 0 for chart in charts)
    found = {chart["label"]: chart for chart in charts}
    assert len(found) == len(charts)
    for key in ("commoncrawl", "github"):
        stats = json.loads((runs / "runs" / key / "stats.json").read_text())
        funnel = found[f"{key}: documents after each stage"]
        for stage in stats["stages"]:
            lost = sum(stage["rejected"].values())
            told = f"{stage['documents_out']:,}" + (f" (\N{MINUS SIGN}{lost:,})" if lost else "")
            assert told in funnel["text"]
        rules = found[f"{key}: documents that each rule takes"]
        taken = [n for stage in stats["stages"] for n in stage["rejected"].values()]
        assert len(rules["titles"]) == min(10, len(taken))
    perplexity = found["commoncrawl: Perplexity"]
    assert {"head", "middle"} <= set(perplexity["text"])
    counts = [title.split(": ")[1] for title in perplexity["titles"] if " kept" in title]
    kept = {t: int(t.split()[0].replace(",", "")) for t in counts}
    assert sum(kept.values()) > 0
    assert {"Training loss by step", "Epochs of each source, as trained"} <= found.keys()


def test_nothing_leaves_the_page_and_nothing_is_wrong(look: Any, runs: Path) -> None:
    """One request, that of the page; nothing on the console."""
    browser = look(DESKTOP)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated")
    ]
    assert [url for url in asked if not url.startswith("data:")] == [
        (runs / "report.html").as_uri()
    ]
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.scripts.length + document.images.length") == 0


@pytest.mark.parametrize("size", [PHONE, TABLET, (1130, 900), DESKTOP])
def test_no_screen_scrolls_sideways(look: Any, size: tuple[int, int]) -> None:
    """Also with every document unfolded; and text stays large enough to read."""
    browser = look(size)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    width, too_wide, smallest = browser.execute_script(
        "const wide = [...document.querySelectorAll('main *')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML);"
        "return [document.documentElement.scrollWidth, wide.map(h => h.slice(0, 90)),"
        "Math.min(...[...document.querySelectorAll('svg.chart text')]"
        ".map(t => t.getBoundingClientRect().height))]"
    )
    assert too_wide == []
    assert width <= size[0]  # of which a desktop's bar takes some
    assert smallest >= 9


def test_the_keyboard_reaches_and_unfolds_documents(look: Any) -> None:
    """Tab goes to links and summaries, the focus is seen, and Enter unfolds."""
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415 - may be absent

    browser = look(DESKTOP)
    browser.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the report"
    for _ in range(200):
        if browser.switch_to.active_element.tag_name == "summary":
            break
        browser.switch_to.active_element.send_keys(Keys.TAB)
    summary = browser.switch_to.active_element
    assert summary.value_of_css_property("outline-style") != "none"
    opened = "return document.activeElement.parentElement.open"
    assert browser.execute_script(opened) is False
    summary.send_keys(Keys.ENTER)
    assert browser.execute_script(opened) is True


@pytest.mark.parametrize("table", ["#overview ~ table", "#github ~ table"])
def test_the_name_of_a_rule_leads_to_its_documents(look: Any, table: str) -> None:
    """They unfold, and the line that names the rule is seen."""
    browser = look(DESKTOP)
    opened, top = browser.execute_script(
        "const link = document.querySelector(arguments[0] + ' td.text a');link.click();"
        "const rule = document.getElementById(link.hash.slice(1)).closest('details');"
        "return [rule.open, rule.getBoundingClientRect().top]",
        table,
    )
    assert opened
    assert 0 <= top < DESKTOP[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_colour_schemes_have_contrast(look: Any, scheme: str) -> None:
    """Text of the page and of charts, at least 4.5 to 1 against the page (WCAG 2.1, 1.4.3)."""
    browser = look(DESKTOP, scheme)
    back, *texts = browser.execute_script(
        "const of = (e, what) => getComputedStyle(e)[what];"
        "return [of(document.body, 'backgroundColor'), of(document.body, 'color'),"
        "of(document.querySelector('.hint'), 'color'), of(document.querySelector('a'), 'color'),"
        "...[...document.querySelectorAll('svg.chart text')].map(t => of(t, 'fill'))]"
    )
    assert (_luminance(back) < 0.5) == (scheme == "dark")
    assert {text for text in texts if _contrast(back, text) < 4.5} == set()


def _luminance(colour: str) -> float:
    """Return the relative luminance of ``rgb(r, g, b)``, as WCAG defines it."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, two: str) -> float:
    low, high = sorted((_luminance(one), _luminance(two)))
    return (high + 0.05) / (low + 0.05)
