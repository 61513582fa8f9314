"""The canonical form of a row and its hash, as docs/ledger-format.md specifies them. Pure."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

NO_HASH = bytes(32)
"""The hash before the first position."""

_VERSION = b"\x01"
_FIELDS = 16
_BYTEA, _INT8, _INT4, _TIMESTAMPTZ, _UUID = 17, 20, 23, 1184, 2950
_NULL = -1

_int8 = Struct(">q").pack
_head = Struct(">ii").pack

_NULL_BYTEA, _NULL_UUID = _head(_BYTEA, _NULL), _head(_UUID, _NULL)
_OF_INT8, _OF_UUID, _OF_TIMESTAMPTZ = _head(_INT8, 8), _head(_UUID, 16), _head(_TIMESTAMPTZ, 8)


class ChainRow(NamedTuple):
    """A row of the ledger as its hash takes it. Times: microseconds since 2000 as 8 bytes, big-endian; UUIDs: 16 bytes.

    `hash` is the recorded one; None where it is still to be computed.
    """

    position: int
    hash: bytes | None
    payload_digest: bytes | None
    subject: str
    stream: bytes
    kind: str
    state: str | None
    transitioned_at: bytes
    recorded_at: bytes
    namespace: str | None
    job: str | None
    parent_run: bytes | None
    source: str
    actor: str | None
    fact: bytes
    request_digest: bytes | None


class _EncodedTexts(dict[str | None, bytes]):
    """Encoded texts, each made once: the same few occur in most rows."""

    def __missing__(self, text: str | None) -> bytes:
        encoded = self[text] = _bytea(None if text is None else text.encode())
        return encoded


def _bytea(value: bytes | None) -> bytes:
    return _NULL_BYTEA if value is None else _head(_BYTEA, len(value)) + value


def _uuid(value: bytes | None) -> bytes:
    return _NULL_UUID if value is None else _OF_UUID + value


def recompute_hashes(log: int, rows: Iterable[ChainRow], before: bytes) -> Iterator[tuple[ChainRow, bytes]]:
    """Yield each row with its hash, computed from its fields and from the recorded hash of the row before it.

    `before` is the hash before the first row. A row without a recorded hash must be the last one.
    """
    texts = _EncodedTexts()
    start = Struct(">iiii").pack(_FIELDS, _INT4, 4, log) + _OF_INT8
    join = b"".join
    for row in rows:
        form = (
            _VERSION,
            before,
            start,
            _int8(row.position),
            texts[row.subject],
            _OF_UUID,
            row.stream,
            texts[row.kind],
            texts[row.state],
            _OF_TIMESTAMPTZ,
            row.transitioned_at,
            _OF_TIMESTAMPTZ,
            row.recorded_at,
            texts[row.namespace],
            texts[row.job],
            _uuid(row.parent_run),
            texts[row.source],
            texts[row.actor],
            _bytea(row.fact),
            _bytea(row.request_digest),
            _bytea(row.payload_digest),
        )
        yield row, sha256(join(form)).digest()
        before = row.hash or b""
