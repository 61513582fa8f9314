"""Moves what a database of Marquez holds into the ledger: its OpenLineage events, then what its REST API recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from service.domain.draft import Draft
from service.errors import RunfoldError, Unavailable
from service.ingest.ingestion import Append, Ingestion, IngestionFailure
from service.ingest.marquez_database import MarquezReader
from service.ingest.marquez_drafts import KINDS, Imported, read_row
from service.payloads.openlineage import Origin
from service.payloads.splitters import RawEvent

_EVENTS_AT_ONCE = 500
_BATCH = 500
_CHECKPOINT_EVENTS = 50_000

EVENTS = "events"
"""The kind of OpenLineage events; the others are those of marquez_drafts.KINDS."""


class Refusal(NamedTuple):
    """What could not be taken, and why. `text`: the OpenLineage event, as Marquez has it."""

    kind: str
    name: str
    reason: str
    text: bytes | None = None


class Counts(NamedTuple):
    """What became of the events, or of the rows of a kind; a run has several events."""

    recorded: int
    known: int
    refused: int


class MarquezImport:
    """Imports one database of Marquez, and counts what became of it."""

    def __init__(
        self,
        append: Append,
        *,
        max_bytes: int,
        on_refusal: Callable[[Refusal], None],
        save: Callable[[datetime], Awaitable[None]],
        progress: Callable[[str, int, int], None],
    ) -> None:
        """Take what appends events to the ledger.

        max_bytes: of one event; on_refusal: gets each refusal; save: saves that all events which Marquez received
        before a time are done; progress: gets a kind, the number done and the number of all (0: unknown).
        """
        self._append = append
        self._max_bytes = max_bytes
        self._on_refusal = on_refusal
        self._save = save
        self._progress = progress
        self._recorded: Counter[str] = Counter()
        self._known: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self.broken_off: str | None = None
        """Why the import ended before its end: the ledger could not be written."""

    def counts(self) -> dict[str, Counts]:
        """Return what became of each kind."""
        return {kind: Counts(self._recorded[kind], self._known[kind], self._refused[kind]) for kind in (EVENTS, *KINDS)}

    async def run(self, reader: MarquezReader, since: datetime | None) -> None:
        """Import the events that Marquez received since a time (None: all), then everything else."""
        await self._import_events(reader, since)
        for kind in KINDS:
            if self.broken_off is None:
                await self._import_rows(reader, kind)

    async def _import_events(self, reader: MarquezReader, since: datetime | None) -> None:
        total = await reader.count_events(since)
        ingestion = Ingestion(
            self._append, Origin("import"), max_bytes=self._max_bytes, on_failure=self._on_event_failure
        )
        number = saved = 0
        received: datetime | None = None
        lines: list[RawEvent] = []
        async for row in reader.rows("events", since):
            number += 1
            lines.append(RawEvent(number, row["body"].encode()))
            if row["created_at"] != received and number - saved >= _CHECKPOINT_EVENTS and received is not None:
                await ingestion.add(lines)
                await self._checkpoint(ingestion, received)
                lines, saved = [], number
            received = row["created_at"]
            if len(lines) >= _EVENTS_AT_ONCE:
                await ingestion.add(lines)
                lines = []
                self._progress(EVENTS, number, total)
            if ingestion.retriable:
                break
        await ingestion.add(lines)
        if received is not None:
            await self._checkpoint(ingestion, received)
        await ingestion.finish()
        self._recorded[EVENTS] = ingestion.recorded - ingestion.known
        self._known[EVENTS] = ingestion.known
        if ingestion.retriable:
            self.broken_off = ingestion.retriable_reason

    async def _checkpoint(self, ingestion: Ingestion, received: datetime) -> None:
        await ingestion.finish()
        if not ingestion.retriable:
            await self._save(received)

    def _on_event_failure(self, failure: IngestionFailure) -> None:
        if not failure.retriable:
            self._refuse(Refusal(EVENTS, f"event {failure.line.number}", failure.reason, failure.line.text))

    def _refuse(self, refusal: Refusal) -> None:
        self._refused[refusal.kind] += 1
        self._on_refusal(refusal)

    async def _import_rows(self, reader: MarquezReader, kind: str) -> None:
        batch: list[Imported] = []
        number = 0
        async for row in reader.rows(kind):
            number += 1
            imported = read_row(kind, row)
            if imported.problem is not None:
                self._refuse(Refusal(kind, imported.name, imported.problem))
                continue
            batch.append(imported)
            if len(batch) >= _BATCH:
                await self._record(kind, batch)
                batch = []
                self._progress(kind, number, 0)
            if self.broken_off is not None:
                return
        await self._record(kind, batch)

    async def _record(self, kind: str, batch: Sequence[Imported]) -> None:
        """Append the drafts of a batch: those of one thing in their order."""
        drafts: list[Draft] = [draft for imported in batch for draft in imported.drafts]
        names = [imported.name for imported in batch for _ in imported.drafts]
        if not drafts:
            return
        for name, result in zip(names, await self._append(drafts), strict=True):
            if isinstance(result, Unavailable):
                self.broken_off = result.detail
            elif isinstance(result, RunfoldError):
                self._refuse(Refusal(kind, name, result.detail))
            elif result.recorded_at is None:
                self._known[kind] += 1
            else:
                self._recorded[kind] += 1
