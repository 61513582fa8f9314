"""The state of a source and of a tag: registers that are merged from their own events and those that name them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from service.domain.dataset_definitions import SourceDefinition, TagDefinition
from service.domain.event import Event, Subject, make_tuple
from service.domain.registers import EPOCH, FirstSeen, StampedText, latest, merge_names, name_registers_of, phase_of


class SourceRegisters(NamedTuple):
    """The state of a source. The fields from `position` to `definition` are those of registers.NameRegisters.

    `told_url`: of the latest `dataSource` facet that has one, without a password. `updated_at`: the latest time of an
    event.
    """

    name: str
    position: int = 0
    own_position: int = 0
    seen: int = 0
    deleted: int = 0
    updated_at: datetime = EPOCH
    first_seen: FirstSeen | None = None
    definition: SourceDefinition | None = None
    told_url: StampedText | None = None

    @property
    def connection_url(self) -> str | None:
        """The URL of the PUT or of the facet, which is later."""
        defined, told = self.definition, self.told_url
        if defined is None or (told is not None and told[:2] > defined[:2]):
            return told.text if told is not None else None
        return defined.connection_url


def source_registers_of(
    event: Event, name: str, definition: SourceDefinition | None = None, told_url: str | None = None
) -> SourceRegisters:
    """Return the registers of a source that an event defines or names. `told_url`: without a password."""
    at = event.transitioned_at
    names = name_registers_of(event, own=event.subject == Subject.SOURCE, updated_at=at, definition=definition)
    url = None
    if told_url is not None:
        url = StampedText(at, event.payload_digest or event.fact, told_url, phase_of(event))
    return make_tuple(SourceRegisters, (name, *names, url))


def merge_sources(a: SourceRegisters, b: SourceRegisters) -> SourceRegisters:
    """Merge two parts of a source's history; the order and overlap of the parts do not matter."""
    return make_tuple(SourceRegisters, (a.name, *merge_names(a[1:8], b[1:8]), latest(a.told_url, b.told_url)))


class TagRegisters(NamedTuple):
    """The state of a tag. The fields from `position` to `definition` are those of registers.NameRegisters.

    `description`: of the latest PUT that has one. `updated_at`: the latest time of an event.
    """

    name: str
    position: int = 0
    own_position: int = 0
    seen: int = 0
    deleted: int = 0
    updated_at: datetime = EPOCH
    first_seen: FirstSeen | None = None
    definition: TagDefinition | None = None
    description: StampedText | None = None


def tag_registers_of(event: Event, name: str, definition: TagDefinition | None = None) -> TagRegisters:
    """Return the registers of a tag that an event defines or uses."""
    at = event.transitioned_at
    names = name_registers_of(event, own=event.subject == Subject.TAG, updated_at=at, definition=definition)
    description = None
    if definition is not None and definition.description is not None:
        description = StampedText(at, definition.digest, definition.description)
    return make_tuple(TagRegisters, (name, *names, description))


def merge_tag_registers(a: TagRegisters, b: TagRegisters) -> TagRegisters:
    """Merge two parts of a tag's history; the order and overlap of the parts do not matter."""
    return make_tuple(TagRegisters, (a.name, *merge_names(a[1:8], b[1:8]), latest(a.description, b.description)))
