"""How the web interface is served: the page at every address, and the files that it loads."""

import gzip
import re

import pytest
from served import Served
from yarl import URL

from service.http.app import build_app
from service.http.ui import bundle
from service.settings import Settings

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ADDRESSES = (
    "/",
    "/runs?state=FAILED&any=thing",
    "/runs/870492da-ecfb-4be0-91b9-9a89ddd3db90",
    "/jobs/a%2Fb/c%3Fd",
    "/jobs",
    "/ledger",
    "/lineage?x=1",
    "/datasets/s3:%2F%2Fbucket/a%2Fb",
)


@pytest.fixture
async def client(dsn, aiohttp_client):
    return await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth="on"))))


@pytest.mark.parametrize("address", ADDRESSES)
async def test_every_address_answers_the_page_without_a_key_and_lets_it_load_nothing_from_elsewhere(client, address):
    got = await client.get(address, headers=BROWSER)
    assert (got.status, got.content_type) == (200, "text/html")
    page = await got.text()
    assert '<base href="/">' in page
    policy = dict(part.strip().partition(" ")[::2] for part in got.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["worker-src"] == "'self'"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Referrer-Policy"] == "no-referrer"
    # Nothing inline, which the policy would refuse, and nothing of another host.
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)|https?://", page)


async def test_the_page_is_asked_for_each_time_and_sent_once(client):
    first = await client.get("/", headers=BROWSER)
    assert first.headers["Cache-Control"] == "no-cache"
    again = await client.get("/runs", headers={**BROWSER, "If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    assert (again.status, await again.read()) == (304, b"")
    assert (await client.get("/runs", headers={**BROWSER, "If-None-Match": '"other"'})).status == 200


async def test_files_are_kept_for_ever_and_sent_compressed(client):
    page = await (await client.get("/", headers=BROWSER)).text()
    files = re.findall(r'(?:src|href)="(assets/[^"]+)"', page)
    assert len(files) == 5
    for file in files:
        plain = await client.get(f"/{file}", headers={"Accept-Encoding": "identity"})
        assert plain.status == 200
        assert "immutable" in plain.headers["Cache-Control"]
        assert "Content-Encoding" not in plain.headers
        for accepted, encoding in (("gzip, br", "br"), ("gzip;q=0.5", "gzip"), ("br;q=0, gzip", "gzip"), ("", None)):
            got = await client.get(f"/{file}", headers={"Accept-Encoding": accepted}, auto_decompress=False)
            assert got.headers.get("Content-Encoding") in {encoding, None}
            assert got.headers["Vary"] == "Accept-Encoding"
            if got.headers.get("Content-Encoding") == "gzip":
                assert gzip.decompress(await got.read()) == await plain.read()
    script = next(file for file in files if "main" in file and file.endswith(".js"))
    best = await client.get(f"/{script}", headers={"Accept-Encoding": "gzip, br"}, auto_decompress=False)
    assert best.headers["Content-Encoding"] == "br"
    assert best.content_type == "text/javascript"


@pytest.mark.parametrize("file", ["none.js", "..%2Findex.html", "%2e%2e%2fbundle.py", "main"])
async def test_there_is_no_other_file(client, file):
    assert (await client.get(f"/assets/{file}")).status == 404


async def test_below_a_path_the_page_loads_from_there(dsn, aiohttp_client):
    settings = Settings(database_url=dsn, base_path="/a/b", trusted_proxies="127.0.0.0/8", allowed_hosts="*")
    client = await aiohttp_client(Served(build_app(settings)))
    for address in ("/a/b/", "/a/b/runs", "/runs/x"):
        page = await (await client.get(address, headers=BROWSER)).text()
        assert '<base href="/a/b/">' in page
    file = re.search(r'src="(assets/main[^"]+)"', page)[1]
    assert (await client.get(f"/a/b/{file}")).status == 200
    forwarded = await client.get("/a/b/", headers={**BROWSER, "X-Forwarded-Prefix": "/outside"})
    assert '<base href="/outside/">' in await forwarded.text()


async def test_who_does_not_read_html_gets_the_reference_as_before(client):
    for headers in ({"Accept": "*/*"}, {}):
        got = await client.get("/", headers=headers, allow_redirects=False)
        assert (got.status, got.headers["Location"]) == (302, "/docs")
        assert got.headers["Vary"] == "Accept"


async def test_pages_below_paths_that_clients_choose_are_not_kept_for_ever(dsn, aiohttp_client):
    settings = Settings(database_url=dsn, trusted_proxies="127.0.0.0/8")
    client = await aiohttp_client(Served(build_app(settings)))
    for number in range(40):
        got = await client.get("/runs", headers={**BROWSER, "X-Forwarded-Prefix": f"/p{number}"})
        assert f'<base href="/p{number}/">' in await got.text()
    assert bundle._page_below.cache_info().currsize <= bundle._PREFIXES


NOWHERE = (
    "/nothing",
    "/runs/x/typo",
    "/jobs/a",
    "/jobs/x/typo/y",
    "/datasets/a?b=c",
    "/ledger/1",
    "/lineage/run/a/b",
    "/lineage/job/a",
    "/docs/x",
    "/errors/none",
    "/assets/none.js",
    "/livez/x",
    "/apis",
    "/no%0Apage",
    "/%2F",
    "/index.php",
)


def assert_is_problem(got, varies):
    assert got.content_type == "application/problem+json"
    assert got.headers.get("Vary") == ("Accept" if varies else None)


@pytest.mark.parametrize("auth", ["on", "off"])
async def test_a_browser_gets_a_page_where_there_is_nothing(dsn, aiohttp_client, auth):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth=auth))))
    usual = await client.get("/runs", headers=BROWSER)
    for path in NOWHERE:
        address = URL(path, encoded=True)
        got = await client.get(address, headers=BROWSER)
        assert (got.status, got.content_type) == (404, "text/html"), path
        assert await got.text() == await usual.text()
        for header in ("Cache-Control", "Vary", *bundle.SECURITY_HEADERS):
            assert got.headers[header] == usual.headers[header]
        again = await client.get(address, headers={**BROWSER, "If-None-Match": usual.headers["ETag"]})
        assert (again.status, "ETag" in again.headers) == (404, False)
        head = await client.head(address, headers=BROWSER)
        assert (head.status, head.headers["Content-Length"]) == (404, got.headers["Content-Length"])


@pytest.mark.parametrize("path", NOWHERE)
async def test_other_programs_get_a_problem_where_there_is_nothing(dsn, aiohttp_client, path):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth="off"))))
    address = URL(path, encoded=True)
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        got = await client.get(address, headers=accept)
        assert got.status == 404
        assert_is_problem(got, varies=True)
    posted = await client.post(address, headers=BROWSER)
    assert posted.status in {404, 405}
    assert_is_problem(posted, varies=False)


async def test_without_a_key_other_programs_do_not_learn_that_there_is_nothing(client):
    got = await client.get("/nothing")
    assert got.status == 401
    assert_is_problem(got, varies=True)


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api", "/api/", "//api/v1", "/api%2Fv1", "/%61pi/v1/jobs/x"])
async def test_paths_of_the_api_answer_problems_to_browsers_too(dsn, aiohttp_client, path):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth="off"))))
    url = URL(f"http://{client.host}:{client.port}{path}", encoded=True)
    got = await client.session.get(url, headers=BROWSER)
    assert got.status == 404
    assert_is_problem(got, varies=False)


async def test_the_page_of_an_address_with_nothing_loads_from_below_the_path_of_the_service(dsn, aiohttp_client):
    settings = Settings(database_url=dsn, base_path="/a/b", trusted_proxies="127.0.0.0/8", allowed_hosts="*")
    client = await aiohttp_client(Served(build_app(settings)))
    for headers, base in ((BROWSER, "/a/b/"), ({**BROWSER, "X-Forwarded-Prefix": "/outside"}, "/outside/")):
        got = await client.get("/a/b/nothing", headers=headers)
        assert got.status == 404
        assert f'<base href="{base}">' in await got.text()


async def test_where_the_interface_is_not_built_browsers_get_a_problem(client, monkeypatch):
    monkeypatch.setattr(bundle, "_page", lambda: None)
    got = await client.get("/nothing", headers=BROWSER)
    assert got.status == 401
    assert_is_problem(got, varies=False)
    assert (await client.get("/runs", headers=BROWSER)).status == 404
