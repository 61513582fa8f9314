"""Compares the ledger with heads and exports that were saved earlier: it must still begin with what they hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from service.audit.evidence import EvidenceReader, open_evidence
from service.audit.export import ExportFormat, ExportResult
from service.audit.export_comparison import ExportClaim, ExportDiffers, compare_export
from service.audit.filters import EVERYTHING, EventFilters
from service.audit.hash_chain import NO_HASH
from service.ledger.events import LOG

_PIECE = 1 << 20
_MOST = 2**63 - 1
_TIMES = ("since", "until")
_LISTS = ("kinds", "states", "sources")


class UnreadableHead(Exception):
    """A file is neither a saved head nor an export with its head beside it."""


class SavedHead(NamedTuple):
    """A head that was saved in `file`.

    `claim` is what the export beside it is said to be, `sha256` and `events` its digest and number of events; all None
    for a head alone.
    """

    file: Path
    position: int
    hash: bytes
    claim: ExportClaim | None = None
    sha256: str | None = None
    events: int | None = None


class HeadComparison(NamedTuple):
    """Why the ledger is not the saved one or its continuation (None: it is), and which proof was made.

    `unproved` are the positions whose payload could not be compared, because it is archived or erased.
    """

    reason: str | None
    proof: str = ""
    unproved: tuple[int, ...] = ()


def head_path(export: Path) -> Path:
    """Return the path of an export's head."""
    return export.with_name(export.name + ".head.json")


def describe_export(exported: ExportResult, form: ExportFormat, filters: EventFilters) -> str:
    """Return the JSON document that is written beside an export."""
    at = exported.head.recorded_at.isoformat() if exported.head.position else None
    head = {"log": LOG, "position": exported.head.position, "hash": exported.head.hash.hex(), "recordedAt": at}
    applied = filters_as_json(filters)
    return json.dumps(
        head | {"format": form, "filters": applied, "events": exported.events, "sha256": exported.sha256}, indent=1
    )


def filters_as_json(filters: EventFilters) -> dict[str, Any]:
    """Return the filters that are set, as values of JSON."""

    def plain(value: object) -> object:
        if isinstance(value, tuple):
            return list(value)
        return value.isoformat() if isinstance(value, datetime) else str(value)

    return {name: plain(value) for name, value in filters._asdict().items() if value is not None}


def filters_from_json(document: dict[str, Any]) -> EventFilters:
    """Return the filters of filters_as_json. Raises ValueError, TypeError and AttributeError for anything else."""
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name in _LISTS:
            values[name] = tuple(_text(item) for item in _list(value))
        elif name in _TIMES:
            values[name] = _time(value)
        elif name == "within":
            raise ValueError("no export is of an API key")
        else:
            values[name] = UUID(value) if name == "run" else _text(value)
    return EVERYTHING._replace(**values)


def _time(value: str) -> datetime:
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError("it has no offset from UTC")
    return time


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("it must be a text")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("it must be a list")
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ValueError("it must be a position or a number of events")
    return value


def _hash(value: object) -> bytes:
    content = bytes.fromhex(_text(value))
    if len(content) != len(NO_HASH):
        raise ValueError("it must be a SHA-256")
    return content


def read_saved_head(file: Path) -> SavedHead:
    """Read a saved head (as GET /ledger/head returns it), or the head beside an export. Raises UnreadableHead."""
    beside = head_path(file).exists()
    source = head_path(file) if beside else file
    try:
        with source.open("rb") as text:  # an export without its head may have gigabytes
            document = json.loads(text.read(_PIECE))
        head = document.get("head", document)
        saved = SavedHead(source, _count(head["position"]), _hash(head["hash"]))
        if not beside:
            return saved
        form, filters = ExportFormat(document["format"]), filters_from_json(document["filters"])
        claim = ExportClaim(file, form, filters, saved.position)
        return saved._replace(claim=claim, sha256=str(document["sha256"]), events=_count(document["events"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableHead(
            f"{file} is neither a head as GET /ledger/head returns it"
            f" nor an export with {head_path(file).name} beside it"
        ) from error


async def compare_with_ledger(
    dsn: str, saved: SavedHead, progress: Callable[[int, int], None] | None = None
) -> HeadComparison:
    """Compare the ledger with a saved head, and each record of the export beside it with its event.

    Raises DatabaseUnavailable, OSError where the export cannot be read, and OperatorError where Parquet cannot.
    """
    async with open_evidence(dsn) as connections:
        reader = EvidenceReader(connections)
        end = (await reader.ends()).head
        recorded = await reader.hash_at(saved.position) if saved.position else NO_HASH
        if saved.position > end:
            return HeadComparison(f"the ledger ends at position {end}, before the saved head at {saved.position}")
        if recorded != saved.hash:
            return HeadComparison(
                f"position {saved.position} has another hash than was saved: the ledger was rewritten"
            )
        if saved.claim is None:
            return HeadComparison(None, f"Position {saved.position} has the hash that {saved.file} holds.")
        return await _compare_export(reader, saved, saved.claim, progress)


async def _compare_export(
    reader: EvidenceReader, saved: SavedHead, claim: ExportClaim, progress: Callable[[int, int], None] | None
) -> HeadComparison:
    if _digest(claim.file) != saved.sha256:
        return HeadComparison(f"the export was altered: {claim.file} has not the SHA-256 in {saved.file}")
    try:
        compared = await compare_export(reader, claim, saved.hash, progress)
    except ExportDiffers as differs:
        return HeadComparison(str(differs))
    if compared.events != saved.events:
        return HeadComparison(f"{saved.file} was altered: it says {saved.events} events, not {compared.events}")
    chosen = filters_as_json(claim.filters)
    which = f"the events of the filters {json.dumps(chosen)}" if chosen else "all events"
    proof = (
        f"{claim.file} holds {which} up to position {claim.position}: each of its {compared.events} records was"
        " compared with the ledger, and none is missing."
    )
    return HeadComparison(None, proof, tuple(compared.unproved))


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
