"""The web interface: the page, at every address that it shows, and the files that it loads."""

from __future__ import annotations

from aiohttp import hdrs, web

from service.auth.keys import Scope
from service.errors import NotFound
from service.http.addresses import ADDRESSES
from service.http.route import Reach, Route, Tag
from service.http.ui import bundle

_ADDRESSES = (
    "/overview",
    "/runs",
    "/runs/{id}",
    "/jobs",
    "/jobs/{namespace}/{job}",
    "/datasets",
    "/datasets/{namespace}/{dataset}",
    "/lineage",
    "/lineage/{kind}/{namespace}/{name}",
    "/ledger",
)
"""The addresses of views. Names in them are percent-encoded, as in those of the API."""

_NODES = ("job", "dataset")
"""What graphs of lineage are of: `kind` of an address."""

_TEXT_HTML = "text/html"


async def root(request: web.Request) -> web.Response:
    """Answer the page to a browser, and send others to /docs."""
    prefix = request.app[ADDRESSES].prefix(request)
    if _TEXT_HTML in request.headers.get(hdrs.ACCEPT, "") and bundle.is_built():
        return bundle.page_response(request, prefix)
    path = f"{prefix}/docs"
    headers = {hdrs.LOCATION: path, hdrs.VARY: hdrs.ACCEPT}
    return web.Response(status=web.HTTPFound.status_code, headers=headers, text=f"See {path}.\n")


async def page(request: web.Request) -> web.Response:
    """Answer the page; its script finds out by the address what to show."""
    if not bundle.is_built():
        raise NotFound("the web interface is not built: run `python hatch_build.py`, or install the wheel")
    if request.match_info.get("kind", _NODES[0]) not in _NODES:
        raise NotFound("graphs of lineage are of a job or a dataset")
    return bundle.page_response(request, request.app[ADDRESSES].prefix(request))


async def asset(request: web.Request) -> web.Response:
    """Answer a file that the page loads."""
    response = bundle.asset_response(request, request.match_info["file"])
    if response is None:
        raise NotFound("there is no such file; a page of an earlier version asks for it: reload the page")
    return response


ROOT = Route(
    method="GET",
    path="/",
    handler=root,
    scope=Scope.OPEN,
    reach=Reach.NO_DATA,
    tag=Tag.SERVICE,
    summary="Open the web interface",
    description="Requests that do not accept `text/html` are sent to /docs.",
    answers={200: _TEXT_HTML, 302: None},
    headers={302: {"Location": "/docs"}},
    any_query=True,
)

PAGES = tuple(
    Route(
        method="GET",
        path=path,
        handler=handler,
        scope=Scope.OPEN,
        reach=Reach.NO_DATA,
        tag=Tag.SERVICE,
        summary="",
        answers={},
        any_query=any_query,
    )
    for path, handler, any_query in (
        *((address, page, True) for address in _ADDRESSES),
        ("/assets/{file}", asset, False),
    )
)
"""Routes that are no part of the described API."""
