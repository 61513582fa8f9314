"""API keys, a path prefix, and a service that stops and comes back."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from uuid import uuid4

import asyncpg
import pytest
from browsing import NARROW, Tab, chromium, post, violations
from databases import TEMPLATE, database, execute
from playwright.sync_api import expect
from programs import REPOSITORY
from waiting import DEADLINE_S

RUN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"
EVENT = (
    f'{{"eventType":"START","eventTime":"2026-01-01T00:00:00Z","run":{{"runId":"{RUN}"}},'
    '"job":{"namespace":"etl","name":"load"},"producer":"https://example.com/me"}'
).encode()


class Serving:
    """A service on a port that stays the same when it is stopped and started again."""

    def __init__(self, dsn, log, *options):
        self.dsn, self.log, self.options, self.port = dsn, log, options, 0
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "service", "serve", "--port", str(self.port), "--database-url", self.dsn]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen([*command, *self.options], cwd=REPOSITORY, stdout=output, stderr=output)
        end = time.monotonic() + DEADLINE_S
        while not (found := re.search(rb"http://[\w.]+:(\d+)", self.log.read_bytes())):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end
        self.port = int(found[1])
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(DEADLINE_S) == 0

    def run(self, *arguments):
        command = [sys.executable, "-m", "service", *arguments, "--database-url", self.dsn]
        return subprocess.run(
            command, cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=DEADLINE_S
        ).stdout


@pytest.fixture
def make(postgres, tmp_path):
    name, started = f"browser_{uuid4().hex}", []
    asyncio.run(execute(postgres, f"create database {name} template {TEMPLATE} strategy file_copy"))

    def serving(*options):
        started.append(Serving(database(postgres, name), tmp_path / "log", *options))
        return started[-1]

    yield serving
    for each in started:
        if each.process.poll() is None:
            each.stop()
    asyncio.run(execute(postgres, f"drop database {name} with (force)"))


@pytest.fixture
def browser(make):  # noqa: ARG001  the browser's event loop runs in this thread: the database is made before it, and dropped after
    with chromium() as opened:
        yield opened


def test_a_key_is_asked_for_once_and_again_when_it_is_revoked_and_is_never_in_an_address(make, browser):
    service = make()
    url = service.start()
    secret = re.search(r"rf_\S+", service.run("keys", "create", "reader", "--scope", "write"))[0]
    post(f"{url}/api/v1/lineage", EVENT, key=secret)
    tab = Tab(browser, url)
    asked = []
    tab.page.on("request", lambda request: asked.append(request.url))
    page = tab.open("/runs")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This service needs an API key")
    page.get_by_role("textbox", name="API key").fill("rf_wrong")
    page.get_by_role("button", name="Use this key").click()
    expect(dialog).to_contain_text("not known")
    page.get_by_role("textbox", name="API key").fill(secret)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator(f"#run-{RUN}")).to_be_visible()
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    page.goto(f"{url}/runs/{RUN}")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0
    service.run("keys", "revoke", "reader")
    page.goto(f"{url}/jobs")
    expect(dialog).to_contain_text("revoked")
    assert not [address for address in asked if secret in address]
    assert tab.refusals() == []
    tab.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_a_narrow_window_the_header_has_two_lines_with_a_key_too(make, browser, theme):
    service = make()
    url = service.start()
    secret = re.search(r"rf_\S+", service.run("keys", "create", "reader", "--scope", "write"))[0]
    post(f"{url}/api/v1/lineage", EVENT, key=secret)
    tab = Tab(browser, url, size=NARROW, theme=theme)
    page = tab.open("/runs")
    page.get_by_role("textbox", name="API key").fill(secret)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator(f"#run-{RUN}")).to_be_visible()
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    header = page.locator("header.top")
    assert header.bounding_box()["height"] < 80
    for link in header.get_by_role("link").all():
        box = link.bounding_box()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= NARROW["width"]
    assert violations(page) == []
    expect(header.get_by_role("status")).to_have_text("Live")
    page.keyboard.press("Escape")
    forget = header.get_by_role("button", name="Forget key")
    forget.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("This service needs an API key")
    assert tab.refusals() == []
    tab.close()


def test_what_a_key_may_not_change_is_not_offered(make, browser):
    service = make()
    url = service.start()
    reader, writer = (
        re.search(r"rf_\S+", service.run("keys", "create", scope, "--scope", scope))[0] for scope in ("read", "write")
    )
    post(f"{url}/api/v1/lineage", EVENT, key=writer)
    for secret, offered in ((reader, 0), (writer, 1)):
        tab = Tab(browser, url)
        page = tab.open("/jobs/etl/load")
        page.get_by_role("textbox", name="API key").fill(secret)
        with page.expect_response(lambda answer: answer.url.endswith("/access") and answer.ok):
            page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("load")
        expect(page.get_by_role("button", name="Add a tag to the job")).to_have_count(offered)
        tab.close()


def test_a_bound_key_is_offered_nothing_about_all_of_the_ledger_and_is_told_how_to_send(make, browser):
    service = make()
    url = service.start()
    secrets = [
        re.search(r"rf_\S+", service.run("keys", "create", name, "--scope", "write", *more))[0]
        for name, more in (("all", ()), ("etl", ("--namespace", "etl")), ("others", ("--namespace", "others")))
    ]
    post(f"{url}/api/v1/lineage", EVENT, key=secrets[0])
    for secret, offered in zip(secrets[:2], (1, 0), strict=True):
        tab = Tab(browser, url)
        page = tab.open("/ledger")
        page.get_by_role("textbox", name="API key").fill(secret)
        page.get_by_role("button", name="Use this key").click()
        expect(page.locator(".ledger-line.row").first).to_contain_text("load")
        expect(page.get_by_role("region", name="Known and reported")).to_contain_text("Jobs1")
        expect(page.get_by_role("region", name="Head and verification")).to_have_count(offered)
        assert tab.refusals() == []
        tab.close()
    tab = Tab(browser, url)
    page = tab.open("/")
    page.get_by_role("textbox", name="API key").fill(secrets[2])
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_text("Nothing is recorded yet")).to_be_visible()
    expect(page.get_by_text('curl -X POST -H "Authorization: Bearer $RUNFOLD_API_KEY"')).to_be_visible()
    expect(page.get_by_text("""{"type":"api_key","apiKey":"'"$RUNFOLD_API_KEY"'"}}'""")).to_be_visible()
    assert secrets[2] not in page.content()
    tab.close()


@contextmanager
def no_projection(dsn, projection="lineage"):
    """Lock the cursor of a projection within the block, from a thread that has an event loop of its own."""
    locked, done = threading.Event(), threading.Event()

    async def lock():
        connection = await asyncpg.connect(dsn)
        async with connection.transaction():
            await connection.execute(f"select from runfold.{projection}_cursor for update")
            locked.set()
            await asyncio.to_thread(done.wait, 300)
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(lock()))
    thread.start()
    assert locked.wait(DEADLINE_S)
    try:
        yield
    finally:
        done.set()
        thread.join(DEADLINE_S)


def test_what_lacks_the_latest_events_says_so_until_it_has_them(make, browser):
    service = make()
    url = service.start()
    event = json.loads(EVENT) | {"eventType": "COMPLETE", "outputs": [{"namespace": "lake", "name": "orders"}]}
    post(f"{url}/api/v1/lineage", json.dumps(event).encode())
    tab = Tab(browser, url)
    page = tab.open("/lineage?node=dataset:lake:orders")
    missing = page.get_by_text("the latest event is missing")
    expect(page.get_by_role("link", name="job etl / load")).to_be_visible()
    expect(missing).to_have_count(0)
    with no_projection(service.dsn):
        more = event | {"run": {"runId": str(uuid4())}, "job": {"namespace": "etl", "name": "more"}}
        post(f"{url}/api/v1/lineage", json.dumps(more).encode())
        for path in ("/lineage?node=dataset:lake:orders", "/lineage?node=dataset:lake:orders&columns=true", "/ledger"):
            tab.open(path)
            expect(missing).to_be_visible()
        page.keyboard.press("Control+k")
        page.keyboard.type("load")
        found = page.get_by_role("dialog", name="Search")
        expect(found.get_by_role("option").first).to_contain_text("etl / load")
        expect(found.get_by_text("the latest event is missing")).to_be_visible()
        tab.open("/lineage?node=dataset:lake:orders")
        expect(missing).to_be_visible()
    expect(page.get_by_role("link", name="job etl / more")).to_be_visible()
    expect(missing).to_have_count(0)
    assert tab.refusals() == []
    tab.close()


def test_while_the_catalog_lags_a_banner_says_so_and_the_list_has_what_was_missing_afterwards(make, browser):
    service = make()
    url = service.start()
    post(f"{url}/api/v1/lineage", EVENT)
    tab = Tab(browser, url)
    page = tab.open("/runs")
    row = page.locator(f"#run-{RUN}")
    expect(row).to_contain_text("Running")
    expect(page.locator(".live[data-state=live]")).to_be_visible()
    banner = page.get_by_role("alert")
    with no_projection(service.dsn, "catalog"):
        post(f"{url}/api/v1/lineage", EVENT.replace(b"START", b"FAIL"))
        expect(banner).to_contain_text("does not have the last events yet. What is shown may be old; it is tried again")
        expect(row).to_be_visible()
    expect(row).to_contain_text("Failed")
    expect(banner).to_be_hidden()
    assert tab.refusals() == []
    tab.close()


def test_below_a_path_everything_works(make, browser):
    url = make("--base-path", "/a/b").start() + "/a/b"
    post(f"{url}/api/v1/lineage", EVENT)
    tab = Tab(browser, url)
    page = tab.open("/")
    page.get_by_role("link", name="Runs").click()
    expect(page).to_have_url(f"{url}/runs")
    page.locator(f"#run-{RUN} a").click()
    expect(page).to_have_url(f"{url}/runs/{RUN}")
    page.get_by_role("link", name="etl / load").click()
    expect(page).to_have_url(f"{url}/jobs/etl/load")
    page.get_by_role("main").get_by_role("link", name="Lineage").click()
    expect(page).to_have_url(re.compile(re.escape(f"{url}/lineage?node=job")))
    expect(page.get_by_role("link", name="job etl / load, running")).to_be_visible()
    page.get_by_role("link", name="API").click()
    expect(page).to_have_url(f"{url}/docs")
    assert tab.errors == []
    tab.close()


def test_while_the_service_is_away_the_page_says_so_keeps_what_it_has_and_goes_on_by_itself(make, browser):
    service = make()
    url = service.start()
    post(f"{url}/api/v1/lineage", EVENT)
    tab = Tab(browser, url)
    page = tab.open("/")
    listed = page.get_by_role("region", name="Running the longest").get_by_role("link", name="load")
    expect(listed).to_be_visible()
    service.stop()
    expect(page.get_by_text("Not live")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached", timeout=40_000)
    expect(listed).to_be_visible()
    service.start()
    post(f"{url}/api/v1/lineage", EVENT.replace(b"START", b"FAIL"))
    expect(page.locator(".live[data-state=live]")).to_be_visible(timeout=40_000)
    expect(page.get_by_role("region", name="Failed lately").get_by_text("Nothing failed")).to_be_visible()
    expect(page.get_by_text("Nothing is running.")).to_be_visible(timeout=40_000)
    expect(page.get_by_role("alert")).to_be_hidden(timeout=40_000)
    assert tab.refusals() == []
    tab.close()


def test_a_service_that_knows_nothing_says_what_to_send_to_it(make, browser):
    url = make().start()
    tab = Tab(browser, url)
    page = tab.open("/")
    expect(page.get_by_text("Nothing is recorded yet")).to_be_visible()
    expect(page.get_by_text(f"curl -X POST {url}/api/v1/lineage")).to_be_visible()
    expect(page.get_by_text("AIRFLOW__OPENLINEAGE__TRANSPORT")).to_be_visible()
    post(f"{url}/api/v1/lineage", EVENT)
    expect(page.get_by_role("region", name="Running the longest")).to_contain_text("load")
    assert tab.errors == []
    tab.close()
