"""The payloads of records that the service itself makes: of an erasure, and of an end that it inferred."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Literal

import msgspec

from service.domain.event import FACT_BYTES
from service.domain.silence import SetBy, Silence


class ErasureRecord(msgspec.Struct):
    """The payload of an `erased` event: position of the erased payload, reason, and its SHA-256 in hexadecimal."""

    position: int
    why: str
    digest: str


read_record = msgspec.json.Decoder(ErasureRecord).decode


def erasure_fact(position: int) -> bytes:
    """Return the fact of the record that the payload at a position was erased (docs/ledger-format.md)."""
    return sha256(b"erased:%d" % position).digest()[:FACT_BYTES]


class LastEvent(msgspec.Struct):
    """The last event of a run: its position, and when it was recorded."""

    position: int
    recordedAt: datetime  # noqa: N815  named as in the API


class SilenceRecord(msgspec.Struct):
    """The payload of an inferred end: why, after which event of the run, and whose setting allowed how many seconds."""

    reason: Literal["silent"]
    lastEvent: LastEvent  # noqa: N815
    silentAfterSeconds: int  # noqa: N815
    setBy: str  # noqa: N815


_encode = msgspec.json.Encoder().encode
_read_silence = msgspec.json.Decoder(SilenceRecord).decode


def write_silence(silence: Silence, set_by: SetBy) -> bytes:
    """Return the payload of an end that is inferred from a silence."""
    last = LastEvent(silence.last_position, silence.last_at)
    return _encode(SilenceRecord("silent", last, silence.seconds, set_by.value))


def read_silence(payload: str) -> Silence:
    """Return what an end is inferred from. Raises ValueError."""
    record = _read_silence(payload)
    return Silence(record.lastEvent.position, record.lastEvent.recordedAt, record.silentAfterSeconds)
