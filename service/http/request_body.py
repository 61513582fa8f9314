"""Request bodies as they come off the wire: unpacked, bounded, and never in memory whole unless asked for.

aiohttp would unpack Content-Encoding by itself, but lets a truncated gzip stream pass for a whole one, and an encoding
that it does not know for none; build_app turns that off (`auto_decompress`), and every body is read here.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from aiohttp import ClientError, web
from aiohttp.web import RequestPayloadError

from service.errors import Malformed, TooLarge, TooSlow, UnsupportedType

_GZIP = zlib.MAX_WBITS | 16
_WINDOWS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}

_PATIENCE_S = 60.0
"""Seconds that may pass without a byte of a body that is awaited."""

_PIECE = 256 * 1024
"""Bytes unpacked at once."""

_HARMLESS = 64 * 1024 * 1024
_MAX_RATIO = 250
"""A body of more than _HARMLESS bytes that unpacks more than so many fold is a bomb: JSON comes to 5 to 100."""


class Interrupted(Malformed):
    """The body broke off: its connection was cut, or its gzip stream ends in the middle."""


async def stream_body(request: web.Request) -> AsyncGenerator[bytes, None]:
    """Yield the body, unpacked, in pieces of bounded size; no more is taken from the client than is asked for.

    Raises UnsupportedType for an unknown Content-Encoding, Malformed for a broken stream, Interrupted, TooLarge.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        async for piece in _raw(request):
            yield piece
        return
    window = _WINDOWS.get(encoding)
    if window is None:
        raise UnsupportedType(f"Content-Encoding {encoding[:64]!r} is not read here; send gzip or none")
    unpacker = Unpacker(window)
    async for packed in _raw(request):
        for piece in unpacker.feed(packed):
            yield piece
    unpacker.end()


async def _raw(request: web.Request) -> AsyncIterator[bytes]:
    while piece := await _next(request):
        yield piece


async def _next(request: web.Request) -> bytes:
    """Return what has come. Raises TooSlow: nobody holds a connection, and the memory behind it, by saying nothing."""
    try:
        if request.content.is_eof():
            return await request.content.readany()
        async with asyncio.timeout(_PATIENCE_S):
            return await request.content.readany()
    except TimeoutError:
        raise TooSlow(f"nothing more of the body came for {_PATIENCE_S:.0f} s") from None
    except (RequestPayloadError, ClientError, OSError) as error:
        raise Interrupted(f"the body broke off ({type(error).__name__})") from None


class Unpacker:
    """Unpacks a gzip or zlib stream, of several members too."""

    def __init__(self, window: int = _GZIP) -> None:
        """Take zlib's wbits."""
        self._window = window
        self._member = zlib.decompressobj(window)
        self._fed = 0
        self._given = 0

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Yield what that unpacks to, a bounded piece at a time."""
        self._fed += len(packed)
        while packed:
            if self._member.eof:
                self._member = zlib.decompressobj(self._window)
            piece = self._unpack(packed)
            packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                self._given += len(piece)
                if self._given > _HARMLESS and self._given > self._fed * _MAX_RATIO:
                    raise TooLarge(f"the body unpacks to more than {_MAX_RATIO} times its size")
                yield piece

    def _unpack(self, packed: bytes) -> bytes:
        try:
            return self._member.decompress(packed, _PIECE)
        except zlib.error as error:
            raise Malformed(f"the body is not what its Content-Encoding says: {error}") from None

    def end(self) -> None:
        """Raise Interrupted unless the stream is whole. An empty one is."""
        if self._fed and not self._member.eof:
            raise Interrupted("the compressed body ends in the middle")


async def read_body(request: web.Request, limit: int) -> bytes:
    """Return the whole body. Raises TooLarge as soon as it is known to be larger than `limit` bytes, unpacked."""
    plain = "Content-Encoding" not in request.headers
    if plain and (request.content_length or 0) > limit:
        raise TooLarge(f"the body has more than {limit} bytes")
    taken: list[bytes] = []
    size = 0
    if plain:
        # No generator: it would cost an ordinary request as much as reading its body does.
        while piece := await _next(request):
            size = _checked(size + len(piece), limit)
            taken.append(piece)
    else:
        async for piece in stream_body(request):
            size = _checked(size + len(piece), limit)
            taken.append(piece)
    return taken[0] if len(taken) == 1 else b"".join(taken)


def _checked(size: int, limit: int) -> int:
    if size > limit:
        raise TooLarge(f"the body has more than {limit} bytes")
    return size
