"""Run ids that Runfold makes."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from uuid import UUID, uuid5

_RANDOM_BITS = 74
_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62


def uuid7() -> UUID:
    """Return a UUIDv7 (RFC 9562): milliseconds since 1970, then random bits; near in time is near in the index."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big") >> (80 - _RANDOM_BITS)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | _VERSION_7 | high << 64 | _VARIANT << 0 | low)


def uuid_of_key(actor: str, namespace: str, job: str, key: str) -> UUID:
    """Return the id of a run created with an Idempotency-Key: the same request makes the same run."""
    return stream_of("run of key", actor, namespace, job, key)


def stream_of(*names: str) -> UUID:
    """Return the stream of a named thing: the UUIDv5 of its names, each behind its length in characters."""
    return uuid5(_NAMES, "".join(f"{len(name)}:{name}" for name in names))


_NAMES = UUID("c2a0a6c4-7c0e-5e8e-9c1e-0d6c3c5a7f10")


@lru_cache(maxsize=10_000)
def job_id(namespace: str, job: str) -> UUID:
    """Return a job's stream."""
    return stream_of(namespace, job)


@lru_cache(maxsize=10_000)
def namespace_id(namespace: str) -> UUID:
    """Return a namespace's stream."""
    return stream_of(namespace)
