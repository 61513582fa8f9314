"""The payload of the record of an erasure."""

from __future__ import annotations

import msgspec


class ErasureRecord(msgspec.Struct):
    """The payload of an `erased` event: position of the erased payload, reason, and its SHA-256 in hexadecimal."""

    position: int
    why: str
    digest: str


read_record = msgspec.json.Decoder(ErasureRecord).decode
