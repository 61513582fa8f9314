"""An overview of a ledger with many events: what it asks for, and what it draws anew."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from browsing import post
from check_use import event, report
from playwright.sync_api import expect

MANY = 1_000  # more than any message tells of


def report_many(url, runs, kind):
    now = datetime.now(UTC)
    lines = b"\n".join(event(kind, run, now) for run in runs)
    post(f"{url}/api/v1/lineage/batch", lines, "application/x-ndjson")


def test_tiles_count_runs_of_which_eight_are_read(opened, url, ask):
    asked = []
    opened.page.on("request", lambda request: asked.append(request.url))
    page = opened.open("/")
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    tile = page.locator(".tile", has_text=re.compile("Running$")).locator("b")
    running = ask("/runs?state=RUNNING&count=1000&limit=1")["count"]
    expect(tile).to_have_text(str(running))
    runs = [uuid4() for _ in range(101 - running)]
    report_many(url, runs, "START")
    expect(tile).to_have_text("100+")
    report_many(url, runs, "COMPLETE")
    expect(tile).to_have_text(str(running), timeout=40_000)  # after so many events it is asked for more seldom
    expect(page.get_by_role("region", name="Running the longest").get_by_role("listitem")).to_have_count(
        min(8, running)
    )
    limits = {re.search(r"limit=(\d+)", each)[1] for each in asked if "state=RUNNING&sort=start&order=asc" in each}
    assert limits == {"8"}


def test_runs_that_are_left_out_of_what_is_heard_are_not_looked_up_one_by_one(opened, url):
    asked = []
    opened.page.on("request", lambda request: asked.append(request.url))
    page = opened.page
    page.clock.install()
    opened.open("/")
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)
    runs = [uuid4() for _ in range(MANY)]
    rate = page.locator(".tile.rate b")
    expect(rate).to_have_text("0.0")
    report_many(url, runs, "COMPLETE")
    expect(rate).not_to_have_text("0.0")
    with page.expect_request(lambda request: "state=RUNNING&sort=start&limit=250" in request.url):
        page.clock.run_for(60_000)  # what is throttled is asked for by then
    assert [each for each in asked if "lookup" in each] == []


def test_the_bar_of_a_run_is_that_of_the_next_one_in_the_same_place(opened, url):
    page = opened.open(f"/?span={7 * 24 * 3_600_000}")  # a pixel is minutes
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    begun = datetime.now(UTC) - timedelta(minutes=30)

    def bar_of(run):
        found = page.locator(f".timeline-bars a[href$='{run}']")
        expect(found).to_have_class("COMPLETED")
        return found.element_handle()

    one, other = uuid4(), uuid4()
    for kind in ("START", "COMPLETE"):
        report(url, kind, one, begun, job="quick", namespace="a")
    first = bar_of(one)
    for kind in ("START", "COMPLETE"):
        report(url, kind, other, begun, job="quick", namespace="a")
    assert page.evaluate("([one, other]) => one === other", [first, bar_of(other)])
    expect(page.locator(f".timeline-bars a[href$='{one}']")).to_have_count(0)
