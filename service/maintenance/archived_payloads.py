"""Access to archived payloads in their files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from service.database.connections import Connections
from service.database.statements import load
from service.errors import OperatorError
from service.ledger.archive_records import Archive, current_archives
from service.maintenance import parquet_files

_LOCK = load("try_session_lock")
_LOCK_KEY = 0x52554E_52455441


@asynccontextmanager
async def exclusive_maintenance(dsn: str) -> AsyncIterator[None]:
    """Exclude other commands that move payloads, or need all of them, until the block ends.

    Raises OperatorError while another one runs.
    """
    async with Connections(dsn) as connections, connections.connection() as connection:  # its session holds the lock
        if not await connection.fetchval(_LOCK, _LOCK_KEY):
            raise OperatorError("Another archive, restore or rebuild is under way; run this again when it is done.")
        yield


def checked_path(archive: Archive, directory: Path | None) -> Path:
    """Return the path of an archive's file: in `directory`, or where it was written.

    Raises OperatorError where the file is missing, cannot be read, or has another digest than the ledger records.
    """
    path = (directory or Path(archive.directory)) / archive.file
    with parquet_files.translate_file_errors(path, "read"):
        exists = path.is_file()
    if not exists:
        raise OperatorError(
            f"{path} is missing: it has the payloads of positions {archive.first} to {archive.last}."
            " Bring it back, or say where it is with --archives."
        )
    if parquet_files.digest_of(path) != archive.sha256:
        raise OperatorError(f"{path} is not the file that was archived: its SHA-256 is not {archive.sha256}.")
    return path


class ArchivedPayloads:
    """The payloads that are in archives and not in the database."""

    def __init__(self, files: Sequence[tuple[Archive, parquet_files.PayloadFile]]) -> None:
        """Take each archive with its open file."""
        self._files = files

    def get(self, position: int) -> str | None:
        """Return an archived payload; None where no archive has it. Raises OperatorError."""
        for archive, file in self._files:
            if archive.covers(position):
                return file.get(position)
        return None

    def close(self) -> None:
        """Close the files."""
        for _, file in self._files:
            file.close()


async def open_archived_payloads(connections: Connections, directory: Path | None = None) -> ArchivedPayloads:
    """Open the files of all current archives. Raises OperatorError where one cannot be used."""
    paths = [(archive, checked_path(archive, directory)) for archive in await current_archives(connections)]
    return ArchivedPayloads([(archive, parquet_files.PayloadFile(path)) for archive, path in paths])
