"""Example requests and answers of the API, recorded from the service by tests/record_examples.py (`make examples`)."""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from msgspec import Struct

from service.http.route import Route

EXAMPLES_FILE = Path(__file__).with_name("examples.json")


class ExampleRequest(Struct):
    """A request; `target` is path and query. The body is a JSON value, or the text of another media type."""

    target: str
    headers: dict[str, str] = {}
    body: Any = None


class ExampleAnswer(Struct):
    """An answer, whose body may be shortened."""

    status: int
    headers: dict[str, str] = {}
    body: Any = None


class Example(Struct):
    """A recorded request and its answer; `operation` is the method and the path template of its route."""

    operation: str
    request: ExampleRequest
    answer: ExampleAnswer

    @property
    def succeeded(self) -> bool:
        """Whether the answer is not an error."""
        return self.answer.status < HTTPStatus.BAD_REQUEST

    @property
    def path_values(self) -> dict[str, str]:
        """The values of the path's parameters."""
        template = self.operation.partition(" ")[2]
        match = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template), urlsplit(self.request.target).path)
        return {name: unquote(value) for name, value in match.groupdict().items()} if match else {}

    @property
    def query_values(self) -> dict[str, list[str]]:
        """The values of the query's parameters."""
        return parse_qs(urlsplit(self.request.target).query, keep_blank_values=True)


@cache
def _by_operation() -> dict[str, list[Example]]:
    examples: dict[str, list[Example]] = {}
    for example in msgspec.json.decode(EXAMPLES_FILE.read_bytes(), type=list[Example]):
        examples.setdefault(example.operation, []).append(example)
    return examples


def examples_of(route: Route) -> list[Example]:
    """Return the examples of a route in the order in which they were recorded."""
    return _by_operation().get(f"{route.method} {route.path}", [])


def main_example(route: Route) -> Example | None:
    """Return the first example that succeeded."""
    return next((example for example in examples_of(route) if example.succeeded), None)
