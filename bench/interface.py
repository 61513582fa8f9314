"""Measures the web interface in Chromium beside a million runs: `bench/interface.py [--runs N] [--only PART …]`.

The runs are those of `bench/millions.py`, of which the service derives the catalog; a month of the demo and a run of
10,000 events are reported after that. With a million runs this takes about 10 minutes and 6 GB of disk; `--data-dir`
keeps all of it for the next call. Then, on the loopback:

- `opening`: the size of what the first page loads; the first paint, the time until all of the page is there, and the
  layout shift, each in a new browser context;
- `scrolling`: frames while 10,000 runs and the 10,000 events of a run are scrolled through;
- `overview`: the CPU time of an open overview at 100 transitions a second;
- `starts`: how many starts a second there are while a hundred overviews are open (their streams and requests are made
  by another program), and while none is, alternately.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import re
import shutil
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp
from playwright.async_api import async_playwright

from bench.interface_fill import EVENTS, fill, known, load_runs
from bench.interface_load import open_overviews, starts, transitions
from bench.ledger_stage import open_ledger
from bench.programs import cpu_s
from bench.tasks import run_until_terminated

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from bench.ledger_stage import LedgerStage

TIMES, RUNS, SCROLLED = 10, 1_000_000, 10_000
PARTS = ("opening", "scrolling", "overview", "starts")
OBSERVED_S, PAGES, STARTS_S, TURNS = 30, 100, 4, 2
_DIST = Path(__file__).parents[1] / "service/http/ui/dist"
# When everything is shown: no skeleton, and rows.
_SHOWN = """rows => new Promise(done => {
  const look = () => document.querySelectorAll('main [aria-busy=true]').length === 0 && document.querySelector(rows)
    ? done(performance.now()) : requestAnimationFrame(look);
  look();
})"""
_PAINT = """() => new Promise(done => new PerformanceObserver(list => {
  for (const each of list.getEntries()) if (each.name === 'first-contentful-paint') done(each.startTime);
}).observe({type: 'paint', buffered: true}))"""
_SHIFT = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => { for (const each of list.getEntries()) sum += each.value; })
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(sum), 300);
})"""
# Scrolls down a list for 5 s, 4,000 pixels a second, and returns the intervals between frames in ms.
_SCROLL = """label => new Promise(done => {
  const box = document.querySelector(`.rows[aria-label=${label}]`), frames = [], began = performance.now();
  let last = began;
  const step = now => {
    frames.push(now - last); last = now;
    box.scrollTop = 4 * (now - began);
    now - began < 5000 ? requestAnimationFrame(step) : done(frames.slice(2));
  };
  requestAnimationFrame(step);
})"""


def _sizes() -> None:
    page = (_DIST / "index.html").read_text()
    loaded = re.findall(r'(?:src|href)="(assets/[^"]+)"', page)
    sizes = {name: len((_DIST / f"{name}.gz").read_bytes()) for name in loaded if (_DIST / f"{name}.gz").is_file()}
    scripts = sum(size for name, size in sizes.items() if name.endswith(".js"))
    styles = sum(sizes.values()) - scripts
    print(f"The first page, gzipped: {scripts / 1000:.0f} kB of script, {styles / 1000:.0f} kB of styles")


async def _opening(browser: Browser, url: str, run: str, times: int) -> None:
    print("\n| page | first paint, ms | all shown, ms | layout shift |\n|---|---|---|---|")
    for name, path, rows in (
        ("overview", "/", ".timeline-row"),
        ("runs", "/runs", ".line.row"),
        ("runs by duration", "/runs?sort=duration", ".line.row"),
        ("jobs", "/jobs", ".line.row"),
        ("ledger", "/ledger", ".line.row"),
        (f"a run of {EVENTS:,} events", f"/runs/{run}", ".line.row"),
    ):
        paints, shown, shifts = [], [], []
        for _ in range(times + 1):
            context = await browser.new_context(viewport={"width": 1440, "height": 900})
            page = await context.new_page()
            await page.goto(url + path, wait_until="commit")
            shown.append(await page.evaluate(_SHOWN, rows))
            paints.append(await page.evaluate(_PAINT))
            shifts.append(await page.evaluate(_SHIFT))
            await context.close()
        medians = [statistics.median(each[1:]) for each in (paints, shown)]
        print(f"| {name} | {medians[0]:.0f} | {medians[1]:.0f} | {max(shifts[1:]):.3f} |")


async def _fill(page: Page) -> None:
    """Scroll the list of runs to its end until it has SCROLLED runs."""
    rows = page.locator(".rows[aria-label=Runs]")
    while int(re.sub(r"\D", "", await page.locator("h1 + .faint").inner_text()) or 0) < SCROLLED:
        before = await page.locator("h1 + .faint").inner_text()
        await rows.evaluate("element => { element.scrollTop = element.scrollHeight; }")
        await page.wait_for_function("before => document.querySelector('h1 + .faint').innerText !== before", arg=before)


async def _scrolling(browser: Browser, url: str, run: str) -> None:
    print("\n| list | frames a second | 95 % of frames within, ms | longest, ms |\n|---|---|---|---|")
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page = await context.new_page()
    await page.goto(f"{url}/runs")
    await page.evaluate(_SHOWN, ".line.row")
    await _fill(page)
    _print_frames(f"{SCROLLED:,} runs", await page.evaluate(_SCROLL, "Runs"))
    await page.goto(f"{url}/runs/{run}")
    await page.evaluate(_SHOWN, ".event-line.row")
    _print_frames(f"a run of {EVENTS:,} events", await page.evaluate(_SCROLL, "Events"))
    await context.close()


def _print_frames(name: str, intervals: list[float]) -> None:
    ordered = sorted(intervals)
    rate = 1000 * len(ordered) / sum(ordered)
    print(f"| {name} | {rate:.0f} | {ordered[int(len(ordered) * 0.95)]:.1f} | {ordered[-1]:.0f} |")


async def _overview_cpu(browser: Browser, http: aiohttp.ClientSession, url: str) -> None:
    session = await browser.new_browser_cdp_session()

    async def cpu() -> dict[str, float]:
        found: dict[str, float] = {}
        for process in (await session.send("SystemInfo.getProcessInfo"))["processInfo"]:
            found[process["type"]] = found.get(process["type"], 0) + process["cpuTime"]
        return found

    print("\n| an open overview | page's process, % of a core | all of Chromium |\n|---|---|---|")
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    await page.goto(url)
    await page.evaluate(_SHOWN, ".timeline-row")
    for rate in (0, 100):
        await transitions(http, rate, 5)
        before = await cpu()
        await transitions(http, rate, OBSERVED_S)
        used = {name: each - before.get(name, 0) for name, each in (await cpu()).items()}
        share = 100 / OBSERVED_S
        print(f"| at {rate} transitions a second | {used['renderer'] * share:.1f} | {sum(used.values()) * share:.1f} |")
    await context.close()


async def _starts_beside_pages(http: aiohttp.ClientSession, stage: LedgerStage, turns: int) -> None:
    """Alternately without pages and with them, each time in the other order. Each change is that of one round.

    The rate depends on all that the machine does; the CPU time of a start, with that of the pages, on much less.
    """
    rates: dict[int, list[float]] = {0: [], PAGES: []}
    cpu: dict[int, list[tuple[float, float, float]]] = {0: [], PAGES: []}
    service = stage.service
    for turn in range(turns):
        for pages in (0, PAGES) if turn % 2 else (PAGES, 0):
            async with open_overviews(service.port, pages) as process:
                before, own = service.usage(), cpu_s(process) if process else 0.0
                rates[pages].append(await starts(http, STARTS_S))
                used, own = service.usage(), (cpu_s(process) if process else 0.0) - own
                cpu[pages].append((used.cpu_s - before.cpu_s, used.cpu_postgres_s - before.cpu_postgres_s, own))
    print(
        "\n| overviews | starts a second | service, % of a core | PostgreSQL | pages themselves | CPU of a start, ms |"
    )
    print("|---|---|---|---|---|---|")
    for pages, found in rates.items():
        shares = [statistics.mean(each) * 100 / STARTS_S for each in zip(*cpu[pages], strict=True)]
        columns = " | ".join(f"{share:.1f}" for share in shares)
        print(
            f"| {pages} | {statistics.mean(found):.0f} | {columns} | {10 * sum(shares) / statistics.mean(found):.3f} |"
        )
    costs = {
        pages: [sum(used) / STARTS_S / rate for used, rate in zip(cpu[pages], rates[pages], strict=True)]
        for pages in cpu
    }
    for what, measured in (("starts a second", rates), ("CPU of a start", costs)):
        changes = [beside / alone - 1 for alone, beside in zip(*measured.values(), strict=True)]
        error = statistics.stdev(changes) / math.sqrt(turns)
        mean, median, least, most = statistics.mean(changes), statistics.median(changes), min(changes), max(changes)
        print(
            f"Change of the {what} with {PAGES} overviews: {mean:+.1%}, standard error {error:.1%}, "
            f"median {median:+.1%} ({least:+.1%} to {most:+.1%})"
        )


async def _measure(options: Options, directory: Path, data_dir: Path) -> None:
    async with AsyncExitStack() as held:
        stage = await held.enter_async_context(open_ledger(directory, data_dir))
        filled = known(data_dir) or await fill(stage)
        print(f"{filled.runs:,} runs of {filled.jobs:,} jobs in {filled.events:,} events.")
        url = f"http://127.0.0.1:{stage.service.port}"
        # Without limits: as many connections as there are overviews, and streams that last.
        session = aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0))
        http = await held.enter_async_context(session)
        playwright = await held.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        async with browser:
            if "opening" in options.parts:
                _sizes()
                await _opening(browser, url, filled.long_run, options.times)
            if "scrolling" in options.parts:
                await _scrolling(browser, url, filled.long_run)
            if "overview" in options.parts:
                await _overview_cpu(browser, http, url)
        if "starts" in options.parts:
            await _starts_beside_pages(http, stage, TURNS * options.times)


@dataclass(frozen=True)
class Options:
    """What is measured, how often each page is opened, among how many runs, and where they are (None: nowhere yet)."""

    parts: tuple[str, ...]
    times: int
    runs: int
    data_dir: Path | None


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--times",
        type=int,
        default=TIMES,
        help="times each page is opened; twice as often, starts are measured (default %(default)s)",
    )
    parser.add_argument("--runs", type=int, default=RUNS, help="runs in the ledger (default %(default)s)")
    parser.add_argument(
        "--only", choices=PARTS, nargs="+", default=PARTS, help="what is measured (default: everything)"
    )
    parser.add_argument("--data-dir", type=Path, help="where the runs are kept; if it is filled, --runs is ignored")
    given = parser.parse_args()
    return Options(tuple(given.only), given.times, given.runs, given.data_dir)


def main() -> None:
    """Parse the command line, fill the ledger, measure, and print the tables."""
    options = _options()
    # A short prefix: the path of a Unix socket is limited to about 100 characters.
    with tempfile.TemporaryDirectory(prefix="rfb-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        data_dir = (options.data_dir or directory / "data").absolute()
        if known(data_dir) is None:
            load_runs(data_dir, options.runs)
        asyncio.run(run_until_terminated(_measure(options, directory, data_dir)))


if __name__ == "__main__":
    main()
