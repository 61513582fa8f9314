"""A service with some days of history, and a browser, for all tests of a module."""

import json
import os
import time
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from browsing import Tab, chromium, post, record_history
from waiting import DEADLINE_S

PRODUCERS = Path(__file__).parents[1] / "data/producers"


@pytest.fixture(scope="module")
def url(server):
    record_history(server.url, 4)
    for file in sorted(PRODUCERS.glob("*.ndjson")):
        post(f"{server.url}/api/v1/lineage/batch", file.read_bytes(), "application/x-ndjson")
    return server.url


@pytest.fixture(scope="module")
def browser(url):  # noqa: ARG001  its event loop runs in this thread: what has one of its own is made before
    with chromium() as opened:
        yield opened


@pytest.fixture
def opened(browser, url):
    tab = Tab(browser, url)
    yield tab
    tab.close()
    assert tab.refusals() == []


@pytest.fixture(scope="module")
def ask(url):
    """Returns the answer of the API to a path; while lists are behind, it is asked again, as clients do."""

    def get(path, deadline=None):
        deadline = deadline or time.monotonic() + DEADLINE_S
        try:
            with urlopen(f"{url}/api/v1{path}", timeout=30) as answer:  # noqa: S310  the service of the test
                return json.load(answer)
        except HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                raise
        return get(path, deadline)

    return get


@pytest.fixture
def screenshots():
    """Where pictures are kept; None: nowhere."""
    directory = os.environ.get("SCREENSHOTS")
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
    return Path(directory) if directory else None
