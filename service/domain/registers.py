"""Last-writer-wins registers: the parts of the state of runs, jobs and namespaces."""

# ruff: noqa: FURB136  min() and max() are calls, and the projector merges names for every event

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from service.domain.event import DatasetName, Event, Kind, RunState, make_tuple

D = TypeVar("D", bound=tuple[datetime, bytes, *tuple[object, ...]])

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_FACETS, MAX_FACETS_BYTES = 1_000, 4 * 1024 * 1024
"""Defaults of FacetLimits."""

MAX_FACET_NAME, _SHORTENED = 256, 64
"""Longest name of a facet in the registers, in characters, and what is kept of a longer one."""


OMITTED = b""
"""The value of a facet that the registers leave out, because the facets add up to more than FACET_LIMITS."""


class StampedFacet(NamedTuple):
    """A facet's JSON (None: deleted; OMITTED: left out). The later (event time, phase, digest) wins.

    `phase_of` defines the phase. `size` is the largest that any report of the facet had, in bytes with its name; 0 in
    rows written before this field.
    """

    at: datetime
    digest: bytes
    value: bytes | None
    phase: int = 0
    size: int = 0


class StampedDatasets(NamedTuple):
    """A job's inputs or outputs, of the latest event that named any."""

    at: datetime
    digest: bytes
    datasets: tuple[DatasetName, ...]
    phase: int = 0


class StampedNominal(NamedTuple):
    """The times of a `nominalTime` facet."""

    at: datetime
    digest: bytes
    start: datetime | None
    end: datetime | None
    phase: int = 0


class StampedParent(NamedTuple):
    """The run that an event names as the parent."""

    at: datetime
    digest: bytes
    run: UUID
    phase: int = 0


class StampedText(NamedTuple):
    """A text, such as a description, of the latest event that tells one."""

    at: datetime
    digest: bytes
    text: str | None
    phase: int = 0


S = TypeVar("S", StampedFacet, StampedDatasets, StampedNominal, StampedParent, StampedText)

_PHASES: Mapping[str | None, int] = {
    RunState.RUNNING: 1,
    RunState.COMPLETED: 2,
    RunState.FAILED: 3,
    RunState.ABORTED: 4,
}


def phase_of(event: Event) -> int:
    """Return where in a run's life an event belongs: 0 before it starts or anywhere, 1 while it runs, above at its end.

    Of two events of the same time, as callers with clocks of milliseconds send them, the one of the later phase wins;
    among ends, the one whose state stands (run.TERMINAL_RANK). Registers that were stored before phases have 0.
    """
    return _PHASES.get(event.state, 0)


class FirstSeen(NamedTuple):
    """How a name became known; the smallest wins. `implied` sorts a definition before a mention."""

    implied: bool
    at: datetime


@dataclass(slots=True)
class FacetLimits:
    """What the facets of a run, those of a run's job, and those of a job may each add up to in the registers.

    `count`: names; `size`: bytes of names and values. Set once, when a process starts: registers that were merged under
    different limits differ until the catalog is rebuilt.
    """

    count: int = MAX_FACETS
    size: int = MAX_FACETS_BYTES

    def set(self, count: int, size: int) -> None:
        """Replace both limits."""
        self.count, self.size = count, size


FACET_LIMITS = FacetLimits()
"""The limits of this process."""


def merge_facets(a: Mapping[str, StampedFacet], b: Mapping[str, StampedFacet]) -> Mapping[str, StampedFacet]:
    """Return the latest value of each facet, within FACET_LIMITS.

    Equal stamps mean that both are of the same event.
    """
    if not a or not b:
        return a or b
    merged = dict(a)
    for name, facet in b.items():
        current = merged.get(name)
        if current is None:
            merged[name] = facet
            continue
        newer = (facet[0], facet[3], facet[1]) > (current[0], current[3], current[1])
        latest_facet = facet if newer else current
        size = facet[4] if facet[4] > current[4] else current[4]
        merged[name] = latest_facet if latest_facet[4] == size else latest_facet._replace(size=size)
    total = 0
    for facet in merged.values():
        total += facet[4]
    return merged if total <= FACET_LIMITS.size and len(merged) <= FACET_LIMITS.count else _cut(merged)


def count_omitted(facets: Mapping[str, StampedFacet]) -> int:
    """Return how many facets are left out; of more names than the limit, all but one beyond it are not counted."""
    return sum(facet.value == OMITTED for facet in facets.values())


def _cut(facets: Mapping[str, StampedFacet]) -> Mapping[str, StampedFacet]:
    """Leave out the values of facets that do not fit into FACET_LIMITS, which these exceed.

    Facets share the bytes as equals: one is left out when it is larger than its share, where smaller ones leave to
    larger ones what they do not need. Of more names than the limit, the first in alphabetical order are kept, with a
    fixed share each, and one more marks that there were more. Names and sizes only grow, so what is left out once stays
    left out, whatever else is merged: the result does not depend on the order of merges
    (docs/decisions/0019-bounded-registers.md).
    """
    beyond = None
    if len(facets) > FACET_LIMITS.count:
        names = sorted(facets)[: FACET_LIMITS.count + 1]
        beyond = names[-1]
        facets = {name: facets[name] for name in names}
        share = FACET_LIMITS.size // FACET_LIMITS.count
    else:
        share = fair_share([facet.size for facet in facets.values()])
    return {
        name: facet
        if facet.value is None or (facet.size <= share and name != beyond)
        else facet._replace(value=OMITTED)
        for name, facet in facets.items()
    }


def fair_share(sizes: list[int]) -> int:
    """Return the size of the largest value for which the sum of min(size, value) is within FACET_LIMITS; 0 for none."""
    share = used = 0
    for index, size in enumerate(sorted(sizes)):
        if used + size * (len(sizes) - index) > FACET_LIMITS.size:
            break
        used += size
        share = size
    return share


def latest(a: S | None, b: S | None) -> S | None:
    """Return the value with the later (time, phase, digest)."""
    if a is None or b is None:
        return a or b
    return a if (a.at, a.phase, a.digest) >= (b.at, b.phase, b.digest) else b


def facet_size(name: str, value: bytes | None) -> int:
    """Return the size of a facet, as FACET_LIMITS count it."""
    return len(name) + len(value or b"")


def stamped_facets(
    at: datetime, digest: bytes, facets: Mapping[str, bytes | None], phase: int
) -> Mapping[str, StampedFacet]:
    """Return an event's facets as registers, within FACET_LIMITS.

    A name longer than MAX_FACET_NAME is shortened, and its value is left out.
    """
    stamped = {}
    total = 0
    for name, value in facets.items():
        size = len(name) + len(value or b"")
        total += size
        if len(name) <= MAX_FACET_NAME:
            stamped[name] = make_tuple(StampedFacet, (at, digest, value, phase, size))
        else:
            stamped[_shorten(name)] = StampedFacet(
                at, digest, None if value is None else OMITTED, phase, _SHORTENED + 1
            )
    return stamped if total <= FACET_LIMITS.size and len(stamped) <= FACET_LIMITS.count else _cut(stamped)


def _shorten(name: str) -> str:
    return name[:_SHORTENED] + "…"


NO_MENTION = frozenset({Kind.ERASED, Kind.TAGGED, Kind.UNTAGGED})
"""Kinds of events that do not bring a deleted name back."""

NameRegisters = tuple[int, int, int, int, datetime, FirstSeen | None, D | None]
"""What the registers of jobs and of namespaces have in common, in the order of their fields.

The positions of the last event that concerns the name (`position`), of the last in its own stream (`own_position`), of
the last that mentions it (`seen`) and of its last deletion (`deleted`); then `updated_at`, `first_seen`, `definition`.
"""


def name_registers_of(event: Event, *, own: bool, updated_at: datetime, definition: D | None) -> NameRegisters[D]:
    """Return the common registers of one event. `own`: it is in the name's own stream, else it mentions the name."""
    position = event.position
    deleted = own and event.kind == Kind.DELETED
    if deleted or event.kind in NO_MENTION:
        return position, position if own else 0, 0, position if deleted else 0, updated_at, None, definition
    first_seen = FirstSeen(not (own and event.kind == Kind.DEFINED), event.transitioned_at)
    return position, position if own else 0, position, 0, updated_at, first_seen, definition


def merge_names(a: NameRegisters[D], b: NameRegisters[D]) -> NameRegisters[D]:
    """Merge the common registers of two parts of a history."""
    position, own_position, seen, deleted, updated_at, first_seen, definition = a
    b_position, b_own_position, b_seen, b_deleted, b_updated_at, b_first_seen, b_definition = b
    return (
        position if position > b_position else b_position,
        own_position if own_position > b_own_position else b_own_position,
        seen if seen > b_seen else b_seen,
        deleted if deleted > b_deleted else b_deleted,
        updated_at if updated_at > b_updated_at else b_updated_at,
        _earliest(first_seen, b_first_seen),
        _latest_definition(definition, b_definition),
    )


def _latest_definition(a: D | None, b: D | None) -> D | None:
    """Return the definition with the later (time, digest)."""
    if a is None or b is None:
        return a or b
    return a if a[:2] >= b[:2] else b


def _earliest(a: FirstSeen | None, b: FirstSeen | None) -> FirstSeen | None:
    if a is None or b is None:
        return a or b
    return a if a <= b else b
