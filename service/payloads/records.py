"""The payload of the record of an erasure."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from service.domain.event import FACT_BYTES


class ErasureRecord(msgspec.Struct):
    """The payload of an `erased` event: position of the erased payload, reason, and its SHA-256 in hexadecimal."""

    position: int
    why: str
    digest: str


read_record = msgspec.json.Decoder(ErasureRecord).decode


def erasure_fact(position: int) -> bytes:
    """Return the fact of the record that the payload at a position was erased (docs/ledger-format.md)."""
    return sha256(b"erased:%d" % position).digest()[:FACT_BYTES]
