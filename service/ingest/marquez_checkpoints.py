"""How far a database of Marquez is imported: a file, so that an import can go on, or add what came since."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from service.ingest.checkpoints import HeadHash, HeadPosition
from service.new_files import new_file

OVERLAP = timedelta(minutes=10)
"""Events that were received so shortly before a checkpoint are read again: Marquez may have stored them later."""


class MarquezCheckpoint(msgspec.Struct, frozen=True):
    """All events that Marquez received before `created_at` are in the ledger, or refused for good.

    `position` and `hash` are the ledger head when this was saved.
    """

    created_at: datetime
    position: HeadPosition
    hash: HeadHash

    @property
    def since(self) -> datetime:
        """The time from which events are to be read."""
        return self.created_at - OVERLAP


_decode = msgspec.json.Decoder(MarquezCheckpoint).decode


def find_checkpoint(file: Path) -> MarquezCheckpoint | None:
    """Return the checkpoint in a file; None where there is none that can be read."""
    try:
        return _decode(file.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None


def save_checkpoint(file: Path, checkpoint: MarquezCheckpoint) -> None:
    """Replace the file as a whole, or leave it as it is. Raises OSError."""
    with new_file(file) as new:
        new.file.write(msgspec.json.encode(checkpoint))
        new.rename(file)
