"""Answers errors as problems of RFC 9457. Only this module decides which status an error has."""

import re
from typing import Any

import orjson
from aiohttp import web

from service import errors
from service.errors import RunfoldError

STATUS: dict[type[RunfoldError], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.TooSlow: 408,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.UnsupportedType: 415,
    errors.Invalid: 422,
    errors.RateLimited: 429,
    errors.Unavailable: 503,
}

HTTP_TITLES = {
    404: "No such route",
    405: "The route does not take this method",
    413: "The request is too large",
}
"""Titles of the errors that aiohttp raises; their codes are http-404 and so on."""

SERVER_ERROR = 500


def status_of(error: type[RunfoldError]) -> int:
    """Return the status of an error's class, or of its nearest base class that has one."""
    return next((STATUS[kind] for kind in error.__mro__ if kind in STATUS), SERVER_ERROR)


def problem(status: int, code: str, title: str, detail: str, *, prefix: str = "", **more: Any) -> web.Response:  # noqa: ANN401
    """Return a problem of RFC 9457, on a line, that also has Marquez's `code` and `message`, for clients of either.

    `prefix` is the path below which the client finds the service.
    """
    body = {
        "type": f"{prefix}/errors/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": status,
        "message": detail,
        **more,
    }
    text = orjson.dumps(body) if detail.isascii() else orjson.dumps(_escape_surrogates(body))
    return web.Response(body=text + b"\n", status=status, content_type="application/problem+json")


def _escape_surrogates(body: dict[str, Any]) -> dict[str, Any]:
    """Escape lone surrogates that the request had: they cannot be encoded as UTF-8."""
    return {
        name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for name, value in body.items()
    }


def of_error(error: RunfoldError, prefix: str = "") -> web.Response:
    """Return the answer to an error of the service; `prefix` as for problem()."""
    more: dict[str, Any] = {name: orjson.Fragment(text) for name, text in error.extensions.items()}
    if error.errors:
        more["errors"] = [_escape_surrogates(field._asdict()) for field in error.errors]
    if isinstance(error, errors.Conflict):
        more["run"] = orjson.Fragment(error.run)
    response = problem(status_of(type(error)), error.code, error.title, error.detail, prefix=prefix, **more)
    if isinstance(error, (errors.Unavailable, errors.RateLimited)):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="runfold"'
    if isinstance(error, errors.TooSlow):
        response.force_close()
    return response


_MARQUEZ_ROUTES = re.compile(r"/api/(?:v2beta/search/(?:jobs|datasets)|v1-beta/graphql)")
"""Routes of Marquez 0.51 that this service does not have, or not with every method."""


def unrouted(method: str, path: str, allowed: set[str]) -> web.HTTPException:
    """Return the error for a request without a route: 405 where the path takes other methods, else 404.

    `path` is percent-encoded. The error says so where Marquez has the route.
    """
    error: web.HTTPException = web.HTTPMethodNotAllowed(method, allowed) if allowed else web.HTTPNotFound()
    if _MARQUEZ_ROUTES.fullmatch(path):
        error.add_note("Runfold does not have this route of Marquez")
    return error


def of_http(error: web.HTTPException, prefix: str = "") -> web.Response:
    """Return the answer to an error that aiohttp raises (no such route, wrong method); `prefix` as for problem()."""
    title = HTTP_TITLES.get(error.status, error.reason)
    # Marquez's words, which its clients may match; the page of the error explains more.
    detail = ": ".join([f"HTTP {error.status} {error.reason}", *getattr(error, "__notes__", ())])
    response = problem(error.status, f"http-{error.status}", title, detail, prefix=prefix)
    if isinstance(error, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return response
