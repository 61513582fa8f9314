"""Verification trusts no code of the database that it verifies."""

import json
from hashlib import sha256
from uuid import uuid4

import pytest
from building import fact, unguarded
from databases import execute

from service.audit.verification import verify_ledger
from service.ledger.events import append_events

FORGED = json.dumps({"forged": True})


@pytest.fixture
async def ledger(db, connections):
    drafts = [fact(uuid4(), "RUNNING", minute) for minute in range(5)]
    await append_events(connections, drafts, [None] * len(drafts))
    return db


async def alter_payload(db):
    await unguarded(db, "update runfold.payloads set body = $1 where position = 3", FORGED)


async def test_a_digest_function_that_shadows_the_built_in_one_hides_nothing(ledger, dsn):
    original = await ledger.fetchval("select payload_digest from runfold.events where position = 3")
    await alter_payload(ledger)
    name = await ledger.fetchval("select current_database()")
    await execute(
        dsn,
        f"""
        create schema evil;
        create function evil.sha256(bytea) returns bytea language sql as $$
            select case when convert_from($1, 'UTF8') = '{FORGED}' then '\\x{original.hex()}'::bytea
                        else pg_catalog.sha256($1) end $$;
        alter database {name} set search_path = evil, pg_catalog;
        """,
    )
    result = await verify_ledger(dsn)
    assert (result.ok, result.broken_at) == (False, 3)
    assert "its payload was altered" in result.reason


async def test_a_replaced_function_of_the_schema_excuses_no_missing_payload(ledger, dsn):
    await unguarded(ledger, "delete from runfold.payloads where position = 3")
    await execute(
        dsn,
        "create or replace function runfold.is_erased(p_log int, p_position bigint) returns boolean language sql"
        " as 'select true'",
    )
    result = await verify_ledger(dsn)
    assert (result.ok, result.broken_at) == (False, 3)
    assert "its payload is missing" in result.reason


async def test_a_record_of_an_archive_that_is_not_the_recorded_one_excuses_nothing(ledger, connections, dsn):
    record = fact(uuid4(), None, 6)
    await append_events(connections, [record._replace(subject="ledger", kind="archived")], [None])
    archive = {"file": "f", "directory": "d", "sha256": "0" * 64, "first": 1, "last": 5, "payloads": 5}
    await unguarded(ledger, "update runfold.payloads set body = $1 where position = 6", json.dumps(archive))
    await unguarded(ledger, "delete from runfold.payloads where position = 3")
    result = await verify_ledger(dsn, 1, 5)
    assert (result.ok, result.broken_at) == (False, 3)


@pytest.mark.parametrize("subject", ["key", "ledger"])
async def test_a_payload_that_is_never_archived_is_not_excused_by_an_archive_around_it(
    subject, ledger, connections, dsn
):
    kept = fact(uuid4(), None, 6)._replace(subject=subject, kind="created" if subject == "key" else "restored")
    body = json.dumps({"file": "f", "directory": "d", "sha256": "0" * 64, "first": 1, "last": 6, "payloads": 5})
    record = kept._replace(stream=uuid4(), subject="ledger", kind="archived")
    record = record._replace(payload=body, payload_digest=sha256(body.encode()).digest())
    await append_events(connections, [kept, record], [None] * 2)
    await unguarded(ledger, "delete from runfold.payloads where position = 3")
    assert (await verify_ledger(dsn)).ok
    await unguarded(ledger, "delete from runfold.payloads where position = 6")
    result = await verify_ledger(dsn)
    assert (result.ok, result.broken_at) == (False, 6)
    assert "its payload is missing" in result.reason


@pytest.mark.parametrize(
    ("disguise", "name"),
    [
        (
            "alter table runfold.events rename to real; create view runfold.events as select * from runfold.real",
            "runfold.events",
        ),
        ("alter table runfold.payloads enable row level security", "runfold.payloads"),
        ("alter table runfold.payloads_0 enable row level security", "runfold.payloads_0"),
    ],
)
async def test_what_may_show_each_reader_other_rows_does_not_hold(disguise, name, ledger, dsn):
    assert (await verify_ledger(dsn)).ok
    await ledger.execute(disguise)
    result = await verify_ledger(dsn)
    assert not result.ok
    assert result.reason.startswith(f"{name} is not a plain table")
