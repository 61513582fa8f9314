"""A namespace: the state that its events make, and how two parts of its history merge."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from service.domain.event import Event, Kind
from service.domain.registers import EPOCH, FirstSeen, _first, latest


class NamespaceDefinition(NamedTuple):
    """What a PUT of a namespace says, the latest standing."""

    at: datetime
    digest: bytes
    owner: str
    description: str | None


class NamespaceRegisters(NamedTuple):
    """A namespace, as its own events and those of its jobs and runs make it."""

    name: str
    position: int = 0
    own_position: int = 0
    seen: int = 0
    deleted: int = 0
    updated_at: datetime = EPOCH
    first_seen: FirstSeen | None = None
    definition: NamespaceDefinition | None = None

    @property
    def hidden(self) -> bool:
        """Deleted, and not heard of since."""
        return self.deleted > self.seen


def namespace_registers_of(event: Event, definition: NamespaceDefinition | None = None) -> NamespaceRegisters:
    """Return what one event, the namespace's own or one that names it, says of the namespace."""
    own = event.subject == "namespace"
    deleted = own and event.kind == Kind.DELETED
    takes_away = deleted or event.kind == Kind.ERASED
    return NamespaceRegisters(
        event.namespace or "",
        event.position,
        event.position if own else 0,
        0 if takes_away else event.position,
        event.position if deleted else 0,
        event.recorded_at if own else EPOCH,
        None if takes_away else FirstSeen(not (own and event.kind == Kind.DEFINED), event.transitioned_at),
        definition,
    )


def merge_namespaces(a: NamespaceRegisters, b: NamespaceRegisters) -> NamespaceRegisters:
    """Merge two parts of a namespace's history; the order and overlap of the parts do not matter."""
    return NamespaceRegisters(
        a.name,
        max(a.position, b.position),
        max(a.own_position, b.own_position),
        max(a.seen, b.seen),
        max(a.deleted, b.deleted),
        max(a.updated_at, b.updated_at),
        _first(a.first_seen, b.first_seen),
        latest(a.definition, b.definition),
    )
