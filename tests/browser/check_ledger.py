"""The view of the ledger: each filter, and the statistics. The list of jobs, and a timeline of too many runs."""

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from browsing import post
from playwright.sync_api import expect

ROWS = ".table .line.row"
DAY_AGO = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:00Z}"


@pytest.fixture(scope="module")
def run(ask):
    return ask("/runs?state=FAILED&namespace=airflow-prod&limit=1")["runs"][0]["id"]


def positions(page):
    return [int(text) for text in page.locator(f"{ROWS} > :first-child").all_inner_texts()]


def test_an_address_shows_the_events_that_the_api_finds(opened, ask, run):
    page = opened.page
    for shown, asked in (
        ({"state": "FAILED,ABORTED"}, [("state", "FAILED"), ("state", "ABORTED")]),
        ({"kind": "facts"}, None),
        ({"kind": "defined"}, None),
        ({"source": "openlineage"}, None),
        ({"namespace": "dbt-warehouse"}, None),
        ({"job": "sales_daily", "state": "RUNNING"}, None),
        ({"run": run}, None),
        ({"actor": "nobody"}, None),
        ({"from": DAY_AGO}, [("since", DAY_AGO)]),
        ({"to": DAY_AGO}, [("until", DAY_AGO)]),
    ):
        parameters = urlencode(asked or list(shown.items()))
        expected = [each["position"] for each in ask(f"/events?{parameters}&order=desc&limit=20")["events"]]
        opened.open(f"/ledger?{urlencode(shown)}")
        if not expected:
            expect(page.get_by_role("heading", name="No event matches these filters")).to_be_visible()
            continue
        expect(page.locator(ROWS).first).to_be_visible()
        assert positions(page)[: len(expected)] == expected, shown


def test_filters_that_are_chosen_are_in_the_address(opened):
    page = opened.open("/ledger")
    expect(page.locator(ROWS).first).to_be_visible()
    page.get_by_label("kind").select_option("transition")
    page.get_by_label("source").select_option("openlineage")
    page.get_by_label("Namespace").select_option("ingest")
    page.get_by_role("searchbox", name="Job name").fill("shop.orders")
    page.get_by_role("searchbox", name="Job name").press("Enter")
    page.get_by_role("button", name="Completed").click()
    expect(page).to_have_url(
        re.compile(r"kind=transition&source=openlineage&namespace=ingest&job=shop.orders&state=COMPLETED$")
    )
    expect(page.locator(ROWS).first).to_contain_text("ingest / shop.orders")
    page.get_by_role("button", name="Clear").click()
    expect(page).to_have_url(re.compile("/ledger$"))


def test_what_is_known_and_reported_is_that_of_the_statistics(opened, ask):
    page = opened.open("/ledger")
    panel = page.get_by_role("region", name="Known and reported")
    for period, button in (("WEEK", "7 d"), ("DAY", "24 h")):
        panel.get_by_role("button", name=button).click()
        expect(panel.get_by_role("button", name=button)).to_have_attribute("aria-pressed", "true")
        for name in ("jobs", "datasets", "sources"):
            count = ask(f"/stats/{name}?period={period}")[-1]["count"]
            expect(panel.locator(f"div:has(> dt:text-is('{name.title()}')) b")).to_have_text(f"{count:,}")
        starts = sum(each["start"] for each in ask(f"/stats/lineage-events?period={period}"))
        expect(panel.locator("div:has(> dt:text-is('Starts')) b")).to_have_text(f"{starts:,}")
    expect(page).to_have_url(re.compile("stats=day$"))


def test_jobs_are_found_by_words_namespace_and_the_state_of_their_latest_run(opened, ask):
    jobs = ask("/jobs/latest-runs?limit=1000")["jobs"]
    page = opened.page
    for address, wanted in (
        ("q=shop+ord", lambda job: "shop" in job["name"] and "ord" in job["name"]),
        ("namespace=dbt-warehouse", lambda job: job["namespace"] == "dbt-warehouse"),
        ("last=FAILED", lambda job: job["latestRuns"] and job["latestRuns"][0]["state"] == "FAILED"),
    ):
        opened.open(f"/jobs?{address}")
        table = page.get_by_role("table", name="Jobs")
        expect(table).to_have_attribute("aria-rowcount", str(sum(bool(wanted(job)) for job in jobs)))


def test_a_timeline_of_too_many_runs_says_from_when_on_it_has_all(opened, url):
    begin = datetime.now(UTC) - timedelta(hours=3)
    events = [
        {
            "eventType": kind,
            "eventTime": (begin + timedelta(seconds=number * 5)).isoformat(),
            "run": {"runId": run},
            "job": {"namespace": "many", "name": "runs"},
            "producer": "https://example.com/me",
        }
        for number, run in enumerate(map(str, (uuid4() for _ in range(1_600))))
        for kind in ("START", "COMPLETE")
    ]
    lines = b"\n".join(json.dumps(each).encode() for each in events)
    post(f"{url}/api/v1/lineage/batch", lines, "application/x-ndjson")
    page = opened.open("/?span=21600000")
    timeline = page.get_by_role("region", name="Timeline")
    left_out = timeline.get_by_text("without runs that started before")
    expect(left_out).to_be_visible()
    timeline.get_by_role("button", name="1 h").click()
    expect(timeline.locator("a", has_text="runs").first).to_be_visible()
    expect(left_out).to_have_count(0)
