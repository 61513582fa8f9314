"""Reads files of OpenLineage events (JSON array or lines of JSON, either of them gzip) into the ledger."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import Protocol

from service.errors import Malformed
from service.ingest.checkpoints import ImportCheckpoint
from service.ingest.ingestion import Ingestion
from service.payloads.splitters import ArraySplitter, LineSplitter, RawEvent

_PIECE = 256 * 1024
_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"


class _Cutter(Protocol):
    def feed(self, piece: bytes) -> list[RawEvent]: ...

    def end(self) -> list[RawEvent]: ...


async def import_events(
    raw: BufferedReader, ingestion: Ingestion, max_bytes: int, progress: Callable[[int], None], course: ImportCheckpoint
) -> None:
    """Read a file to its end, but for what the course passes over; progress hears how many bytes of it are read.

    Raises Malformed where the file itself is broken (what came before that is recorded), and stops where the database
    does not answer: `ingestion.retriable` says so.
    """
    cutter: _Cutter | None = None
    try:
        for piece in _pieces(raw):
            if cutter is None:
                cutter = ArraySplitter(max_bytes) if piece.lstrip(_SPACE).startswith(b"[") else LineSplitter(max_bytes)
            await ingestion.add(course.fresh(cutter.feed(piece)))
            progress(_told(raw))
            if course.due(_told(raw)):
                await _mark(course, ingestion, _told(raw))
            if ingestion.retriable:
                break
        else:
            await ingestion.add(course.fresh(cutter.end() if cutter else []))
            await _mark(course, ingestion, _told(raw))
    finally:
        await ingestion.finish()


async def _mark(course: ImportCheckpoint, ingestion: Ingestion, size: int) -> None:
    """Wait until all is recorded, and say so."""
    await ingestion.finish()
    if not ingestion.retriable:
        await course.mark(size)


def _told(raw: BufferedReader) -> int:
    return raw.tell() if raw.seekable() else 0


def _pieces(raw: BufferedReader) -> Iterator[bytes]:
    """Yield the text in pieces, the first one with something in it, without a byte order mark."""
    packed = raw.peek(len(_GZIP)).startswith(_GZIP)
    text = gzip.GzipFile(fileobj=raw) if packed else raw
    begun = False
    try:
        while piece := text.read(_PIECE):
            if not begun:
                piece = piece.removeprefix(_BYTE_ORDER_MARK)
                begun = bool(piece.strip(_SPACE))
            if begun:
                yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Malformed(f"the gzip stream is broken: {error}") from None
