"""The events of a page that tell the same of one dataset: they are merged as one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from service.domain.column_mapping import ColumnMapping, column_mapping_of
from service.domain.dataset import DatasetFacts, DatasetRegisters, Role, dataset_registers_of
from service.domain.dataset_versions import DatasetVersion, told_content
from service.domain.event import DatasetName, Event
from service.domain.registers import FirstSeen, phase_of
from service.domain.sources_and_tags import SourceRegisters, TagRegisters, source_registers_of, tag_registers_of


class Telling:
    """What events tell of a dataset, of the facets that all of them have. Events are added in the order of positions.

    `latest` and `earliest` are by (time, phase, digest), of which each register keeps one.
    """

    __slots__ = (
        "_first",
        "_last",
        "earliest",
        "facts",
        "first_at",
        "first_position",
        "last_position",
        "latest",
        "role",
        "version",
    )

    def __init__(self, event: Event, role: int, facts: DatasetFacts, version: UUID | None) -> None:
        """Begin with an event."""
        self.role = role
        self.facts = facts
        self.version = version
        self.latest = self.earliest = event
        self._first = self._last = _stamp(event)
        self.first_at = event.transitioned_at
        self.first_position = self.last_position = event.position

    def add(self, event: Event) -> None:
        """Add an event that tells the same."""
        at = event.transitioned_at
        self.last_position = event.position
        if at >= self._last[0] and (stamp := _stamp(event)) > self._last:
            self.latest, self._last = event, stamp
        if at <= self.first_at:
            self.first_at = at
            if (stamp := _stamp(event)) < self._first:
                self.earliest, self._first = event, stamp

    def registers(self, name: DatasetName) -> DatasetRegisters:
        """Return what all of the events merge to."""
        event = self.latest._replace(position=self.last_position)
        found = dataset_registers_of(event, name, Role(self.role), self.facts)
        return found._replace(first_seen=FirstSeen(implied=True, at=self.first_at))

    def dataset_version(self, name: DatasetName) -> DatasetVersion | None:
        """Return the version that they tell."""
        if self.version is None:
            return None
        content = told_content(self.earliest, name, self.facts)
        return DatasetVersion(self.version, self.first_at, self.first_position, content)

    def mapping(self) -> ColumnMapping | None:
        """Return the column mapping that they tell."""
        columns = self.facts.mapping
        return None if columns is None else column_mapping_of(self.latest, columns)

    def source(self) -> SourceRegisters | None:
        """Return the source that they tell."""
        if self.facts.source is None:
            return None
        event = self.latest._replace(position=self.last_position)
        found = source_registers_of(event, self.facts.source, None, self.facts.source_url)
        return found._replace(first_seen=FirstSeen(implied=True, at=self.first_at))

    def tags(self) -> list[TagRegisters]:
        """Return the tags that they tell."""
        event = self.latest._replace(position=self.last_position)
        first_seen = FirstSeen(implied=True, at=self.first_at)
        names = {change.tag for change in self.facts.tags if change.added}
        return [tag_registers_of(event, name)._replace(first_seen=first_seen) for name in sorted(names)]


def _stamp(event: Event) -> tuple[datetime, int, bytes]:
    return event.transitioned_at, phase_of(event), event.payload_digest or event.fact
