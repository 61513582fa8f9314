"""Drafts that integration tests append, and the lock that makes an append wait."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from histories import at

from service.domain.decisions import Create, Transition
from service.domain.draft import Draft
from service.domain.event import Content, Kind, RunState, Subject
from service.domain.payload import PayloadContent
from service.domain.run import run_registers_of
from service.ledger import drafts
from service.ledger.drafts import Caller
from service.payloads.contents import lineage_content, parent_run, read_event

APPENDING = "select pid from pg_stat_activity where wait_event_type = 'Lock' and query like '%append_events%'"


def new(run: UUID, *, job: str = "load", body: bytes = b"", content: Content | None = None, key: str | None = None):
    """Return the creation of a run and its command."""
    draft = drafts.new_run(run, ("etl", job), at(0), body, content or Content(), Caller(None, key))
    created = run_registers_of(draft.at(0, draft.transitioned_at), draft.decoded.content).created
    command = Create(created, draft.request_digest)
    return draft, command


def report(run: UUID, state: str, time: datetime | float = 1, *, key: str | None = None):
    """Return the report of a transition and its command."""
    when = time if isinstance(time, datetime) else at(time)
    draft = drafts.transition(run, RunState(state), when, explicit=True, caller=Caller(None, key))
    command = Transition(RunState(state), when, draft.request_digest)
    return draft, command


def fact(run: UUID, state: str | None, time: float = 1, *, job: str = "load", payload: str | None = None) -> Draft:
    """Return an OpenLineage event as it would be appended."""
    text = payload or json.dumps(
        {
            "eventTime": at(time).isoformat(),
            "producer": "tests",
            "run": {"runId": str(run), "facets": {"minute": {"of": time}}},
            "job": {"namespace": "etl", "name": job, "facets": {"job": {"minute": time}}},
        }
    )
    event = read_event(text)
    return Draft(
        Subject.RUN,
        run,
        Kind.TRANSITION if state else Kind.FACTS,
        state,
        at(time),
        "etl",
        job,
        parent_run(event),
        "openlineage",
        None,
        sha256(text.encode()).digest()[:16],
        None,
        sha256(text.encode()).digest(),
        text,
        PayloadContent(lineage_content(event)),
    )


def facts(count: int) -> list[Draft]:
    """Return starts of some runs."""
    return [fact(uuid4(), "RUNNING", minute) for minute in range(count)]


@asynccontextmanager
async def held_head(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Hold the lock that every append needs; appends wait until the block ends."""
    connection = await asyncpg.connect(dsn)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("select from runfold.ledger_head for update")
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()


async def unguarded(db: asyncpg.Connection, change: str, *arguments: object) -> Any:
    """Change what the ledger's triggers guard, as only a superuser can."""
    async with db.transaction():
        await db.execute("set local session_replication_role = replica")
        return await db.fetchval(change, *arguments)


async def events(db: asyncpg.Connection) -> list[asyncpg.Record]:
    return await db.fetch("select * from runfold.events order by position")


async def head(db: asyncpg.Connection) -> int:
    return await db.fetchval("select position from runfold.ledger_head")
