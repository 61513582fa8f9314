"""Verifying: what holds, and every way of tampering that must be found at the first position it touches."""

import asyncio
import re
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from partitions import example_says

from service.audit import verification as module
from service.audit.verification import verify_ledger
from service.database.statements import load
from service.errors import DatabaseUnavailable

REPOSITORY = Path(__file__).parents[3]
AT = datetime(2019, 5, 9, 15, 17, 32, 690346, tzinfo=UTC)
ROW = {
    "subject": "run",
    "kind": "transition",
    "state": "RUNNING",
    "at": AT,
    "namespace": None,
    "job": None,
    "parent_run": None,
    "source": "api",
    "actor": None,
    "request_digest": None,
    "body": None,
}
# Ten events: of every column a NULL and a value, odd ones among them; payloads at 3, 4 and 7.
ROWS = [
    {},
    {"namespace": "", "job": "a/b%\u00e9\U0001f600", "state": "NEW"},
    {"body": '{ "text": "\\u0000 \u00e9\U0001f600",  "twice": 1, "twice": 2 }', "state": None, "kind": "facts"},
    {"body": "[]"},
    {"at": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)},
    {"at": datetime(2999, 1, 1, tzinfo=UTC), "parent_run": UUID(int=2**128 - 1)},
    {"body": '"' + "x" * 100_000 + '"', "source": "openlineage"},
    {"actor": "airflow", "request_digest": b"\x00" * 16},
    {"subject": "job", "kind": "defined", "state": None},
    {},
]
ALTER = "update runfold.events set"
HEAD = "update runfold.ledger_head set"
MISSING, ALTERED = "the row is missing", "one was altered"
WRONG_HEAD = "the head has another hash than the last row"
COPY_BEFORE = """insert into runfold.events
    select log, {}, subject, stream, kind, state, transitioned_at, recorded_at, namespace, job, parent_run, source,
           actor, 'a fact that is still to come', request_digest, null, hash
      from runfold.events where position = 10"""
EARLY_PAYLOAD = """
    create table runfold.early partition of runfold.payloads for values from (-9) to (1);
    insert into runfold.payloads values (0, -3, '{}');
"""
REDATE = """
    update runfold.events set recorded_at = recorded_at - interval '1 day' where position = 10;
    update runfold.events e
       set hash = sha256('\\x01'::bytea || b.hash || record_send(row(
               e.log, e.position, convert_to(e.subject, 'UTF8'), e.stream, convert_to(e.kind, 'UTF8'),
               convert_to(e.state, 'UTF8'), e.transitioned_at, e.recorded_at, convert_to(e.namespace, 'UTF8'),
               convert_to(e.job, 'UTF8'), e.parent_run, convert_to(e.source, 'UTF8'), convert_to(e.actor, 'UTF8'),
               e.fact, e.request_digest, e.payload_digest)))
      from runfold.events b where e.position = 10 and b.position = 9;
    update runfold.ledger_head h set (hash, recorded_at) = (e.hash, e.recorded_at)
      from runfold.events e where e.position = 10;
"""
"""Rewrites the last row with another time, with its hash and the head, so that the chain itself holds."""


async def append(connection: asyncpg.Connection, *rows: dict) -> None:
    """Append as the service does, each row to a stream of its own."""
    start = await connection.fetchval("select position from runfold.ledger_head")
    full = [{**ROW, **row} for row in rows]
    for number, row in enumerate(full, start):
        row["stream"] = UUID(int=number)
        row["fact"] = number.to_bytes(16, "big")
        row["digest"] = sha256(row["body"].encode()).digest() if row["body"] else None
    columns = ("subject", "stream", "kind", "state", "at", "namespace", "job", "parent_run", "source", "actor", "fact")
    columns += ("request_digest", "digest", "body")
    drafts = [(*(row[column] for column in columns), None) for row in full]
    await connection.execute(load("append"), 0, drafts, datetime.max.replace(tzinfo=UTC))


async def tamper(connection: asyncpg.Connection, sql: str) -> None:
    """Do as a superuser who knows how to get around the triggers."""
    await connection.execute("set session_replication_role = replica")
    await connection.execute(sql)
    await connection.execute("set session_replication_role = origin")


async def example_program_says(dsn: str) -> str:
    """Run docs/verify_example.py."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", REPOSITORY / "docs/verify_example.py", dsn), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await program.communicate()
    return output.decode().strip()


@pytest.fixture(autouse=True, params=[3, 5, 10_000])
def page(request, monkeypatch):
    """Pages that end within, at, and after the end of the ledger."""
    monkeypatch.setattr(module, "PAGE", request.param)


@pytest.fixture
async def ledger(db):
    await append(db, *ROWS[:4])
    await append(db, *ROWS[4:])
    return db


async def test_a_ledger_as_the_service_wrote_it_holds(ledger, dsn):
    done = []
    verdict = await verify_ledger(dsn, progress=lambda *heard: done.append(heard))
    assert verdict[:6] == (True, 1, 10, 10, await ledger.fetchval("select hash from runfold.ledger_head"), None)
    assert done[-1] == (10, 10)
    assert done == sorted(set(done))


@pytest.mark.usefixtures("ledger")
async def test_the_example_that_shares_no_code_agrees(dsn):
    assert await example_program_says(dsn) == "the ledger holds"


async def test_an_empty_ledger_holds(dsn):
    assert (await verify_ledger(dsn))[:4] == (True, 1, 0, 0)
    assert await example_says(dsn) == "the ledger holds"


@pytest.mark.parametrize(
    ("sql", "position", "reason"),
    [
        (f"{ALTER} state = 'FAILED' where position = 5", 5, ALTERED),
        (f"{ALTER} transitioned_at = transitioned_at + interval '1 microsecond' where position = 1", 1, ALTERED),
        (f"{ALTER} recorded_at = recorded_at - interval '1 microsecond' where position = 10", 10, ALTERED),
        (f"{ALTER} namespace = null where position = 2", 2, ALTERED),
        (f"{ALTER} namespace = job, job = namespace where position = 2", 2, ALTERED),
        (f"{ALTER} actor = '' where position = 4", 4, ALTERED),
        (f"{ALTER} parent_run = null where position = 6", 6, ALTERED),
        (f"{ALTER} stream = gen_random_uuid() where position = 3", 3, ALTERED),
        (f"{ALTER} fact = '' where position = 3", 3, ALTERED),
        (f"{ALTER} hash = sha256('') where position = 9", 9, ALTERED),
        (f"{ALTER} position = 100 - position; {ALTER} position = position - 89", 1, ALTERED),
        ("delete from runfold.events where position = 1", 1, MISSING),
        ("delete from runfold.events where position = 6", 6, MISSING),
        ("delete from runfold.events where position in (5, 6)", 5, MISSING),
        ("delete from runfold.events where position = 10", 10, MISSING),
        ("delete from runfold.events", 1, MISSING),
        ("update runfold.payloads set body = '[ ]' where position = 4", 4, "its payload was altered"),
        ("delete from runfold.payloads where position = 7", 7, "its payload is missing"),
        ("insert into runfold.payloads values (0, 8, '{}')", 8, "the row says that there is none"),
        ("insert into runfold.payloads values (0, 12, '{}')", 12, "there is a payload without a row"),
        (f"{HEAD} position = 9", 9, WRONG_HEAD),
        (f"{HEAD} hash = sha256('')", 10, WRONG_HEAD),
        (
            f"{HEAD} (position, hash) = (select 9, e.hash from runfold.events e where e.position = 9)",
            10,
            "there is a row after the head",
        ),
        ("delete from runfold.ledger_head", 1, "the ledger has no head"),
        (COPY_BEFORE.format(0), 0, "there is a row before the first position"),
        (COPY_BEFORE.format(-7), -7, "there is a row before the first position"),
        (
            EARLY_PAYLOAD,
            -3,
            "there is a payload without a row",
        ),
        (REDATE, 10, "it was recorded earlier than the row before it"),
        (f"{HEAD} recorded_at = recorded_at + interval '1 year'", 10, "the head has another time than the last row"),
        (f"{HEAD} recorded_at = '-infinity'", 10, "the head has another time than the last row"),
    ],
)
async def test_tampering_is_found_at_the_first_position_it_touches(sql, position, reason, ledger, dsn):
    await tamper(ledger, sql)
    verdict = await verify_ledger(dsn)
    assert not verdict.ok
    assert verdict.broken_at == position
    assert reason in verdict.reason
    assert await example_says(dsn) != "the ledger holds"


@pytest.mark.usefixtures("ledger")
async def test_a_range_is_verified_with_the_time_before_it(db, dsn):
    await tamper(db, REDATE)
    assert (await verify_ledger(dsn, 10)).broken_at == 10
    assert (await verify_ledger(dsn, 1, 9)).ok


async def test_the_head_of_an_empty_ledger_has_no_time(db, dsn):
    await tamper(db, f"{HEAD} recorded_at = '2030-01-01'")
    assert (await verify_ledger(dsn)).reason == "the head has another time than the last row"


async def test_what_was_rewritten_with_all_hashes_and_the_head_shows_to_who_noted_the_head_before(ledger, dsn):
    before = await verify_ledger(dsn)
    await tamper(ledger, "truncate runfold.events, runfold.payloads")
    await tamper(ledger, f"update runfold.ledger_head set position = 0, hash = '\\x{'00' * 32}'")
    await append(ledger, *ROWS[:9], {"state": "FAILED"})
    after = await verify_ledger(dsn)
    assert after.ok
    assert (after.head_position, after.head_hash) != (before.head_position, before.head_hash)


@pytest.mark.parametrize(
    ("first", "last", "ok"), [(1, 4, True), (1, 5, False), (5, 5, False), (6, 10, True), (6, None, True)]
)
async def test_a_range_is_verified_alone_with_the_recorded_hash_before_it(first, last, ok, ledger, dsn):
    await tamper(ledger, "update runfold.events set state = 'FAILED' where position = 5")
    assert (await verify_ledger(dsn, first, last)).ok is ok


async def test_a_range_needs_the_row_before_it(ledger, dsn):
    await tamper(ledger, "delete from runfold.events where position = 5")
    assert (await verify_ledger(dsn, 6))[5:] == (5, MISSING)


async def test_a_range_that_ends_before_the_head_does_not_look_at_the_end(ledger, dsn):
    await tamper(ledger, "delete from runfold.events where position = 10")
    assert (await verify_ledger(dsn, 1, 9)).ok


@pytest.mark.usefixtures("ledger")
async def test_positions_after_the_end_do_not_hold(dsn):
    verdict = await verify_ledger(dsn, 8, 12)
    assert verdict[5:] == (11, "the row is missing: the ledger ends at position 10")


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(("first", "last"), [(0, 5), (5, 4), (11, None)])
async def test_a_range_without_positions_is_refused(first, last, dsn):
    with pytest.raises(ValueError, match="there are no positions from"):
        await verify_ledger(dsn, first, last)


async def test_what_is_appended_meanwhile_is_left_alone(ledger, dsn):
    appending = []

    def append_more(done: int, _total: int) -> None:
        if not appending:
            appending.append(asyncio.ensure_future(append(ledger, *ROWS)))
        assert done <= 10

    verdict = await verify_ledger(dsn, progress=append_more)
    await appending[0]
    assert (verdict.ok, verdict.last) == (True, 10)
    assert (await verify_ledger(dsn)).last == 20


async def test_a_database_without_a_ledger_is_told_apart_from_a_broken_one(empty_dsn):
    with pytest.raises(DatabaseUnavailable, match=r"ledger_head.* does not exist"):
        await verify_ledger(empty_dsn)


def test_the_example_in_the_document_is_what_the_program_computes():
    text = (REPOSITORY / "docs/ledger-format.md").read_text()
    form, hash_ = re.findall(r"```\n(.*?)\n```", text, re.DOTALL)
    assert sha256(b"\x01" + bytes(32) + bytes.fromhex(form)).hexdigest() == hash_
