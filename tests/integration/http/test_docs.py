"""The pages for people, and the headers of every page and answer."""

import re

import pytest

from service.http.openapi.document import error_kinds
from service.http.routes import ROUTES


@pytest.mark.parametrize("path", ["/docs", "/errors/conflict"])
async def test_a_page_loads_nothing_from_elsewhere_and_forbids_it(client, path):
    response = await client.get(path)
    text = await response.text()
    assert response.content_type == "text/html"
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.findall(r"<(?:link|script|img|iframe)[^>]*(?:src|href)=\"(?!data:)", text)
    assert " style=" not in text
    assert not re.findall(r"\son\w+=", text)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_docs_show_every_route_with_a_curl_line(client):
    text = await (await client.get("/docs")).text()
    for route in ROUTES:
        assert f"</span> {route.path}</p>" in text
    assert text.count("<pre><code>curl") == len(ROUTES)


async def test_links_within_the_docs_lead_somewhere(client):
    text = await (await client.get("/docs")).text()
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)
    for code in set(re.findall(r'href="/errors/([^"]+)"', text)):
        assert (await client.get(f"/errors/{code}")).status == 200


@pytest.mark.parametrize("code", [kind.code for kind in error_kinds()] + ["http-404", "http-405", "http-413"])
async def test_every_error_has_a_page_that_says_what_to_do(client, code):
    response = await client.get(f"/errors/{code}")
    text = await response.text()
    assert response.status == 200
    assert text.count("<p>") >= 3


async def test_an_error_that_is_answered_names_a_page_that_is_there(client):
    problems = [
        await client.get("/api/v1/jobs/runs/x"),
        await client.post("/livez"),
        await client.get("/nowhere"),
        await client.get("/errors/<script>"),
    ]
    for problem in problems:
        assert problem.content_type == "application/problem+json"
        assert (await client.get((await problem.json())["type"])).status == 200


async def test_the_root_leads_to_the_docs(client):
    response = await client.get("/", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (302, "/docs")


@pytest.mark.parametrize("path", ["/docs", "/livez", "/api/v1/namespaces", "/openapi.json", "/metrics"])
async def test_head_answers_as_get_does_without_a_body(client, path):
    response = await client.head(path)
    assert response.status == 200
    assert int(response.headers["Content-Length"]) > 0
    assert await response.read() == b""


async def test_a_request_id_comes_back_and_an_error_has_one_in_any_case(client):
    given = {"X-Request-ID": "abc-1"}
    assert (await client.get("/livez", headers=given)).headers["X-Request-ID"] == "abc-1"
    assert (await client.get("/nowhere", headers=given)).headers["X-Request-ID"] == "abc-1"
    assert (await client.get("/nowhere")).headers["X-Request-ID"]
    long = {"X-Request-ID": "x" * 200}
    assert (await client.get("/livez", headers=long)).headers["X-Request-ID"] != long["X-Request-ID"]
