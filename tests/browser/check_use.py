"""What a reader does: filters, live updates, the slider, the keyboard, search, downloads."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from browsing import post
from playwright.sync_api import expect
from waiting import DEADLINE_S

ROWS = ".table .line.row"
DAYS = [f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:00Z}" for days in range(3)]
"""Times, so many days ago."""


def event(kind, run, at, job="by hand", namespace="etl", outputs=(), **facets):
    body = {
        "eventType": kind,
        "eventTime": at.isoformat(),
        "run": {"runId": str(run), "facets": facets},
        "job": {"namespace": namespace, "name": job},
        "producer": "https://example.com/me",
        "inputs": [],
        "outputs": list(outputs),
    }
    return json.dumps(body).encode()


def report(url, kind, run, at=None, **more):
    post(f"{url}/api/v1/lineage", event(kind, run, at or datetime.now(UTC), **more))


def count(page, expected):
    """Wait until the table says that it has so many rows; a table that goes on says -1."""
    expect(page.get_by_role("table", name="Runs")).to_have_attribute("aria-rowcount", str(expected))


@pytest.mark.parametrize(
    ("address", "parameters"),
    [
        ("state=FAILED", "state=FAILED"),
        ("state=FAILED,ABORTED&namespace=ingest", "state=FAILED&state=ABORTED&namespace=ingest"),
        ("job=sales_daily", "job=sales_daily"),
        ("contradicted=true", "contradicted=true"),
        ("restarted=true", "restarted=true"),
        ("state=RUNNING&order=asc", "state=RUNNING&order=asc"),
        ("namespace=dbt-warehouse&state=FAILED&sort=duration", "namespace=dbt-warehouse&state=FAILED&sort=duration"),
        ("longer=30m&sort=duration", "minDurationMs=1800000&sort=duration"),
        ("longer=1.5m&shorter=3min&state=FAILED", "minDurationMs=90000&maxDurationMs=180000&state=FAILED&sort=start"),
        ("longer=soon&job=sales_daily", "job=sales_daily&sort=start"),
        ("namespace=spark-cluster&sort=end&state=FAILED", "namespace=spark-cluster&sort=end&state=FAILED"),
        ("inferred=true", "inferred=true"),
        (f"from={DAYS[2]}&to={DAYS[1]}&order=asc", f"startedAfter={DAYS[2]}&startedBefore={DAYS[1]}&order=asc"),
        (f"time=ended&from={DAYS[2]}&sort=end&order=asc", f"endedAfter={DAYS[2]}&sort=end&order=asc"),
        (f"time=updated&to={DAYS[1]}&sort=update", f"updatedBefore={DAYS[1]}&sort=update"),
        (f"runningAt={DAYS[1]}", f"runningAt={DAYS[1]}"),
    ],
)
def test_an_address_shows_the_runs_that_the_api_finds(opened, ask, address, parameters):
    expected = ask(f"/runs?{parameters}&limit=100")
    page = opened.open(f"/runs?{address}")
    count(page, -1 if expected["next"] else len(expected["runs"]))
    shown = [row.get_attribute("id") for row in page.locator(ROWS).all()]
    assert shown[:20] == [f"run-{run['id']}" for run in expected["runs"]][: len(shown)][:20]


def test_the_children_of_a_run_are_a_list_of_runs_that_can_be_filtered(opened, ask):
    parent = ask("/runs?job=sales_daily&state=COMPLETED&limit=1")["runs"][0]["id"]
    page = opened.open(f"/runs/{parent}")
    page.get_by_role("link", name="children as a list").click()
    expect(page).to_have_url(re.compile(f"parent={parent}"))
    expected = ask(f"/runs?parent={parent}&sort=start&order=asc")["runs"]
    count(page, len(expected))
    assert [row.get_attribute("id") for row in page.locator(ROWS).all()] == [f"run-{run['id']}" for run in expected]
    shortest = min(run["durationMs"] for run in expected)
    page.get_by_label("Took at most").fill(f"{shortest} ms")
    page.get_by_label("Took at most").press("Enter")
    count(page, sum(run["durationMs"] == shortest for run in expected))


def test_filters_go_into_the_address_and_back_and_forward_work(opened):
    page = opened.open("/runs")
    page.get_by_role("button", name="Failed").click()
    page.get_by_label("Namespace").select_option("airflow-prod")
    page.get_by_label("Interval").select_option("24h")
    page.get_by_role("button", name="Duration").click()
    expect(page).to_have_url(re.compile(r"state=FAILED&namespace=airflow-prod&last=24h&sort=duration$"))
    page.locator(ROWS).first.locator("a").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="Failed")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.get_by_label("Namespace")).to_have_value("airflow-prod")
    for _ in range(4):
        page.go_back()
    expect(page).to_have_url(re.compile(r"/runs$"))
    page.go_forward()
    expect(page.get_by_role("button", name="Failed")).to_have_attribute("aria-pressed", "true")


def test_a_late_answer_to_other_filters_is_not_shown(opened):
    page, held = opened.open("/runs?namespace=ingest"), []
    first = page.locator(ROWS).first
    expect(first).to_contain_text("ingest")

    def hold(route):
        held.append(route)

    page.route("**/api/v1/runs?*namespace=airflow-prod*", hold)
    page.get_by_label("Namespace").select_option("airflow-prod")
    page.get_by_label("Namespace").select_option("dbt-warehouse")
    expect(first).to_contain_text("dbt-warehouse")
    with page.expect_response("**/api/v1/runs?*namespace=airflow-prod*"):
        held[0].continue_()
    page.get_by_role("button", name="Failed").click()
    expect(page).to_have_url(re.compile("namespace=dbt-warehouse&state=FAILED"))
    expect(first).to_contain_text("dbt-warehouse")
    expect(page.get_by_role("table", name="Runs")).not_to_contain_text("airflow-prod")


def test_a_long_history_is_not_read_from_its_beginning_for_each_event(opened, url):
    run, begin = uuid4(), datetime.now(UTC) - timedelta(hours=1)
    kinds = ["START", *["RUNNING"] * 600]
    lines = [event(kind, run, begin + timedelta(seconds=number)) for number, kind in enumerate(kinds)]
    post(f"{url}/api/v1/lineage/batch", b"\n".join(lines), "application/x-ndjson")
    page = opened.open(f"/runs/{run}")
    expect(page.get_by_text("now: all 601 events")).to_be_visible()
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if f"{run}/events" in request.url else None)
    report(url, "COMPLETE", run)
    expect(page.get_by_text("now: all 602 events")).to_be_visible()
    assert asked
    assert all("cursor=" in address for address in asked)
    expect(page.locator(".facts-of-run")).to_contain_text("Completed")


def test_new_runs_are_announced_and_do_not_move_the_rows_and_known_ones_change_in_place(opened, url):
    old, new = uuid4(), uuid4()
    report(url, "START", old, job="stays")
    page = opened.open("/runs?namespace=etl")
    row = page.locator(f"#run-{old}")
    expect(row).to_contain_text("Running")
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    place = row.bounding_box()
    report(url, "START", new, job="comes")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    assert row.bounding_box() == place
    report(url, "COMPLETE", old, job="stays")
    expect(row).to_contain_text("Completed")
    assert page.locator(f"#run-{new}").count() == 0
    page.get_by_role("button", name="1 new").click()
    expect(page.locator(f"#run-{new}")).to_be_visible()
    expect(page.get_by_role("button", name="1 new")).to_be_hidden()


def test_the_overview_shows_what_happens_within_seconds(opened, url):
    run, other = uuid4(), uuid4()
    page = opened.open("/")
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    tile = page.locator(".tile", has_text=re.compile("Running$")).locator("b")
    expect(tile).to_have_text(re.compile(r"^\d+$"))
    running = int(tile.inner_text())
    seen, another = ({"namespace": "a", "job": job} for job in ("seen", "another"))

    def bar(of):
        return page.locator(f".timeline-bars a[href$='{of}']")

    report(url, "START", run, **seen)
    expect(bar(run)).to_have_class("RUNNING", timeout=4_000)
    report(url, "START", other, **another)
    expect(tile).to_have_text(str(running + 2))
    report(url, "FAIL", run, **seen, errorMessage={"message": "no space", "programmingLanguage": "sh"})
    expect(bar(run)).to_have_class("FAILED", timeout=4_000)
    expect(page.get_by_role("region", name="Failed lately")).to_contain_text("no space")
    report(url, "COMPLETE", run, **seen)  # which of the ends stands is asked for
    expect(bar(run)).to_have_class("COMPLETED contradicted")
    page.get_by_role("link", name="Ledger").click()
    expect(page.locator(".ledger-line.row").first).to_contain_text("seen")
    report(url, "COMPLETE", other, **another)
    expect(page.locator(".ledger-line.row").first).to_contain_text("another")
    page.go_back()
    expect(bar(other)).to_have_class("COMPLETED")
    expect(page.locator(".live[data-state=live]")).to_be_visible()


def test_the_slider_shows_the_run_as_it_was_known_and_marks_what_changed(opened, url):
    run, now = uuid4(), datetime.now(UTC)
    report(url, "START", run, now - timedelta(hours=3))
    report(
        url, "FAIL", run, now - timedelta(hours=2), errorMessage={"message": "it broke", "programmingLanguage": "SQL"}
    )
    report(url, "RUNNING", run, now - timedelta(hours=2, minutes=30))
    report(url, "COMPLETE", run, now - timedelta(hours=1))
    page = opened.open(f"/runs/{run}")
    expect(page.get_by_text("4 events, 1 out of order")).to_be_visible()
    expect(page.get_by_text("The first report was recorded 1 h after the end.")).to_be_visible()
    expect(page.locator(".chart .event-mark")).to_have_count(4)
    page.get_by_role("button", name="One event back").click()
    expect(page.get_by_text("it broke")).to_be_visible()
    expect(page.locator(".fact.changed").filter(has_text="State")).to_contain_text("Failed")
    expect(page).to_have_url(re.compile("knownAt="))
    page.reload()
    expect(page.locator(".fact.changed").filter(has_text="State")).to_contain_text("Failed")
    page.get_by_label("Events that were known").fill("1")
    expect(page.locator(".fact.changed").filter(has_text="State")).to_contain_text("Running")
    verdicts = page.get_by_role("table", name="Events").locator(".line.row .tags")
    expect(verdicts).to_have_text([re.compile("stands"), *["not known then"] * 3])
    page.get_by_role("button", name="Back to now").click()
    expect(page.locator(".fact.changed")).to_have_count(0)
    expect(page.get_by_text("not known then")).to_have_count(0)
    report(url, "RUNNING", run, now)
    expect(page.get_by_text("5 events, 1 out of order")).to_be_visible()


def test_what_was_known_has_no_datasets_that_were_told_later(opened, url, ask):
    run, now = uuid4(), datetime.now(UTC)
    report(url, "START", run, now - timedelta(minutes=2))
    written = {"namespace": "lake", "name": "told/later"}
    report(url, "COMPLETE", run, now - timedelta(minutes=1), outputs=[written])
    page = opened.open(f"/runs/{run}")
    expect(page.get_by_role("region", name="Datasets")).to_contain_text("told/later")
    first = ask(f"/jobs/runs/{run}/events")["events"][0]["recordedAt"]
    page = opened.open(f"/runs/{run}?knownAt={first}")
    expect(page.get_by_text("This is what was known at")).to_be_visible()
    expect(
        page.get_by_role("heading", name="Facets of the job, as they are now").or_(page.locator(".stack"))
    ).not_to_have_count(0)
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)
    expect(page.get_by_role("region", name="Datasets")).to_have_count(0)


def test_a_job_shows_its_last_runs_what_is_usual_and_the_run_under_way(opened, ask):
    running = ask("/runs?state=RUNNING&namespace=ingest&job=changes.orders&limit=1")["runs"][0]
    runs = ask("/namespaces/ingest/jobs/changes.orders/runs?limit=100")["runs"]
    page = opened.open("/jobs/ingest/changes.orders")
    last = page.get_by_role("region", name="Last runs")
    expect(last.get_by_role("heading")).to_have_text(f"Last {len(runs)} runs")
    expect(last.locator(".run-grid a")).to_have_count(len(runs))
    expect(last.locator(".chart a")).to_have_count(len(runs))
    expect(last.locator(".chart a .sign")).to_have_count(sum(run["state"] != "COMPLETED" for run in runs))
    expect(last).to_contain_text(re.compile("median .*, 95 % within "))
    under_way = page.get_by_role("region", name="Under way").filter(has=page.locator(f"a[href$='{running['id']}']"))
    took = [each["durationMs"] for each in runs if each["state"] == "COMPLETED"]
    since = (datetime.now(UTC) - datetime.fromisoformat(running["startedAt"])) / timedelta(milliseconds=1)
    shorter = sum(length < since for length in took) / len(took)  # it depends on the time of the day
    words = "longer than 95 % of the last" if shorter > 0.97 else "about .* left" if shorter < 0.47 else "longer|left"
    expect(under_way).to_contain_text(re.compile(words))


def test_the_tree_of_a_run_has_its_parents_and_siblings(opened, ask):
    parent = ask("/runs?job=sales_daily&state=COMPLETED&limit=1")["runs"][0]["id"]
    child = ask(f"/jobs/runs/{parent}/children")["runs"][0]
    page = opened.open(f"/runs/{child['id']}")
    bars = page.locator(".gantt-row")
    expect(bars.first).to_contain_text("sales_daily")
    assert bars.count() > 4
    expect(page.locator(".gantt-row[aria-current]")).to_have_attribute("href", f"/runs/{child['id']}")
    bars.first.click()
    expect(page).to_have_url(re.compile(parent))


def test_the_keyboard_alone_finds_a_failed_run_and_what_was_known_before(opened, ask):
    page = opened.open("/")
    expect(page.get_by_role("heading", name="Failed lately")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    expect(page.locator(ROWS).first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(f"{ROWS}[aria-selected=true]")).to_have_attribute(
        "id", page.locator(ROWS).nth(1).get_attribute("id")
    )
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("airflow sales_daily.load_mart")
    expect(page.get_by_role("option").first).to_contain_text("sales_daily.load_mart")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/jobs/airflow-prod/sales_daily.load_mart$"))
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    run = ask("/runs?limit=1")["runs"][0]["id"]
    page.keyboard.type(run)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(run))


def test_a_list_of_thousands_of_runs_keeps_few_rows_in_the_document(opened):
    page = opened.open("/runs")
    rows = page.locator(".rows")
    expect(page.locator(ROWS).first).to_be_visible()
    for _ in range(6):
        before = page.locator("h1 + .faint").inner_text()
        rows.evaluate("element => element.scrollTop = element.scrollHeight")
        expect(page.locator("h1 + .faint")).not_to_have_text(before)
        assert page.locator(ROWS).count() < 120


def test_what_is_copied_as_curl_reads_what_is_shown(opened):
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = opened.open("/runs?state=FAILED&namespace=ingest&sort=duration")
    expect(page.locator(ROWS).first).to_be_visible()
    shown = [row.get_attribute("id") for row in page.locator(ROWS).all()]
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_text("Command copied")).to_be_visible()
    command = page.evaluate("navigator.clipboard.readText()")
    read = subprocess.run(command, shell=True, check=True, capture_output=True, timeout=DEADLINE_S)  # noqa: S602  that is what it is for
    assert [f"run-{run['id']}" for run in json.loads(read.stdout)["runs"]][: len(shown)] == shown


def test_the_ledger_follows_pauses_and_is_verified(opened, url):
    page = opened.open("/ledger?namespace=etl")
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    report(url, "START", uuid4(), job="followed")
    expect(page.locator(ROWS).first).to_contain_text("followed")
    page.get_by_role("button", name="Following").click()
    report(url, "START", uuid4(), job="held")
    expect(page.get_by_role("button", name="Paused, 1 held")).to_be_visible()
    expect(page.locator(ROWS).first).to_contain_text("followed")
    page.get_by_role("button", name="Paused, 1 held").click()
    expect(page.locator(ROWS).first).to_contain_text("held")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("✓ unbroken")).to_be_visible()
    page.locator(ROWS).first.click()
    expect(page.get_by_role("complementary")).to_contain_text("SHA-256")


def test_the_theme_that_is_chosen_stays(opened):
    page = opened.open("/")
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
