"""How much of a file is in the ledger: noted beside the file while it is imported, for whoever has to begin again.

A bookmark is believed only where the file still begins with the bytes it was put into, and the ledger still has the
hash that was its head then: what was recorded up to there is there. So a file that has grown since is gone on with;
another file of that name, or another ledger, is not; and where a bookmark is lost or torn, nothing is lost with it.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec

from service.database.connections import Connections
from service.errors import DatabaseUnavailable
from service.ingest.ingestion import IngestionFailure
from service.ledger.events import read_head
from service.payloads.splitters import RawEvent

_EVERY = 100_000
_EVERY_BYTES = 256 * 1024 * 1024
"""Lines and bytes after which a bookmark is put: some seconds' work, for each waits until all before it is recorded."""

_MOST_REFUSED = 10_000
"""A file with more refused lines than that keeps the last bookmark that could name them all."""

_PIECE = 1024 * 1024


class Checkpoint(msgspec.Struct, frozen=True):
    """A file's first bytes and their digest, the last line in them, those refused; and the ledger's head by then."""

    size: int
    sha256: str
    line: int
    refused: tuple[int, ...]
    position: int
    hash: str


_decode = msgspec.json.Decoder(Checkpoint).decode


class _Prefix:
    """The digest of more and more of a file's first bytes."""

    def __init__(self, file: Path) -> None:
        """Take the file; it is read beside whoever else reads it."""
        self._file = file.open("rb")
        self._digest = sha256()
        self._size = 0

    def upto(self, size: int) -> str | None:
        """Return the digest of the first `size` bytes; None where there are less. Never goes back."""
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
    """Return where a file's bookmark lies."""
    return file.with_name(file.name + ".runfold-import")


def find_checkpoint(file: Path) -> Checkpoint | None:
    """Return the bookmark of a file that still begins with what it was put into; None where there is none."""
    try:
        found = _decode(checkpoint_path(file).read_bytes())
        prefix = _Prefix(file)
    except (OSError, msgspec.MsgspecError):
        return None
    try:
        return found if prefix.upto(found.size) == found.sha256 else None
    finally:
        prefix.close()


def remove_checkpoint(file: Path) -> None:
    """Forget: all of the file was read."""
    checkpoint_path(file).unlink(missing_ok=True)


def _write(file: Path, bookmark: Checkpoint) -> None:
    """Replace the bookmark whole, or leave the one before; one that power took is none, and nothing is lost."""
    new = checkpoint_path(file).with_suffix(".runfold-import-new")
    new.write_bytes(msgspec.json.encode(bookmark))
    new.replace(checkpoint_path(file))


class ImportCheckpoint:
    """The way through one file: passes over what is recorded, and puts a bookmark now and then."""

    def __init__(self, connections: Connections, file: Path | None = None, done: Checkpoint | None = None) -> None:
        """Take a connection, the file (None: what is read has no name, and nothing is noted), and where to go on."""
        self._connections = connections
        self._file = file
        self._prefix = _Prefix(file) if file else None
        self._done = done.line if done else 0
        self._again = frozenset(done.refused if done else ())
        self._line = self._marked = self._done
        self._marked_bytes = done.size if done else 0
        self._refused: list[int] = []
        self.passed = 0
        """Events that were passed over."""
        self.trouble: str | None = None
        """Why no bookmark can be put, for the user."""

    def fresh(self, lines: list[RawEvent]) -> list[RawEvent]:
        """Return those that are not known to be recorded: all behind the bookmark, and before it what was refused."""
        if not lines:
            return lines
        self._line = max(self._line, lines[-1].number or 0)
        kept = [line for line in lines if (number := line.number or 0) > self._done or number in self._again]
        self.passed += len(lines) - len(kept)
        return kept

    def hear(self, failure: IngestionFailure) -> None:
        """Remember what was refused: whoever goes on is told of it once more."""
        if failure.line.number is not None and not failure.retriable and len(self._refused) <= _MOST_REFUSED:
            self._refused.append(failure.line.number)

    def due(self, size: int) -> bool:
        """Tell whether a bookmark is worth its while, now that so many bytes were read."""
        return self._line - self._marked >= _EVERY or (
            self._line > self._marked and size - self._marked_bytes >= _EVERY_BYTES
        )

    async def mark(self, size: int) -> None:
        """Note that every line that was cut out of the first `size` bytes is recorded, or refused for good."""
        if self._file is None or self._prefix is None or len(self._refused) > _MOST_REFUSED:
            return
        try:
            head = await read_head(self._connections)
            digest = self._prefix.upto(size)
            if digest is not None:
                refused = tuple(self._refused)
                _write(self._file, Checkpoint(size, digest, self._line, refused, head.position, head.hash.hex()))
        except DatabaseUnavailable:
            return  # whoever appends next will say so
        except OSError as error:
            self.trouble = (
                f"{checkpoint_path(self._file)} cannot be written ({error}): an import that breaks off begins anew"
            )
            self._file = None
        self._marked, self._marked_bytes = self._line, size

    def close(self) -> None:
        """Close what was opened."""
        if self._prefix is not None:
            self._prefix.close()
