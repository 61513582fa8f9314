"""The conventional design, for comparison: a connection pool, and one transaction per start.

    BEGIN; SELECT the run FOR UPDATE; INSERT its event; UPDATE the run; COMMIT; answer the view

The events have the columns and keys of runfold.events, in the same server with the same durability.
It has no gapless positions, no hash chain and no order of commits.
"""

import argparse
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvloop
from aiohttp import web

POOL = web.AppKey("pool", asyncpg.Pool)

SCHEMA = """
drop schema if exists bench_transaction cascade;
create schema bench_transaction;
create table bench_transaction.runs (
    id         uuid        primary key,
    namespace  text        not null,
    job        text        not null,
    state      text        not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    started_at timestamptz,
    ended_at   timestamptz,
    args       json        not null
) with (fillfactor = 80);
create table bench_transaction.events (like runfold.events including all);
create sequence bench_transaction.positions owned by bench_transaction.events.position;
"""

SELECT = "select * from bench_transaction.runs where id = $1 for update"
INSERT = """
insert into bench_transaction.events
       (log, position, subject, stream, kind, state, transitioned_at, recorded_at, namespace, job, source,
        fact, hash)
values (0, nextval('bench_transaction.positions'), 'run', $1, 'transition', 'RUNNING', $2, clock_timestamp(),
        $3, $4, 'api', $5, $6)
"""
UPDATE = "update bench_transaction.runs set state = 'RUNNING', started_at = $2, updated_at = $2 where id = $1"


async def start(request: web.Request) -> web.Response:
    """Start a run."""
    run_id = UUID(request.match_info["id"])
    now = datetime.now(UTC)
    digest = hashlib.sha256(run_id.bytes + now.isoformat().encode()).digest()
    async with request.app[POOL].acquire() as connection, connection.transaction():
        run = await connection.fetchrow(SELECT, run_id)
        if run is None:
            raise web.HTTPNotFound
        await connection.execute(INSERT, run_id, now, run["namespace"], run["job"], digest[:16], digest)
        await connection.execute(UPDATE, run_id, now)
    body = orjson.dumps(
        view({**run, "state": "RUNNING", "started_at": now, "updated_at": now}), option=orjson.OPT_UTC_Z
    )
    return web.Response(body=body, content_type="application/json")


def view(run: dict[str, Any]) -> dict[str, Any]:
    """Return the run view."""
    return {
        "id": str(run["id"]),
        "createdAt": run["created_at"],
        "updatedAt": run["updated_at"],
        "nominalStartTime": None,
        "nominalEndTime": None,
        "state": run["state"],
        "startedAt": run["started_at"],
        "endedAt": run["ended_at"],
        "durationMs": None,
        "args": orjson.Fragment(run["args"]),
        "jobVersion": None,
        "inputDatasetVersions": [],
        "outputDatasetVersions": [],
        "facets": {},
    }


def build_app(dsn: str, connections: int) -> web.Application:
    """Return the app; it creates its tables anew when it starts."""

    async def pool(app: web.Application) -> AsyncIterator[None]:
        async with asyncpg.create_pool(dsn, min_size=connections, max_size=connections) as opened:
            await opened.execute(SCHEMA)
            app[POOL] = opened
            yield

    app = web.Application()
    app.cleanup_ctx.append(pool)
    app.router.add_post("/api/v1/jobs/runs/{id}/start", start)
    return app


def main() -> None:
    """Serve on a free port of the loopback until SIGTERM; print the address to standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--pool", type=int, default=16, help="connections to PostgreSQL (default %(default)s)")
    options = parser.parse_args()
    uvloop.install()
    web.run_app(build_app(options.database_url, options.pool), host="127.0.0.1", port=0, access_log=None)


if __name__ == "__main__":
    main()
