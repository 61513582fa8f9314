"""Answers a browser that was sent to an address at which there is nothing: with the page of the web interface."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import hdrs, web

from service.http.addresses import ADDRESSES
from service.http.paths import REST
from service.http.route import CONTEXT
from service.http.ui import bundle

_HTML = "text/html"
_JSON = ("application/json", "application/problem+json")
_METHODS = (hdrs.METH_GET, hdrs.METH_HEAD)
_API = "/api/"


def prefers_html(accept: str) -> bool:
    """Tell whether an Accept header names `text/html`, and nothing that the API answers is as welcome.

    A wildcard of the same weight does not count: it is less specific.
    """
    weights: dict[str, float] = {}
    for each in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in each.split(";"))
        weights[media_type] = _weight(parameters)
    html = weights.get(_HTML, 0)
    return html >= weights.get("*/*", 0) and html > max(weights.get(each, 0) for each in _JSON)


def _weight(parameters: list[str]) -> float:
    """Return the weight `q` among the parameters of a media type; 0 for one that is no number from 0 to 1."""
    given = next((each.removeprefix("q=") for each in parameters if each.startswith("q=")), "1")
    try:
        weight = float(given)
    except ValueError:
        return 0
    return weight if 0 <= weight <= 1 else 0


def may_navigate(request: web.Request) -> bool:
    """Tell whether the answer to a request without a resource depends on Accept: outside of the API, to read."""
    return request.method in _METHODS and not f"{request.path}/".startswith(_API) and bundle.is_built()


def is_navigation(request: web.Request) -> bool:
    """Tell whether a person who sees only what the browser shows asks for an address outside of the API."""
    return may_navigate(request) and prefers_html(",".join(request.headers.getall(hdrs.ACCEPT, ())))


def for_reader(response: web.Response, request: web.Request) -> web.Response:
    """Return an error as its reader needs it: to a browser's navigation, a 404 is the page that says so."""
    not_found = response.status == HTTPStatus.NOT_FOUND
    if not (not_found or request[CONTEXT].route.path == REST) or not may_navigate(request):
        return response
    if not_found and is_navigation(request):
        return bundle.not_found_response(request.app[ADDRESSES].prefix(request))
    response.headers[hdrs.VARY] = hdrs.ACCEPT
    return response
