"""Loads millions of events into an embedded PostgreSQL: `bench/millions.py --data-dir DIR [--events N]`.

It writes to the tables directly, as only their owner can: hash-chained rows by binary COPY, a chunk per transaction
together with the update of the ledger head. After an interruption it resumes. The service derives the catalog and the
postings when it starts: `runfold serve --data-dir DIR`.
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
from bench.tasks import run_until_terminated
from service.database import migrations
from service.embedded.files import EmbeddedError
from service.embedded.postgres import EmbeddedPostgres
from service.ledger.events import LOG

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = 5_000_000
PIECE = 50_000

# Checkpoints would write each page of each index repeatedly. Nothing is acknowledged, so commits need not be durable.
_LOADING = {"max_wal_size": "8GB", "checkpoint_timeout": "30min", "synchronous_commit": "off", "shared_buffers": "1GB"}

_HEAD = "select position, hash, recorded_at from runfold.ledger_head where log = $1"
_PARTITIONS = """
select runfold.ensure_payload_partition(n)
  from runfold.payload_partition_size() size
 cross join lateral generate_series($1::bigint / size, $2::bigint / size + 1) n
"""
_MOVE = "update runfold.ledger_head set position = $2, hash = $3, recorded_at = $4 where log = $1"
# What autovacuum does later for tables that have grown.
_VACUUM = "vacuum (analyze) runfold.events, runfold.payloads"


class ServedSinceError(Exception):
    """The service has appended to this ledger: events loaded after that would be recorded at earlier times."""


async def load(connection: Any, events: int, progress: Callable[[int], None]) -> None:  # noqa: ANN401  asyncpg is not typed
    """Append until the ledger has `events` events. `progress` is called with each position reached."""
    position, digest, recorded_at = await connection.fetchrow(_HEAD, LOG)
    if position >= events:
        return
    if position and recorded_at > lives.time_of(position):
        raise ServedSinceError(
            f"the service has appended to this ledger of {position} events; load into a new directory"
        )
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
    await connection.execute(_VACUUM)


async def _copy(connection: Any, table: str, columns: tuple[str, ...], records: list[tuple[Any, ...]]) -> None:  # noqa: ANN401
    await connection.copy_records_to_table(table, schema_name="runfold", columns=columns, records=records)


def load_into(data_dir: Path, events: int) -> None:
    """Start PostgreSQL in a directory, migrate, load, stop. It must be called in the main thread."""
    with EmbeddedPostgres(data_dir, settings=_LOADING) as postgres:
        migrations.upgrade(postgres.dsn)
        asyncio.run(run_until_terminated(_load(postgres.dsn, events)))


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
    """Parse the command line and load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="data directory of the embedded PostgreSQL")
    parser.add_argument("--events", type=int, default=EVENTS, help="events in the ledger afterwards (default 5000000)")
    options = parser.parse_args()
    try:
        load_into(options.data_dir, options.events)
    except (EmbeddedError, ServedSinceError) as error:
        raise SystemExit(f"bench: {error}") from error
    except asyncio.CancelledError:
        raise SystemExit("bench: interrupted; the next call resumes") from None


if __name__ == "__main__":
    main()
