"""Compares what is derived from the ledger with it: catalog, datasets and lineage, posting lists, table of archives.

The catalog and lineage are projected anew into a schema of its own (second_tables.py), up to the positions of those in
use, and both are read side by side in the order of their keys, so memory stays constant. Those in use are read in one
snapshot of the database, and go on to be projected meanwhile. No function of the database's own is called
(service/audit/evidence.py).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

from service.audit import bitmaps, postings
from service.audit.bitmaps import CHUNK
from service.audit.evidence import EvidenceReader
from service.database.connections import Connections
from service.database.roles import require_owner
from service.database.sessions import open_cursor
from service.database.statements import LINEAGE, load
from service.errors import OperatorError
from service.ledger.aggregates import CATALOG_AGGREGATES
from service.ledger.events import LOG
from service.ledger.stored_lineage import LINEAGE_FORMAT, unpack_dataset, unpack_source, unpack_tag
from service.ledger.stored_registers import FORMAT
from service.lineage.stored import unpack_job_entry, unpack_mapping, unpack_run_datasets, unpack_version
from service.maintenance.archived_payloads import open_archived_payloads
from service.maintenance.locks import exclusive_maintenance
from service.maintenance.second_tables import SCHEMA, Positions, Progress, SecondTables

_CURSOR, _ERASED_SINCE = load("catalog_cursor"), load("erased_since")
_LINEAGE_CURSOR = load("catalog_cursor", projection=LINEAGE)
_POSTINGS, _ARCHIVES = load("verify_postings"), load("archives")
_CONNECTIONS = 3
_STATEMENT_TIMEOUT_S = 3600.0
_PREFETCH = 100
"""Rows of each table in memory."""

_KEPT = 20
"""Differences that are described; the others are counted."""


class _Table(NamedTuple):
    """How a table is compared: the columns of its key, those that are not compared, and what unpacks its registers.

    `grows`: of rows that begin with the same value, the first ones may be missing: they are not written yet.
    """

    key: tuple[str, ...]
    ignored: frozenset[str] = frozenset()
    unpack: Callable[[bytes], Any] | None = None
    grows: bool = False


_UNPACK = {aggregate.table: aggregate.unpack for aggregate in CATALOG_AGGREGATES.values()}

# `since` only says when the next summary is due.
_TABLES: Mapping[str, _Table] = {
    "runs": _Table(("id",), frozenset({"since"}), _UNPACK["runs"]),
    "run_jobs": _Table(("job_id", "run_id")),
    "silence_settings": _Table(("id",)),
    "crossing_runs": _Table(("run_id", "job_id")),
    "dataset_namespaces": _Table(("digest",)),
    "jobs": _Table(("id",), unpack=_UNPACK["jobs"]),
    "namespaces": _Table(("id",), unpack=_UNPACK["namespaces"]),
    "run_summaries": _Table(("id", "from_end", "from_top"), unpack=_UNPACK["runs"], grows=True),
    "run_counts": _Table(("job_id", "state")),
    "lineage_counts": _Table(("log", "namespace", "hour")),
}

_LINEAGE_TABLES: Mapping[str, _Table] = {
    "datasets": _Table(("id",), unpack=unpack_dataset),
    "lineage_namespaces": _Table(("id",)),
    "dataset_links": _Table(("dataset_id", "alias_id")),
    "dataset_events": _Table(("dataset_id", "position")),
    "dataset_versions": _Table(("dataset_id", "version"), unpack=unpack_version),
    "run_datasets": _Table(("run_id", "job_id"), unpack=unpack_run_datasets),
    "lineage_edges": _Table(("job_id", "direction", "dataset_id")),
    "column_mappings": _Table(("dataset_id", "job_id"), unpack=unpack_mapping),
    "column_inputs": _Table(("input_id", "dataset_id", "job_id")),
    "sources": _Table(("id",), unpack=unpack_source),
    "tags": _Table(("id",), unpack=unpack_tag),
    "search_entries": _Table(("kind", "id"), unpack=unpack_job_entry),
    "event_type_counts": _Table(("log", "namespace", "quarter", "type")),
}

_NAMES = frozenset({"lineage_namespaces", "sources", "tags"})
"""Tables of names, which stay until a rebuild when the payload that named them is erased, with their times. After an
erasure only rows that they lack are found."""


class CatalogCheck(NamedTuple):
    """The position up to which the catalog in use is projected, the number of differences, and the first of them.

    `has_older_parts`: a program of an earlier format projected a part of it, and did not write what was added since.
    `continued_from`: the position from which this check went on with what an interrupted one had projected; else 0.
    """

    position: int
    found: int
    differences: list[str]
    has_older_parts: bool
    continued_from: int = 0


class _Differences:
    def __init__(self) -> None:
        self.count = 0
        self.kept: list[str] = []

    def add(self, text: str) -> None:
        self.count += 1
        if len(self.kept) < _KEPT:
            self.kept.append(text)


async def check_catalog(
    dsn: str, progress: Progress | None = None, directory: Path | None = None, *, restart: bool = False
) -> CatalogCheck:
    """Compare everything that is derived from the ledger with it. The ledger itself must be verified separately.

    What an interrupted check has projected is kept in the database, and the next one goes on with it, unless `restart`.
    Archived payloads are read from their files, in `directory` or where they were written. Raises OperatorError and
    DatabaseUnavailable; both mean that nothing is known.
    """
    connections = Connections(dsn, _CONNECTIONS, builtins_only=True, command_timeout_s=_STATEMENT_TIMEOUT_S)
    async with connections:
        await require_owner(connections, "Checking the catalog")
        async with exclusive_maintenance(dsn):
            archived = await open_archived_payloads(connections, directory)
            try:
                second = SecondTables(connections, archived.get)
                checked = await _check(connections, second, progress, restart=restart)
                await second.drop()
            finally:
                archived.close()
    return checked


async def _check(
    connections: Connections, second: SecondTables, progress: Progress | None, *, restart: bool
) -> CatalogCheck:
    reader, differences = EvidenceReader(connections), _Differences()
    head = (await reader.ends()).head
    async with connections.connection() as connection:
        upto = Positions(*(min(row["position"], head) for row in await _cursors(connection)))
    begun = await second.open(upto, restart=restart)
    # Nearly everything is projected before the snapshot is taken, which is open as short as that.
    await second.project(upto, progress)
    async with connections.snapshot() as live:
        (catalog, lineage), head = await _cursors(live), (await reader.ends()).head
        for name, row in (("catalog_cursor", catalog), ("lineage_cursor", lineage)):
            if row["position"] > head:
                differences.add(f"{name}: it is at position {row['position']}, and the ledger ends at {head}")
        of_cursors = differences.count
        await second.project(Positions(min(catalog["position"], head), min(lineage["position"], head)), progress)
        async with connections.connection() as anew, anew.transaction(readonly=True):
            has_erasures = bool(await anew.fetchval(_ERASED_SINCE, LOG, 0))
            for name, table in _LINEAGE_TABLES.items():
                # Whether an event was a START is in its payload only: it stays counted when that is erased.
                if name != "event_type_counts" or not has_erasures:
                    some = has_erasures and name in _NAMES
                    await _compare_table(live, anew, name, table, differences, only_missing=some)
            of_lineage = differences.count - of_cursors
            for name, table in _TABLES.items():
                await _compare_table(live, anew, name, table, differences)
            await _compare_postings(live, anew, head, differences)
        await _compare_archives(live, reader, differences)
        if of_lineage:
            await _require_no_erasure(connections, lineage["position"])
        if differences.count > of_cursors + of_lineage:
            await _require_no_erasure(connections, catalog["position"])
    has_older_parts = catalog["oldest_format"] < FORMAT or lineage["oldest_format"] < LINEAGE_FORMAT
    return CatalogCheck(catalog["position"], differences.count, differences.kept, has_older_parts, begun.catalog)


async def _cursors(connection: Any) -> tuple[Any, Any]:  # noqa: ANN401  asyncpg has no types
    """Return the cursors of the catalog and of lineage in use."""
    return await connection.fetchrow(_CURSOR, LOG), await connection.fetchrow(_LINEAGE_CURSOR, LOG)


async def _require_no_erasure(connections: Connections, cursor: int) -> None:
    """Raise OperatorError where a payload was erased that the catalog in use still had when it was read."""
    async with connections.connection() as connection:
        if await connection.fetchval(_ERASED_SINCE, LOG, cursor):
            raise OperatorError("Payloads were erased meanwhile; run this again.")


async def _compare_table(
    live: Any,  # noqa: ANN401
    anew: Any,  # noqa: ANN401
    name: str,
    table: _Table,
    differences: _Differences,
    *,
    only_missing: bool = False,
) -> None:
    """Merge the rows of both tables by their keys. `only_missing`: no other difference is one."""
    stands = await open_cursor(live, load(f"verify_{name}", schema="runfold"), prefetch=_PREFETCH)
    expected = await open_cursor(anew, load(f"verify_{name}", schema=SCHEMA), prefetch=_PREFETCH)
    begun = None
    async with aclosing(_merge(stands, expected, table.key)) as pairs:
        async for row, wanted in pairs:
            if row is not None:
                begun = row[table.key[0]]
            if row is None:
                if not table.grows or wanted[table.key[0]] == begun:
                    differences.add(f"{name} {_name(wanted, table)}: it is missing")
            elif only_missing:
                continue
            elif wanted is None:
                differences.add(f"{name} {_name(row, table)}: the ledger has no such row")
            elif columns := _differing(row, wanted, table):
                differences.add(f"{name} {_name(row, table)}: {', '.join(columns)} differ")


async def _merge(stands: Any, expected: Any, key: tuple[str, ...]) -> AsyncGenerator[tuple[Any, Any]]:  # noqa: ANN401
    """Yield the rows of equal keys together, and None for a row that one of two ordered cursors lacks."""
    left, right = aiter(stands), aiter(expected)
    row, wanted = await anext(left, None), await anext(right, None)
    while row is not None or wanted is not None:
        order = _order(row, wanted, key)
        yield row if order <= 0 else None, wanted if order >= 0 else None
        if order <= 0:
            row = await anext(left, None)
        if order >= 0:
            wanted = await anext(right, None)


def _order(row: Any, wanted: Any, key: tuple[str, ...]) -> int:  # noqa: ANN401
    if row is None or wanted is None:
        return 1 if row is None else -1
    left, right = [row[column] for column in key], [wanted[column] for column in key]
    return (left > right) - (left < right)


def _differing(row: Any, wanted: Any, table: _Table) -> list[str]:  # noqa: ANN401
    columns = sorted(set(row.keys()) | set(wanted.keys()))
    return [name for name in columns if name not in table.ignored and not _equal(row, wanted, name, table.unpack)]


def _equal(row: Any, wanted: Any, name: str, unpack: Callable[[bytes], Any] | None) -> bool:  # noqa: ANN401
    """Whether a column is equal; packed registers may have their facets in another order.

    `seen` is null in rows that were last written before the column was added; then the registers alone have it.
    `registers` may be null in summaries only.
    """
    if row[name] == wanted[name] or (name in {"seen", "registers"} and row[name] is None):
        return True
    if name not in {"registers", "content"} or unpack is None:
        return False
    try:
        return bool(unpack(row[name]) == unpack(wanted[name]))
    except Exception:  # noqa: BLE001  what the unpacking of forged bytes raises depends on the bytes
        return False


def _name(row: Any, table: _Table) -> str:  # noqa: ANN401
    values = (row[column] for column in table.key)
    return " ".join(value.hex() if isinstance(value, bytes) else str(value) for value in values)


async def _compare_postings(live: Any, anew: Any, head: int, differences: _Differences) -> None:  # noqa: ANN401
    """Compare the postings of each chunk up to the last one that is posted."""
    stored: dict[tuple[int, int], tuple[int, bytes]] = {}
    chunk = 0
    async for row in await open_cursor(live, _POSTINGS, LOG, prefetch=_PREFETCH):
        if not 0 <= row["chunk"] < head // CHUNK:
            differences.add(f"event_postings of chunk {row['chunk']}: the ledger has no such full chunk")
            continue
        while chunk < row["chunk"]:
            await _compare_chunk(anew, chunk, stored, differences)
            stored, chunk = {}, chunk + 1
        stored[row["facet"], row["hash"]] = (row["total"], row["offsets"])
    if stored:
        await _compare_chunk(anew, chunk, stored, differences)


async def _compare_chunk(
    anew: Any,  # noqa: ANN401
    chunk: int,
    stored: dict[tuple[int, int], tuple[int, bytes]],
    differences: _Differences,
) -> None:
    expected = await postings.gather_chunk(anew, chunk) | {(0, 0): (CHUNK, b"")}
    wrong = sum(
        not _same_offsets(stored.get(key), expected.get(key)) for key in sorted(stored.keys() | expected.keys())
    )
    if wrong:
        first, last = chunk * CHUNK + 1, (chunk + 1) * CHUNK
        differences.add(f"event_postings of positions {first} to {last}: {wrong} lists differ")


def _same_offsets(stored: tuple[int, bytes] | None, expected: tuple[int, bytes] | None) -> bool:
    if stored is None or expected is None or stored[0] != expected[0]:
        return False
    return stored[1] == expected[1] or _offsets(*stored) == _offsets(*expected)


def _offsets(total: int, raw: bytes) -> list[int] | None:
    """Return the offsets in ascending order, because a list has them in any; None for bytes that are no offsets."""
    try:
        return list(bitmaps.ascending(bitmaps.union([(total, raw)])))
    except ValueError:
        return None


async def _compare_archives(live: Any, reader: EvidenceReader, differences: _Differences) -> None:  # noqa: ANN401
    stored = {row["first"]: (row["last"], row["file"], row["sha256"]) for row in await live.fetch(_ARCHIVES, LOG)}
    recorded = {
        archive.first: (archive.last, archive.file, archive.sha256) for archive in (await reader.archives()).current
    }
    for first in sorted(stored.keys() | recorded.keys()):
        if stored.get(first) != recorded.get(first):
            differences.add(f"archives of positions from {first}: the row is not what the ledger records")
