"""Pages that open while much is reported, names that are legible, lists that are where they were."""

import re
from urllib.parse import quote
from uuid import uuid4

import pytest
from browsing import NARROW, WIDE, tab
from check_use import ROWS, report
from playwright.sync_api import expect


def test_a_job_whose_runs_have_versions_in_turn_is_shown_while_they_are_reported(opened, url):
    def report_one(dataset):
        report(url, "COMPLETE", uuid4(), job="in turn", outputs=[{"namespace": "lake", "name": dataset}])

    report_one("turn/0")
    waiting = []

    def hold(route):
        waiting.append(route)

    page = opened.page
    page.route("**/in%20turn/versions?*", hold)  # as if it took long
    opened.open("/jobs/etl/in%20turn")
    for number in (1, 2):
        with page.expect_response(re.compile("/jobs/in%20turn$")) as answer:
            report_one(f"turn/{number}")
        answer.value.finished()
    expect(page.locator("main [aria-busy=true]")).to_have_count(1)
    assert len(waiting) == 1
    waiting[0].continue_()
    expect(page.get_by_role("region", name="Last runs")).to_contain_text("Last 3 runs")
    expect(page.get_by_role("region", name="Versions").get_by_role("listitem")).to_have_count(3)


def test_a_name_that_turns_the_direction_of_writing_is_before_the_error_in_every_list(opened, url):
    name, run = "تقرير \u202e daily", uuid4()
    report(url, "START", run, job=name, namespace="rtl")
    report(url, "FAIL", run, job=name, namespace="rtl", errorMessage={"message": name, "programmingLanguage": "SQL"})
    places = (
        "row => ['.faint', '.cover', '.error-text'].map(each => row.querySelector(each)?.getBoundingClientRect().x)"
    )
    page = opened.open("/runs?namespace=rtl&state=FAILED")
    namespace, link, error = page.locator(ROWS).first.locator(".job-cell").evaluate(places)
    assert link <= namespace < error
    ends = """link => {
        const range = document.createRange();
        range.selectNodeContents(link);
        return range.getBoundingClientRect().right;
    }"""
    assert page.locator(ROWS).first.locator(".cover").evaluate(ends) <= error + 1


def test_going_back_shows_the_part_of_a_list_that_was_in_view(opened):
    page = opened.open("/runs")
    rows = page.get_by_role("rowgroup", name="Runs")
    page.locator(ROWS).nth(20).wait_for()
    rows.evaluate("element => element.scrollTop = 640")
    expect(page.locator(f"{ROWS}[aria-rowindex='30']")).to_be_visible()
    page.locator(f"{ROWS}[aria-rowindex='30'] a").click()
    expect(page.get_by_role("region", name="History")).to_be_visible()
    page.go_back()
    page.locator(ROWS).first.wait_for()
    assert rows.evaluate("element => element.scrollTop") == 640
    page.get_by_role("link", name="Overview", exact=True).click()
    page.get_by_role("region", name="Timeline").wait_for()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.locator(ROWS).first.wait_for()
    assert rows.evaluate("element => element.scrollTop") == 0


def test_in_a_narrow_window_what_is_found_has_its_name_and_a_chosen_event_is_in_view(opened):
    opened.page.set_viewport_size(NARROW)
    page = opened.open("/ledger")
    page.locator(ROWS).nth(1).click()
    expect(page.get_by_role("complementary", name=re.compile("Event"))).to_be_in_viewport(ratio=0.3)
    page.get_by_role("button", name="Search").click()
    dialog = page.get_by_role("dialog", name="Search")
    page.keyboard.type("warehouse fct_orders")
    name = dialog.locator(".own-name", has_text="warehouse.analytics.fct_orders")
    expect(name).to_be_visible()
    assert name.evaluate("element => element.scrollWidth - element.clientWidth") < 60
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


_SHOWS_ITS_NAME = """element => {
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (texts.nextNode());
    const range = document.createRange();
    range.selectNodeContents(texts.currentNode);
    const [line] = range.getClientRects();
    const [x, y] = [line.x + Math.min(12, line.width / 2), line.y + line.height / 2];
    return element.contains(document.elementFromPoint(x, y)) && x < innerWidth;
}"""


@pytest.mark.parametrize("name", ["orders", "o" * 200, "orders of the day " * 20], ids=["short", "long", "words"])
@pytest.mark.parametrize("namespace", ["n" * 200, "a team's own " * 16, "short"], ids=["long", "words", "short"])
def test_a_long_namespace_hides_no_name(browser, url, ask, namespace, name):
    run, name = uuid4(), f"{name.strip()} {uuid4()}"
    report(url, "START", run, job=name, namespace=namespace.strip(), outputs=[{"namespace": namespace, "name": name}])
    ask("/datasets")  # it waits until the event is projected
    job, dataset = (f"{quote(each, safe='')}/{quote(name, safe='')}" for each in (namespace.strip(), namespace))
    with tab(browser, url, size=NARROW) as opened, tab(browser, url, size=WIDE) as wide:
        for path in (f"/jobs/{job}", f"/datasets/{dataset}", f"/runs/{run}"):
            page = opened.open(path)
            heading = page.get_by_role("heading", level=1)
            expect(heading).to_contain_text(name)
            assert heading.evaluate(_SHOWS_ITS_NAME), path
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        for path in (f"/jobs?q={quote(name)}", f"/runs?job={quote(name)}", f"/datasets?name={quote(name)}"):
            for each in (opened, wide):
                link = each.open(path).locator(".line.row .cover").filter(has_text=name)
                expect(link).to_be_visible()
                assert link.evaluate(_SHOWS_ITS_NAME), path
