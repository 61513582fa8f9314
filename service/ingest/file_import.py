"""Reads files of OpenLineage events (a JSON array or lines of JSON, plain or gzip) into the ledger."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader

from service.errors import Malformed
from service.ingest.checkpoints import ImportCheckpoint
from service.ingest.ingestion import Ingestion
from service.payloads.splitters import BYTE_ORDER_MARK, ArraySplitter, LineSplitter

_PIECE = 256 * 1024
_GZIP = b"\x1f\x8b"
_WHITESPACE = b" \t\r\n"


async def import_events(
    raw: BufferedReader,
    ingestion: Ingestion,
    max_bytes: int,
    progress: Callable[[int], None],
    checkpoint: ImportCheckpoint,
) -> None:
    """Read a file to its end, skipping the events that are recorded according to the checkpoint.

    `max_bytes` is the limit of one event; progress is called with the number of bytes read. Raises Malformed where the
    file itself is broken; the events before that are recorded. Stops if the database cannot be used:
    `ingestion.retriable` is positive then.
    """
    splitter: ArraySplitter | LineSplitter | None = None
    try:
        for piece in _pieces(raw):
            if splitter is None:
                is_array = piece.lstrip(_WHITESPACE).startswith(b"[")
                splitter = ArraySplitter(max_bytes) if is_array else LineSplitter(max_bytes)
            await ingestion.add(checkpoint.select_unrecorded(splitter.feed(piece)))
            progress(_bytes_read(raw))
            if checkpoint.is_due(_bytes_read(raw)):
                await _save(checkpoint, ingestion, _bytes_read(raw))
            if ingestion.retriable:
                break
        else:
            await ingestion.add(checkpoint.select_unrecorded(splitter.end() if splitter else []))
            await _save(checkpoint, ingestion, _bytes_read(raw))
    finally:
        await ingestion.finish()


async def _save(checkpoint: ImportCheckpoint, ingestion: Ingestion, size: int) -> None:
    """Wait until all events read so far are recorded, and save the checkpoint."""
    await ingestion.finish()
    if not ingestion.retriable:
        await checkpoint.save(size)


def _bytes_read(raw: BufferedReader) -> int:
    return raw.tell() if raw.seekable() else 0


def _pieces(raw: BufferedReader) -> Iterator[bytes]:
    """Yield the text in pieces, without a byte order mark; the first one is not only whitespace."""
    is_packed = raw.peek(len(_GZIP)).startswith(_GZIP)
    text = gzip.GzipFile(fileobj=raw) if is_packed else raw
    begun = False
    try:
        while piece := text.read(_PIECE):
            if not begun:
                piece = piece.removeprefix(BYTE_ORDER_MARK)
                begun = bool(piece.strip(_WHITESPACE))
            if begun:
                yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Malformed(f"the gzip stream is broken: {error}") from None
