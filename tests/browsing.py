"""A real Chromium for tests of the web interface, and what it complains about."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from service.cli.commands.history import History, batches

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
VERY_WIDE = {"width": 3840, "height": 2160}
TIMEOUT_MS = 20_000
expect.set_options(timeout=TIMEOUT_MS)

LEAST_SHIFT = 0.001
"""Of the window: less is moved by a relative time that becomes longer."""

_SHIFTS = """window.shifts = [];
new PerformanceObserver(list => {
  for (const each of list.getEntries())
    if (!each.hadRecentInput) shifts.push([each.value, each.sources.map(source => source.node?.className ?? '')]);
}).observe({type: 'layout-shift', buffered: true});"""

_AXE = Path(__file__).parents[1] / "ui/node_modules/axe-core/axe.min.js"
_RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']}"

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser. Without its sandbox, because tests run as root in containers."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; `make test-browser` installs Debian's")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A page, and every error that it has logged: failed scripts, and what its policy has refused."""

    def __init__(
        self, browser: Browser, url: str, size: dict[str, int] = WIDE, theme: str = "light", **options
    ) -> None:
        self.url = url
        self.context = browser.new_context(viewport=size, color_scheme=theme, accept_downloads=True, **options)
        self.context.set_default_timeout(TIMEOUT_MS)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._on_message)

    def _on_message(self, message: ConsoleMessage) -> None:
        # A busy service answers 503 while its lists are behind, and the page asks again.
        if message.type == "error" and "status of 503" not in message.text:
            self.errors.append(message.text)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def refusals(self) -> list[str]:
        """Return the errors apart from answers that are no success, which the page shows."""
        return [error for error in self.errors if not error.startswith("Failed to load resource")]

    def close(self) -> None:
        self.context.close()


def watch_shifts(page: Page) -> None:
    """Note what is moved by something else while pages open."""
    page.add_init_script(_SHIFTS)


def shifted(page: Page) -> list:
    """Return what was moved, each with its share of the window and the classes of the elements."""
    return [shift for shift in page.evaluate("shifts") if shift[0] >= LEAST_SHIFT]


def violations(page: Page) -> list:
    """Return what makes a page hard to use for some, each with the first elements that do."""
    page.evaluate(_AXE.read_text())
    found = page.evaluate(f"axe.run(document, {_RULES})")
    return [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found["violations"]]


@contextmanager
def tab(browser: Browser, url: str, **options) -> Iterator[Tab]:
    opened = Tab(browser, url, **options)
    yield opened
    opened.close()
    assert opened.refusals() == []


def post(url: str, body: bytes, kind: str = "application/json", key: str | None = None) -> bytes:
    headers = {"Content-Type": kind, **({"Authorization": f"Bearer {key}"} if key else {})}
    with urlopen(Request(url, data=body, headers=headers), timeout=60) as answer:  # noqa: S310  the service of the test
        return answer.read()


def record_history(url: str, days: int) -> None:
    """Record some days of the demo's history."""
    for body in batches(History(datetime.now(UTC), days, 1).lines(), 5_000):
        post(f"{url}/api/v1/lineage/batch", body, "application/x-ndjson")
