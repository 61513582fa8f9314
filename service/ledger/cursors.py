"""Cursors: the place of a reader in a log or in a list. They are opaque to clients, so their content may change."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from struct import Struct, error
from typing import Any, NamedTuple
from uuid import UUID

from service.domain.registers import EPOCH
from service.errors import Malformed

_CHECKSUM_BYTES = 4
_POSITION = Struct(">BIq")
_ROW = Struct(">Bq16s")
_POSITION_VERSION = 1
_ROW_VERSION = 2
_MAX_LENGTH = 64
JSON_SCHEMA: dict[str, Any] = {"format": "cursor", "pattern": "^[A-Za-z0-9_-]*$", "maxLength": _MAX_LENGTH}
"""Keywords of JSON Schema for a place in a log. The format is our own: a text that this service returned."""

RUNS_JSON_SCHEMA: dict[str, Any] = JSON_SCHEMA | {"format": "cursor-of-runs"}
"""Keywords of JSON Schema for a place in a list of runs."""


class PositionCursor(NamedTuple):
    """The place after the event at a position of a log."""

    log: int
    position: int


class RowCursor(NamedTuple):
    """The place after a row of a list that is ordered by (time, id)."""

    at: datetime
    id: UUID


def encode_position(cursor: PositionCursor) -> str:
    """Return a place in a log as text for clients."""
    return _encode(_POSITION.pack(_POSITION_VERSION, *cursor))


def decode_position(text: str) -> PositionCursor:
    """Decode a place in a log. Raises Malformed for a text that encode_position did not return."""
    try:
        version, log, position = _POSITION.unpack(_decode(text))
    except (ValueError, error):
        raise _malformed(text) from None
    if version != _POSITION_VERSION or position < 0:
        raise _malformed(text)
    return PositionCursor(log, position)


def encode_row(cursor: RowCursor) -> str:
    """Return a place in a list as text for clients."""
    return _encode(_ROW.pack(_ROW_VERSION, (cursor.at - EPOCH) // timedelta(microseconds=1), cursor.id.bytes))


def decode_row(text: str) -> RowCursor:
    """Decode a place in a list. Raises Malformed for a text that encode_row did not return."""
    try:
        version, microseconds, raw = _ROW.unpack(_decode(text))
        at = EPOCH + timedelta(microseconds=microseconds)
    except (ValueError, OverflowError, error):
        raise _malformed(text) from None
    if version != _ROW_VERSION:
        raise _malformed(text)
    return RowCursor(at, UUID(bytes=raw))


def decode_any(text: str) -> RowCursor | PositionCursor:
    """Decode a place in a list or in a log. Raises Malformed for a text that is neither."""
    try:
        return decode_row(text)
    except Malformed:
        return decode_position(text)


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw + _checksum(raw)).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    if len(text) > _MAX_LENGTH or not text.isascii():
        raise ValueError("too long")
    decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    raw, checksum = decoded[:-_CHECKSUM_BYTES], decoded[-_CHECKSUM_BYTES:]
    if checksum != _checksum(raw) or _encode(raw) != text:
        raise ValueError("wrong checksum")
    return raw


def _checksum(raw: bytes) -> bytes:
    """Not a secret: it detects texts that are cut or made up."""
    return sha256(b"runfold cursor" + raw).digest()[:_CHECKSUM_BYTES]


def _malformed(text: str) -> Malformed:
    shown = ascii(text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + "…")
    return Malformed(f"cursor {shown} is not a cursor of this service")
