"""Reads request bodies: decompressed, bounded, and in pieces unless a handler needs the whole.

aiohttp can decompress Content-Encoding itself, but it accepts a truncated gzip stream as complete, and takes a body of
an unknown encoding for a plain one. HANDLER_ARGS turns that off (`auto_decompress`), and every body is read here.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from aiohttp import ClientError, hdrs, web
from aiohttp.web import RequestPayloadError

from service.errors import Malformed, TooLarge, TooSlow, UnsupportedType
from service.http.authentication import check_again
from service.http.body_budget import BODY_BUDGET
from service.payloads.splitters import BYTE_ORDER_MARK

_GZIP = zlib.MAX_WBITS | 16
_WINDOWS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}

NDJSON_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
"""Media types of lines of JSON; the first one is used in answers."""

_JSON_TYPE = "application/json"

_TIMEOUT_S = 60.0
"""Seconds that the service waits for the next byte of a body."""

DEADLINE_S = 300.0
"""Seconds from a request's head to the end of a body that is read whole. Streams of lines have no such deadline."""

_PIECE = 64 * 1024
"""Bytes decompressed at once."""

_MIN_CHECKED_BYTES = 4 * 1024 * 1024
_MAX_RATIO = 250
"""A body that decompresses to more than _MIN_CHECKED_BYTES, by more than this factor, is a bomb: JSON has 5 to 100."""


_GZIP_MAGIC = b"\x1f\x8b"
_UNUSUAL_BEGINNINGS = (b"\x1f", b"\xef")
"""First bytes of gzip and of a byte order mark. No JSON begins with one of them."""


class Interrupted(Malformed):
    """The body is incomplete: its connection was cut, or its gzip stream ends in the middle."""


def is_json(request: web.Request) -> bool:
    """Whether the body is JSON by its Content-Type. A body without one is taken for JSON."""
    given = request.headers.get(hdrs.CONTENT_TYPE)
    if not given or given == _JSON_TYPE:
        return True
    return request.content_type == _JSON_TYPE or request.content_type.endswith("+json")


async def stream_body(request: web.Request, within_s: float | None = None) -> AsyncGenerator[bytes, None]:
    """Yield the body, decompressed, in pieces of bounded size, and read from the client as the consumer takes them.

    The body must be complete within some seconds from now (None: any time). Raises UnsupportedType for an unknown
    Content-Encoding, Malformed for a broken stream, Interrupted, TooLarge and TooSlow.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        begun = False
        async for piece in _raw(request, within_s):
            if not begun and piece.startswith(_GZIP_MAGIC):
                _checked_beginning(piece)
            begun = True
            yield piece
        return
    window = _WINDOWS.get(encoding)
    if window is None:
        raise UnsupportedType(f"Content-Encoding {encoding[:64]!r} is not read here; send gzip or none")
    decompressor = Decompressor(window)
    async for packed in _raw(request, within_s):
        for piece in decompressor.feed(packed):
            yield piece
    decompressor.end()


async def _raw(request: web.Request, within_s: float | None) -> AsyncIterator[bytes]:
    deadline = asyncio.get_running_loop().time() + within_s if within_s is not None else None
    while piece := await _next(request, deadline):
        yield piece


async def _next(request: web.Request, deadline: float | None) -> bytes:
    """Return what has arrived, empty at the end. Raises TooSlow, so that a slow client does not hold a connection."""
    try:
        if request.content.is_eof():
            return await request.content.readany()
        patience = asyncio.get_running_loop().time() + _TIMEOUT_S
        async with asyncio.timeout_at(patience if deadline is None else min(patience, deadline)):
            return await request.content.readany()
    except TimeoutError:
        if deadline is not None and deadline <= asyncio.get_running_loop().time():
            raise TooSlow(f"the body was not complete within {DEADLINE_S:.0f} s") from None
        raise TooSlow(f"no more of the body arrived for {_TIMEOUT_S:.0f} s") from None
    except (RequestPayloadError, ClientError, OSError) as error:
        raise Interrupted(f"the body broke off ({type(error).__name__})") from None


class Decompressor:
    """Decompresses a gzip or zlib stream, which may have several members."""

    def __init__(self, window: int = _GZIP) -> None:
        """Take zlib's wbits."""
        self._window = window
        self._member = zlib.decompressobj(window)
        self._fed = 0
        self._produced = 0

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Yield the bytes that this decompresses to, a bounded piece at a time. Raises Malformed or TooLarge."""
        self._fed += len(packed)
        while packed:
            if self._member.eof:
                self._member = zlib.decompressobj(self._window)
            piece = self._decompress(packed)
            packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                self._produced += len(piece)
                if self._produced > _MIN_CHECKED_BYTES and self._produced > self._fed * _MAX_RATIO:
                    raise TooLarge(f"the body decompresses to more than {_MAX_RATIO} times its size")
                yield piece

    def _decompress(self, packed: bytes) -> bytes:
        try:
            return self._member.decompress(packed, _PIECE)
        except zlib.error as error:
            raise Malformed(f"the body does not match its Content-Encoding: {error}") from None

    def end(self) -> None:
        """Raise Interrupted unless the stream is complete; an empty one is."""
        if self._fed and not self._member.eof:
            raise Interrupted("the compressed body ends in the middle")


async def read_body(request: web.Request, limit: int, setting: str | None = None) -> bytes:
    """Return the whole body, without a byte order mark.

    Raises TooLarge as soon as it has more than `limit` bytes, decompressed; the error names the setting of the limit.
    A body that was not complete when the request was admitted is counted in the budget of the process (Overloaded)
    while it is read, and must be complete within DEADLINE_S (TooSlow); then the API key is checked again.
    """
    arrived = request.content.is_eof()
    plain = hdrs.CONTENT_ENCODING not in request.headers
    if plain and arrived:
        body = await _next(request, None)
        check_size(len(body), limit, setting)
    else:
        if plain:
            check_size(request.content_length or 0, limit, setting)
        pieces: list[bytes] = []
        size = 0
        with request.app[BODY_BUDGET].hold() as held:
            async for piece in stream_body(request, DEADLINE_S):
                size = check_size(size + len(piece), limit, setting)
                held.resize(size)
                pieces.append(piece)
        if not arrived:
            check_again(request)
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return _checked_beginning(body) if body[:1] in _UNUSUAL_BEGINNINGS else body


def too_large(what: str, limit: int, setting: str | None = None) -> TooLarge:
    """Return the error for more than `limit` bytes; `setting` is the option that sets the limit."""
    return TooLarge(f"the {what} has more than {limit} bytes{f'; {setting} sets the limit' if setting else ''}")


def check_size(size: int, limit: int, setting: str | None = None) -> int:
    """Return the size of a body. Raises TooLarge where it exceeds the limit; both in bytes."""
    if size > limit:
        raise too_large("body", limit, setting)
    return size


def _checked_beginning(body: bytes) -> bytes:
    """Return the beginning of a decompressed body without a byte order mark. Raises Malformed for gzip."""
    if body.startswith(_GZIP_MAGIC):
        raise Malformed("the body is compressed with gzip: send Content-Encoding: gzip with it")
    return body.removeprefix(BYTE_ORDER_MARK)
