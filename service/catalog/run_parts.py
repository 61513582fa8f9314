"""Reads a page of runs of whose facets only some are wanted.

Registers are stored with all facets, so the database reads these. A page is read in parts, and what is left out of a
part is dropped before the next one is read: a page holds as many runs as fit, and takes no more memory than others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from service.catalog.batches import Pauses
from service.database.connections import Connections
from service.domain.event import Subject
from service.domain.facet_selection import FacetNames, reported_bytes, select_facets
from service.domain.run import RunRegisters
from service.ledger.events import LOG
from service.ledger.ledger_registers import read_registers
from service.ledger.stored_registers import NewerRegisters, unpack_run

PARTS = 8
"""How many times the bytes of a page may be read for it, nearly all of which may be left out."""

Row = Mapping[str, Any]

FetchPart = Callable[[Any, Sequence[Row]], Awaitable[Sequence[Row]]]
"""Fetches the rows behind those that were read, with a connection: as many as fit into a page, and at least one."""


class RunRows(NamedTuple):
    """Rows without registers, and the runs that these are; `found`: the number of rows of the statement."""

    rows: list[Row]
    runs: list[RunRegisters]
    found: int


async def read_parts(
    connections: Connections, fetch: FetchPart, limit: int, names: FacetNames, page_bytes: int
) -> RunRows:
    """Read `limit` runs as of one moment, with the facets of some names.

    They are fewer where what is kept takes more than `page_bytes`, or what is read PARTS times as many.
    """
    rows: list[Row] = []
    runs: list[RunRegisters | None] = []
    found = kept = read = 0
    pauses = Pauses()
    async with connections.snapshot() as connection:
        while len(rows) < limit and kept < page_bytes and read < PARTS * page_bytes:
            part = await fetch(connection, rows)
            if not part:
                break
            found = found or part[0]["found"]
            for row in part:
                read += len(row["registers"])
                run = _select(row["registers"], names)
                kept += 0 if run is None else reported_bytes(run)
                rows.append({**row, "registers": row["registers"] if run is None else b""})
                runs.append(run)
                await pauses.pause()
            part = ()
            if len(rows) >= found:
                break
    return RunRows(rows, [await _known(connections, *pair, names) for pair in zip(rows, runs, strict=True)], found)


def _select(stored: bytes, names: FacetNames) -> RunRegisters | None:
    """Return a run with some facets; None where a newer program wrote it, and this one cannot read it."""
    try:
        return select_facets(unpack_run(stored), names)
    except NewerRegisters:
        return None


async def _known(connections: Connections, row: Row, run: RunRegisters | None, names: FacetNames) -> RunRegisters:
    """Return a run as it was read, else from the ledger: with another connection, when that of the page is free."""
    if run is not None:
        return run
    (merged,) = await read_registers(connections, LOG, Subject.RUN, [row])
    return select_facets(merged, names)
