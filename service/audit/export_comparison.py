"""Compares an export with the ledger: each record of the file with its event, and that no event is left out.

Nothing of the file and of the head beside it is trusted, except for what they claim: a position, filters, a format. The
events are selected here from all rows up to that position, not by posting lists, which are derived. The chain of those
rows is recomputed on the way and must lead to the saved head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import aclosing
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from service.audit.event_lines import CSV_HEADER
from service.audit.evidence import ArchiveHistory, EvidenceReader, PayloadOwner
from service.audit.exported_records import RecordReader, UnreadableExport, as_written, open_records, time_of
from service.audit.filters import EventFilters, FilteredFields
from service.audit.hash_chain import NO_HASH, ChainRow, recompute_hashes
from service.domain.event import make_tuple
from service.ledger.archive_records import ArchiveIndex
from service.ledger.events import LOG

_PAGE = 5000
"""Positions read at once."""

_chain_fields = itemgetter(*ChainRow._fields)


class ExportClaim(NamedTuple):
    """What a file is said to be: the events of some filters up to a position of the ledger."""

    file: Path
    form: str
    filters: EventFilters
    position: int


class ExportComparison(NamedTuple):
    """The number of events that were found equal, and positions whose payload could not be compared.

    A payload that left the database since can be compared by its digest, but not where line breaks became spaces.
    """

    events: int
    unproved: list[int]


class ExportDiffers(Exception):
    """The file is not what it claims to be. The message names the position."""


async def compare_export(
    reader: EvidenceReader, claim: ExportClaim, head_hash: bytes, progress: Callable[[int, int], None] | None = None
) -> ExportComparison:
    """Compare a file with the ledger up to the position of its head, in constant memory.

    Raises ExportDiffers, DatabaseUnavailable, OSError, and OperatorError where Parquet cannot be read.
    """
    with claim.file.open("rb") as file:
        try:
            records = open_records(claim.file, file, claim.form, CSV_HEADER)
            return await _Comparison(reader, claim, await reader.archives(), records).run(head_hash, progress)
        except UnreadableExport as error:
            raise ExportDiffers(f"{claim.file} was altered: {error}") from error


class _Comparison:
    def __init__(
        self, reader: EvidenceReader, claim: ExportClaim, archives: ArchiveHistory, records: RecordReader
    ) -> None:
        self._reader = reader
        self._claim = claim
        self._archives = ArchiveIndex(archives.recorded)
        self._records = records
        self._iterator: Iterator[Any] = iter(records)
        self._events = 0
        self._unproved: list[int] = []

    async def run(self, head_hash: bytes, progress: Callable[[int, int], None] | None) -> ExportComparison:
        before, end = NO_HASH, self._claim.position
        for first in range(1, end + 1, _PAGE):
            last = min(first + _PAGE - 1, end)
            rows = [make_tuple(ChainRow, _chain_fields(row)) for row in await self._reader.rows(first, last)]
            before = _check_chain(rows, first, last, before)
            await self._compare_page([row for row in rows if self._selects(row)])
            if progress is not None:
                progress(last, end)
        if before != head_hash:
            raise ExportDiffers(f"position {end} has another hash than was saved: the ledger was rewritten")
        if next(self._iterator, None) is not None:
            raise ExportDiffers(f"{self._claim.file} was altered: it has more than the {self._events} events")
        return ExportComparison(self._events, self._unproved)

    def _selects(self, row: ChainRow) -> bool:
        filters = self._claim.filters
        if filters.since or filters.until:
            recorded_at = time_of(row.recorded_at)
            if (filters.since and recorded_at < filters.since) or (filters.until and recorded_at >= filters.until):
                return False
        stream = UUID(bytes=row.stream)
        fields = (row.subject, stream, row.kind, row.state, row.source, row.namespace, row.job, row.actor)
        return filters.match(FilteredFields(*fields))

    async def _compare_page(self, rows: list[ChainRow]) -> None:
        """Compare the selected rows of a page, in order, with the next records; payloads come in slices."""
        waiting = iter(rows)
        row = next(waiting, None)
        if row is None:
            return
        async with aclosing(self._reader.payloads(rows[0].position, rows[-1].position)) as slices:
            async for payloads in slices:
                bodies = dict(payloads)
                while row is not None and payloads and row.position <= payloads[-1][0]:
                    await self._compare(row, bodies.get(row.position))
                    row = next(waiting, None)
        while row is not None:
            await self._compare(row, None)
            row = next(waiting, None)

    async def _compare(self, row: ChainRow, body: bytes | None) -> None:
        self._events += 1
        archives = list(self._archives.covering(row.position))
        record = next(self._iterator, None)
        found = None if record is None else self._records.payload_of(record, row, archives)
        if found is None:
            raise ExportDiffers(
                f"{self._claim.file} was altered: record {self._events} is not the event of position {row.position}"
            )
        if body is not None and sha256(body).digest() != row.payload_digest:
            raise ExportDiffers(f"the payload of position {row.position} was altered in the ledger")
        if body is not None and found.body == as_written(body, one_line=found.one_line):
            return
        if found.body is None:
            if row.payload_digest is None or archives or await self._is_erased(row):
                return
        elif body is None and row.payload_digest is not None:
            if sha256(found.body).digest() == row.payload_digest:
                return
            if found.one_line and b" " in found.body:
                self._unproved.append(row.position)
                return
        raise ExportDiffers(f"{self._claim.file} was altered: the payload of position {row.position} is another one")

    async def _is_erased(self, row: ChainRow) -> bool:
        return bool(await self._reader.erased([PayloadOwner(row.position, row.subject, row.stream)]))


def _check_chain(rows: list[ChainRow], first: int, last: int, before: bytes) -> bytes:
    """Recompute the chain of positions first to last; return the last hash. Raises ExportDiffers."""
    expected = first
    for row, computed in recompute_hashes(LOG, rows, before):
        if row.position != expected or row.hash != computed:
            break
        before = computed
        expected += 1
    if expected <= last:
        raise ExportDiffers(f"position {expected} of the ledger was altered or is missing")
    return before
