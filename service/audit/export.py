"""Exports the ledger, or the events of a filter, to a file, in constant memory and as of a ledger head."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, BinaryIO, NamedTuple, Protocol

from service.audit.event_lines import CSV_HEADER, EventLinePage, PositionRange, TextFormat
from service.audit.event_text import as_record
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.database.connections import Connections
from service.ledger.events import Head
from service.parquet import import_pyarrow

_CONNECTIONS = 2
_MAX_FIELD = 2**31 - 1
"""Characters in a CSV field."""

_EMPTY_TEXT = ',"",'
"""Is in each record that has a name that is an empty text, which csv.reader does not tell from NULL."""

_CSV_FIELD = re.compile(r'(?:^|,)("(?:[^"]|"")*"|[^,"]*)')


class ExportFormat(StrEnum):
    """The format of an export."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


_LINE_FORMATS = {ExportFormat.NDJSON: TextFormat.JSON, ExportFormat.CSV: TextFormat.CSV}


class ExportResult(NamedTuple):
    """The ledger head at the start, the number of events written, and the file's SHA-256 in hexadecimal."""

    head: Head
    events: int
    sha256: str


class _ExportWriter(Protocol):
    """Writes pages, whose lines must be in the text form `form`."""

    form: TextFormat

    def write(self, page: EventLinePage) -> None: ...

    def close(self) -> None: ...


class _DigestingFile:
    """A file that computes the digest of its content; it can only be written to."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = sha256()
        self._size = 0
        self.closed = False

    def write(self, data: Any) -> int:  # noqa: ANN401  bytes, or an Arrow buffer
        raw = bytes(data)
        self._digest.update(raw)
        self._size += len(raw)
        self._file.write(raw)
        return len(raw)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class _LineWriter:
    """NDJSON, and CSV with a header."""

    def __init__(self, file: _DigestingFile, form: TextFormat) -> None:
        self.form = form
        self._file = file
        self._quoted = form is TextFormat.CSV
        if form is TextFormat.CSV:
            file.write(CSV_HEADER.encode() + b"\n")

    def write(self, page: EventLinePage) -> None:
        self._file.write(b"".join([as_record(line.text, quoted=self._quoted) for line in page.lines]))

    def close(self) -> None:
        self._file.flush()


class _ParquetWriter:
    """The columns of the CSV, typed. Names and payloads are unchanged, to the byte."""

    form = TextFormat.CSV

    def __init__(self, file: _DigestingFile) -> None:
        self._arrow: Any = import_pyarrow()
        self._schema = _schema(self._arrow)
        self._writer = self._arrow.parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, page: EventLinePage) -> None:
        if page.lines:
            csv.field_size_limit(_MAX_FIELD)
            columns = zip(*_csv_fields([line.text.decode() for line in page.lines]), strict=True)
            arrays = [_array(self._arrow, field, column) for field, column in zip(self._schema, columns, strict=True)]
            self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _schema(arrow: Any) -> Any:  # noqa: ANN401  pyarrow has no types
    numbers = {"log": arrow.int32(), "position": arrow.int64()}
    time = arrow.timestamp("us", "UTC")
    types = numbers | {"transitionedAt": time, "recordedAt": time}
    return arrow.schema([(name, types.get(name, arrow.string())) for name in CSV_HEADER.split(",")])


def _array(arrow: Any, field: Any, column: tuple[Any, ...]) -> Any:  # noqa: ANN401
    if arrow.types.is_integer(field.type):
        return arrow.array([int(text) for text in column], field.type)
    if arrow.types.is_timestamp(field.type):
        return arrow.array([datetime.fromisoformat(text) for text in column], field.type)
    return arrow.array(column, field.type)


def _csv_fields(records: list[str]) -> Iterator[list[str | None]]:
    """Yield the fields of records; an empty field without quotes is NULL, `""` is an empty text."""
    for record, fields in zip(records, csv.reader(records), strict=True):
        if _EMPTY_TEXT in record:
            yield [_unquoted(quoted) if quoted else None for quoted in _CSV_FIELD.findall(record)]
        else:
            yield [field or None for field in fields]


def _unquoted(field: str) -> str:
    return field[1:-1].replace('""', '"') if field.startswith('"') else field


async def export_events(
    dsn: str, filters: EventFilters, file: BinaryIO, form: ExportFormat, progress: Callable[[int, int], None]
) -> ExportResult:
    """Write the events recorded until now; progress is called with the positions that are done, and all.

    Raises Unavailable, OSError of the file, and OperatorError where pyarrow is missing.
    """
    async with Connections(dsn, _CONNECTIONS) as connections:
        reader = LedgerReader(connections)
        head = await reader.head()
        span = PositionRange(0, head.position)
        if filters.since or filters.until:
            span = await reader.span(filters.since, filters.until)
            span = PositionRange(span.after, min(span.upto, head.position))  # later events are not of this export
        target = _DigestingFile(file)
        writer: _ExportWriter = (
            _ParquetWriter(target) if form is ExportFormat.PARQUET else _LineWriter(target, _LINE_FORMATS[form])
        )
        events = 0
        async with aclosing(reader.pages(filters, span, writer.form)) as pages:
            async for page in pages:
                writer.write(page)
                events += len(page.lines)
                progress(page.rest.after - span.after, span.upto - span.after)
        writer.close()
        return ExportResult(head, events, target.hexdigest())
