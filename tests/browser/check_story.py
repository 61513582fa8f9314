"""A stranger in front of `runfold demo --history`: what runs, what failed last night, why, was it late, what was known.

The demo and the browser are in a zone where it is about ten in the morning. PICTURES=DIRECTORY keeps the pictures of
the documentation there: `make pictures`.
"""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from browsing import tab
from playwright.sync_api import expect
from programs import REPOSITORY, SETTINGS
from services import free_port

pytestmark = pytest.mark.timeout(400)  # a month is written, projected, and checked at the end

AHEAD = (10 - datetime.now(UTC).hour + 12) % 24 - 12
"""Hours by which the zone is ahead of UTC."""

ZONE = f"Etc/GMT{-AHEAD:+d}" if AHEAD else "UTC"
NIGHT = datetime.now(timezone(timedelta(hours=AHEAD)))
SIZE = {"width": 1280, "height": 800}
MOST_BYTES = 1_300_000
WAREHOUSE = "postgres%3A%2F%2Fwarehouse.example.com%3A5432/warehouse.analytics"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    directory, port = tmp_path_factory.mktemp("demo"), free_port()
    arguments = ("--history", "--stay", "--url", f"http://127.0.0.1:{port}", "--data-dir", directory / "data")
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    process = subprocess.Popen(
        (sys.executable, "-m", "service", "demo", *arguments),
        cwd=REPOSITORY,
        env=environment | {"TZ": f"XXX{-AHEAD:+d}", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("See them at"):
            break
    assert "recorded as they happened" in said, said
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    assert "its data are kept" in process.communicate(timeout=60)[0]
    assert process.returncode == 0
    verify = (sys.executable, "-m", "service", "verify", "--catalog", "--data-dir", directory / "data")
    subprocess.run(verify, cwd=REPOSITORY, env=environment, check=True, timeout=120)


@pytest.fixture
def page(browser, url):
    with tab(browser, url, size=SIZE, timezone_id=ZONE, locale="en-GB", reduced_motion="reduce") as opened:
        yield opened.open("/")


def test_a_stranger_finds_what_runs_what_failed_why_that_it_was_late_and_what_was_known_at_three(page, ask):
    running = ask("/runs?state=RUNNING&limit=100")["runs"]
    expect(page.locator(".tile", has_text=re.compile("Running$")).locator("b")).to_have_text(str(len(running)))
    expect(page.get_by_role("region", name="Running the longest")).to_contain_text("backfill_5_days")
    page.get_by_role("link", name=re.compile("Running$")).click()
    expect(page.get_by_role("table", name="Runs")).to_contain_text("changes.orders")
    page.go_back()
    page.get_by_role("region", name="Failed lately").get_by_role("link", name="all").click()
    row = page.get_by_role("table", name="Runs").get_by_role("row").filter(has_text=re.compile("sales_daily(?!.spark)"))
    expect(row).to_contain_text("02:41:31")
    row.get_by_role("link").click()
    inside = page.get_by_role("region", name="Failed children")
    expect(inside).to_contain_text("OutOfMemory")
    inside.get_by_role("link", name="sales_daily.spark_aggregate").click()
    expect(page.get_by_role("region", name="Why it failed")).to_contain_text("java.lang.OutOfMemoryError")
    expect(page.get_by_text("The end was recorded 2 h 30 min after it happened.")).to_be_visible()
    page.get_by_label("What was known at").fill(f"{NIGHT:%Y-%m-%d}T03:00")
    expect(page.get_by_text("This is what was known at 03:00:00.")).to_be_visible()
    expect(page.locator(".fact.changed").filter(has_text="State")).to_contain_text("Running")
    expect(page.locator(".fact.changed").filter(has_text="Duration")).to_contain_text("43 min 40 s")
    page.get_by_role("button", name="Back to now").click()
    page.get_by_role("link", name="What was known until then").click()
    expect(page.locator(".fact.changed").filter(has_text="State")).to_contain_text("Running")


def test_pictures(page, url, ask, tmp_path):
    directory = Path(os.environ.get("PICTURES", tmp_path))
    directory.mkdir(parents=True, exist_ok=True)
    run = ask("/runs?job=sales_daily.spark_aggregate&state=FAILED&sort=end&limit=1")["runs"][0]["id"]
    three = NIGHT.replace(hour=3, minute=0, second=0, microsecond=0).astimezone(UTC)
    paths = {
        "overview": "/",
        "runs": "/runs?state=FAILED,ABORTED&time=ended&last=24h&sort=end",
        "run": f"/runs/{run}",
        "known-at-three": f"/runs/{run}?knownAt={three:%Y-%m-%dT%H:%M:%SZ}",
        "job": "/jobs/ingest/changes.orders",
        "datasets": "/datasets?name=warehouse",
        "dataset": f"/datasets/{WAREHOUSE}.fct_orders",
        "lineage": "/lineage?node=dataset:postgres://warehouse.example.com:5432:warehouse.analytics.fct_orders"
        "&chosen=job:dbt-warehouse:fct_orders",
        "ledger": "/ledger",
    }
    for name, path in paths.items():
        page.goto(url + path)
        page.get_by_role("main").wait_for()
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        expect(page.locator(".live[data-state=live]")).to_be_visible()
        if path.startswith("/runs/"):
            expect(page.locator(".gantt-row").first).to_be_visible()
        if name == "ledger":
            expect(page.get_by_role("region", name="Events by hour")).to_contain_text("at most")
            expect(page.get_by_role("region", name="Known and reported")).to_contain_text(re.compile(r"Failed\d"))
        page.screenshot(path=directory / f"{name}.png")
    assert sum((directory / f"{name}.png").stat().st_size for name in paths) < MOST_BYTES
