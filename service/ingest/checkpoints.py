"""Checkpoints of imports: how much of a file is in the ledger, saved beside the file so that an import can resume.

A checkpoint is valid only while the file still begins with the bytes that it covers, and the ledger still has the hash
that was its head then. So an import of a file that has grown resumes; that of another file of the same name, or into
another ledger, starts at the beginning. Where a checkpoint is lost or incomplete, the file is read again; nothing is
recorded twice.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec

from service.database.connections import Connections
from service.errors import DatabaseUnavailable
from service.ingest.ingestion import IngestionFailure
from service.ledger.events import read_head
from service.new_files import new_file
from service.payloads.splitters import RawEvent

_EVERY = 100_000
_EVERY_BYTES = 256 * 1024 * 1024
"""Lines or bytes after which a checkpoint is saved: some seconds' work, because each waits until all events before it
are recorded."""

_MAX_REFUSED = 10_000
"""With more refused lines than this, a file keeps the last checkpoint that lists them all."""

_PIECE = 1024 * 1024


HeadPosition = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
HeadHash = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
"""A checkpoint is a file, which may be damaged: then there is none."""


class Checkpoint(msgspec.Struct, frozen=True):
    """The bytes of a file that are done: their number and SHA-256, the last line in them, and the refused lines.

    `position` and `hash` are the ledger head when the checkpoint was saved.
    """

    size: int
    sha256: str
    line: int
    refused: tuple[int, ...]
    position: HeadPosition
    hash: HeadHash


_decode = msgspec.json.Decoder(Checkpoint).decode


class _PrefixDigest:
    """Computes the digests of growing prefixes of a file."""

    def __init__(self, file: Path) -> None:
        """Open the file, independently of other readers."""
        self._file = file.open("rb")
        self._digest = sha256()
        self._size = 0

    def up_to(self, size: int) -> str | None:
        """Return the digest of the first `size` bytes; None where the file is shorter. `size` must not decrease."""
        while self._size < size:
            piece = self._file.read(min(_PIECE, size - self._size))
            if not piece:
                return None
            self._digest.update(piece)
            self._size += len(piece)
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def checkpoint_path(file: Path) -> Path:
    """Return the path of a file's checkpoint."""
    return file.with_name(file.name + ".runfold-import")


def find_checkpoint(file: Path) -> Checkpoint | None:
    """Return the checkpoint of a file that still begins with the bytes it covers; None where there is none."""
    try:
        checkpoint = _decode(checkpoint_path(file).read_bytes())
        prefix = _PrefixDigest(file)
    except (OSError, msgspec.MsgspecError):
        return None
    try:
        return checkpoint if prefix.up_to(checkpoint.size) == checkpoint.sha256 else None
    finally:
        prefix.close()


def remove_checkpoint(file: Path) -> None:
    """Remove a file's checkpoint, if there is one.

    One that cannot be removed, as in a read-only directory, may stay: it says that all of the file is recorded.
    """
    with suppress(OSError):
        checkpoint_path(file).unlink(missing_ok=True)


def _write(file: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint as a whole, or leave the previous one. Two imports of the file may do so at once."""
    path = checkpoint_path(file)
    with new_file(path) as new:
        new.file.write(msgspec.json.encode(checkpoint))
        new.rename(path)


class ImportCheckpoint:
    """The progress of the import of one file: skips the events that are recorded, and saves checkpoints."""

    def __init__(self, connections: Connections, file: Path | None = None, saved: Checkpoint | None = None) -> None:
        """Take a connection, the file (None: no checkpoints are saved), and the checkpoint to resume from."""
        self._connections = connections
        self._file = file
        self._prefix = _PrefixDigest(file) if file else None
        self._resume_line = saved.line if saved else 0
        self._refused_before = frozenset(saved.refused if saved else ())
        self._line = self._saved_line = self._resume_line
        self._saved_bytes = saved.size if saved else 0
        self._refused: list[int] = []
        self.skipped = 0
        """Number of events that were skipped."""
        self.write_error: str | None = None
        """Why no checkpoint can be saved, as a sentence for the user."""

    def select_unrecorded(self, lines: list[RawEvent]) -> list[RawEvent]:
        """Return the lines after the checkpoint, and those before it that were refused."""
        if not lines:
            return lines
        self._line = max(self._line, lines[-1].number or 0)
        selected = [
            line for line in lines if (number := line.number or 0) > self._resume_line or number in self._refused_before
        ]
        self.skipped += len(lines) - len(selected)
        return selected

    def record_failure(self, failure: IngestionFailure) -> None:
        """Remember a line that was refused for good, so that a resumed import reports it again."""
        if failure.line.number is not None and not failure.retriable and len(self._refused) <= _MAX_REFUSED:
            self._refused.append(failure.line.number)

    def is_due(self, size: int) -> bool:
        """Tell whether enough was read for a new checkpoint; `size` is the number of bytes read."""
        return self._line - self._saved_line >= _EVERY or (
            self._line > self._saved_line and size - self._saved_bytes >= _EVERY_BYTES
        )

    async def save(self, size: int) -> None:
        """Save that every line in the first `size` bytes is recorded, or refused for good."""
        if self._file is None or self._prefix is None or len(self._refused) > _MAX_REFUSED:
            return
        try:
            head = await read_head(self._connections)
            digest = self._prefix.up_to(size)
            if digest is not None:
                refused = tuple(self._refused)
                _write(self._file, Checkpoint(size, digest, self._line, refused, head.position, head.hash.hex()))
        except DatabaseUnavailable:
            return  # the next append reports it
        except OSError as error:
            path = checkpoint_path(self._file)
            self.write_error = f"{path} cannot be written ({error}): an import that breaks off starts at the beginning"
            self._file = None
        self._saved_line, self._saved_bytes = self._line, size

    def close(self) -> None:
        """Close the file."""
        if self._prefix is not None:
            self._prefix.close()
