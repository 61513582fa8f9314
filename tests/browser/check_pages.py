"""Every page in both themes and three widths: accessible, within the window, still while it opens; pictures of them."""

from http import HTTPStatus

import pytest
from browsing import NARROW, VERY_WIDE, WIDE, shifted, tab, violations, watch_shifts
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def paths(ask):
    failed = ask("/runs?state=FAILED&namespace=airflow-prod&limit=1")["runs"][0]
    first, *_, last = ask(f"/jobs/runs/{failed['id']}/events")["events"]
    parent = ask("/runs?state=FAILED&job=sales_daily&limit=1")["runs"][0]["id"]
    return {
        "overview": "/",
        "runs": "/runs?sort=duration",
        "run": f"/runs/{failed['id']}",
        "event": f"/runs/{failed['id']}?event={last['position']}",
        "past": f"/runs/{failed['id']}?knownAt={first['recordedAt']}",
        "parent": f"/runs/{parent}",
        "jobs": "/jobs",
        "job": "/jobs/airflow-prod/sales_daily.spark_aggregate",
        "ledger": "/ledger",
        "datasets": "/datasets?name=warehouse",
        "dataset": "/datasets/postgres%3A%2F%2Fwarehouse.example.com%3A5432/warehouse.analytics.stg_orders",
        "lineage": "/lineage?node=dataset:postgres://warehouse.example.com:5432:warehouse.analytics.fct_orders"
        "&chosen=job:dbt-warehouse:fct_orders",
        "columns": "/lineage?columns=true&depth=9"
        "&node=dataset:postgres://warehouse.example.com:5432:warehouse.analytics.fct_orders",
        "list": "/lineage?node=job:dbt-warehouse:fct_orders&list=true",
        "search": "/lineage?q=orders",
        "nowhere": "/lineage/nothing/of/this",
        "mistyped": "/runs/x/typo",
    }


PAGES = ("overview", "runs", "run", "event", "past", "parent", "jobs", "job", "ledger", "datasets", "dataset")
GRAPHS = ("lineage", "columns", "list", "search")
NOWHERE = ("nowhere", "mistyped")


def open_and_measure(opened, path):
    """Open a page, wait until all of it is shown, and assert that nothing was moved by what arrived late."""
    watch_shifts(opened.page)
    page = opened.open(path)
    page.wait_for_load_state("load")
    page.get_by_role("main").wait_for()
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)
    assert shifted(page) == []
    return page


@pytest.mark.parametrize("name", ["overview", "run", "parent", "lineage"])
def test_a_page_is_still_in_a_very_wide_window(browser, url, paths, name):
    with tab(browser, url, size=VERY_WIDE) as opened:
        page = open_and_measure(opened, paths[name])
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", PAGES + GRAPHS + NOWHERE)
def test_a_page_is_accessible_within_the_window_and_still_while_it_opens(
    browser, url, paths, screenshots, name, size, theme
):
    with tab(browser, url, size=size, theme=theme, reduced_motion="reduce") as opened:
        page = open_and_measure(opened, paths[name])
        if screenshots:
            page.screenshot(
                path=screenshots / f"{name}-{size['width']}-{theme}.png", full_page=name in {"run", "event", "dataset"}
            )
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls to the side"
        assert violations(page) == []
        assert (opened.refusals() if name in NOWHERE else opened.errors) == []


def test_an_address_with_nothing_says_so_and_leads_to_the_start_page(browser, url):
    with tab(browser, url, size=NARROW) as opened:
        for path in ("/nothing", "/runs/x/typo", "/jobs/a", "/ledger/x", "/lineage/run/a/b", "/errors/none"):
            answer = opened.page.goto(url + path)
            assert answer.status == HTTPStatus.NOT_FOUND
            expect(opened.page.get_by_role("heading", level=1)).to_have_text("There is nothing at this address")
            expect(opened.page).to_have_title("Not found · Runfold")
        opened.page.get_by_role("main").get_by_role("link", name="Start page").click()
        expect(opened.page).to_have_url(f"{url}/")
        opened.page.get_by_role("heading", name="Overview").first.wait_for()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_navigation_is_there_before_any_script_and_stays_in_its_place(browser, url, size):
    links = "nodes => nodes.map(a => [a.textContent, a.href, JSON.stringify(a.getBoundingClientRect())])"
    with tab(browser, url, size=size) as without, tab(browser, url, size=size) as opened:
        without.context.route("**/*.js", lambda route: route.abort())
        before = without.open("/ledger").eval_on_selector_all("header.top a", links)
        page = opened.open("/ledger")
        page.get_by_role("heading", name="Ledger").wait_for()
        assert page.eval_on_selector_all("header.top a", links) == before
        expect(page.locator("header.top")).to_have_count(1)
        assert len(before) > 1
