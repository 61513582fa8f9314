"""Generates the OpenAPI document from the app's routes and from the types that validate."""

import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import Any

import msgspec
from aiohttp import hdrs, web
from msgspec import Struct

from service.errors import RunfoldError, Unavailable
from service.http.openapi import responses
from service.http.openapi.operations import BATCHES, OPERATIONS, Operation, Parameter
from service.http.paths import OPEN, REST
from service.http.problems import STATUS

_COMPONENT = "#/components/schemas/{name}"
_IN_PATH = re.compile(r"{(\w+)}")
_BEARER = "apiKey"

_DESCRIPTION = """\
Runfold remembers every transition of every job run, and answers with runs as their history makes them. Its API is
Marquez's where Marquez has one: OpenLineage and Marquez clients work unchanged.

Times go out as RFC 3339 in UTC; they come in as ISO 8601 with `Z`, an offset, or naive (taken as UTC). Names travel
percent-encoded and may hold any character. Every request is safe to repeat."""

_PATH_PARAMETERS = {
    "namespace": ("The namespace's name.", {"type": "string", "minLength": 1, "maxLength": 1024}),
    "job": ("The job's name.", {"type": "string", "minLength": 1, "maxLength": 1024}),
    "id": ("The run's id.", {"type": "string", "format": "uuid"}),
    "code": ("The last part of an error's `type`.", {"type": "string"}),
}


def routes_of(app: web.Application) -> list[tuple[str, str, web.AbstractRoute]]:
    """Return method, path and route of all there are, as the table has them; HEAD comes with GET."""
    found = [
        (route.method, route.resource.canonical, route)
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical != REST and route.method != hdrs.METH_HEAD
    ]
    order = {key: index for index, key in enumerate(OPERATIONS)}
    return sorted(found, key=lambda one: order.get(one[:2], len(order)))


def document(app: web.Application) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an application."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, route in routes_of(app):
        operation = OPERATIONS.get((method, path)) or _undescribed(route)
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Runfold",
            "version": metadata.version("runfold") if _installed() else "0",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {_BEARER: []}],
        "tags": [{"name": tag} for tag in _tags()],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                _BEARER: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made with `runfold keys create`; needed where authentication is on. Scope `read` "
                    "is enough for GET and for looking runs up, everything else needs `write`.",
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


def _tags() -> list[str]:
    return list(dict.fromkeys(operation.tag for operation in OPERATIONS.values()))


def _undescribed(route: web.AbstractRoute) -> Operation:
    summary = (route.handler.__doc__ or "").strip().partition("\n")[0]
    return Operation("Service", summary, {200: "application/json"})


def _operation(method: str, path: str, operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": _operation_id(method, path),
        "responses": {str(status): _answer(path, status, answer) for status, answer in operation.responses.items()}
        | {str(status): _problem(status) for status in _errors(path, operation)},
    }
    if operation.description:
        told["description"] = operation.description
    parameters = [*_path_parameters(path), *(_parameter(one) for one in operation.parameters)]
    if parameters:
        told["parameters"] = parameters
    if operation.body is not None:
        told["requestBody"] = _body(path, operation, operation.body)
    if path in OPEN:
        told["security"] = [{}]
    return told


def _operation_id(method: str, path: str) -> str:
    words = re.findall(r"\w+", path.removeprefix("/api/v1"))
    return "_".join([method.lower(), *words])


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name in _IN_PATH.findall(path):
        description, schema = _PATH_PARAMETERS[name]
        yield {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _body(path: str, operation: Operation, body: type[Struct]) -> dict[str, Any]:
    schema: dict[str, Any] = _reference(body)
    if path in BATCHES:
        schema = {"type": "array", "items": schema}
    content = {kind: {"schema": schema} if kind == "application/json" else {} for kind in operation.body_types}
    return {"required": operation.body_required, "content": content}


def _answer(path: str, status: int, answer: type[Struct] | str | None) -> dict[str, Any]:
    if answer is None:
        return {"description": "Done."} if status != web.HTTPFound.status_code else {"description": "See Location."}
    if isinstance(answer, str):
        return {"description": "As asked.", "content": {answer: {}}}
    told: dict[str, Any] = {
        "description": _sentence(answer),
        "content": {"application/json": {"schema": _reference(answer)}},
    }
    if (status, path) == (201, "/api/v1/namespaces/{namespace}/jobs/{job}/runs"):
        told["headers"] = {"Location": {"description": "The run.", "schema": {"type": "string", "format": "uri"}}}
    return told


def _errors(path: str, operation: Operation) -> list[int]:
    """What any route may answer beside its own errors; what needs no key needs no database, but for /readyz."""
    common = {503} if path == "/readyz" else set() if path in OPEN else {401, 403, 503}
    if operation.body is not None:
        common.add(408)
    return sorted(common.union(operation.errors))


def _problem(status: int) -> dict[str, Any]:
    title = next(kind.title for kind, found in STATUS.items() if found == status)
    told: dict[str, Any] = {
        "description": f"{title}.",
        "content": {"application/problem+json": {"schema": _reference(responses.Problem)}},
    }
    if status == STATUS[Unavailable]:
        told["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return told


def _reference(kind: type[Struct]) -> dict[str, str]:
    return {"$ref": _COMPONENT.format(name=kind.__name__)}


def _sentence(kind: type[Struct]) -> str:
    return (kind.__doc__ or "").strip()


def _schemas() -> dict[str, Any]:
    kinds = dict.fromkeys([responses.Problem, *_kinds(OPERATIONS.values())])
    _, components = msgspec.json.schema_components(kinds, ref_template=_COMPONENT)
    return dict(sorted(components.items()))


def _kinds(operations: Iterable[Operation]) -> Iterator[type[Struct]]:
    for operation in operations:
        if operation.body is not None:
            yield operation.body
        for answer in operation.responses.values():
            if isinstance(answer, type):
                yield answer


def error_kinds() -> list[type[RunfoldError]]:
    """Return all errors that have a page, the base first, in the order of their tree."""

    def below(kind: type[RunfoldError]) -> Iterator[type[RunfoldError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    return list({kind.code: kind for kind in reversed(list(below(RunfoldError)))}.values())[::-1]
