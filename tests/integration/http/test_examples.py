"""The examples of /openapi.json and /docs: recorded from the service, complete, and true of it."""

import json
import re

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from record_examples import record

from service.http.openapi.document import document, error_statuses
from service.http.openapi.examples import EXAMPLES_FILE, examples_of, main_example
from service.http.openapi.html import SERVER
from service.http.openapi.pages import docs_page
from service.http.routes import ROUTES

VARYING = (
    (re.compile(r"\b(?!2024|2999)\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])[0-9a-f]{32,64}\b"), "DIGEST"),
    (re.compile(r'"version": "[^"]+"'), '"version": "VERSION"'),
    (re.compile(r"(runfold_\w+) [\d.e+]+"), r"\1 NUMBER"),
)
"""What differs from one recording to the next: when it was made, digests of that, the version, how busy it was."""

BY_ROUTE = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")


def comparable(examples):
    text = json.dumps(examples, indent=1, ensure_ascii=False)
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return text.splitlines()


@pytest.fixture(scope="module")
def recorded():
    return json.loads(EXAMPLES_FILE.read_text(encoding="utf-8"))


async def test_the_examples_are_what_the_service_answers(server, recorded):
    """Run `make examples` where the API has changed."""
    assert comparable(await record(server.url)) == comparable(recorded)


@pytest.fixture(scope="module")
def validate():
    """Assert that a value is valid for a schema of the document."""
    components = json.loads(json.dumps(document(ROUTES)["components"]))

    def check(schema, value):
        whole = json.loads(json.dumps(schema)) | {"components": components}
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(json.loads(json.dumps(value)))

    return check


def operation(route):
    return document(ROUTES)["paths"][route.path][route.method.lower()]


@BY_ROUTE
def test_every_operation_has_an_example_of_its_success(route):
    example = main_example(route)
    assert example is not None
    assert example.answer.status in route.answers
    for status, answer in operation(route)["responses"].items():
        if int(status) in route.answers:
            assert all("example" in content for content in answer.get("content", {}).values())
            assert all("example" in header for header in answer.get("headers", {}).values())


@BY_ROUTE
def test_the_request_of_an_example_is_in_the_document(route):
    example = main_example(route)
    described = operation(route)
    given = {parameter["name"] for parameter in described.get("parameters", ()) if "example" in parameter}
    assert given >= set(route.path_parameters) | set(example.query_values)
    assert {parameter.name for parameter in route.parameters if parameter.required} <= given
    if route.body is not None:
        assert all("example" in content for content in described["requestBody"]["content"].values())


@BY_ROUTE
def test_every_example_is_valid_for_its_schema(route, validate):
    described = operation(route)
    for parameter in described.get("parameters", ()):
        if "example" in parameter:
            validate(parameter["schema"], parameter["example"])
    bodies = list(described.get("requestBody", {}).get("content", {}).values())
    bodies += [content for answer in described["responses"].values() for content in answer.get("content", {}).values()]
    for content in bodies:
        if "schema" in content and "example" in content:
            validate(content["schema"], content["example"])


@BY_ROUTE
def test_an_error_of_an_example_is_one_that_the_route_declares(route):
    statuses = {example.answer.status for example in examples_of(route)}
    assert statuses <= set(route.answers) | set(error_statuses(route))


@BY_ROUTE
def test_the_docs_show_the_request_and_the_answer(route):
    example = main_example(route)
    page = docs_page(ROUTES).decode()
    assert f"{SERVER}{example.request.target.replace('&', '&amp;')}" in page
    assert f"<pre><code>HTTP/1.1 {example.answer.status} " in page


def test_no_example_is_of_an_operation_that_is_gone(recorded):
    assert {each["operation"] for each in recorded} == {f"{route.method} {route.path}" for route in ROUTES}
