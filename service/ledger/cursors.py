"""Cursors: where in a log, or in a list, a reader is. Opaque to clients, so that they may hold more one day."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from struct import Struct, error
from typing import NamedTuple
from uuid import UUID

from service.domain.registers import EPOCH
from service.errors import Malformed

_CHECK_BYTES = 4
_PLACE = Struct(">BIq")
_ROW = Struct(">Bq16s")
_PLACE_VERSION = 1
_ROW_VERSION = 2
_LONGEST = 64


class PositionCursor(NamedTuple):
    """Between the event at a position of a log and the next."""

    log: int
    position: int


class RowCursor(NamedTuple):
    """Behind a row of a list that is ordered by (time, id)."""

    at: datetime
    id: UUID


def encode_position(place: PositionCursor) -> str:
    """Return a place in a log as clients carry it."""
    return _seal(_PLACE.pack(_PLACE_VERSION, *place))


def decode_position(text: str) -> PositionCursor:
    """Read a place in a log. Raises Malformed for a text that did not come from here."""
    try:
        version, log, position = _PLACE.unpack(_open(text))
    except (ValueError, error):
        raise _from_nowhere(text) from None
    if version != _PLACE_VERSION or position < 0:
        raise _from_nowhere(text)
    return PositionCursor(log, position)


def encode_row(row: RowCursor) -> str:
    """Return a place in a list as clients carry it."""
    return _seal(_ROW.pack(_ROW_VERSION, (row.at - EPOCH) // timedelta(microseconds=1), row.id.bytes))


def decode_row(text: str) -> RowCursor:
    """Read a place in a list. Raises Malformed for a text that did not come from here."""
    try:
        version, microseconds, raw = _ROW.unpack(_open(text))
        at = EPOCH + timedelta(microseconds=microseconds)
    except (ValueError, OverflowError, error):
        raise _from_nowhere(text) from None
    if version != _ROW_VERSION:
        raise _from_nowhere(text)
    return RowCursor(at, UUID(bytes=raw))


def _seal(raw: bytes) -> str:
    return urlsafe_b64encode(raw + _check(raw)).rstrip(b"=").decode()


def _open(text: str) -> bytes:
    if len(text) > _LONGEST or not text.isascii():
        raise ValueError("too long")
    sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    raw, check = sealed[:-_CHECK_BYTES], sealed[-_CHECK_BYTES:]
    if check != _check(raw) or _seal(raw) != text:
        raise ValueError("not sealed here")
    return raw


def _check(raw: bytes) -> bytes:
    """No secret: it tells a cursor from a text that somebody made up or cut short."""
    return sha256(b"runfold cursor" + raw).digest()[:_CHECK_BYTES]


def _from_nowhere(text: str) -> Malformed:
    shown = ascii(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")
    return Malformed(f"cursor {shown} was not given out here")
