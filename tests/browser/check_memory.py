"""Pages hold a bounded number of bytes, whatever is in the payloads of what they list. Nothing is timed."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from browsing import post
from playwright.sync_api import expect

MB = 1_000_000
PAYLOAD = 900_000
RUNS, EVENTS, LONG = 10, 10, 60
SMALL, MANY = 20_000, 1_000
ROWS = ".line.row"


def line(run, number, job="job", size=PAYLOAD):
    at = datetime.now(UTC) - timedelta(hours=1) + timedelta(seconds=number)
    return json.dumps(
        {
            "eventType": "RUNNING",
            "eventTime": at.isoformat(),
            "run": {"runId": run, "facets": {"notes": {"number": number, "text": f"{number}: {'x' * size}"}}},
            "job": {"namespace": "large", "name": job},
            "producer": "https://example.com/me",
        }
    )


def report(url, run, count, **more):
    for first in range(0, count, 20):
        lines = [line(run, number, **more) for number in range(first, min(count, first + 20))]
        post(f"{url}/api/v1/lineage/batch", "\n".join(lines).encode(), "application/x-ndjson")


@pytest.fixture(scope="module")
def runs(url):
    """Runs with 9 MB of payloads each, and one with 54 MB."""
    found = [str(uuid4()) for _ in range(RUNS + 1)]
    for number, run in enumerate(found):
        report(url, run, LONG if number == RUNS else EVENTS)
    return found


@pytest.fixture
def held(opened):
    """Return the bytes that scripts hold after what they no longer need is collected."""
    session = opened.context.new_cdp_session(opened.page)

    def measure():
        session.send("HeapProfiler.collectGarbage")
        return session.send("Runtime.getHeapUsage")["usedSize"]

    return measure


def find_in_payload(page, text):
    """Find a long text in the payload of the event that is open."""
    detail = page.get_by_role("complementary")
    detail.get_by_role("searchbox", name="Search the payload").fill(text)
    expect(detail.get_by_role("button", name=f"all {PAYLOAD + len(text) - 1:,} characters")).to_be_visible()


@pytest.mark.usefixtures("runs")
def test_the_ledger_lists_large_events_without_their_payloads_and_reads_one_when_it_is_opened(opened, url, held):
    page = opened.open("/ledger?namespace=large")
    table = page.get_by_role("table", name="Events")
    total = RUNS * EVENTS + LONG
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    expect(table).to_have_attribute("aria-rowcount", str(total))
    assert held() < 30 * MB
    report(url, str(uuid4()), 40, job="later")  # they come by the stream, whole
    expect(table).to_have_attribute("aria-rowcount", str(total + 40))
    assert held() < 30 * MB
    page.locator(ROWS).nth(2).click()
    find_in_payload(page, "37: x")
    assert held() < 30 * MB


def test_a_long_history_of_large_events_is_held_in_part_and_each_is_read_when_it_is_opened(opened, runs, held):
    page = opened.open(f"/runs/{runs[-1]}")
    table = page.get_by_role("table", name="Events")
    expect(table).to_have_attribute("aria-rowcount", str(LONG))
    not_read = page.get_by_text("are large, and are read when one is opened")
    expect(not_read).to_be_visible()
    assert held() < 35 * MB
    page.get_by_role("rowgroup", name="Events").evaluate("element => { element.scrollTop = element.scrollHeight; }")
    with page.expect_response(lambda answer: "/events?position=" in answer.url):
        page.locator(ROWS).last.click()
    find_in_payload(page, f"{LONG - 1}: x")
    assert held() < 35 * MB


def test_what_is_kept_for_going_back_is_bounded_however_large_the_answers_are(opened, runs, held):
    page = opened.open("/runs?namespace=large&job=job")
    for run in runs[:RUNS]:
        page.locator(f"#run-{run} a").click()
        expect(page.get_by_role("table", name="Events")).to_have_attribute("aria-rowcount", str(EVENTS))
        page.go_back()
    assert held() < 60 * MB


def test_lists_of_runs_do_not_hold_what_was_reported_with_each(opened, url, held):
    for first in range(0, MANY, 200):
        lines = [line(str(uuid4()), number, job="many", size=SMALL) for number in range(first, first + 200)]
        post(f"{url}/api/v1/lineage/batch", "\n".join(lines).encode(), "application/x-ndjson")
    page = opened.open("/runs?namespace=large&job=many")
    count = page.locator("h1 + .faint")
    while count.inner_text() != f"{MANY:,}":
        before = count.inner_text()
        page.get_by_role("rowgroup", name="Runs").evaluate("element => { element.scrollTop = element.scrollHeight; }")
        expect(count).not_to_have_text(before)
    assert held() < MANY * SMALL / 2


def test_a_job_shows_its_last_hundred_runs_whatever_facets_they_have(opened, url):
    for first in range(0, 100, 20):
        lines = [line(str(uuid4()), first + number, job="heavy", size=MB // 2) for number in range(20)]
        post(f"{url}/api/v1/lineage/batch", "\n".join(lines).encode(), "application/x-ndjson")
    page = opened.open("/jobs/large/heavy")
    last = page.get_by_role("region", name="Last runs")
    expect(last.get_by_role("heading")).to_have_text("Last 100 runs")
    expect(last.locator(".run-grid a")).to_have_count(100)
