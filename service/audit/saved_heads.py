"""Heads that were saved elsewhere, and exports: does the ledger still begin with what they were taken of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

import orjson

from service.audit.export import ExportFormat, ExportResult
from service.audit.filters import EventFilters
from service.audit.hash_chain import NO_HASH, recompute_hashes
from service.database.connections import Connections
from service.database.statements import load
from service.ledger.events import LOG

_AT = load("recorded_at")
_HEAD = load("head")
_EPOCH_2000 = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)
_MANY = 1 << 20


class UnreadableHead(Exception):
    """The file is neither a head nor an export with its head beside it."""


class SavedHead(NamedTuple):
    """A head of former times. `complete`: the export, where it holds every event up to the head, as NDJSON."""

    position: int
    hash: bytes
    export: Path | None = None
    sha256: str | None = None
    complete: bool = False


def head_path(export: Path) -> Path:
    """Return where the head of an export lies."""
    return export.with_name(export.name + ".head.json")


def describe_export(exported: ExportResult, form: ExportFormat, filters: EventFilters) -> str:
    """Return what is written beside an export."""
    asked = {name: str(value) for name, value in filters._asdict().items() if value is not None}
    at = exported.head.recorded_at.isoformat() if exported.head.position else None
    head = {"log": LOG, "position": exported.head.position, "hash": exported.head.hash.hex(), "recordedAt": at}
    return json.dumps(
        head | {"format": form, "filters": asked, "events": exported.events, "sha256": exported.sha256}, indent=1
    )


def read_saved_head(file: Path) -> SavedHead:
    """Read a saved head (as GET /ledger/head answers it), or the head beside an export. Raises Unreadable."""
    export = file if head_path(file).exists() else None
    try:
        told = json.loads((head_path(file) if export else file).read_bytes()[:_MANY])
        head = told.get("head", told)
        position, digest = int(head["position"]), bytes.fromhex(head["hash"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableHead(
            f"{file} is no head such as GET /ledger/head gives, nor an export with {head_path(file).name} beside it"
        ) from error
    complete = told.get("format") == ExportFormat.NDJSON and not told.get("filters")
    return SavedHead(position, digest, export, told.get("sha256"), complete)


async def compare_with_ledger(dsn: str, saved: SavedHead) -> str | None:
    """Return what speaks against the ledger's being what was saved, or its continuation; None where nothing does.

    Raises DatabaseUnavailable, OSError.
    """
    async with Connections(dsn) as connections, connections.connection() as connection:
        end = await connection.fetchval(_HEAD, LOG)
        found = await connection.fetchval(_AT, LOG, saved.position) if saved.position else NO_HASH
    if saved.position > end:
        return f"the ledger ends at position {end}, before the saved head at {saved.position}"
    if found != saved.hash:
        return f"position {saved.position} has another hash than was saved: the ledger was rewritten"
    return _of_file(saved) if saved.export else None


def _of_file(saved: SavedHead) -> str | None:
    assert saved.export is not None  # noqa: S101  asked for by compare alone
    with saved.export.open("rb") as file:
        if saved.sha256 is not None and _digest(file) != saved.sha256:
            return "the export was altered: its SHA-256 is not the one beside it"
        file.seek(0)
        return _chain(file, saved) if saved.complete else None


def _digest(file: BinaryIO) -> str:
    digest = sha256()
    while piece := file.read(_MANY):
        digest.update(piece)
    return digest.hexdigest()


def _chain(file: BinaryIO, saved: SavedHead) -> str | None:
    """Recompute the chain from the export's own lines: then it is the ledger's beginning, whoever wrote it."""
    reached, position = NO_HASH, 0
    for row, hashed in recompute_hashes(LOG, _rows(file), NO_HASH):
        position += 1
        if row[0] != position or row[1] != hashed:
            return f"the export does not hold at position {position}"
        reached = hashed
    if reached != saved.hash:
        return f"the export ends at position {position}, and not with the saved head"
    return None


def _rows(file: BinaryIO) -> Iterator[Any]:
    """Give the export's lines as sql/verify_events.sql gives rows."""
    for line in file:
        event = orjson.loads(line)
        yield (
            event["position"],
            bytes.fromhex(event["hash"]),
            _bytes(event["payloadDigest"]),
            event["subject"],
            UUID(event["id"]).bytes,
            event["kind"],
            event["state"],
            _micros(event["transitionedAt"]),
            _micros(event["recordedAt"]),
            event["namespace"],
            event["job"],
            UUID(event["parentRun"]).bytes if event["parentRun"] else None,
            event["source"],
            event["actor"],
            bytes.fromhex(event["fact"]),
            _bytes(event["requestDigest"]),
        )


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _micros(text: str) -> bytes:
    return ((datetime.fromisoformat(text) - _EPOCH_2000) // _MICROSECOND).to_bytes(8, "big", signed=True)
