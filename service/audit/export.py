"""Writes the ledger, or what a filter leaves of it, to a file in constant memory, and says at which head."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from importlib import import_module
from typing import Any, BinaryIO, NamedTuple, Protocol

from service.audit.event_text import on_one_line
from service.audit.filters import EventFilters
from service.audit.ledger_reader import CSV_HEADER, EventLinePage, LedgerReader, PositionRange, TextFormat
from service.database.connections import Connections
from service.errors import OperatorError
from service.ledger.events import Head

_CONNECTIONS = 2
_LONGEST = 2**31 - 1


class ExportFormat(StrEnum):
    """What is written."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class ExportResult(NamedTuple):
    """The head that the ledger had, how many events were written, and the file's digest."""

    head: Head
    events: int
    sha256: str


class _Writer(Protocol):
    form: TextFormat

    def write(self, page: EventLinePage) -> None: ...

    def close(self) -> None: ...


class _Digesting:
    """A file that remembers the digest of what was written to it; never read, never sought in."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = sha256()
        self._at = 0
        self.closed = False

    def write(self, data: Any) -> int:  # noqa: ANN401  bytes, or an Arrow buffer
        raw = bytes(data)
        self._digest.update(raw)
        self._at += len(raw)
        self._file.write(raw)
        return len(raw)

    def tell(self) -> int:
        return self._at

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


class _Lines:
    """NDJSON, and CSV with a header."""

    def __init__(self, file: _Digesting, form: TextFormat) -> None:
        self.form = form
        self._file = file
        if form is TextFormat.CSV:
            file.write(CSV_HEADER.encode() + b"\n")

    def write(self, page: EventLinePage) -> None:
        self._file.write(b"".join([on_one_line(line.text) + b"\n" for line in page.lines]))

    def close(self) -> None:
        self._file.flush()


class _Parquet:
    """The columns of the CSV, typed; payloads to the byte, but for line breaks between tokens."""

    form = TextFormat.CSV

    def __init__(self, file: _Digesting) -> None:
        try:
            self._arrow: Any = import_module("pyarrow")
            parquet: Any = import_module("pyarrow.parquet")
        except ImportError:
            raise OperatorError("Parquet needs the extra: pip install 'runfold[parquet]'") from None
        self._schema = _schema(self._arrow)
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, page: EventLinePage) -> None:
        if page.lines:
            csv.field_size_limit(_LONGEST)
            text = "\n".join([on_one_line(line.text).decode() for line in page.lines])
            columns = zip(*csv.reader(io.StringIO(text)), strict=True)
            arrays = [_array(self._arrow, field, column) for field, column in zip(self._schema, columns, strict=True)]
            self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _schema(arrow: Any) -> Any:  # noqa: ANN401  pyarrow has no types
    numbers = {"log": arrow.int32(), "position": arrow.int64()}
    time = arrow.timestamp("us", "UTC")
    types = numbers | {"transitionedAt": time, "recordedAt": time}
    return arrow.schema([(name, types.get(name, arrow.string())) for name in CSV_HEADER.split(",")])


def _array(arrow: Any, field: Any, column: tuple[str, ...]) -> Any:  # noqa: ANN401
    if arrow.types.is_integer(field.type):
        return arrow.array([int(text) for text in column], field.type)
    if arrow.types.is_timestamp(field.type):
        return arrow.array([datetime.fromisoformat(text) for text in column], field.type)
    return arrow.array([text or None for text in column], field.type)


@asynccontextmanager
async def open_reader(dsn: str) -> AsyncIterator[LedgerReader]:
    """Give what reads the ledger without a service."""
    async with Connections(dsn, _CONNECTIONS) as connections:
        yield LedgerReader(connections)


async def export_events(
    dsn: str, filters: EventFilters, file: BinaryIO, form: ExportFormat, progress: Callable[[int, int], None]
) -> ExportResult:
    """Write what was recorded until now. Raises Unavailable, and OperatorError where pyarrow is missing."""
    async with open_reader(dsn) as audit:
        head = await audit.head()
        span = PositionRange(0, head.position)
        if filters.since or filters.until:
            span = await audit.span(filters.since, filters.until)
        target = _Digesting(file)
        writer: _Writer = _Parquet(target) if form is ExportFormat.PARQUET else _Lines(target, _FORMS[form])
        events = 0
        async with aclosing(audit.pages(filters, span, writer.form)) as pages:
            async for page in pages:
                writer.write(page)
                events += len(page.lines)
                progress(page.covered - span.after, span.upto - span.after)
        writer.close()
        return ExportResult(head, events, target.hexdigest())


_FORMS = {ExportFormat.NDJSON: TextFormat.JSON, ExportFormat.CSV: TextFormat.CSV}
