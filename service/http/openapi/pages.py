"""The pages people read: /docs, written from the OpenAPI document, and /errors/{code}, from the errors' docstrings."""

import inspect
import json
from collections.abc import Iterator
from html import escape
from typing import Any

from aiohttp import web

from service.errors import RunfoldError
from service.http.openapi.document import error_kinds
from service.http.openapi.html import code, inline, page, prose, table
from service.http.problems import HTTP_TITLES, status_of

_EXAMPLES: dict[str, Any] = {
    "CreateRun": {"args": {"email": "me@example.com"}},
    "PutNamespace": {"ownerName": "me"},
    "PutJob": {"type": "BATCH", "inputs": [], "outputs": []},
    "LookUpRuns": {"ids": ["870492da-ecfb-4be0-91b9-9a89ddd3db90"]},
    "OpenLineageEvent": {
        "eventType": "START",
        "eventTime": "2019-05-09T15:17:32Z",
        "producer": "https://example.com/me",
        "run": {"runId": "870492da-ecfb-4be0-91b9-9a89ddd3db90"},
        "job": {"namespace": "etl", "name": "load"},
    },
}
_FIRST_ERROR = "400"
_IN_PATH = {"namespace": "etl", "job": "load", "id": "870492da-ecfb-4be0-91b9-9a89ddd3db90", "code": "run-not-found"}


def docs(document: dict[str, Any]) -> web.Response:
    """Return the page of the whole API."""
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].append((method, path, operation))
    body = f'<div class="layout"><nav aria-label="Contents">{_contents(by_tag)}</nav><main>{_intro(document)}'
    for tag, operations in by_tag.items():
        told = "".join(_operation(*one) for one in operations)
        body += f'<section data-group><h2 id="{escape(tag)}">{escape(tag)}</h2>{told}</section>'
    return page("Runfold API", f"{body}{_types(document)}</main></div>", script=True)


def _contents(by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]]) -> str:
    told = '<input type="search" placeholder="Find (press /)" aria-label="Find an operation or a type">'
    for tag, operations in by_tag.items():
        items = "".join(
            f'<li data-find="{_findable(*one)}"><a href="#{one[2]["operationId"]}">{escape(one[2]["summary"])}</a></li>'
            for one in operations
        )
        told += f"<div data-group><h2>{escape(tag)}</h2><ul>{items}</ul></div>"
    return f'{told}<ul><li><a href="#types">Types</a></li><li><a href="#errors">Errors</a></li></ul>'


def _findable(method: str, path: str, operation: dict[str, Any]) -> str:
    return escape(f"{method} {path} {operation['summary']} {operation.get('description', '')}".lower())


def _intro(document: dict[str, Any]) -> str:
    info = document["info"]
    errors = "".join(f'<a href="/errors/{kind.code}"><code>{kind.code}</code></a> ' for kind in error_kinds())
    return (
        f"<h1>{escape(info['title'])} API</h1>"
        f'<p class="faint">Version {escape(info["version"])} · <a href="/openapi.json">OpenAPI document</a></p>'
        f"{prose(info['description'])}"
        "<p>Where authentication is on, send <code>Authorization: Bearer SECRET</code>; "
        "<code>runfold keys create</code> makes secrets.</p>"
        f'<p id="errors">Errors are <code>application/problem+json</code>; each <code>type</code> leads to a page: '
        f'{errors}</p><p class="none">Nothing here has all of these words.</p>'
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    name = operation["operationId"]
    parts = [
        f'<h3><a href="#{name}">{escape(operation["summary"])}</a></h3>',
        f'<p class="path"><span class="method {method}">{method.upper()}</span> {escape(path)}</p>',
        prose(operation.get("description", "")),
        _parameters(operation.get("parameters", [])),
        _body(operation),
        _answers(operation["responses"]),
        code(_curl(method, path, operation)),
    ]
    return f'<article id="{name}" data-find="{_findable(method, path, operation)}">{"".join(parts)}</article>'


def _parameters(parameters: list[dict[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = (
        (
            f"<code>{escape(one['name'])}</code>",
            _type(one["schema"]),
            f"{inline(one['description'])} <span class=faint>{_where(one)}</span>",
        )
        for one in parameters
    )
    return table(("Parameter", "Type", ""), rows)


def _where(parameter: dict[str, Any]) -> str:
    if parameter["in"] == "query":
        return "Required." if parameter["required"] else ""
    return {"path": "", "header": "A header."}[parameter["in"]]


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    kinds = ", ".join(f"<code>{escape(kind)}</code>" for kind in content)
    schema = content.get("application/json", {}).get("schema")
    return f"<p>Body: {_type(schema)} as {kinds}</p>" if schema else ""


def _answers(responses: dict[str, Any]) -> str:
    rows, errors = [], []
    for status, answer in responses.items():
        if status >= _FIRST_ERROR:
            errors.append(f'<abbr title="{escape(answer["description"])}">{status}</abbr>')
            continue
        content = answer.get("content", {})
        schema = next((of["schema"] for of in content.values() if "schema" in of), None)
        kind = _type(schema) if schema else ", ".join(f"<code>{escape(one)}</code>" for one in content)
        rows.append((f"<code>{status}</code>", kind, inline(answer["description"])))
    told = f'<p class="faint">Errors: {", ".join(errors)}</p>' if errors else ""
    return table(("Answer", "Type", ""), rows) + told


def _type(schema: dict[str, Any]) -> str:
    """Return a type in a word or two, with a connections where it has a name."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f'<a href="#type-{name}">{escape(name)}</a>'
    if alternatives := schema.get("anyOf"):
        return " or ".join(_type(one) for one in alternatives)
    if values := schema.get("enum"):
        return " ".join(f"<code>{escape(str(value))}</code>" for value in values)
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and schema.get("additionalProperties"):
        return f"object of {_type(schema['additionalProperties'])}"
    return escape(schema.get("format") or schema.get("type") or "any")


def _types(document: dict[str, Any]) -> str:
    told = "".join(_named_type(name, schema) for name, schema in document["components"]["schemas"].items())
    return f'<section data-group><h2 id="types">Types</h2>{told}</section>'


def _named_type(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = (
        (f"<code>{escape(field)}</code>{' *' if field in required else ''}", _type(of))
        for field, of in schema.get("properties", {}).items()
    )
    find = escape(f"{name} {' '.join(schema.get('properties', {}))}".lower())
    return (
        f'<article id="type-{name}" data-find="{find}"><h3>{escape(name)}</h3>'
        f"{prose(schema.get('description', ''))}{table(('Field (* required)', 'Type'), rows)}</article>"
    )


def _curl(method: str, path: str, operation: dict[str, Any]) -> str:
    for name, value in _IN_PATH.items():
        path = path.replace(f"{{{name}}}", value)
    needed = [one for one in operation.get("parameters", ()) if one["required"] and one["in"] == "query"]
    query = "&".join(f"{one['name']}={one['schema'].get('enum', ['…'])[0]}" for one in needed)
    url = f"http://localhost:5000{path}{'?' + query if query else ''}"
    command = "curl" if method == "get" else f"curl -X {method.upper()}"
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    example = _example(schema)
    line = f"{command} '{url}'"
    return line if example is None else f"{line} \\\n  -H 'Content-Type: application/json' \\\n  -d '{example}'"


def _example(schema: dict[str, Any]) -> str | None:
    item = schema.get("items", schema)
    value = _EXAMPLES.get(item.get("$ref", "").rpartition("/")[2])
    return None if value is None else json.dumps([value] if "items" in schema else value)


def error(wanted: str) -> web.Response | None:
    """Return the page of an error's code; None where there is no such code."""
    for name, status, title, text in _errors():
        if name == wanted:
            body = (
                f'<main class="single"><p class="faint">Status {status} · <code>{escape(name)}</code></p>'
                f"<h1>{escape(title)}</h1>{prose(text)}"
                f'<p><a href="/docs#errors">All errors, and the API</a></p></main>'
            )
            return page(f"{title} - Runfold", body)
    return None


def _errors() -> Iterator[tuple[str, int, str, str]]:
    """All codes there are, with status, title and text."""
    for kind in error_kinds():
        yield kind.code, status_of(kind), kind.title, _text(kind)
    for status, title in HTTP_TITLES.items():
        yield f"http-{status}", status, title, _HTTP_TEXTS[status]


_HTTP_TEXTS = {
    404: "No route of this service has such a path.\n\nCheck it: a `/` within a name must be sent as `%2F`.",
    405: "The path is right, and takes other methods.\n\nThe header `Allow` of the answer names them.",
    413: "The body holds more bytes than are taken here.\n\nSend less at once.",
}


def _text(kind: type[RunfoldError]) -> str:
    return inspect.cleandoc(kind.__doc__ or "")
