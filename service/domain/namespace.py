"""The state of a namespace: registers that are merged from its own events and those of its jobs and runs."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from service.domain.event import Event, make_tuple
from service.domain.registers import EPOCH, FirstSeen, merge_names, name_registers_of
from service.domain.silence import SilentAfter, StampedSilentAfter, latest_setting


class NamespaceDefinition(NamedTuple):
    """The content of a PUT of a namespace; the latest wins."""

    at: datetime
    digest: bytes
    owner: str
    description: str | None


class NamespaceRegisters(NamedTuple):
    """The state of a namespace. The fields from `position` to `definition` are those of registers.NameRegisters."""

    name: str
    position: int = 0
    own_position: int = 0
    seen: int = 0
    deleted: int = 0
    updated_at: datetime = EPOCH
    first_seen: FirstSeen | None = None
    definition: NamespaceDefinition | None = None
    silent_after: StampedSilentAfter | None = None

    @property
    def hidden(self) -> bool:
        """Whether the namespace was deleted and not mentioned since."""
        return self.deleted > self.seen


def namespace_registers_of(
    event: Event, definition: NamespaceDefinition | None = None, silent_after: SilentAfter | None = None
) -> NamespaceRegisters:
    """Return the namespace's registers of one event: the namespace's own or one that mentions it."""
    own = event.subject == "namespace"
    updated_at = event.recorded_at if own else EPOCH
    names = name_registers_of(event, own=own, updated_at=updated_at, definition=definition)
    setting = None
    if own and silent_after:  # not that of a job
        setting = StampedSilentAfter(event.transitioned_at, event.fact, event.position, silent_after.seconds)
    return make_tuple(NamespaceRegisters, (event.namespace or "", *names, setting))


def merge_namespaces(a: NamespaceRegisters, b: NamespaceRegisters) -> NamespaceRegisters:
    """Merge two parts of a namespace's history; the order and overlap of the parts do not matter."""
    setting = latest_setting(a.silent_after, b.silent_after)
    return make_tuple(NamespaceRegisters, (a.name, *merge_names(a[1:8], b[1:8]), setting))
