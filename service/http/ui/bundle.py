"""The files of the web interface, in memory: the page, and what it loads, which is compressed when it is built."""

from __future__ import annotations

import mimetypes
from functools import cache, lru_cache
from hashlib import sha256
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from aiohttp import hdrs, web

_DIRECTORY = Path(__file__).parent / "dist"
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
"""Encodings as Accept-Encoding names them, the best first, and the ends of file names."""

_BASE = b"@base@"

_PREFIXES = 16
"""Paths below which clients find the service, for which the page is kept; one for each proxy in front of it."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'self'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_PAGE_HEADERS = {hdrs.CACHE_CONTROL: "no-cache", hdrs.VARY: hdrs.ACCEPT, **SECURITY_HEADERS}


class Asset(NamedTuple):
    """A file whose name has a digest of its content, and its content by encoding; `` is the file as it is."""

    content_type: str
    bodies: dict[str, bytes]


@cache
def _page() -> bytes | None:
    path = _DIRECTORY / "index.html"
    return path.read_bytes() if path.is_file() else None


@lru_cache(maxsize=_PREFIXES)  # a proxy may let clients choose the prefix: their number has no bound
def _page_below(prefix: str) -> tuple[bytes, str]:
    body = (_page() or b"").replace(_BASE, escape(f"{prefix}/").encode())
    return body, f'"{sha256(body).hexdigest()[:32]}"'


@cache
def _assets() -> dict[str, Asset]:
    return {path.name: _read(path) for path in (_DIRECTORY / "assets").iterdir() if path.suffix not in {".br", ".gz"}}


def _read(path: Path) -> Asset:
    bodies = {"": path.read_bytes()}
    for encoding, end in _ENCODINGS:
        compressed = path.with_name(path.name + end)
        if compressed.is_file():
            bodies[encoding] = compressed.read_bytes()
    return Asset(mimetypes.guess_type(path.name)[0] or "application/octet-stream", bodies)


def is_built() -> bool:
    """Tell whether there is a bundle: a checkout from which nothing was installed has none."""
    return _page() is not None


def page_response(request: web.Request, prefix: str) -> web.Response:
    """Answer the page, whose links are below `prefix`; 304 where the client has it already."""
    body, tag = _page_below(prefix)
    headers = {hdrs.ETAG: tag, **_PAGE_HEADERS}
    if tag in {given.strip().removeprefix("W/") for given in request.headers.get(hdrs.IF_NONE_MATCH, "").split(",")}:
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return web.Response(body=body, content_type="text/html", charset="utf-8", headers=headers)


def not_found_response(prefix: str) -> web.Response:
    """Answer the page with status 404: at this address, its script shows that there is nothing."""
    body, _ = _page_below(prefix)
    status = HTTPStatus.NOT_FOUND
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8", headers=_PAGE_HEADERS)


def asset_response(request: web.Request, name: str) -> web.Response | None:
    """Answer a file, in the best encoding that the client takes; None: there is none of this name."""
    asset = _assets().get(name) if is_built() else None
    if asset is None:
        return None
    accepted = {
        each.partition(";")[0].strip(): each for each in request.headers.get(hdrs.ACCEPT_ENCODING, "").split(",")
    }
    encoding = next((e for e, _ in _ENCODINGS if e in asset.bodies and "q=0" not in accepted.get(e, "q=0")), "")
    headers: dict[str, str] = {
        hdrs.CONTENT_TYPE: asset.content_type,
        hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable",
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
        "X-Content-Type-Options": "nosniff",
        **({hdrs.CONTENT_ENCODING: encoding} if encoding else {}),
    }
    return web.Response(body=asset.bodies[encoding], headers=headers)
