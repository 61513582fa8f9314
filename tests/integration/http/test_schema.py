"""/openapi.json describes exactly what is accepted: values inside of a schema are taken, values outside are refused.

The values are those at the edges of each schema (tests/schema_values.py), and random ones. What the service decides by
more than a schema can say is excepted here, with the reason.
"""

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_values import SchemaValues
from yarl import URL

from service.domain import timestamps
from service.http.openapi.document import document
from service.http.openapi.examples import main_example
from service.http.route import Route
from service.http.routes import ROUTES

DOCUMENT = document(ROUTES)
VALUES = SchemaValues(DOCUMENT)
REFUSED = {400, 413, 415, 422}
JSON = "application/json"

BY_STATE = {"from": "1", "to": "1", "timezone": ""}
"""Parameters of which the service takes only what it has, positions and time zones; and one that it has."""

UNSENDABLE = {
    "path": {"", ".", ".."},  # they make other paths
    "query": set(),
    "header": {"", " ", "a\nb", "a\0b"},  # HTTP does not have such values, or cuts the spaces
}


class Described(NamedTuple):
    """A route and one of its parameters as /openapi.json describes it."""

    route: Route
    parameter: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.route.method} {self.route.path} {self.parameter['name']}"


def operation(route: Route) -> dict[str, Any]:
    return DOCUMENT["paths"][route.path][route.method.lower()]


PARAMETERS = [Described(route, each) for route in ROUTES for each in operation(route).get("parameters", ())]
BODIES = [route for route in ROUTES if route.body is not None]


def body_schema(route: Route) -> dict[str, Any]:
    return operation(route)["requestBody"]["content"][JSON]["schema"]


def texts_of(value: object) -> list[str] | None:
    """Return how a value of a parameter is sent; None where a URL or a header cannot hold it."""
    if isinstance(value, list):
        return value if value and all(isinstance(each, str) for each in value) else None
    if isinstance(value, dict) or value is None:
        return None
    return [value if isinstance(value, str) else json.dumps(value)]


def is_described(schema: dict[str, Any], texts: list[str]) -> bool:
    """Whether a parameter's schema describes what is sent."""
    if schema["type"] == "array":
        return VALUES.describes(schema, texts)
    value: Any = texts[0]
    if schema["type"] == "integer" and value.isascii() and value.removeprefix("-").isdecimal():
        value = int(value)
    elif schema["type"] == "boolean" and value in ("true", "false"):
        value = value == "true"
    return VALUES.describes(schema, value)


async def is_refused(
    session: aiohttp.ClientSession, method: str, target: str, headers: Any, body: bytes | None
) -> bool:
    url = URL(target, encoded=True)
    async with session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
        assert answer.status < 500, await answer.text()
        if target.endswith("/batch") and answer.status == 200:
            return bool((await answer.json())["failed_events"])
        return answer.status in REFUSED


async def refuses(session: aiohttp.ClientSession, described: Described, texts: list[str]) -> bool:
    """Send the request of a route's example with other texts of a parameter, and without optional ones."""
    (route, parameter), example = described, main_example(described.route)
    kind, name = parameter["in"], parameter["name"]
    values, headers = example.path_values, dict(example.request.headers)
    required = {each.name for each in route.parameters if each.required}
    query = {each: given for each, given in example.query_values.items() if each in required}
    if kind == "path":
        values[name] = texts[0]
    elif kind == "query":
        query[name] = texts
    else:
        headers[name] = texts[0]
    path = route.path.format_map({each: quote(value, safe="") for each, value in values.items()})
    encoded = "&".join(f"{each}={quote(text, safe='')}" for each, given in query.items() for text in given)
    body = example.request.body
    data = None if body is None else json.dumps(body).encode()
    return await is_refused(session, route.method, f"{path}?{encoded}", headers, data)


async def refuses_body(session: aiohttp.ClientSession, route: Route, body: object) -> bool:
    path = urlsplit(main_example(route).request.target).path
    data = json.dumps(body, ensure_ascii=False).encode()
    return await is_refused(session, route.method, path, {"Content-Type": JSON}, data)


@pytest.fixture
async def session(server):
    async with aiohttp.ClientSession(server.url) as opened:
        yield opened


def differences(proposed: list[tuple[object, bool, bool]]) -> list[str]:
    return [
        f"{json.dumps(value)[:200]} is {'inside of the schema, but refused' if inside else 'outside, but taken'}"
        for value, inside, refused in proposed
        if inside is refused
    ]


@pytest.mark.parametrize("described", PARAMETERS, ids=str)
async def test_a_parameter_takes_what_its_schema_describes_and_nothing_else(session, described):
    schema, seen = described.parameter["schema"], []
    for value in VALUES.proposed(schema):
        texts = texts_of(value)
        if texts is None or texts[0] in UNSENDABLE[described.parameter["in"]]:
            continue
        inside = is_described(schema, texts)
        name = described.parameter["name"]
        if inside and name in BY_STATE and texts != [BY_STATE[name]]:
            continue
        seen.append((value, inside, await refuses(session, described, texts)))
    assert any(inside for _, inside, _ in seen)
    assert differences(seen) == []


@pytest.mark.parametrize("route", BODIES, ids=lambda route: f"{route.method} {route.path}")
async def test_a_body_is_taken_where_its_schema_describes_it_and_no_other(session, route):
    schema = body_schema(route)
    seen = [
        (value, VALUES.describes(schema, value), await refuses_body(session, route, value))
        for value in VALUES.proposed(schema)
    ]
    assert {inside for _, inside, _ in seen} == {True, False}
    assert differences(seen) == []


@pytest.mark.parametrize("route", BODIES, ids=lambda route: f"{route.method} {route.path}")
async def test_a_body_is_required_where_the_document_says_so(session, route):
    path = urlsplit(main_example(route).request.target).path
    refused = await is_refused(session, route.method, path, {}, None)
    assert refused is operation(route)["requestBody"]["required"]


characters = st.characters(exclude_categories=["Cs"])


def any_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy of values for a schema: those at its edges, and random ones near its patterns."""
    strategies = [st.sampled_from([*VALUES.proposed(schema)])]
    if "pattern" in schema:
        strategies += [st.from_regex(schema["pattern"]), st.text(characters)]
    if schema.get("type") == "integer":
        strategies.append(st.integers(schema.get("minimum", -(10**30)) - 9, schema.get("maximum", 10**30) + 9))
    return st.one_of(strategies)


def is_in_the_future(text: str) -> bool:
    """Whether a time lies so far ahead that no event may have it, which no schema can tell."""
    try:
        return timestamps.is_too_far_ahead(timestamps.parse(text), timestamps.now())
    except ValueError:
        return False


async def test_random_values_of_parameters(session):
    loop, seen = asyncio.get_running_loop(), []

    @settings(max_examples=60)
    @given(st.data())
    def hold(data):
        described = data.draw(st.sampled_from(PARAMETERS))
        schema, kind = described.parameter["schema"], described.parameter["in"]
        texts = texts_of(data.draw(any_of(schema)))
        if (
            texts is None
            or texts[0] in UNSENDABLE[kind]
            or described.parameter["name"] in BY_STATE
            or (described.parameter["name"] == "at" and is_in_the_future(texts[0]))
        ):
            return
        if kind == "header" and (texts[0] != texts[0].strip() or not texts[0].isprintable()):
            return
        refusal = asyncio.run_coroutine_threadsafe(refuses(session, described, texts), loop)
        case = [(texts, is_described(schema, texts), refusal.result(30))]
        assert differences(case) == [], str(described)
        seen.append(case)

    await asyncio.to_thread(hold)
    assert len(seen) > 25


async def test_random_bodies(session):
    loop = asyncio.get_running_loop()

    @settings(max_examples=60)
    @given(st.data())
    def hold(data):
        route = data.draw(st.sampled_from(BODIES))
        schema = body_schema(route)
        kind, whole = data.draw(st.sampled_from([*VALUES.objects(schema)]))
        changed = data.draw(st.sets(st.sampled_from([*kind["properties"]]), max_size=3))
        element = whole | {name: data.draw(any_of(kind["properties"][name])) for name in sorted(changed)}
        body = [element] if schema.get("type") == "array" else element
        refusal = asyncio.run_coroutine_threadsafe(refuses_body(session, route, body), loop)
        assert differences([(body, VALUES.describes(schema, body), refusal.result(30))]) == []

    await asyncio.to_thread(hold)
