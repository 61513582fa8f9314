"""Access to archived payloads in their files."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from service.database.connections import Connections
from service.errors import OperatorError
from service.ledger.archive_records import Archive, ArchiveIndex, current_archives
from service.maintenance import parquet_files

_OPEN_FILES = 4
"""Files open at once: each has a row group of some megabytes in memory, and positions come nearly in order."""


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
    """The payloads of archives. A few files are open at once, however many there are."""

    def __init__(self, paths: Mapping[Archive, Path]) -> None:
        """Take each archive with the path of its file."""
        self._paths = paths
        self._index = ArchiveIndex(paths)
        self._open: OrderedDict[Archive, parquet_files.PayloadFile] = OrderedDict()

    def get(self, position: int) -> str | None:
        """Return an archived payload; None where no archive has it. Raises OperatorError."""
        archive = self._index.find(position)
        return None if archive is None else self._file(archive).get(position)

    def _file(self, archive: Archive) -> parquet_files.PayloadFile:
        file = self._open.pop(archive, None) or parquet_files.PayloadFile(self._paths[archive])
        self._open[archive] = file
        if len(self._open) > _OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return file

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()


async def open_archived_payloads(connections: Connections, directory: Path | None = None) -> ArchivedPayloads:
    """Check the files of all current archives and return them. Raises OperatorError where one cannot be used."""
    archives = await current_archives(connections)
    return ArchivedPayloads({archive: checked_path(archive, directory) for archive in archives})
