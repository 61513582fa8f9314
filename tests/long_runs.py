"""Generated histories of a run for tests of summaries, and the answers that all of its events give."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from histories import at, judge_history, merged_events, valid_at
from hypothesis import strategies as st

from service.database.connections import Connections
from service.domain.draft import Draft
from service.domain.event import MONITOR, Content, Event, Kind, RunState, Subject
from service.domain.event_verdicts import EventVerdict
from service.domain.payload import EMPTY_PAYLOAD
from service.domain.run import RunRegisters
from service.ledger.run_events import HistoryEntry, read_history

PARENTS = [UUID(int=number) for number in (1, 2)]


class Report(NamedTuple):
    """What is reported of a run; `size` is that of its facets' values. Without facets it has no payload."""

    state: RunState | None
    minute: int
    facets: tuple[str, ...]
    size: int
    parent: int | None
    nominal: bool
    source: str
    starts: bool = False

    def draft(self, run: UUID, number: int) -> Draft:
        """Return the draft; `number` makes equal reports different facts."""
        text = self._payload(run, number)
        digest = None if text is None else sha256(text.encode()).digest()
        created = self.state is RunState.NEW
        return Draft(
            Subject.RUN,
            run,
            Kind.TRANSITION if self.state else Kind.FACTS,
            self.state,
            at(self.minute),
            "etl",
            "load" if self.source == "openlineage" else "clean",
            None if self.parent is None or created else PARENTS[self.parent],
            "api" if created else self.source,
            None,
            sha256(b"%d" % number).digest()[:16],
            None,
            digest,
            text,
            EMPTY_PAYLOAD,
        )

    def _payload(self, run: UUID, number: int) -> str | None:
        if self.state is RunState.NEW:
            return json.dumps({"args": {"number": number}}) if self.facets else None
        if not self.facets or self.source != "openlineage":
            return None
        facets: dict[str, object] = {name: {"of": number, "text": "x" * self.size} for name in self.facets}
        if self.nominal:
            facets["nominalTime"] = {"nominalStartTime": at(number % 3).isoformat()}
        return json.dumps(
            {
                "eventType": "START" if self.starts else "RUNNING",
                "eventTime": at(self.minute).isoformat(),
                "producer": "tests",
                "run": {"runId": str(run), "facets": facets},
                "job": {"namespace": "etl", "name": "load", "facets": {"size": {"is": self.size}}},
            }
        )


def reports(minutes: st.SearchStrategy[int]) -> st.SearchStrategy[Report]:
    """Return reports, mostly heartbeats, with times of a strategy."""
    return st.builds(
        Report,
        state=st.sampled_from([RunState.RUNNING] * 6 + [None, *RunState]),
        minute=minutes,
        facets=st.sampled_from([("a",)] * 4 + [(), ("b",), ("a", "c"), ("d", "e"), ("f",)]),
        size=st.sampled_from([1] * 8 + [10, 200]),
        parent=st.sampled_from([None] * 6 + [0, 1]),
        nominal=st.sampled_from([False] * 5 + [True]),
        source=st.sampled_from(["openlineage"] * 8 + ["api", MONITOR]),
        starts=st.sampled_from([False] * 3 + [True]),
    )


def in_order(found: Sequence[Report]) -> list[Report]:
    """Return reports that arrive nearly in the order of their times."""
    return [one._replace(minute=number + one.minute % 3) for number, one in enumerate(found)]


histories = st.one_of(
    st.lists(reports(st.integers(0, 2)), min_size=1, max_size=60).map(in_order),
    st.lists(reports(st.integers(0, 2)), min_size=40, max_size=60).map(in_order),
    st.lists(reports(st.integers(0, 50)), min_size=40, max_size=60),
)
"""In order, or in any."""


async def read_all(connections: Connections, run: UUID, upto: int) -> list[HistoryEntry]:
    """Return all events of a run up to a position."""
    async with aclosing(read_history(connections.fetch, run, upto)) as history:
        return [entry async for entry in history]


def known(entries: Sequence[HistoryEntry]) -> RunRegisters | None:
    """Return the run that all these events make."""
    return merged_events(_contents(entries))


def valid(entries: Sequence[HistoryEntry], time: datetime) -> RunRegisters | None:
    """Return the run as it was at a time."""
    return valid_at(_contents(entries), time)


def judged(entries: Sequence[HistoryEntry]) -> dict[int, EventVerdict]:
    """Return the verdict on each event, by position."""
    verdicts = judge_history(_contents(entries))
    return {entry.event.position: verdict for entry, verdict in zip(entries, verdicts, strict=True)}


def _contents(entries: Sequence[HistoryEntry]) -> list[tuple[Event, Content]]:
    return [(entry.event, entry.content) for entry in entries]
