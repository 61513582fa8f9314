"""Measures the web interface in Chromium beside 100,000 runs: `bench/interface.py [--times N]`, about 6 minutes.

A month of the demo is reported to the service, and its runs are repeated by SQL, further back, until there are
100,000. Then, on the loopback: the size of what the first page loads; the first paint, the time until all of the page
is there, and the layout shift, each in a new browser context; frames while 10,000 runs and the 10,000 events of a run
are scrolled through; the CPU time of an open overview at 100 transitions a second; and what starts take while a hundred
overviews are open (their streams and requests are made by this program), and while none is, alternately.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp
import asyncpg
from playwright.async_api import async_playwright

from bench.database import new_id
from bench.interface_load import open_overviews, starts, transitions
from bench.programs import Program, runfold
from bench.stage import JOB, JOB_BODY, NAMESPACE, NAMESPACE_BODY, ready
from bench.tasks import ask_repeatedly
from service.cli.commands.history import History, batches

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

TIMES, RUNS, EVENTS, SCROLLED = 10, 100_000, 10_000, 10_000
OBSERVED_S, PAGES = 30, 100
RELOAD_S, LOOKUP_S = 15, 10
"""How often an overview reads its lists anew, and looks up runs: overview.tsx, merged_runs.ts, on a busy ledger."""
_SETTINGS = {"fsync": "off", "synchronous_commit": "off"}
_NDJSON = {"Content-Type": "application/x-ndjson"}
_DIST = Path(__file__).parents[1] / "service/http/ui/dist"
_REPEAT = """
insert into runfold.runs (id, position, job_id, namespace, job, state, created_at, started_at, ended_at, parent_run,
                          registers, contradicted, restarted)
select gen_random_uuid(), r.position, r.job_id, r.namespace, r.job, r.state, r.created_at - n * interval '30 days',
       r.started_at - n * interval '30 days', r.ended_at - n * interval '30 days', null, r.registers, r.contradicted,
       r.restarted
  from runfold.runs r cross join generate_series(1, $1) n where r.ended_at is not null
"""
# When everything is shown: no skeleton, and rows.
_SHOWN = """rows => new Promise(done => {
  const look = () => document.querySelectorAll('main [aria-busy=true]').length === 0 && document.querySelector(rows)
    ? done(performance.now()) : requestAnimationFrame(look);
  look();
})"""
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
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


async def _report_history(http: aiohttp.ClientSession) -> int:
    history = History(datetime.now(UTC), 30, 1)
    for body in batches(history.lines(), 5_000):
        async with http.post("/api/v1/lineage/batch", data=body, headers=_NDJSON) as answer:
            answer.raise_for_status()
    return history.runs


async def _report_long_run(http: aiohttp.ClientSession) -> str:
    run, begin = str(new_id()), datetime.now(UTC) - timedelta(hours=3)
    lines = [
        json.dumps(
            {
                "eventType": "RUNNING" if number else "START",
                "eventTime": (begin + timedelta(seconds=number)).isoformat(),
                "run": {"runId": run},
                "job": {"namespace": "bench", "name": "long"},
                "producer": "https://example.com",
            }
        ).encode()
        for number in range(EVENTS)
    ]
    async with http.post("/api/v1/lineage/batch", data=b"\n".join(lines), headers=_NDJSON) as answer:
        answer.raise_for_status()
    return run


def _sizes() -> None:
    page = (_DIST / "index.html").read_text()
    loaded = re.findall(r'(?:src|href)="(assets/[^"]+)"', page)
    sizes = {name: len((_DIST / f"{name}.gz").read_bytes()) for name in loaded if (_DIST / f"{name}.gz").is_file()}
    scripts = sum(size for name, size in sizes.items() if name.endswith(".js"))
    styles = sum(sizes.values()) - scripts
    print(f"The first page, gzipped: {scripts / 1000:.0f} kB of script, {styles / 1000:.0f} kB of styles")


async def _opening(browser: Browser, url: str, times: int) -> None:
    print("\n| page | first paint, ms | all shown, ms | layout shift |\n|---|---|---|---|")
    for name, path, rows in (
        ("overview", "/", ".timeline-row"),
        ("runs", "/runs", ".line.row"),
        ("runs by duration", "/runs?sort=duration", ".line.row"),
        ("jobs", "/jobs", ".line.row"),
        ("ledger", "/ledger", ".line.row"),
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


async def _starts_beside_pages(http: aiohttp.ClientSession, times: int) -> None:
    taken: dict[int, list[float]] = {0: [], PAGES: []}
    for _ in range(times):
        for pages, rates in taken.items():
            async with open_overviews(http, pages, RELOAD_S, LOOKUP_S):
                rates.append(await starts(http, 5))
    alone, beside = (statistics.median(each) for each in taken.values())
    change = beside / alone - 1
    print(f"\nStarts a second with no page open: {alone:.0f}; with {PAGES} overviews: {beside:.0f} ({change:+.1%})")


async def _run(dsn: str, directory: Path, times: int) -> None:
    async with AsyncExitStack() as held:
        command = [*runfold(), "serve", "--port", "0", "--database-url", dsn]
        service = await Program.start("interface", command, directory)
        held.push_async_callback(service.stop)
        url = f"http://127.0.0.1:{service.port}"
        http = await held.enter_async_context(aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)))
        await ready(http, service)
        for path, body in ((NAMESPACE, NAMESPACE_BODY), (JOB, JOB_BODY)):
            async with http.put(path, json=body) as answer:
                answer.raise_for_status()
        reported = await _report_history(http)
        run = await _report_long_run(http)
        end = time.monotonic() + 300
        while (await (await http.get("/api/v1/runs?limit=1")).json()).get("runs") is None and time.monotonic() < end:
            pass  # each answer waits until the catalog is current
        connection = await asyncpg.connect(dsn)
        held.push_async_callback(connection.close)
        await connection.execute(_REPEAT, RUNS // reported)
        await connection.execute("vacuum (analyze) runfold.runs")
        count = await connection.fetchval("select count(*) from runfold.runs")
        print(f"{count:,} runs.")
        _sizes()
        playwright = await held.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        held.push_async_callback(browser.close)
        await _opening(browser, url, times)
        await _scrolling(browser, url, run)
        await _overview_cpu(browser, http, url)
        await browser.close()
        await _starts_beside_pages(http, min(times, 5))


def main() -> None:
    """Parse the command line, measure, and print the tables."""
    ask_repeatedly(__doc__, TIMES, _SETTINGS, _run)


if __name__ == "__main__":
    main()
