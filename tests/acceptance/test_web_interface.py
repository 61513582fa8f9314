"""The web interface in a browser, in short: pages open, and what payloads contain is text. The rest: tests/browser."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from browsing import HOSTILE, chromium, post, shifted, tab, watch_shifts
from playwright.sync_api import expect

RUN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"


def hostile_event(kind):
    facets = {
        "errorMessage": {"message": HOSTILE, "programmingLanguage": HOSTILE, "stackTrace": HOSTILE},
        HOSTILE: {"url": "javascript:document.title='owned'", HOSTILE: [HOSTILE]},
        "parent": {"run": {"runId": HOSTILE}},
    }
    job = {"namespace": HOSTILE, "name": HOSTILE, "facets": {"sql": {"query": f"select 1 -- {HOSTILE}"}}}
    at = datetime.now(UTC).isoformat()
    event = {
        "eventType": kind,
        "eventTime": at,
        "run": {"runId": RUN, "facets": facets},
        "job": job,
        "producer": HOSTILE,
    }
    dataset = {
        "namespace": HOSTILE,
        "name": HOSTILE,
        "facets": {"schema": {"fields": [{"name": HOSTILE, "type": HOSTILE}]}},
    }
    return json.dumps(event | {"inputs": [dataset], "outputs": [dataset]}).encode()


@pytest.fixture(scope="module")
def browser(server):
    for kind in ("START", "FAIL"):
        post(f"{server.url}/api/v1/lineage", hostile_event(kind))
    with chromium() as opened:
        yield opened


PATHS = {
    "/": "Overview",
    "/runs": "Runs",
    f"/runs/{RUN}?event=3": "Why it failed",
    "/jobs": "Jobs",
    f"/jobs/{quote(HOSTILE, safe='')}/{quote(HOSTILE, safe='')}": "Last run",
    "/ledger": "Ledger",
    "/datasets": "Datasets",
    f"/datasets/{quote(HOSTILE, safe='')}/{quote(HOSTILE, safe='')}": "Schema",
    f"/lineage?node={quote(f'dataset:{HOSTILE}:{HOSTILE}', safe='')}&list=true": "Lineage",
}


def test_every_page_opens_and_what_payloads_contain_is_text(server, browser):
    with tab(browser, server.url) as opened:
        watch_shifts(opened.page)
        for path, heading in PATHS.items():
            page = opened.open(path)
            expect(page.get_by_role("heading", name=heading)).to_be_visible()
            expect(page.get_by_text(HOSTILE).first).to_be_attached()
            assert page.locator("main img, main script").count() == 0
            assert "owned" not in page.title() or "<script>" in page.title()
            assert page.locator("a[href^='javascript:']").count() == 0
            assert shifted(page) == []
