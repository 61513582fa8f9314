"""Converts generated events to rows of the ledger, hash-chained as docs/ledger-format.md specifies. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.lives import time_of
from service.audit.hash_chain import ChainRow, recompute_hashes
from service.ledger.events import LOG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.lives import GeneratedEvent

EVENT_COLUMNS = (
    "log",
    "position",
    "subject",
    "stream",
    "kind",
    "state",
    "transitioned_at",
    "recorded_at",
    "namespace",
    "job",
    "parent_run",
    "source",
    "actor",
    "fact",
    "request_digest",
    "payload_digest",
    "hash",
)
PAYLOAD_COLUMNS = ("log", "position", "body")

_FACT_BYTES = 16
_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_int8 = Struct(">q").pack


class Rows(NamedTuple):
    """Rows for COPY, in the order of the columns above, and the ledger head after them."""

    events: list[tuple[Any, ...]]
    payloads: list[tuple[int, int, str]]
    position: int
    hash: bytes
    recorded_at: datetime


def rows_of(generated: Iterable[GeneratedEvent], position: int, before: bytes) -> Rows:
    """Return the rows that follow a position and its hash."""
    events: list[tuple[Any, ...]] = []
    payloads: list[tuple[int, int, str]] = []
    recorded_at = time_of(position)
    for position, each in enumerate(generated, position + 1):  # noqa: B020, PLR1704  afterwards it is the last position
        recorded_at = time_of(position)
        digest = None
        if each.body is not None:
            digest = sha256(each.body.encode()).digest()
            payloads.append((LOG, position, each.body))
        fact = digest[:_FACT_BYTES] if digest else position.to_bytes(_FACT_BYTES, "big")
        before = _hash(each, position, recorded_at, (before, fact, digest))
        events.append((LOG, position, *each[:5], recorded_at, *each[5:10], fact, None, digest, before))
    return Rows(events, payloads, position, before, recorded_at)


def _hash(
    event: GeneratedEvent, position: int, recorded_at: datetime, digests: tuple[bytes, bytes, bytes | None]
) -> bytes:
    """Return a row's hash; `digests` are the hash before it, its fact and its payload's digest."""
    before, fact, digest = digests
    row = ChainRow(
        position=position,
        hash=None,
        payload_digest=digest,
        subject=event.subject,
        stream=event.stream.bytes,
        kind=event.kind,
        state=event.state,
        transitioned_at=_since_2000(event.at),
        recorded_at=_since_2000(recorded_at),
        namespace=event.namespace,
        job=event.job,
        parent_run=event.parent_run.bytes if event.parent_run else None,
        source=event.source,
        actor=event.actor,
        fact=fact,
        request_digest=None,
    )
    ((_, found),) = recompute_hashes(LOG, [row], before)
    return found


def _since_2000(at: datetime) -> bytes:
    return _int8((at - _POSTGRES_EPOCH) // _MICROSECOND)
