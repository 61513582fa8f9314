"""The pages for people: /docs, made from the OpenAPI document, and /errors/{code}, made from the errors' docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import hdrs

from service.errors import RunfoldError
from service.http.openapi.document import document, error_kinds, operation_id
from service.http.openapi.examples import Example, main_example
from service.http.openapi.html import PREFIX, SERVER, code, inline, page, prose, table
from service.http.problems import HTTP_TITLES, status_of
from service.http.route import Route, Tag

_FIRST_ERROR = str(int(HTTPStatus.BAD_REQUEST))


@cache
def docs_page(routes: tuple[Route, ...]) -> bytes:
    """Return the page of the whole API."""
    description = document(routes)
    by_tag = {tag: [route for route in routes if route.tag is tag] for tag in Tag}
    operations = {route: description["paths"][route.path][route.method.lower()] for route in routes}
    sections = "".join(
        f'<section data-group><h2 id="{escape(tag)}">{escape(tag)}</h2>'
        f"{''.join(_operation(route, operations[route]) for route in tagged)}</section>"
        for tag, tagged in by_tag.items()
    )
    return page(
        "Runfold API",
        f'<div class="layout"><nav aria-label="Contents">{_contents(by_tag)}</nav>'
        f"<main>{_intro(description)}{sections}{_types(description)}</main></div>",
        script=True,
    )


def _contents(by_tag: Mapping[Tag, list[Route]]) -> str:
    contents = '<input type="search" placeholder="Find (press /)" aria-label="Find an operation or a type">'
    for tag, routes in by_tag.items():
        items = "".join(
            f'<li data-find="{_search_text(route)}"><a href="#{operation_id(route)}">{escape(route.summary)}</a></li>'
            for route in routes
        )
        contents += f"<div data-group><h2>{escape(tag)}</h2><ul>{items}</ul></div>"
    return f'{contents}<ul><li><a href="#types">Types</a></li><li><a href="#errors">Errors</a></li></ul>'


def _search_text(route: Route) -> str:
    return escape(f"{route.method} {route.path} {route.summary} {route.description}".lower())


def _intro(description: dict[str, Any]) -> str:
    info = description["info"]
    errors = "".join(f'<a href="{PREFIX}/errors/{kind.code}"><code>{kind.code}</code></a> ' for kind in error_kinds())
    return (
        f"<h1>{escape(info['title'])} API</h1>"
        f'<p class="faint">Version {escape(info["version"])} · <a href="{PREFIX}/openapi.json">OpenAPI document</a></p>'
        f"{prose(info['description'])}"
        "<p>Where authentication is on, send <code>Authorization: Bearer SECRET</code>; "
        "<code>runfold keys create</code> makes secrets.</p>"
        f'<p id="errors">Errors are <code>application/problem+json</code>; each <code>type</code> is the address of a '
        f'page: {errors}</p><p class="none">Nothing here has all of these words.</p>'
    )


def _operation(route: Route, operation: dict[str, Any]) -> str:
    name, method = operation_id(route), route.method.lower()
    example = main_example(route)
    parts = [
        f'<h3><a href="#{name}">{escape(route.summary)}</a></h3>',
        f'<p class="path"><span class="method {method}">{route.method}</span> {escape(route.path)}</p>',
        prose(route.description),
        _parameters(operation.get("parameters", [])),
        _body(operation),
        _answers(operation["responses"]),
        code(_curl(route, example)) + code(_answer_text(example)) if example else "",
    ]
    return f'<article id="{name}" data-find="{_search_text(route)}">{"".join(parts)}</article>'


def _parameters(parameters: list[dict[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = (
        (
            f"<code>{escape(parameter['name'])}</code>",
            _type(parameter["schema"]),
            f"{inline(parameter['description'])} <span class=faint>{_location(parameter)}</span>",
        )
        for parameter in parameters
    )
    return table(("Parameter", "Type", ""), rows)


def _location(parameter: dict[str, Any]) -> str:
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
        schema = next((each["schema"] for each in content.values() if "schema" in each), None)
        kind = _type(schema) if schema else ", ".join(f"<code>{escape(media_type)}</code>" for media_type in content)
        rows.append((f"<code>{status}</code>", kind, inline(answer["description"])))
    return table(("Answer", "Type", ""), rows) + f'<p class="faint">Errors: {", ".join(errors)}</p>'


def _type(schema: dict[str, Any]) -> str:
    """Return a type in a word or two, as a link where it has a name."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f'<a href="#type-{name}">{escape(name)}</a>'
    if alternatives := schema.get("anyOf"):
        return " or ".join(_type(alternative) for alternative in alternatives)
    if values := schema.get("enum"):
        return " ".join(f"<code>{escape(str(value))}</code>" for value in values)
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and schema.get("additionalProperties"):
        return f"object of {_type(schema['additionalProperties'])}"
    types = schema.get("type", "any")
    return escape(schema.get("format") or (types if isinstance(types, str) else " or ".join(types)))


def _types(description: dict[str, Any]) -> str:
    types = "".join(_named_type(name, schema) for name, schema in description["components"]["schemas"].items())
    return f'<section data-group><h2 id="types">Types</h2>{types}</section>'


def _named_type(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = (
        (f"<code>{escape(field)}</code>{' *' if field in required else ''}", _type(of))
        for field, of in schema.get("properties", {}).items()
    )
    search_text = escape(f"{name} {' '.join(schema.get('properties', {}))}".lower())
    fields = table(("Field (* required)", "Type"), rows) if "properties" in schema else f"<p>{_type(schema)}</p>"
    return (
        f'<article id="type-{name}" data-find="{search_text}"><h3>{escape(name)}</h3>'
        f"{prose(schema.get('description', ''))}{fields}</article>"
    )


def _curl(route: Route, example: Example) -> str:
    request = example.request
    method = "" if route.method == hdrs.METH_GET else f" -X {route.method}"
    lines = [f"curl{method} {_quoted(SERVER + request.target)}"]
    lines += [f"  -H {_quoted(f'{name}: {value}')}" for name, value in request.headers.items()]
    if request.body is not None:
        text = request.body if isinstance(request.body, str) else orjson.dumps(request.body).decode()
        lines.append(f"  --data-binary {_quoted(text)}")
    return " \\\n".join(lines)


def _quoted(text: str) -> str:
    """Return an argument for a shell; always in quotes, unlike shlex.quote."""
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"


def _answer_text(example: Example) -> str:
    answer = example.answer
    head = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    head += [f"{name}: {value}" for name, value in answer.headers.items()]
    if answer.body is None:
        return "\n".join(head)
    body = (
        answer.body if isinstance(answer.body, str) else orjson.dumps(answer.body, option=orjson.OPT_INDENT_2).decode()
    )
    return "\n".join([*head, "", body])


@cache
def error_pages() -> dict[str, bytes]:
    """Return the pages of all errors by their code."""
    return {
        name: page(
            f"{title} - Runfold",
            f'<main class="single"><p class="faint">Status {status} · <code>{escape(name)}</code></p>'
            f"<h1>{escape(title)}</h1>{prose(text)}"
            f'<p><a href="{PREFIX}/docs#errors">All errors, and the API</a></p></main>',
        )
        for name, status, title, text in _errors()
    }


def _errors() -> Iterator[tuple[str, int, str, str]]:
    """Yield the code, status, title and text of each error."""
    for kind in error_kinds():
        yield kind.code, status_of(kind), kind.title, _text(kind)
    for status, title in HTTP_TITLES.items():
        yield f"http-{status}", status, title, _HTTP_TEXTS[status]


_HTTP_TEXTS = {
    404: "No route of this service has such a path.\n\nCheck it: a `/` within a name must be sent as `%2F`.",
    405: "The path exists, but it takes other methods.\n\nThe header `Allow` of the answer lists them.",
    413: "The body has more bytes than the service accepts.\n\nSend less at once.",
}


def _text(kind: type[RunfoldError]) -> str:
    return inspect.cleandoc(kind.__doc__ or "")
