"""Payloads that the ledger writes about itself."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct):
    """The payload of an `erased` event; the digest in hexadecimal."""

    position: int
    why: str
    digest: str


read_record = msgspec.json.Decoder(Record).decode
