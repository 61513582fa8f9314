"""Datasets: lists, pages, versions side by side, tags, the past, and names that are anything but names."""

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote
from uuid import uuid4

import pytest
from browsing import HOSTILE, post
from playwright.sync_api import expect

WAREHOUSE = "postgres://warehouse.example.com:5432"
ORDERS = f"/datasets/{quote(WAREHOUSE, safe='')}/warehouse.analytics.stg_orders"
ODD_NAMESPACE = "s3://bücket /<b>?&#%2F"
ODD_NAME = f"a//b/../{HOSTILE} 100%25 ?x=1#y\\z:0 Ω🐢"
BASE = datetime.now(UTC) - timedelta(hours=3)


def dataset(name, columns=(), namespace=ODD_NAMESPACE, **facets):
    fields = [{"name": column, "type": kind} for column, kind in columns]
    schema = {"schema": {"fields": fields}} if columns else {}
    return {"namespace": namespace, "name": name, "facets": schema | facets}


def record(url, job, at, inputs=(), outputs=(), kind="COMPLETE", run=None):
    body = {
        "eventType": kind,
        "eventTime": at.isoformat(),
        "run": {"runId": str(run or uuid4())},
        "job": {"namespace": "odd", "name": job},
        "producer": "https://example.com/me",
        "inputs": list(inputs),
        "outputs": list(outputs),
    }
    post(f"{url}/api/v1/lineage", json.dumps(body).encode())


@pytest.fixture(scope="module")
def odd(url):
    """Record two versions of a dataset whose names have everything in them; return its address."""
    columns = [("id", "bigint"), (HOSTILE, "text"), ("gone", "text"), ("amount", "int")]
    mapping = {
        "columnLineage": {"fields": {"id": {"inputFields": [{"namespace": "odd", "name": HOSTILE, "field": HOSTILE}]}}}
    }
    source = dataset(HOSTILE, [(HOSTILE, "text")], "odd")
    record(url, HOSTILE, BASE, [source], [dataset(ODD_NAME, columns, **mapping)])
    later = [("id", "bigint"), (HOSTILE, "text"), ("amount", "numeric"), ("new", "date")]
    record(url, HOSTILE, BASE + timedelta(hours=1), [source], [dataset(ODD_NAME, later, **mapping)])
    return f"/datasets/{quote(ODD_NAMESPACE, safe='')}/{quote(ODD_NAME, safe='')}"


def is_not_owned(page):
    assert page.title() != "owned"
    assert page.locator("main script, main img").count() == 0


def test_the_list_has_the_datasets_of_the_address_page_by_page(opened, ask):
    page = opened.open("/datasets?name=raw")
    total = ask("/datasets?name=raw&limit=0")["totalCount"]
    rows = page.locator(".table .line.row")
    expect(page.get_by_role("table", name="Datasets")).to_have_attribute("aria-rowcount", str(total))
    names = [each["name"] for each in ask("/datasets?name=raw&limit=50")["datasets"]]
    expect(rows).to_have_count(len(names))
    assert [row.locator("a").first.inner_text().split(" / ", 1)[1] for row in rows.all()] == names
    page.get_by_role("button", name="Next").click()
    expect(page).to_have_url(re.compile(r"name=raw&page=2$"))
    following = [each["name"] for each in ask("/datasets?name=raw&limit=50&offset=50")["datasets"]]
    expect(rows.first).to_contain_text(following[0])
    page.go_back()
    expect(rows.first).to_contain_text(names[0])
    page.get_by_label("Namespace").select_option(WAREHOUSE)
    expect(page.get_by_text("No dataset is like that")).to_be_visible()
    page.get_by_role("link", name="All datasets").click()
    expect(rows.first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Schema")).to_be_visible()


def test_a_dataset_shows_its_columns_its_jobs_its_quality_and_what_changed(opened):
    page = opened.open(ORDERS)
    schema = page.get_by_role("region", name="Schema")
    expect(schema.get_by_role("rowheader", name="channel")).to_be_visible()
    expect(schema).to_contain_text("amount::numeric(12, 2)")
    jobs = page.get_by_role("region", name="Jobs")
    expect(jobs.get_by_role("link", name="dbt-warehouse / stg_orders")).to_be_visible()
    expect(jobs.get_by_role("link", name="airflow-prod / quality_orders.volume")).to_be_visible()
    expect(page.get_by_role("region", name="Quality").get_by_role("rowheader", name="customer_id")).to_be_visible()
    versions = page.get_by_role("list", name="Versions, newest first")
    expect(versions.get_by_role("listitem")).to_have_count(2)
    expect(versions).to_contain_text("+1")
    expect(page.locator("tr.diff-added")).to_contain_text("channel")
    schema.get_by_role("link", name="raw/shop/orders", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("raw/shop/orders")


def test_two_versions_are_compared_with_what_is_added_removed_and_changed(opened, odd):
    page = opened.open(odd)
    expect(page.locator("tr.diff-added")).to_have_text(re.compile("added.*new.*date"))
    expect(page.locator("tr.diff-removed")).to_have_text(re.compile("removed.*gone.*text"))
    expect(page.locator("tr.diff-changed")).to_have_text(re.compile("changed.*amount.*int.*numeric"))
    names = page.locator("table.diff tbody th").all_inner_texts()
    assert names == ["id", HOSTILE, "gone", "amount", "new"]
    before = page.get_by_label("Version before").input_value()
    page.get_by_label("Version after").select_option(before)
    page.get_by_label("Version before").wait_for(state="detached")  # a version is not compared with itself
    page.go_back()
    expect(page.locator("tr.diff-added")).to_contain_text("new")


def test_the_past_of_a_dataset_is_shown_as_it_stood(opened, odd):
    page = opened.open(odd)
    schema = page.get_by_role("region", name="Schema")
    expect(schema.get_by_role("rowheader", name="new")).to_be_visible()
    page.get_by_role("button", name="One version back").click()  # to the time of the later version itself
    page.get_by_role("button", name="One version back").click()
    expect(page).to_have_url(re.compile("validAt="))
    expect(schema.get_by_role("rowheader", name="gone")).to_be_visible()
    expect(schema.get_by_role("rowheader", name="new")).to_have_count(0)
    expect(page.locator(".as-of")).to_contain_text("as it stood at")
    page.get_by_role("button", name="Back to now").click()
    expect(schema.get_by_role("rowheader", name="new")).to_be_visible()
    page.get_by_label("Which past").select_option("knownAt")
    page.get_by_label("Moment").focus()
    page.keyboard.press("Home")
    expect(page).to_have_url(re.compile("knownAt="))
    expect(page.get_by_text("Nothing was known of this dataset then.")).to_be_visible()


def test_names_with_markup_slashes_and_colons_are_text_and_their_links_lead_to_them(opened, odd):
    page = opened.open("/datasets?namespace=" + quote(ODD_NAMESPACE, safe=""))
    page.locator(".table .line.row a.cover").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{ODD_NAMESPACE} / {ODD_NAME}")
    assert unquote(page.evaluate("location.pathname")) == unquote(odd)
    is_not_owned(page)
    page.get_by_role("region", name="Schema").get_by_role("link", name=HOSTILE, exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"odd / {HOSTILE}")
    is_not_owned(page)
    page.get_by_role("region", name="Jobs").get_by_role("link", name=HOSTILE).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"odd / {HOSTILE}")
    datasets = page.get_by_role("region", name="Datasets")
    expect(datasets.get_by_role("link", name=ODD_NAME)).to_be_visible()
    is_not_owned(page)
    page.get_by_role("region", name="Recent runs").get_by_role("link").first.click()
    datasets.get_by_role("link", name=ODD_NAME).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{ODD_NAMESPACE} / {ODD_NAME}")
    page.keyboard.press("Control+k")
    page.keyboard.type("bücket 100%25")
    expect(page.get_by_role("listbox", name="Found").get_by_role("option").first).to_contain_text(ODD_NAME)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{ODD_NAMESPACE} / {ODD_NAME}")
    is_not_owned(page)


def test_tags_are_added_and_removed_and_their_history_is_shown(opened, odd, ask):
    page = opened.open(odd)
    tag = "needs/care 100% <i>"
    page.get_by_role("button", name="Add a tag to the dataset").click()
    page.get_by_label("Tag of the dataset").fill(tag)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Remove tag {tag} of the dataset")).to_be_visible()
    page.get_by_role("button", name="Add a tag to amount").click()
    page.get_by_label("Tag of amount").fill("PII")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove tag PII of amount")).to_be_visible()
    path = f"/namespaces/{quote(ODD_NAMESPACE, safe='')}/datasets/{quote(ODD_NAME, safe='')}"
    known = ask(path)
    assert known["tags"] == [tag]
    assert [field["tags"] for field in known["fields"] if field["name"] == "amount"] == [["PII"]]
    page.get_by_role("button", name=f"Remove tag {tag} of the dataset").click()
    expect(page.get_by_role("button", name=f"Remove tag {tag} of the dataset")).to_have_count(0)
    assert ask(path)["tags"] == []
    page.reload()
    expect(page.get_by_role("region", name="Changes").get_by_role("listitem")).to_have_count(3)


def test_a_dataset_that_is_not_there_says_so(opened):
    page = opened.open("/datasets/nowhere/nothing")
    expect(page.get_by_role("heading", name="There is no such dataset")).to_be_visible()
