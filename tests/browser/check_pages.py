"""Every page in both themes and two widths: accessible, within the window, without an error; pictures of them."""

from pathlib import Path

import pytest
from browsing import NARROW, WIDE, tab
from playwright.sync_api import expect

AXE = Path(__file__).parents[2] / "ui/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def paths(ask):
    failed = ask("/runs?state=FAILED&namespace=airflow-prod&limit=1")["runs"][0]
    last = ask(f"/jobs/runs/{failed['id']}/events")["events"][-1]["position"]
    return {
        "overview": "/",
        "runs": "/runs?sort=duration",
        "run": f"/runs/{failed['id']}",
        "event": f"/runs/{failed['id']}?event={last}",
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
    }


PAGES = ("overview", "runs", "run", "event", "jobs", "job", "ledger", "datasets", "dataset")
GRAPHS = ("lineage", "columns", "list", "search", "nowhere")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", PAGES + GRAPHS)
def test_a_page_is_accessible_and_within_the_window(browser, url, paths, screenshots, name, size, theme):
    with tab(browser, url, size=size, theme=theme, reduced_motion="reduce") as opened:
        page = opened.open(paths[name])
        page.wait_for_load_state("load")
        page.get_by_role("main").wait_for()
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        if screenshots:
            page.screenshot(
                path=screenshots / f"{name}-{size['width']}-{theme}.png", full_page=name in {"run", "event", "dataset"}
            )
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls to the side"
        page.evaluate(AXE.read_text())
        found = page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        )
        problems = [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found["violations"]]
        assert problems == []
        assert opened.errors == []


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
