"""Payloads in Parquet files, which are read one row group at a time. Needs the extra `runfold[parquet]`.

An OSError of a file comes out as an OperatorError that names the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, NamedTuple

from service.errors import OperatorError
from service.new_files import NewFile, flush_directory, new_file
from service.parquet import import_pyarrow

_ROW_GROUP_BYTES = 8 * 1024 * 1024
"""Payload bytes in a row group, which is in memory as a whole."""


class PayloadRow(NamedTuple):
    """An archived payload: its position in the ledger, its SHA-256 as recorded, its text."""

    position: int
    digest: bytes
    body: str

    @property
    def is_intact(self) -> bool:
        """Whether the digest is that of the text."""
        return sha256(self.body.encode()).digest() == self.digest


@contextmanager
def translate_file_errors(path: Path, action: str) -> Iterator[None]:
    """Raise an OSError of the block as an OperatorError: "{path} cannot be {action}: No space left on device."."""
    try:
        yield
    except OSError as error:
        # Arrow puts its own sentence where the system's message belongs.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OperatorError(f"{path} cannot be {action}: {reason}.") from error


class PayloadWriter:
    """Writes a file. Rows are added in the order of their positions."""

    def __init__(self, path: Path) -> None:
        """Create the file, or replace the one there is. Raises OperatorError, as all methods do."""
        arrow = import_pyarrow()
        self._schema = arrow.schema(
            [("position", arrow.int64()), ("sha256", arrow.binary()), ("body", arrow.large_string())]
        )
        self._table = arrow.Table
        self._path = path
        with translate_file_errors(path, "written"):
            self._file = arrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[PayloadRow] = []
        self._size = 0
        self.count = 0
        """Number of rows added."""

    def add(self, row: PayloadRow) -> None:
        """Add a row; it is written with its row group."""
        self._rows.append(row)
        self._size += len(row.body)
        self.count += 1
        if self._size >= _ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = [list(column) for column in zip(*self._rows, strict=True)]
            with translate_file_errors(self._path, "written"):
                self._file.write_table(self._table.from_arrays(columns, schema=self._schema))
            self._rows, self._size = [], 0

    def close(self) -> None:
        """Write the last row group and the footer."""
        self._flush()
        with translate_file_errors(self._path, "written"):
            self._file.close()


@contextmanager
def new_payload_file(target: Path) -> Iterator[NewFile]:
    """As new_file(). Raises OperatorError."""
    with ExitStack() as stack:
        with translate_file_errors(target, "written"):
            new = stack.enter_context(new_file(target))
        yield new


@contextmanager
def open_writer(path: Path) -> Iterator[PayloadWriter]:
    """Give a writer; after the block the file is complete. Raises OperatorError."""
    writer = PayloadWriter(path)
    yield writer
    writer.close()


def flush_to_disk(path: Path) -> None:
    """Flush a file and its name to the disk. Raises OperatorError."""
    with translate_file_errors(path, "written"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        flush_directory(path.parent)


def digest_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal. Raises OperatorError."""
    with translate_file_errors(path, "read"), path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def read_rows(path: Path) -> Iterator[list[PayloadRow]]:
    """Yield a file's rows, one row group at a time. Raises OperatorError."""
    with translate_file_errors(path, "read"), import_pyarrow().parquet.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield _row_group(file, number)


def _row_group(file: Any, number: int) -> list[PayloadRow]:  # noqa: ANN401  pyarrow has no types
    columns = file.read_row_group(number).to_pydict()
    return [PayloadRow(*row) for row in zip(columns["position"], columns["sha256"], columns["body"], strict=True)]


class PayloadFile:
    """Looks up payloads in a file by position; fast while positions are requested in order."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises OperatorError, as all methods do."""
        self._path = path
        with translate_file_errors(path, "read"):
            self._file = import_pyarrow().parquet.ParquetFile(path)
        groups = (self._file.metadata.row_group(n).column(0).statistics for n in range(self._file.num_row_groups))
        self._last_positions = [group.max for group in groups]
        self._loaded_group = -1
        self._bodies: dict[int, str] = {}

    def get(self, position: int) -> str | None:
        """Return the payload of a position; None where the file has none."""
        group = next((n for n, last in enumerate(self._last_positions) if position <= last), None)
        if group is None:
            return None
        if group != self._loaded_group:
            with translate_file_errors(self._path, "read"):
                self._bodies = {row.position: row.body for row in _row_group(self._file, group)}
            self._loaded_group = group
        return self._bodies.get(position)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
