"""Events as lines and as server-sent events. Pure."""

from __future__ import annotations

from service.ledger import cursors
from service.ledger.cursors import PositionCursor
from service.ledger.events import LOG

_BREAKS = bytes.maketrans(b"\n\r", b"  ")


def on_one_line(text: bytes) -> bytes:
    """Turn line breaks into spaces. In JSON they occur only between tokens: within a string they are escaped."""
    return text.translate(_BREAKS) if b"\n" in text or b"\r" in text else text


def as_record(text: bytes, *, quoted: bool) -> bytes:
    """Return an event as a record of a file: a line of NDJSON, or of CSV, whose quotes keep line breaks."""
    return (text if quoted else on_one_line(text)) + b"\n"


def next_cursor(position: int) -> str:
    """Return the cursor after a position."""
    return cursors.encode_position(PositionCursor(LOG, position))


def sse_frame(position: int, text: bytes) -> bytes:
    """Return an event as a server-sent event; its id is the cursor after it."""
    return b"id: %b\ndata: %b\n\n" % (next_cursor(position).encode(), on_one_line(text))


def brief_frame(upto: int, events: int, transitions: int, latest: bytes) -> bytes:
    """Return some events as one server-sent event, whose id is the cursor `upto`.

    `transitions`: how many of them are transitions of runs. `latest`: JSON objects with commas between them.
    """
    data = b'{"events":%d,"transitions":%d,"latest":[%b]}' % (events, transitions, on_one_line(latest))
    return b"id: %b\ndata: %b\n\n" % (next_cursor(upto).encode(), data)
