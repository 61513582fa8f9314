"""Last-writer-wins registers: the parts that runs, jobs and namespaces are made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from service.domain.event import DatasetName

S = TypeVar("S", bound=tuple[datetime, bytes, *tuple[object, ...]])


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StampedFacet(NamedTuple):
    """A facet's JSON (None where deleted) and what decides between two: the time it was said, then the digest."""

    at: datetime
    digest: bytes
    value: bytes | None


class StampedDatasets(NamedTuple):
    """A job's inputs or outputs, of the latest event that named any."""

    at: datetime
    digest: bytes
    datasets: tuple[DatasetName, ...]


class StampedNominal(NamedTuple):
    """The times of a `nominalTime` facet."""

    at: datetime
    digest: bytes
    start: datetime | None
    end: datetime | None


def merge_facets(a: Mapping[str, StampedFacet], b: Mapping[str, StampedFacet]) -> Mapping[str, StampedFacet]:
    """Return each facet's latest value; between equal times and digests it is the same event."""
    if not a or not b:
        return a or b
    merged = dict(a)
    for name, facet in b.items():
        standing = merged.get(name)
        if standing is None or facet[:2] > standing[:2]:
            merged[name] = facet
    return merged


def latest(a: S | None, b: S | None) -> S | None:
    """Return the later of two values stamped (time, digest, …)."""
    if a is None or b is None:
        return a or b
    return a if a[:2] >= b[:2] else b


class FirstSeen(NamedTuple):
    """How a name came to be known; the smallest stands. `implied` sorts a definition before a mere mention."""

    implied: bool
    at: datetime


def _first(a: FirstSeen | None, b: FirstSeen | None) -> FirstSeen | None:
    if a is None or b is None:
        return a or b
    return min(a, b)
