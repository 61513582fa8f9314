"""Makes the OpenAPI document from the routes, from the types that validate bodies, and from recorded examples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from typing import Any

import msgspec
import orjson
from aiohttp import hdrs, web
from msgspec import Struct

from service.auth.keys import Scope
from service.errors import RateLimited, RunfoldError, Unavailable
from service.http.fast_path import BEHIND, RECORDED
from service.http.openapi import lineage_schema, responses
from service.http.openapi.examples import Example, examples_of
from service.http.parameters import Location, Parameter
from service.http.paths import BASE
from service.http.problems import STATUS, status_of
from service.http.route import ArrayOf, Body, Reach, Route, Tag
from service.payloads.schemas import MAX_NAME, STORABLE, OpenLineageEvent

_COMPONENT = "#/components/schemas/{name}"
_BEARER = "apiKey"
_JSON = "application/json"

_DESCRIPTION = """\
Runfold records every transition of every job run, and answers with runs as their history makes them. Its API is
Marquez's where Marquez has one: OpenLineage and Marquez clients work unchanged.

Times go out as RFC 3339 in UTC; they come in as ISO 8601 with `Z`, an offset, or naive (taken as UTC). Names travel
percent-encoded and may hold any character. A query parameter that an operation does not take is an error.

Repeating a request records nothing twice, with one exception: a run that is created without `id` and without
`Idempotency-Key` is a new run each time. So send one of the two, and repeat any request whose answer did not arrive.
The header `Runfold-Recorded` of an answer says whether the request recorded an event, and at which position."""

_NAME_IN_PATH = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, **STORABLE}
_PATH_PARAMETERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "namespace": ("The namespace's name.", _NAME_IN_PATH),
    "job": ("The job's name.", _NAME_IN_PATH),
    "dataset": ("The dataset's name.", _NAME_IN_PATH),
    "field": ("The field's name.", _NAME_IN_PATH),
    "source": ("The source's name.", _NAME_IN_PATH),
    "tag": ("The tag's name.", _NAME_IN_PATH),
    "version": ("The version's id, a UUID. Nothing else is found.", {"type": "string", "minLength": 1}),
    "id": ("The run's id: a UUID, or the `runId` of its OpenLineage events.", {"type": "string", "minLength": 1}),
    "code": ("The last part of an error's `type`.", {"type": "string", "minLength": 1}),
}
_HEADERS: Mapping[str, dict[str, Any]] = {
    str(hdrs.LOCATION): {"type": "string", "format": "uri-reference"},
    str(BEHIND): {"type": "string", "pattern": "^(some|[1-9][0-9]*)$"},
    str(RECORDED): {"type": "string", "pattern": "^(none|[1-9][0-9]*)$"},
}
"""The schemas of the headers of answers."""

_UNRECORDED_HEADERS = {str(BEHIND): ["1200"]}
"""Examples of headers that answers have only under load, so that no recorded one has them."""


_ROOT = "/"


@cache
def _document_json(routes: tuple[Route, ...]) -> bytes:
    return orjson.dumps(document(routes))


def document_json(routes: tuple[Route, ...], server: str = "") -> bytes:
    """Return the document as JSON. `server` is the path or URL below which clients find the routes."""
    text = _document_json(routes)
    return text.replace(_servers(_ROOT), _servers(server), 1) if server else text


def _servers(url: str) -> bytes:
    return b'"servers":%b' % orjson.dumps([{"url": url}])


@cache
def document(routes: tuple[Route, ...]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes. It is made once: callers must not change it."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Runfold",
            "version": metadata.version("runfold") if _installed() else "0",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": _ROOT}],
        "security": [{}, {_BEARER: []}],
        "tags": [{"name": tag} for tag in Tag],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {
                _BEARER: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made with `runfold keys create`; needed where authentication is on. Scope `read` "
                    "is enough for GET and for looking runs up, everything else needs `write`. A key may be bound to "
                    "namespaces: what belongs to others does not exist for it, and recording it is a 403.",
                }
            },
        },
    }


def _installed() -> bool:
    try:
        metadata.version("runfold")
    except metadata.PackageNotFoundError:
        return False
    return True


def _operation(route: Route) -> dict[str, Any]:
    examples = examples_of(route)
    operation: dict[str, Any] = {
        "tags": [route.tag],
        "summary": route.summary,
        "operationId": operation_id(route),
        "responses": {str(status): _answer(route, status, examples) for status in route.answers}
        | {str(status): _problem(status, examples) for status in error_statuses(route)},
    }
    unbound = "For API keys that are not bound to namespaces." if route.reach is Reach.ALL else ""
    if description := " ".join(filter(None, (route.description, unbound))):
        operation["description"] = description
    successes = [example for example in examples if example.succeeded]
    parameters = [*_path_parameters(route, successes), *(_parameter(each, successes) for each in route.parameters)]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = _request_body(route.body, successes)
    if route.scope is Scope.OPEN:
        operation["security"] = [{}]
    return operation


def operation_id(route: Route) -> str:
    """Return the id of a route's operation, made of its method and path."""
    words = re.findall(r"\w+", route.path.removeprefix(BASE))
    return "_".join([route.method.lower(), *words])


def _path_parameters(route: Route, examples: list[Example]) -> Iterator[dict[str, Any]]:
    for name in route.path_parameters:
        description, schema = _PATH_PARAMETERS[name]
        parameter = {"name": name, "in": "path", "required": True, "description": description, "schema": schema}
        values = [example.path_values[name] for example in examples]
        yield _with_example(parameter, values)


def _parameter(parameter: Parameter[Any], examples: list[Example]) -> dict[str, Any]:
    if parameter.location is Location.QUERY:
        given = [example.query_values.get(parameter.name, []) for example in examples]
        values = [_json_value(parameter.schema, texts) for texts in given if texts]
    else:
        values = [value for example in examples if (value := example.request.headers.get(parameter.name))]
    description = {
        "name": parameter.name,
        "in": parameter.location.value,
        "required": parameter.required,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }
    return _with_example(description, values)


def _json_value(schema: Mapping[str, Any], texts: list[str]) -> Any:  # noqa: ANN401  what the schema describes
    """Return the JSON value of the texts of a query parameter."""
    if schema["type"] == "array":
        return [value for text in texts for value in text.split(",")]
    return orjson.loads(texts[0]) if schema["type"] in ("integer", "boolean") else texts[0]


def _with_example(description: dict[str, Any], values: list[Any]) -> dict[str, Any]:
    return description | {"example": values[0]} if values else description


def _request_body(body: Body, examples: list[Example]) -> dict[str, Any]:
    schema: dict[str, Any] = _reference(body.type)
    if body.array:
        schema = {"type": "array", "items": schema}
    content = {}
    for kind in body.media_types:
        sent = [each.request.body for each in examples if each.request.headers.get(hdrs.CONTENT_TYPE) == kind]
        content[kind] = _with_example({"schema": schema} if kind == _JSON else {}, sent)
    return {"required": body.required, "content": content}


def _answer(route: Route, status: int, examples: list[Example]) -> dict[str, Any]:
    kind = route.answers[status]
    matching = [example.answer for example in examples if example.answer.status == status]
    if kind is None:
        answer: dict[str, Any] = {"description": "See Location." if status == web.HTTPFound.status_code else "Done."}
    elif isinstance(kind, str):
        content = _with_example({}, [each.body for each in matching])
        answer = {"description": "Done.", "content": {kind: content}}
    else:
        item = kind.type if isinstance(kind, ArrayOf) else kind
        schema: dict[str, Any] = _reference(item)
        if isinstance(kind, ArrayOf):
            schema = {"type": "array", "items": schema}
        content = _with_example({"schema": schema}, [each.body for each in matching])
        answer = {"description": (item.__doc__ or "").strip(), "content": {_JSON: content}}
    if status in route.headers:
        answer["headers"] = {
            name: _with_example(
                {"description": description, "schema": _HEADERS[name]},
                [each.headers[name] for each in matching if name in each.headers] or _UNRECORDED_HEADERS.get(name, []),
            )
            for name, description in route.headers[status].items()
        }
    return answer


def error_statuses(route: Route) -> list[int]:
    """Return the statuses of the errors that a route may answer."""
    return sorted({status_of(error) for error in route.all_errors})


def _problem(status: int, examples: list[Example]) -> dict[str, Any]:
    title = next(kind.title for kind, found in STATUS.items() if found == status)
    bodies = [example.answer.body for example in examples if example.answer.status == status]
    content = _with_example({"schema": _reference(responses.Problem)}, bodies)
    problem: dict[str, Any] = {"description": f"{title}.", "content": {"application/problem+json": content}}
    if status in (STATUS[Unavailable], STATUS[RateLimited]):
        problem["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return problem


def _reference(kind: type[Struct]) -> dict[str, str]:
    return {"$ref": _COMPONENT.format(name=kind.__name__)}


def _schemas(routes: tuple[Route, ...]) -> dict[str, Any]:
    all_kinds: list[type[Struct]] = [responses.Problem, *(kind for route in routes for kind in _types(route))]
    kinds = dict.fromkeys(all_kinds)
    described = [kind for kind in kinds if kind is not OpenLineageEvent]
    _, components = msgspec.json.schema_components(described, ref_template=_COMPONENT)
    for kind in described:
        components[kind.__name__] |= getattr(kind, "json_schema", {})
    return dict(sorted((components | lineage_schema.COMPONENTS).items()))


def _types(route: Route) -> Iterator[type[Struct]]:
    if route.body is not None:
        yield route.body.type
    for answer in route.answers.values():
        if isinstance(answer, ArrayOf):
            yield answer.type
        elif isinstance(answer, type):
            yield answer


@cache
def error_kinds() -> list[type[RunfoldError]]:
    """Return all errors that have a page, the base class first, in the order of their tree."""

    def with_subclasses(kind: type[RunfoldError]) -> Iterator[type[RunfoldError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from with_subclasses(child)

    return list({kind.code: kind for kind in reversed(list(with_subclasses(RunfoldError)))}.values())[::-1]
