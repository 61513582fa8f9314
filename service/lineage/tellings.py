"""The events of a page that tell the same of one dataset or job: they are merged as one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from service.domain.column_mapping import ColumnMapping, column_mapping_of
from service.domain.dataset import DatasetFacts, DatasetRegisters, Role, dataset_registers_of
from service.domain.dataset_versions import ToldVersion
from service.domain.event import DatasetName, Event, JobName
from service.domain.job_entry import JobEntry, told_description
from service.domain.registers import FirstSeen, phase_of
from service.domain.sources_and_tags import SourceRegisters, TagRegisters, source_registers_of, tag_registers_of
from service.domain.tags import TagChange, stamped_tags


class _Events:
    """Events that tell the same. They are added in the order of positions.

    `latest` and `earliest` are by (time, phase, digest), of which each register keeps one; `last` is by position.
    """

    __slots__ = ("_first", "_last", "earliest", "first_at", "first_position", "last", "latest")

    def __init__(self, event: Event) -> None:
        """Begin with an event."""
        self.latest = self.earliest = self.last = event
        self._first = self._last = _stamp(event)
        self.first_at = event.transitioned_at
        self.first_position = event.position

    def add(self, event: Event) -> None:
        """Add an event that tells the same."""
        at = event.transitioned_at
        self.last = event
        if at >= self._last[0] and (stamp := _stamp(event)) > self._last:
            self.latest, self._last = event, stamp
        if at <= self.first_at:
            self.first_at = at
            if (stamp := _stamp(event)) < self._first:
                self.earliest, self._first = event, stamp

    def _as_one(self) -> Event:
        """Return the event that has the same effect as all of them on what keeps the latest time and position."""
        return self.latest._replace(position=self.last.position)

    @property
    def _first_seen(self) -> FirstSeen:
        return FirstSeen(implied=True, at=self.first_at)

    def _used_tags(self, tags: Iterable[TagChange]) -> list[TagRegisters]:
        """Return the tags that are used in changes."""
        event, first_seen = self._as_one(), self._first_seen
        names = {change.tag for change in tags if change.added}
        return [tag_registers_of(event, name)._replace(first_seen=first_seen) for name in sorted(names)]


class Telling(_Events):
    """What events tell of a dataset, of the facets that all of them have."""

    __slots__ = ("facts", "role", "version")

    def __init__(self, event: Event, role: int, facts: DatasetFacts, version: UUID | None) -> None:
        """Begin with an event."""
        super().__init__(event)
        self.role = role
        self.facts = facts
        self.version = version

    def registers(self, name: DatasetName) -> DatasetRegisters:
        """Return what all of the events merge to."""
        found = dataset_registers_of(self._as_one(), name, Role(self.role), self.facts)
        return found._replace(first_seen=self._first_seen)

    def told_version(self, name: DatasetName) -> ToldVersion:
        """Return the version that they tell; there is one."""
        return ToldVersion(self.first_at, self.first_position, self._first, name, self.earliest, self.facts)

    def mapping(self) -> ColumnMapping | None:
        """Return the column mapping that they tell."""
        columns = self.facts.mapping
        return None if columns is None else column_mapping_of(self.latest, columns)

    def source(self) -> SourceRegisters | None:
        """Return the source that they tell."""
        if self.facts.source is None:
            return None
        found = source_registers_of(self._as_one(), self.facts.source, None, self.facts.source_url)
        return found._replace(first_seen=self._first_seen)

    def tags(self) -> list[TagRegisters]:
        """Return the tags that they tell."""
        return self._used_tags(self.facts.tags) if self.facts.tags else []


class JobTelling(_Events):
    """What events tell of a job, of the description and the tags that all of them have."""

    __slots__ = ("_changes", "_description")

    def __init__(self, event: Event, description: str | None, tags: tuple[TagChange, ...]) -> None:
        """Begin with an event."""
        super().__init__(event)
        self._description = description
        self._changes = tags

    def entry(self, job: JobName) -> JobEntry:
        """Return what all of the events merge to."""
        last, text, tags = self.last, self._description, self._changes
        description = None if text is None else told_description(self.latest, text)
        stamped = stamped_tags(last.position, tags) if tags else {}
        return JobEntry(*job, self.first_at, last.recorded_at, last.position, 0, description, stamped)

    def tags(self) -> list[TagRegisters]:
        """Return the tags that they tell."""
        return self._used_tags(self._changes) if self._changes else []


def _stamp(event: Event) -> tuple[datetime, int, bytes]:
    return event.transitioned_at, phase_of(event), event.payload_digest or event.fact
