"""Loads millions of events into an embedded PostgreSQL: `bench/millions.py --data-dir DIR [--events N]`.

They are written past the service, as the owner of the tables can: hash-chained rows by binary COPY, a piece in a
transaction with the head that it moves. Broken off, it goes on where it was. What is derived, the catalog and the
postings, the service makes when it starts: `runfold serve --data-dir DIR`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import asyncpg

from bench import lives
from bench.rows import EVENT_COLUMNS, PAYLOAD_COLUMNS, rows_of
from bench.tasks import until_done_or_told
from service.database import migrations
from service.embedded.files import EmbeddedError
from service.embedded.postgres import EmbeddedPostgres
from service.ledger.events import LOG

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = 5_000_000
PIECE = 50_000

# Checkpoints would write each page of each index again and again; nobody was told "recorded" yet.
_LOADING = {"max_wal_size": "8GB", "checkpoint_timeout": "30min", "synchronous_commit": "off", "shared_buffers": "1GB"}

_HEAD = "select position, hash, recorded_at from runfold.ledger_head where log = $1"
_PARTITIONS = """
select runfold.ensure_payload_partition(n)
  from runfold.payload_partition_size() size
 cross join lateral generate_series($1::bigint / size, $2::bigint / size + 1) n
"""
_MOVE = "update runfold.ledger_head set position = $2, hash = $3, recorded_at = $4 where log = $1"
# What autovacuum does with tables that have grown, done now.
_SETTLE = "vacuum (analyze) runfold.events, runfold.payloads"


class ServedSinceError(Exception):
    """The service appended to this ledger: what is loaded would lie before that in time."""


async def load(connection: Any, events: int, progress: Callable[[int], None]) -> None:  # noqa: ANN401  asyncpg is not typed
    """Append until the ledger has so many events. `progress` hears the position reached."""
    position, digest, recorded_at = await connection.fetchrow(_HEAD, LOG)
    if position >= events:
        return
    if position and recorded_at > lives.time_of(position):
        raise ServedSinceError(f"the service appended to this ledger, which has {position} events: begin a new one")
    await connection.execute(_PARTITIONS, position, events)
    while position < events:
        count = min(PIECE, events - position)
        rows = rows_of(lives.events(position + 1, count), position, digest)
        async with connection.transaction():
            await _copy(connection, "events", EVENT_COLUMNS, rows.events)
            await _copy(connection, "payloads", PAYLOAD_COLUMNS, rows.payloads)
            await connection.execute(_MOVE, LOG, rows.position, rows.hash, rows.recorded_at)
        position, digest = rows.position, rows.hash
        progress(position)
    await connection.execute(_SETTLE)


async def _copy(connection: Any, table: str, columns: tuple[str, ...], records: list[tuple[Any, ...]]) -> None:  # noqa: ANN401
    await connection.copy_records_to_table(table, schema_name="runfold", columns=columns, records=records)


def load_into(data_dir: Path, events: int) -> None:
    """Start PostgreSQL in a directory, migrate, load, stop. Must be called in the main thread."""
    with EmbeddedPostgres(data_dir, settings=_LOADING) as postgres:
        migrations.upgrade(postgres.dsn)
        asyncio.run(until_done_or_told(_load(postgres.dsn, events)))


async def _load(dsn: str, events: int) -> None:
    connection = await asyncpg.connect(dsn)
    began, first = time.monotonic(), await connection.fetchval("select position from runfold.ledger_head")

    def progress(position: int) -> None:
        rate = (position - first) / (time.monotonic() - began)
        print(f"loaded {position:,} of {events:,}, {rate:,.0f} events/s", file=sys.stderr, flush=True)

    try:
        await load(connection, events, progress)
    finally:
        await connection.close()


def main() -> None:
    """Read the command line, load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="where the embedded PostgreSQL keeps its data")
    parser.add_argument("--events", type=int, default=EVENTS, help="how many the ledger shall have (default 5000000)")
    options = parser.parse_args()
    try:
        load_into(options.data_dir, options.events)
    except (EmbeddedError, ServedSinceError) as error:
        raise SystemExit(f"bench: {error}") from error
    except asyncio.CancelledError:
        raise SystemExit("bench: broken off; the next call goes on with what is loaded") from None


if __name__ == "__main__":
    main()
