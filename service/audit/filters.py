"""Filters of events. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.domain.binding import Binding
from service.domain.event import Subject


class FilteredFields(NamedTuple):
    """The fields of an event that filters compare."""

    subject: str
    stream: UUID
    kind: str
    state: str | None
    source: str
    namespace: str | None
    job: str | None
    actor: str | None


class EventFilters(NamedTuple):
    """What an event must match; None matches any, and all filters must match.

    `since` and `until` bound the time of recording: `since` is included, `until` is not. `within`: only events
    within the binding of an API key.
    """

    namespace: str | None = None
    job: str | None = None
    run: UUID | None = None
    kinds: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    actor: str | None = None
    sources: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    within: Binding | None = None

    @property
    def any_event(self) -> bool:
        """Whether every event between `since` and `until` matches."""
        return self._replace(since=None, until=None) == EVERYTHING

    def match(self, event: FilteredFields) -> bool:
        """Tell whether an event matches, whatever its time of recording."""
        return (
            (self.namespace is None or event.namespace == self.namespace)
            and (self.job is None or event.job == self.job)
            and (self.actor is None or event.actor == self.actor)
            and (self.run is None or (event.stream == self.run and event.subject == Subject.RUN))
            and (self.kinds is None or event.kind in self.kinds)
            and (self.states is None or event.state in self.states)
            and (self.sources is None or event.source in self.sources)
            and (self.within is None or self.within.allows(event.namespace))
        )


EVERYTHING = EventFilters()
