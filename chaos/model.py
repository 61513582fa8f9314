"""Merges the rows of the ledger into runs by a second implementation of the rules: it shares no code with the service.

A row that must not be recorded raises Violation at once; checks.py finds what is missing.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from chaos.database import Row
from chaos.journal import Command, Journal, now
from chaos.waiting import Violation

ENDS = ("COMPLETED", "FAILED", "ABORTED")
FACET = "beat"
"""The run facet that the clients' events carry."""


class Reported(NamedTuple):
    """A recorded transition of the run API."""

    position: int
    state: str
    at: datetime


@dataclass(slots=True)
class Run:
    """A run as merged from its rows."""

    id: UUID
    namespace: str
    job: str
    created: datetime
    by_creator: bool = False
    started: datetime | None = None
    end: tuple[datetime, int] | None = None
    facet: tuple[datetime, bytes, Any] | None = None
    args: Any = field(default_factory=dict)
    updated: datetime | None = None
    position: int = 0

    @property
    def state(self) -> str:
        """The state; a reported end is final."""
        if self.end is not None:
            return ENDS[self.end[1]]
        return "RUNNING" if self.started is not None else "NEW"

    def take(self, row: Row) -> None:
        """Merge a row."""
        self.updated, self.position = row.recorded_at, row.position
        body = json.loads(row.body) if row.body else {}
        if row.state == "NEW":
            self.created, self.by_creator, self.args = row.transitioned_at, True, body.get("args", {})
        elif not self.by_creator:
            self.created = min(self.created, row.transitioned_at)
        if row.state == "RUNNING":
            self.started = min(self.started or row.transitioned_at, row.transitioned_at)
        elif row.state in ENDS:
            end = row.transitioned_at, ENDS.index(row.state)
            self.end = max(self.end or end, end)
        self._take_facet(row, body)

    def _take_facet(self, row: Row, body: Any) -> None:  # noqa: ANN401  JSON is anything
        value = body.get("run", {}).get("facets", {}).get(FACET)
        if value is not None and row.payload_digest is not None:
            facet = row.transitioned_at, row.payload_digest, value
            self.facet = facet if self.facet is None else max(self.facet, facet, key=lambda each: each[:2])

    def differs(self, view: dict[str, Any]) -> str | None:
        """Return how a view of the service differs from this run; None if it does not."""
        expected = {
            "state": self.state,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "startedAt": self.started,
            "endedAt": self.end[0] if self.end else None,
            "args": self.args,
            "facets": {FACET: self.facet[2]} if self.facet else {},
        }
        times = {"createdAt", "updatedAt", "startedAt", "endedAt"}
        for name, value in expected.items():
            shown = time_of(view[name]) if name in times else view[name]
            if shown != value:
                return f"run {self.id} is shown with {name} {view[name]!r}; the ledger yields {value!r}"
        return None


def time_of(text: str | None) -> datetime | None:
    """Parse a time of a view."""
    return None if text is None else datetime.fromisoformat(text)


class Ledger:
    """All rows read so far."""

    def __init__(self, journal: Journal) -> None:
        """`journal` holds what was sent: nothing else may be recorded."""
        self._journal = journal
        self.position = 0
        self.recorded: datetime | None = None
        self.runs: dict[UUID, Run] = {}
        self.reported: defaultdict[UUID, list[Reported]] = defaultdict(list)
        self.payloads: Counter[bytes] = Counter()
        self.streams: dict[bytes, set[UUID]] = defaultdict(set)
        self.keys: Counter[tuple[str, str]] = Counter()

    def take(self, rows: Iterable[Row]) -> None:
        """Check and merge the rows that follow the ones taken before."""
        for row in rows:
            self._check_order(row)
            self._check_sent(row)
            if row.subject == "run":
                self._take_run(row)

    def _check_order(self, row: Row) -> None:
        if row.position != self.position + 1:
            raise Violation(f"position {self.position} is followed by {row.position}")
        if self.recorded is not None and row.recorded_at < self.recorded:
            raise Violation(f"recorded_at goes back at position {row.position}: {self.recorded} to {row.recorded_at}")
        self.position, self.recorded = row.position, row.recorded_at

    def _check_sent(self, row: Row) -> None:
        if (row.body is None) != (row.payload_digest is None):
            raise Violation(f"position {row.position}: only one of digest and payload is present")
        if row.subject == "key":
            self._take_key(row, row.body or b"{}")
        elif row.body is not None:
            self._take_payload(row, row.body)
        elif row.source == "api" and row.subject == "run":
            self._take_report(row)
        else:
            raise Violation(f"position {row.position} was never sent: {row}")

    def _take_key(self, row: Row, body: bytes) -> None:
        event = json.loads(body)["name"], row.kind
        self.keys[event] += 1
        if self.keys[event] > self._journal.keys[event]:
            raise Violation(f"position {row.position}: API key {event} is recorded {self.keys[event]} times")

    def _take_payload(self, row: Row, body: bytes) -> None:
        digest = sha256(body).digest()
        if digest != row.payload_digest:
            raise Violation(f"position {row.position}: the payload's SHA-256 is not its digest")
        if row.subject == "namespace" and row.namespace == "default":
            return
        sent = self._journal.payloads.get(digest)
        if sent is None:
            raise Violation(f"position {row.position} has a payload that was never sent: {body[:300]!r}")
        if row.actor != sent.actor:
            raise Violation(f"{sent.what} was sent by {sent.actor}, and position {row.position} names {row.actor}")
        self.payloads[digest] += 1
        self.streams[digest].add(row.stream)
        limit = sent.attempts if sent.limit is None else sent.limit
        if self.payloads[digest] > limit:
            raise Violation(f"{sent.what} is recorded {self.payloads[digest]} times, last at position {row.position}")

    def _take_report(self, row: Row) -> None:
        """Check a transition of the run API: it was sent, is recorded for the first time, and reopens nothing."""
        assert row.state is not None  # noqa: S101  an event of a run without a payload is a transition
        before = self.reported[row.stream]
        found = Reported(row.position, row.state, row.transitioned_at)
        sent = [command for command in self._journal.commands[row.stream] if _matches(command, found)]
        if not sent:
            raise Violation(f"{found} of run {row.stream} was never sent")
        if row.actor not in {command.actor for command in sent}:
            raise Violation(f"{found} of run {row.stream} was not sent by {row.actor}")
        same = [event for event in before if event.state == found.state]
        if any(event.at == found.at for event in same):
            raise Violation(f"{found} of run {row.stream} is recorded twice")
        ended = next((event for event in before if event.state in ENDS), None)
        if ended is not None and (found.state in ENDS or found.at > ended.at):
            raise Violation(f"run {row.stream} had {ended}, and then {found}")
        before.append(found)

    def _take_run(self, row: Row) -> None:
        run = self.runs.get(row.stream)
        if run is None:
            run = Run(row.stream, row.namespace or "", row.job or "", row.transitioned_at)
            self.runs[row.stream] = run
        run.take(row)


def _matches(command: Command, found: Reported) -> bool:
    """Return whether a command can have led to an event; a command without a time gets the service's time."""
    if command.state != found.state:
        return False
    return command.at == found.at if command.at is not None else command.since <= found.at <= now()
