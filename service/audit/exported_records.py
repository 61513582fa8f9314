"""The records of an export as a row of the ledger makes them, and as they are read back from a file. No database.

The SQL files line_json.sql and line_csv.sql write the same text; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol
from uuid import UUID

from service.audit.event_text import on_one_line
from service.audit.hash_chain import ChainRow
from service.ledger.archive_records import Archive
from service.ledger.events import LOG
from service.parquet import import_pyarrow

_EPOCH_2000 = datetime(2000, 1, 1, tzinfo=UTC)
_NULL_DIGEST = sha256(b"null").digest()
_MAX_RECORD = 256 * 1024 * 1024
"""Bytes of a record; a line that is longer is none that was exported."""

_ROWS_AT_ONCE = 64
"""Rows of a Parquet file in memory."""

_ESCAPES = {chr(code): f"\\u{code:04x}" for code in range(0x20)}
_ESCAPES |= {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_ESCAPED = re.compile(r'[\x00-\x1f"\\]')


class UnreadableExport(Exception):
    """A file has not the format of an export. The message says how."""


class RecordPayload(NamedTuple):
    """The payload of a record (None: it has none), and whether line breaks in it became spaces."""

    body: bytes | None
    one_line: bool


class RecordReader(Protocol):
    """Compares the records of a file, one after another, with rows of the ledger."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the records. Raises UnreadableExport and OSError."""
        ...

    def payload_of(self, record: Any, row: ChainRow, archives: list[Archive]) -> RecordPayload | None:  # noqa: ANN401
        """Return the payload of a record; None where the columns before it are not those of the row.

        `archives` are those that may have had the payload when the file was written.
        """
        ...


class _LineReader:
    """NDJSON."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        while line := self._file.readline(_MAX_RECORD):
            if not line.endswith(b"\n"):
                raise UnreadableExport("its last line is incomplete, or a line is too long")
            yield line

    def payload_of(self, record: bytes, row: ChainRow, archives: list[Archive]) -> RecordPayload | None:
        columns = json_columns(row)
        if not record.startswith(columns) or not record.endswith(b"}\n"):
            return None
        body = record[len(columns) : -2]
        if row.payload_digest == _NULL_DIGEST:  # the payload itself is `null`
            return RecordPayload(body, one_line=True)
        absent = {b"null", *(_json_absence(archive) for archive in archives)}
        return RecordPayload(None if body in absent else body, one_line=True)


class _CsvReader:
    """CSV: a record ends at a line break outside of quotes. Within a record, quotes are always even in number."""

    def __init__(self, file: BinaryIO, header: str) -> None:
        self._file = file
        self._header = header.encode() + b"\n"

    def __iter__(self) -> Iterator[bytes]:
        if self._file.readline(_MAX_RECORD) != self._header:
            raise UnreadableExport("its first line is not the header of an export")
        while line := self._file.readline(_MAX_RECORD):
            pieces, size, quotes = [line], len(line), line.count(b'"')
            while quotes % 2:
                line = self._file.readline(_MAX_RECORD)
                size += len(line)
                if not line or size > _MAX_RECORD:
                    raise UnreadableExport("a quoted field has no end")
                pieces.append(line)
                quotes += line.count(b'"')
            yield b"".join(pieces)

    def payload_of(self, record: bytes, row: ChainRow, archives: list[Archive]) -> RecordPayload | None:  # noqa: ARG002
        columns = csv_columns(row)
        if not record.startswith(columns) or not record.endswith(b"\n"):
            return None
        field = record[len(columns) : -1]
        if not field:
            return RecordPayload(None, one_line=False)
        body = field[1:-1].replace(b'""', b'"')
        return RecordPayload(body, one_line=False) if field == _csv_quoted(body) else None


class _ParquetReader:
    """The typed columns of the CSV."""

    def __init__(self, path: Path, header: str) -> None:
        parquet = import_pyarrow().parquet
        self._names = header.split(",")
        try:
            self._file = parquet.ParquetFile(path)
        except ValueError as error:
            raise UnreadableExport("it is not a Parquet file") from error

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        if self._file.schema_arrow.names != self._names:
            raise UnreadableExport("its columns are not those of an export")
        try:
            for batch in self._file.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
        except ValueError as error:
            raise UnreadableExport("it is not a Parquet file") from error

    def payload_of(self, record: tuple[Any, ...], row: ChainRow, archives: list[Archive]) -> RecordPayload | None:  # noqa: ARG002
        *columns, body = record
        if tuple(columns) != _typed_columns(row) or not isinstance(body, str | None):
            return None
        return RecordPayload(None if body is None else body.encode(), one_line=False)


def open_records(path: Path, file: BinaryIO, form: str, header: str) -> RecordReader:
    """Return the reader of an export's records. Raises UnreadableExport, OSError, and OperatorError without pyarrow."""
    if form == "parquet":
        return _ParquetReader(path, header)
    return _CsvReader(file, header) if form == "csv" else _LineReader(file)


def as_written(body: bytes, *, one_line: bool) -> bytes:
    """Return a payload as a record has it."""
    return on_one_line(body) if one_line else body


def json_columns(row: ChainRow) -> bytes:
    """Return the line of a row in NDJSON up to its payload."""
    parent = f'"{UUID(bytes=row.parent_run)}"' if row.parent_run else "null"
    return (
        f'{{"log":{LOG},"position":{row.position},"subject":"{row.subject}","id":"{UUID(bytes=row.stream)}"'
        f',"kind":"{row.kind}","state":{_json_plain(row.state)}'
        f',"transitionedAt":"{_time_text(row.transitioned_at)}","recordedAt":"{_time_text(row.recorded_at)}"'
        f',"namespace":{_json_text(row.namespace)},"job":{_json_text(row.job)},"parentRun":{parent}'
        f',"source":"{row.source}","actor":{_json_text(row.actor)},"fact":"{row.fact.hex()}"'
        f',"requestDigest":{_json_plain(_hex(row.request_digest))},"payloadDigest":{_json_plain(_hex(row.payload_digest))}'
        f',"hash":"{_hex(row.hash)}","payload":'
    ).encode()


def csv_columns(row: ChainRow) -> bytes:
    """Return the record of a row in CSV up to its payload."""
    fields = (
        str(LOG),
        str(row.position),
        row.subject,
        str(UUID(bytes=row.stream)),
        row.kind,
        row.state or "",
        _time_text(row.transitioned_at),
        _time_text(row.recorded_at),
        _csv_text(row.namespace),
        _csv_text(row.job),
        str(UUID(bytes=row.parent_run)) if row.parent_run else "",
        row.source,
        _csv_text(row.actor),
        row.fact.hex(),
        _hex(row.request_digest) or "",
        _hex(row.payload_digest) or "",
        _hex(row.hash) or "",
        "",
    )
    return ",".join(fields).encode()


def _typed_columns(row: ChainRow) -> tuple[object, ...]:
    return (
        LOG,
        row.position,
        row.subject,
        str(UUID(bytes=row.stream)),
        row.kind,
        row.state,
        time_of(row.transitioned_at),
        time_of(row.recorded_at),
        row.namespace,
        row.job,
        str(UUID(bytes=row.parent_run)) if row.parent_run else None,
        row.source,
        row.actor,
        row.fact.hex(),
        _hex(row.request_digest),
        _hex(row.payload_digest),
        _hex(row.hash),
    )


def time_of(raw: bytes) -> datetime:
    """Return the time of 8 bytes: microseconds since 2000."""
    return _EPOCH_2000 + timedelta(microseconds=int.from_bytes(raw, "big", signed=True))


def _time_text(raw: bytes) -> str:
    return time_of(raw).isoformat().replace("+00:00", "Z")


def _hex(raw: bytes | None) -> str | None:
    return None if raw is None else raw.hex()


def _json_plain(text: str | None) -> str:
    return "null" if text is None else f'"{text}"'


def _json_text(text: str | None) -> str:
    """Return a JSON string as PostgreSQL's to_json writes it."""
    return "null" if text is None else f'"{_ESCAPED.sub(lambda match: _ESCAPES[match[0]], text)}"'


def _json_absence(archive: Archive) -> bytes:
    return f'null,"payloadArchived":{{"file":{_json_text(archive.file)},"sha256":"{archive.sha256}"}}'.encode()


def _csv_text(text: str | None) -> str:
    return "" if text is None else '"' + text.replace('"', '""') + '"'


def _csv_quoted(body: bytes) -> bytes:
    return b'"' + body.replace(b'"', b'""') + b'"'
