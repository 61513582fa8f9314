"""Compares the ledger with heads and exports that were saved earlier: it must still begin with what they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple
from uuid import UUID

import orjson

from service.audit.export import ExportFormat, ExportResult
from service.audit.filters import EventFilters
from service.audit.hash_chain import NO_HASH, ChainRow, recompute_hashes
from service.database.connections import Connections
from service.database.statements import load
from service.ledger.events import LOG

_RECORDED_AT = load("recorded_at")
_HEAD = load("head")
_EPOCH_2000 = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)
_PIECE = 1 << 20


class UnreadableHead(Exception):
    """A file is neither a saved head nor an export with its head beside it."""


class SavedHead(NamedTuple):
    """A head that was saved. `export`: the file it was taken with; `complete`: that holds every event, as NDJSON."""

    position: int
    hash: bytes
    export: Path | None = None
    sha256: str | None = None
    complete: bool = False


def head_path(export: Path) -> Path:
    """Return the path of an export's head."""
    return export.with_name(export.name + ".head.json")


def describe_export(exported: ExportResult, form: ExportFormat, filters: EventFilters) -> str:
    """Return the JSON document that is written beside an export."""
    applied = {name: str(value) for name, value in filters._asdict().items() if value is not None}
    at = exported.head.recorded_at.isoformat() if exported.head.position else None
    head = {"log": LOG, "position": exported.head.position, "hash": exported.head.hash.hex(), "recordedAt": at}
    return json.dumps(
        head | {"format": form, "filters": applied, "events": exported.events, "sha256": exported.sha256}, indent=1
    )


def read_saved_head(file: Path) -> SavedHead:
    """Read a saved head (as GET /ledger/head returns it), or the head beside an export. Raises UnreadableHead."""
    export = file if head_path(file).exists() else None
    try:
        document = json.loads((head_path(file) if export else file).read_bytes()[:_PIECE])
        head = document.get("head", document)
        position, digest = int(head["position"]), bytes.fromhex(head["hash"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableHead(
            f"{file} is neither a head as GET /ledger/head returns it"
            f" nor an export with {head_path(file).name} beside it"
        ) from error
    complete = document.get("format") == ExportFormat.NDJSON and not document.get("filters")
    return SavedHead(position, digest, export, document.get("sha256"), complete)


async def compare_with_ledger(dsn: str, saved: SavedHead) -> str | None:
    """Return why the ledger is not the saved one or its continuation; None where it is.

    Raises DatabaseUnavailable, and OSError where the export cannot be read.
    """
    async with Connections(dsn) as connections, connections.connection() as connection:
        end = await connection.fetchval(_HEAD, LOG)
        recorded = await connection.fetchval(_RECORDED_AT, LOG, saved.position) if saved.position else NO_HASH
    if saved.position > end:
        return f"the ledger ends at position {end}, before the saved head at {saved.position}"
    if recorded != saved.hash:
        return f"position {saved.position} has another hash than was saved: the ledger was rewritten"
    return _compare_export(saved.export, saved) if saved.export else None


def _compare_export(export: Path, saved: SavedHead) -> str | None:
    with export.open("rb") as file:
        if saved.sha256 is not None and _digest(file) != saved.sha256:
            return "the export was altered: its SHA-256 is not the one beside it"
        file.seek(0)
        return _verify_chain(file, saved) if saved.complete else None


def _digest(file: BinaryIO) -> str:
    digest = sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _verify_chain(file: BinaryIO, saved: SavedHead) -> str | None:
    """Recompute the hash chain from the export's lines: ending in the saved head, they are the ledger's beginning."""
    last_hash, position = NO_HASH, 0
    for row, computed in recompute_hashes(LOG, _rows(file), NO_HASH):
        position += 1
        if row.position != position or row.hash != computed:
            return f"the export does not hold at position {position}"
        last_hash = computed
    if last_hash != saved.hash:
        return f"the export ends at position {position}, and not with the saved head"
    return None


def _rows(file: BinaryIO) -> Iterator[ChainRow]:
    for line in file:
        event = orjson.loads(line)
        yield ChainRow(
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
