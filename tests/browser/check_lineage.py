"""The graph of lineage: moved by mouse and keys, folded, searched, as a list, at past times, and by columns."""

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import uuid4

import pytest
from browsing import HOSTILE, NARROW, Tab, post
from playwright.sync_api import expect

WAREHOUSE = "postgres://warehouse.example.com:5432"
ORDERS = f"dataset:{WAREHOUSE}:warehouse.analytics.fct_orders"
JOB = "job:dbt-warehouse:fct_orders"
LAYERS, WIDTH = 20, 50


def address(node, **more):
    return f"/lineage?node={quote(node, safe='')}" + "".join(f"&{name}={value}" for name, value in more.items())


def event(job, at, inputs, outputs, namespace="flow", kind="COMPLETE"):
    body = {
        "eventType": kind,
        "eventTime": at.isoformat(),
        "run": {"runId": str(uuid4())},
        "job": {"namespace": namespace, "name": job},
        "producer": "https://example.com/me",
        "inputs": [{"namespace": namespace, "name": name} for name in inputs],
        "outputs": [{"namespace": namespace, "name": name} for name in outputs],
    }
    return json.dumps(body).encode()


def shown(page, name):
    """Return the box of a node by its accessible name."""
    return page.locator(".node a.title").and_(page.get_by_role("link", name=name, exact=True))


def scale(page):
    return float(page.locator(".graph-frame").get_attribute("data-scale"))


@pytest.fixture
def graph(opened):
    page = opened.open(address(ORDERS))
    expect(page.locator(".graph-frame[data-scale]")).to_be_visible()
    expect(shown(page, f"dataset {WAREHOUSE} / warehouse.analytics.fct_orders")).to_be_visible()
    return page


@pytest.fixture(scope="module")
def chain(url):
    """Record a → b → c → d, first as a → b only, and a name with everything in it at the end."""
    first = datetime.now(UTC) - timedelta(hours=3)
    post(f"{url}/api/v1/lineage", event("j1", first, ["a"], ["b"]))
    later = first + timedelta(hours=2)
    for job, read, written in (
        ("j1", "a", "b"),
        ("j2", "b", "c"),
        ("j3", "c", f"s3://x/ {HOSTILE}:y"),
        ("j4", "a", "e"),
    ):
        post(f"{url}/api/v1/lineage", event(job, later, [read], [written], kind="FAIL" if job == "j3" else "COMPLETE"))
    return first


def test_boxes_are_links_with_the_states_of_runs_and_a_chosen_one_shows_what_is_connected(graph):
    job = graph.get_by_role("link", name=re.compile("^job dbt-warehouse . fct_orders, (completed|failed)$"))
    expect(job.locator("svg.shape")).to_be_visible()
    job.click()
    panel = graph.get_by_role("complementary", name="Chosen node")
    expect(panel.get_by_role("heading", level=2)).to_contain_text("fct_orders")
    expect(panel.get_by_role("button", name="warehouse.analytics.stg_orders")).to_be_visible()
    expect(graph).to_have_url(re.compile("chosen=job"))
    expect(graph.locator(".node.dim").first).to_be_visible()
    expect(shown(graph, f"dataset {WAREHOUSE} / warehouse.analytics.fct_orders").locator("..")).not_to_have_class(
        re.compile("dim")
    )
    panel.get_by_role("button", name="warehouse.analytics.fct_orders").click()
    panel.get_by_role("link", name=f"{WAREHOUSE} / warehouse.analytics.fct_orders").click()
    expect(graph.get_by_role("heading", name="Schema")).to_be_visible()
    graph.go_back()
    expect(panel.get_by_role("heading", level=2)).to_contain_text("fct_orders")


def test_the_wheel_zooms_at_the_pointer_and_dragging_moves_what_is_under_it(graph):
    box = graph.get_by_role("link", name=re.compile("^job dbt-warehouse . fct_orders,"))
    before = box.bounding_box()
    x, y = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    graph.mouse.move(x, y)
    graph.mouse.wheel(0, -200)
    expect(graph.locator(".graph-frame")).not_to_have_attribute("data-scale", "0.800")
    after = box.bounding_box()
    assert after["width"] > before["width"] * 1.2
    assert abs(after["x"] + after["width"] / 2 - x) < 2
    assert abs(after["y"] + after["height"] / 2 - y) < 2
    graph.mouse.down()
    graph.mouse.move(x + 60, y - 40, steps=4)
    graph.mouse.up()
    expect(graph).to_have_url(re.compile("view="))
    moved = box.bounding_box()
    assert abs(moved["x"] - after["x"] - 60) < 2
    assert abs(moved["y"] - after["y"] + 40) < 2
    expect(graph.get_by_role("complementary", name="Chosen node")).to_have_count(0)  # it was moved, not clicked
    view = re.search("view=([^&]+)", graph.url)[1]
    graph.reload()
    expect(box).to_be_visible()
    assert abs(box.bounding_box()["x"] - moved["x"]) < 3, view
    assert abs(box.bounding_box()["width"] - moved["width"]) < 3


@pytest.mark.usefixtures("chain")
def test_keys_zoom_and_go_along_the_links(opened):
    page = opened.open(address("dataset:flow:b", depth=9))
    expect(shown(page, "dataset flow / b")).to_be_visible()
    page.locator(".graph-frame").focus()
    before = scale(page)
    page.keyboard.press("-")
    expect(page.locator(".graph-frame")).not_to_have_attribute("data-scale", f"{before:.3f}")
    assert scale(page) < before
    page.keyboard.press("0")
    shown(page, "dataset flow / b").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("chosen=dataset%3Aflow%3Ab"))
    page.keyboard.press("ArrowRight")
    expect(shown(page, "job flow / j2, completed")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(shown(page, "job flow / j3, failed")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(shown(page, "dataset flow / c")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary", name="Chosen node")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("j3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Chosen node")).to_contain_text("j3")
    expect(page.get_by_text("1 of 1")).to_be_visible()


@pytest.mark.usefixtures("chain")
def test_direction_depth_and_folding_are_in_the_address(opened):
    page = opened.open(address("dataset:flow:b", depth=9))
    page.get_by_role("button", name="Upstream").click()
    expect(page.get_by_text("b · 3 nodes")).to_be_visible()
    expect(page).to_have_url(re.compile("direction=up"))
    page.get_by_role("button", name="Both").click()
    expect(page.get_by_text("b · 9 nodes")).to_be_visible()
    page.get_by_label("Depth").fill("0")
    page.keyboard.press("Enter")
    expect(page.get_by_text("b · 5 nodes")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("b · 9 nodes")).to_be_visible()
    shown(page, "dataset flow / a").click()
    page.get_by_role("button", name="Hide what is after").click()
    expect(shown(page, "job flow / j4, completed")).to_have_count(0)
    expect(shown(page, "job flow / j1, completed")).to_be_visible()
    page.reload()
    expect(shown(page, "job flow / j1, completed")).to_be_visible()
    expect(shown(page, "job flow / j4, completed")).to_have_count(0)
    page.get_by_role("button", name="Show 1 after a").click()
    expect(shown(page, "job flow / j4, completed")).to_be_visible()


@pytest.mark.usefixtures("chain")
def test_the_list_has_the_same_nodes_and_leads_to_their_pages(opened):
    page = opened.open(address("dataset:flow:b", depth=9))
    page.get_by_role("button", name="List").click()
    table = page.get_by_role("table", name="Nodes of the graph")
    expect(table).to_have_attribute("aria-rowcount", "9")
    expect(table.get_by_role("row").nth(1)).to_contain_text("flow / a")
    expect(table.get_by_role("row").filter(has_text="j3")).to_contain_text("Failed")
    expect(table.get_by_text(HOSTILE)).to_be_visible()
    page.get_by_label("Find in the graph").fill("j3")
    expect(table).to_have_attribute("aria-rowcount", "1")
    table.get_by_role("link", name="Around").click()
    expect(page.get_by_text("j3 · ")).to_be_visible()
    assert page.title() != "owned"
    shown(page, f"dataset flow / s3://x/ {HOSTILE}:y").click()
    panel = page.get_by_role("complementary", name="Chosen node")
    panel.get_by_role("link", name="Graph around it").click()
    expect(page.get_by_text(f"s3://x/ {HOSTILE}:y · ")).to_be_visible()
    shown(page, f"dataset flow / s3://x/ {HOSTILE}:y").click()
    panel.get_by_role("link", name=HOSTILE).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"flow / s3://x/ {HOSTILE}:y")
    assert page.locator("main script, main img").count() == 0


def test_the_graph_is_shown_as_it_stood_with_the_states_of_then(opened, chain):
    then = (chain + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    page = opened.open(address("dataset:flow:b", depth=9))
    expect(page.get_by_text("b · 9 nodes")).to_be_visible()
    page.get_by_label("Moment").focus()
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("validAt="))
    expect(page.locator(".as-of")).to_contain_text("This is the graph as it stood at")
    page = opened.open(address("dataset:flow:b", depth=9, validAt=then))
    expect(page.get_by_text("b · 3 nodes")).to_be_visible()
    expect(shown(page, "job flow / j1, completed")).to_be_visible()
    page.get_by_role("button", name="Back to now").click()
    expect(page.get_by_text("b · 9 nodes")).to_be_visible()


def test_the_mapping_of_a_column_is_followed_up_and_down(opened):
    page = opened.open(address(ORDERS, columns="true", depth=9))
    column = page.locator(f'[data-id="datasetField:{WAREHOUSE}:warehouse.analytics.fct_orders:segment"]')
    column.click()
    panel = page.get_by_role("complementary", name="Chosen node")
    expect(panel).to_contain_text("coalesce(segment, 'unknown')")
    lit = page.locator(".column:not(.dim)")
    names = {each.get_attribute("data-id").rpartition(":")[2] for each in lit.all()}
    assert {"segment", "id"} <= names
    assert "amount" not in names
    panel.get_by_role("button", name="warehouse.analytics.mart_revenue.segment").click()
    expect(panel.get_by_role("heading", level=2)).to_have_text("segment")
    panel.get_by_role("link", name="Graph around it").click()
    expect(page).to_have_url(re.compile("node=datasetField"))
    page.get_by_role("button", name="Upstream").click()
    expect(page.locator(".column").first).to_be_visible()
    page.get_by_role("button", name="List").click()
    expect(page.get_by_role("table", name="Nodes of the graph").get_by_role("row").nth(1)).to_contain_text("column")


def test_the_graph_of_columns_is_shown_as_it_stood(opened):
    page = opened.open(address(ORDERS, columns="true", depth=9))
    expect(page.locator(".column").first).to_be_visible()
    page.get_by_label("Moment").focus()
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("validAt="))
    expect(page.locator(".as-of")).to_contain_text("This is the graph as it stood at")
    expect(page.locator(".column").first).to_be_visible()
    page = opened.open(address(ORDERS, columns="true", depth=9, validAt="2001-01-01T00:00:00Z"))
    expect(page.get_by_text("No event tells which columns are made of which here")).to_be_visible()


def test_thousands_of_nodes_keep_few_elements_and_are_cut_with_a_word(opened, url):
    lines = []
    for layer in range(LAYERS):
        for place in range(WIDTH):
            reads = [f"d{layer:02}.{each:02}" for each in {place * 7 % WIDTH, (place * 3 + layer) % WIDTH, place}]
            written = [f"d{layer + 1:02}.{place:02}"]
            lines.append(event(f"j{layer:02}.{place:02}", datetime.now(UTC), reads, written, namespace="wide"))
    post(f"{url}/api/v1/lineage/batch", b"\n".join(lines), "application/x-ndjson")
    page = opened.open(address("dataset:wide:d10.20", depth=100))
    expect(shown(page, "dataset wide / d10.20")).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile(r"d10.20 · 2,0\d\d nodes"))).to_be_visible()
    assert 0 < page.locator(".node").count() < 260
    page.get_by_role("button", name="Fit").click()
    expect(page.locator(".node")).to_have_count(0)  # from afar they are drawn
    page.get_by_label("Find in the graph").fill("wide j15.03")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Chosen node")).to_contain_text("j15.03")
    expect(shown(page, "job wide / j15.03, completed")).to_be_visible()


def test_the_whole_of_a_graph_that_does_not_fit_is_shown_with_a_frame_around_the_part_in_view(opened):
    page = opened.open(address(ORDERS, view="0,0,1"))
    whole = page.get_by_role("img", name="The whole graph")
    expect(whole).to_be_visible()
    part, box = whole.locator("div"), whole.bounding_box()
    before = part.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 6, box["y"] + box["height"] - 6)
    page.wait_for_function(
        "x => document.querySelector('.minimap > div').getBoundingClientRect().x > x", arg=before["x"]
    )
    after = part.bounding_box()
    assert before["width"] < box["width"]
    assert after["x"] + after["width"] <= box["x"] + box["width"]
    expect(page).not_to_have_url(re.compile("view=0%2C0%2C1$"))
    page.keyboard.press("0")
    expect(whole).to_be_hidden()


@pytest.mark.usefixtures("chain")
def test_in_a_narrow_window_the_graph_is_there_and_nothing_scrolls_to_the_side(browser, url):
    tab = Tab(browser, url, size=NARROW)
    page = tab.open(address("dataset:flow:b", depth=9))
    shown(page, "dataset flow / b").click()
    expect(page.get_by_role("complementary", name="Chosen node")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.errors == []
    tab.close()


@pytest.mark.usefixtures("chain")
def test_a_node_is_found_by_words_and_a_missing_one_says_so(opened):
    page = opened.open("/")
    page.get_by_role("link", name="Lineage").click()
    page.get_by_label("Job or dataset").fill("fct_orders")
    page.get_by_role("region", name="Nodes").get_by_role("link", name="dbt-warehouse / fct_orders").click()
    expect(page.get_by_text("fct_orders · ")).to_be_visible()
    page = opened.open("/lineage/job/dbt-warehouse/fct_orders")
    expect(page.get_by_text("fct_orders · ")).to_be_visible()
    page = opened.open(address("job:nowhere:nothing"))
    expect(page.get_by_role("heading", name="There is no such node")).to_be_visible()
