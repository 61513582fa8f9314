"""The number of partitions of payloads, and what it costs, does not grow with the ledger."""

import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from building import facts, unguarded
from databases import database, execute
from hypothesis import given, settings
from hypothesis import strategies as st
from partitions import LATER, append, holds, project_all, small_partitions, time_of

from service.audit.event_lines import JSON_LINE
from service.audit.verification import verify_ledger
from service.database import migrations, statements
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.event import Kind
from service.ledger import archive_records
from service.ledger.archive_records import Archive
from service.ledger.events import append_events, read_payloads
from service.maintenance import parquet_files
from service.maintenance.archive import archive_payloads
from service.maintenance.archived_removal import read_partitions
from service.maintenance.erase import erase_payloads
from service.maintenance.parquet_files import PayloadRow
from service.maintenance.restore import restore_payloads

MILLION = 1_000_000
BILLION = 1000 * MILLION
PREVIOUS = "0011"
"""The revision before partitions grew."""


async def grow_to(db, end):
    """Create the partitions that appends would have created until the ledger had `end` positions."""
    for n in range(1, end // MILLION + 1):
        await db.execute("select runfold.ensure_payload_partition($1)", n)
    await db.execute("update runfold.ledger_head set position = $1, recorded_at = now()", end)


async def test_a_billion_positions_have_some_thirty_partitions(db, connections):
    await grow_to(db, BILLION)
    partitions = await read_partitions(connections)
    assert len(partitions) <= 32
    assert (partitions[0].first, partitions[-1].last >= BILLION + MILLION) == (1, True)
    for one, following in pairwise(partitions):
        assert following.first == one.last + 1
        assert following.last - following.first + 1 <= max(MILLION, one.last // 4)
    appended = await append(connections, *facts(10))
    assert appended.positions[0] == BILLION + 1
    assert len(await read_payloads(connections, appended.positions)) == 10


MEMORY = "select sum(total_bytes)::bigint from pg_backend_memory_contexts"
NO_FILTERS = (None,) * 7
STATEMENTS = {
    "archivable_positions": (BILLION, BILLION + 9),
    "archive_records": (),
    "event_lines": (BILLION, BILLION + 9, 10, MILLION, *NO_FILTERS),
    "events_after": (BILLION, 10, MILLION, MILLION),
    "events_at": ([BILLION + 1],),
    "history": (uuid4(), 0, 2 * BILLION, 10, MILLION),
    "key_events": (BILLION,),
    "lineage_payloads": ([BILLION + 1], MILLION),
    "payloads": (list(range(BILLION, BILLION + 20)),),
    "payloads_between": (BILLION, BILLION + 9),
    "put_payloads": ([], []),
    "recorded_after": (BILLION, 10, MILLION),
    "removable_payloads": (BILLION, BILLION + 9, 1),
    "remove_payloads": ([BILLION + 100],),
    "verify_ends": (),
    "verify_payloads": (BILLION, BILLION + 9),
    "verify_sizes": (BILLION, BILLION + 9),
}
"""Every statement on payloads, with arguments after the log."""

PARTS = {
    "subject": "run",
    "direction": "asc",
    "which": load_text("which_range", direction="asc", event_filters=load_text("event_filters")),
    "line": JSON_LINE,
    "wanted": "true",
}


def test_these_are_all_statements_on_payloads():
    files = Path(statements.__file__).with_name("sql").glob("*.sql")
    found = {file.stem for file in files if "runfold.payloads" in file.read_text(encoding="utf-8")}
    assert found - {"verify_tables"} == STATEMENTS.keys()  # that one reads the system catalogue


async def test_a_session_keeps_little_more_in_memory_and_locks_few_tables_at_a_billion_positions(db, connections):
    """Ten executions of each statement: from the sixth on, plans are generic."""
    await grow_to(db, BILLION)
    await append(connections, *facts(10))
    async with connections.connection() as connection:
        before = await connection.fetchval(MEMORY)
        for name, arguments in STATEMENTS.items():
            for _ in range(10):
                async with connection.transaction():
                    await connection.fetch(load(name, **PARTS), 0, *arguments)
                    locks = await connection.fetchval("select count(*) from pg_locks where pid = pg_backend_pid()")
                assert locks < 200, name
        assert await connection.fetchval(MEMORY) - before < 8 * 1024 * 1024


async def test_partitions_are_sized_by_what_is_not_archived(db, connections):
    await grow_to(db, 100 * MILLION)
    sizes = [partition.last - partition.first + 1 for partition in await read_partitions(connections)]
    assert max(sizes) > 10 * MILLION
    await unguarded(db, "insert into runfold.archives values (0, 1, $1, 'f', 'd')", 95 * MILLION)
    last = (await read_partitions(connections))[-1].last
    await db.execute("select runfold.ensure_payload_partition($1)", last // MILLION)
    added = (await read_partitions(connections))[-1]
    assert (added.first, added.last - added.first + 1) == (last + 1, (last - 95 * MILLION) // 4 // MILLION * MILLION)


async def test_appends_do_not_wait_for_a_partition_that_is_not_needed_yet(dsn, db, connections):
    await db.execute(small_partitions())
    await append(connections, *facts(9))
    analyzing = await asyncpg.connect(dsn)
    async with analyzing.transaction():
        await analyzing.execute("lock table runfold.payloads in share update exclusive mode")
        await append(connections, *facts(10))
        assert (await read_partitions(connections))[-1].last == 20
    await append(connections, *facts(5))
    assert (await read_partitions(connections))[-1].last == 40
    await analyzing.close()


@pytest.fixture
async def previous_dsn(postgres):
    """A database of the version before."""
    name = f"test_{uuid4().hex}"
    await execute(postgres, f"create database {name}")
    dsn = database(postgres, name)
    await asyncio.to_thread(migrations.upgrade, dsn, PREVIOUS)
    yield dsn
    await execute(postgres, f"drop database {name} with (force)")


async def archive_as_before(db, connections, directory):
    """Archive the first partition of ten positions as the version before did."""
    path = directory / "payloads-0-1-10.parquet"
    with parquet_files.open_writer(path) as writer:
        for row in await db.fetch(
            "select p.position, e.payload_digest, p.body from runfold.payloads p "
            "join runfold.events e using (position) where position <= 10 order by position"
        ):
            writer.add(PayloadRow(*row))
    archive = Archive(path.name, str(directory), parquet_files.digest_of(path), 1, 10, 10)
    await db.execute("select runfold.drop_archived_payloads('payloads_0')")
    await db.execute("insert into runfold.archives values (0, 1, 10, $1, $2)", archive.file, archive.sha256)
    await append(connections, archive_records.archive_draft(Kind.ARCHIVED, archive, None))


async def test_a_database_with_small_partitions_goes_on_and_so_does_a_process_that_was_connected(
    previous_dsn, tmp_path
):
    db = await asyncpg.connect(previous_dsn)
    await db.execute(small_partitions())
    async with Connections(previous_dsn, keep_plans=True) as old:
        for _ in range(8):
            await append(old, *facts(4))
        await archive_as_before(db, old, tmp_path)
        await asyncio.to_thread(migrations.upgrade, previous_dsn)
        await project_all(old)
        for _ in range(20):
            await append(old, *facts(4))
        partitions = await read_partitions(old)
        assert [(one.name, one.first, one.last) for one in partitions[:3]] == [
            ("payloads_0", 1, 10),
            ("payloads_1", 11, 20),
            ("payloads_2", 21, 30),
        ]
        assert [one.last for one in partitions[-3:]] == [90, 110, 130]
        await holds(previous_dsn)
        done = await archive_payloads(previous_dsn, LATER, tmp_path)
        assert [(one.first, one.last) for one in done][:2] == [(11, 20), (21, 30)]
        assert [(one.first, one.last) for one in await read_partitions(old)][:2] == [(1, 110), (111, 130)]
        await holds(previous_dsn)
        await restore_payloads(previous_dsn)
        assert len(await read_payloads(old, range(1, 114))) == 113
        await holds(previous_dsn)
    await db.close()


async def test_a_downgraded_database_goes_on(dsn, db, connections):
    await grow_to(db, 20 * MILLION)
    reached = (await read_partitions(connections))[-1].last
    assert reached > 21 * MILLION
    await asyncio.to_thread(downgrade, dsn)
    for position in (20 * MILLION + 5, reached - 3, reached + MILLION - 3):
        await db.execute("update runfold.ledger_head set position = $1", position)
        await append_events(connections, facts(10), [None] * 10)


def downgrade(dsn):
    from alembic import command  # noqa: PLC0415

    command.downgrade(migrations._config(dsn), PREVIOUS)


class Model:
    """A ledger with partitions of ten positions, and what is expected of it."""

    def __init__(self, dsn, db, connections, directory):
        self.dsn, self.db, self.connections, self.directory = dsn, db, connections, directory
        self.bodies = {}
        self.archived = set()

    async def append(self, share):
        drafts = facts(1 + int(share * 24))
        appended = await append(self.connections, *drafts)
        self.bodies |= {position: draft.payload for position, draft in zip(appended.positions, drafts, strict=True)}

    async def archive(self, share):
        head = await self.db.fetchval("select position from runfold.ledger_head")
        at = await time_of(self.db, 1 + int(share * (head - 1)))
        old = await self.db.fetchval("select max(position) from runfold.events where recorded_at < $1", at) or 0
        await archive_payloads(self.dsn, at, self.directory)
        self.archived |= {position for position in self.bodies if position <= old}

    async def restore(self, share):
        position = self.chosen(self.archived, share)
        for one in await restore_payloads(self.dsn, position) if position else ():
            assert one.covers(position)
            self.archived -= set(range(one.first, one.last + 1))

    async def erase(self, share):
        position = self.chosen(self.bodies.keys() - self.archived, share)
        if position:
            await erase_payloads(self.dsn, position, "article 17")
            del self.bodies[position]

    @staticmethod
    def chosen(positions, share):
        return sorted(positions)[int(share * (len(positions) - 1))] if positions else None

    async def check(self):
        present = {position: body for position, body in self.bodies.items() if position not in self.archived}
        assert await read_payloads(self.connections, list(self.bodies)) == present
        partitions = await read_partitions(self.connections)
        head = await self.db.fetchval("select position from runfold.ledger_head")
        assert (partitions[0].first, partitions[-1].last > head) == (1, True)
        assert all(following.first == one.last + 1 for one, following in pairwise(partitions))


steps = st.lists(
    st.tuples(st.sampled_from(["append", "append", "archive", "restore", "erase"]), st.floats(0, 1)), max_size=8
)


async def test_any_order_of_appending_archiving_restoring_and_erasing_keeps_every_payload(postgres):
    """Each example has a database of its own."""

    @settings(max_examples=15)
    @given(steps)
    def collect(several):
        examples.append(several)

    examples = []
    await asyncio.to_thread(collect)
    for number, several in enumerate(examples):
        name = f"partitions_{number}_{uuid4().hex}"
        await execute(postgres, f"create database {name} template runfold_template strategy file_copy")
        try:
            await run_example(database(postgres, name), several)
        except Exception as error:
            error.add_note(f"after {several}")
            raise
        await execute(postgres, f"drop database {name} with (force)")


async def run_example(dsn, several):
    db = await asyncpg.connect(dsn)
    await db.execute(small_partitions())
    with tempfile.TemporaryDirectory() as directory:
        async with Connections(dsn) as connections:
            model = Model(dsn, db, connections, Path(directory))
            await model.append(1)
            for step, share in several:
                await getattr(model, step)(share)
                await model.check()
            assert (await verify_ledger(dsn)).ok
            await restore_payloads(dsn)
            model.archived = set()
            await model.check()
            assert (await verify_ledger(dsn)).ok
    await db.close()
