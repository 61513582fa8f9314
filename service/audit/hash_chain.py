"""The canonical form of a row and its hash, as docs/ledger-format.md specifies them."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from struct import Struct
from typing import Any

NO_HASH = bytes(32)
"""What stands for the hash before the first position."""

_VERSION = b"\x01"
_FIELDS = 16
_BYTEA, _INT8, _INT4, _TIMESTAMPTZ, _UUID = 17, 20, 23, 1184, 2950
_NULL = -1

_int8 = Struct(">q").pack
_head = Struct(">ii").pack

_NULL_BYTEA, _NULL_UUID = _head(_BYTEA, _NULL), _head(_UUID, _NULL)
_OF_INT8, _OF_UUID, _OF_TIMESTAMPTZ = _head(_INT8, 8), _head(_UUID, 16), _head(_TIMESTAMPTZ, 8)


class _Texts(dict[str | None, bytes]):
    """Texts in their form, each made once: the same few come again and again."""

    def __missing__(self, text: str | None) -> bytes:
        form = self[text] = _bytea(None if text is None else text.encode())
        return form


def _bytea(value: bytes | None) -> bytes:
    return _NULL_BYTEA if value is None else _head(_BYTEA, len(value)) + value


def _uuid(value: bytes | None) -> bytes:
    return _NULL_UUID if value is None else _OF_UUID + value


def recompute_hashes(log: int, rows: Iterable[Any], before: bytes) -> Iterator[tuple[Any, bytes]]:
    """Give each row of sql/verify_events.sql with the hash that it and the recorded hash before it make."""
    texts = _Texts()
    start = Struct(">iiii").pack(_FIELDS, _INT4, 4, log) + _OF_INT8
    join = b"".join
    for row in rows:
        (position, recorded, payload_digest, subject, stream, kind, state, transitioned_at, recorded_at) = row[:9]
        (namespace, job, parent_run, source, actor, fact, request_digest) = row[9:]
        form = (
            _VERSION,
            before,
            start,
            _int8(position),
            texts[subject],
            _OF_UUID,
            stream,
            texts[kind],
            texts[state],
            _OF_TIMESTAMPTZ,
            transitioned_at,
            _OF_TIMESTAMPTZ,
            recorded_at,
            texts[namespace],
            texts[job],
            _uuid(parent_run),
            texts[source],
            texts[actor],
            _bytea(fact),
            _bytea(request_digest),
            _bytea(payload_digest),
        )
        yield row, sha256(join(form)).digest()
        before = recorded
