"""Payloads in Parquet files: flushed to the disk, read piece by piece. Needs the extra `runfold[parquet]`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from service.errors import OperatorError

_PIECE_BYTES = 8 * 1024 * 1024
"""Bytes of payloads in a row group, of which one is held in memory."""


class PayloadRow(NamedTuple):
    """A payload as it is archived: where it was in the ledger, its SHA-256, its text."""

    position: int
    digest: bytes
    body: str

    @property
    def holds(self) -> bool:
        """Whether the text is the one the digest was taken of."""
        return sha256(self.body.encode()).digest() == self.digest


def import_pyarrow() -> ModuleType:
    """Return pyarrow.parquet. Raises OperatorError where it is not installed."""
    try:
        return import_module("pyarrow.parquet")
    except ImportError:
        raise OperatorError("Parquet files need pyarrow: pip install 'runfold[parquet]'") from None


class PayloadWriter:
    """Takes rows in the order of their positions."""

    def __init__(self, path: Path) -> None:
        """Open a new file, over one that is there."""
        arrow = import_module("pyarrow")
        self._schema = arrow.schema(
            [("position", arrow.int64()), ("sha256", arrow.binary()), ("body", arrow.large_string())]
        )
        self._table = arrow.Table
        self._file = import_pyarrow().ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[PayloadRow] = []
        self._size = 0
        self.count = 0

    def add(self, row: PayloadRow) -> None:
        """Write a row, soon."""
        self._rows.append(row)
        self._size += len(row.body)
        self.count += 1
        if self._size >= _PIECE_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = [list(column) for column in zip(*self._rows, strict=True)]
            self._file.write_table(self._table.from_arrays(columns, schema=self._schema))
            self._rows, self._size = [], 0

    def close(self) -> None:
        """Write what is left, and the footer."""
        self._flush()
        self._file.close()


@contextmanager
def open_writer(path: Path) -> Iterator[PayloadWriter]:
    """Give a writer; at the end of the block the file is whole, and on the disk."""
    writer = PayloadWriter(path)
    yield writer
    writer.close()
    fsync_path(path)


def fsync_path(path: Path) -> None:
    """Have the disk hold a file, or a directory's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def read_rows(path: Path) -> Iterator[list[PayloadRow]]:
    """Yield a file's rows, a row group at a time."""
    with import_pyarrow().ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield _rows(file, number)


def _rows(file: Any, number: int) -> list[PayloadRow]:  # noqa: ANN401  pyarrow has no types
    columns = file.read_row_group(number).to_pydict()
    return [PayloadRow(*row) for row in zip(columns["position"], columns["sha256"], columns["body"], strict=True)]


class PayloadFile:
    """Looks payloads up in a file by position; quick while positions come in order."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self._file = import_pyarrow().ParquetFile(path)
        groups = (self._file.metadata.row_group(n).column(0).statistics for n in range(self._file.num_row_groups))
        self._lasts = [group.max for group in groups]
        self._held = -1
        self._bodies: dict[int, str] = {}

    def get(self, position: int) -> str | None:
        """Return the payload of a position; None where the file has none."""
        number = next((n for n, last in enumerate(self._lasts) if position <= last), None)
        if number is None:
            return None
        if number != self._held:
            self._bodies = {row.position: row.body for row in _rows(self._file, number)}
            self._held = number
        return self._bodies.get(position)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
