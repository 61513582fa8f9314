"""Makes the ids of new runs and of streams."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from uuid import UUID, uuid5

_RANDOM_BITS = 74
_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62

_NAME_SPACE = UUID("c2a0a6c4-7c0e-5e8e-9c1e-0d6c3c5a7f10")
"""The name space of the UUIDv5s of streams (RFC 9562, 5.5)."""


def uuid7() -> UUID:
    """Return a UUIDv7 (RFC 9562): milliseconds since 1970, then random bits. Ids of one time are close in an index."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big") >> (80 - _RANDOM_BITS)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | _VERSION_7 | high << 64 | _VARIANT | low)


def uuid_of_key(actor: str, namespace: str, job: str, key: str) -> UUID:
    """Return the id of a run that is created with an Idempotency-Key: the same request creates the same run."""
    return stream_of("run of key", actor, namespace, job, key)


def stream_of(*names: str) -> UUID:
    """Return the stream id of a named aggregate: the UUIDv5 of its names, each preceded by its length in characters."""
    return uuid5(_NAME_SPACE, "".join(f"{len(name)}:{name}" for name in names))


@lru_cache(maxsize=10_000)
def job_id(namespace: str, job: str) -> UUID:
    """Return the stream id of a job."""
    return stream_of(namespace, job)


@lru_cache(maxsize=10_000)
def namespace_id(namespace: str) -> UUID:
    """Return the stream id of a namespace."""
    return stream_of(namespace)


@lru_cache(maxsize=50_000)
def dataset_id(namespace: str, name: str) -> UUID:
    """Return the stream id of a dataset, which a job of the same names has, too."""
    return stream_of(namespace, name)


@lru_cache(maxsize=1_000)
def source_id(name: str) -> UUID:
    """Return the stream id of a source."""
    return stream_of("source", "", name)


@lru_cache(maxsize=1_000)
def tag_id(name: str) -> UUID:
    """Return the stream id of a tag."""
    return stream_of("tag", "", name)
