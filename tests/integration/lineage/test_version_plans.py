"""A version of a dataset is found by an index, however many runs read the dataset or tell its schema."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from service.domain.event import DatasetName
from service.domain.ids import dataset_id
from service.lineage.versions_at import TOLD, UNTIL, versions_at

NAME = DatasetName("warehouse", "orders")
DATASET = dataset_id(*NAME)
START = datetime(2024, 1, 1, tzinfo=UTC)
WRITTEN, READ = UUID(int=1), UUID(int=2)
EVENTS = 20_000
FILL = """
insert into runfold.dataset_events (dataset_id, position, at, role, version)
select $1, n, $2::timestamptz + n * interval '1 second', case when n <= $3 then 2 else 1 end,
       case when n <= $3 then $4::uuid else $5::uuid end
  from generate_series(1, $6) n
"""
NAMED = """
insert into runfold.datasets (id, namespace_id, namespace, name, position, primary_id, hidden, seen, deleted,
                              updated_at, registers)
values ($1, $1, $2, $3, 1, $1, false, 1, 0, $4, '')
"""
ENTRIES = "select idx_tup_read from pg_stat_user_indexes where schemaname = 'runfold' and relname = 'dataset_events'"


async def entries(connections):
    async with connections.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.execute("select")
        return sum(row[0] for row in await connection.fetch(ENTRIES))


async def fill(db, writers):
    await db.execute(NAMED, DATASET, *NAME, START)
    await db.execute(FILL, DATASET, START, writers, WRITTEN, READ, EVENTS)
    await db.execute("analyze runfold.dataset_events, runfold.datasets")


async def read_all(connections, at):
    found = await versions_at(connections, [(DATASET, at)], None)
    until = await connections.fetch(UNTIL, [DATASET], [at])
    told = await connections.fetch(TOLD, [DATASET], [at])
    return found.get((DATASET, at)), until[0]["version"], told[0]["version"] if told else None


async def test_a_writers_version_is_found_behind_any_number_of_readers(connections, db):
    await fill(db, writers=1)
    last = START + timedelta(seconds=EVENTS)
    before = await entries(connections)
    for _ in range(8):  # with a generic plan, too
        assert await read_all(connections, last) == (WRITTEN, WRITTEN, READ)
        assert await read_all(connections, START + timedelta(seconds=1)) == (WRITTEN, WRITTEN, WRITTEN)
    assert await entries(connections) - before < 16 * 20


async def test_a_dataset_that_nobody_writes_has_the_version_of_its_last_reader(connections, db):
    await fill(db, writers=0)
    before = await entries(connections)
    for _ in range(8):
        assert await read_all(connections, START + timedelta(seconds=EVENTS / 2)) == (READ, READ, READ)
    assert await entries(connections) - before < 8 * 20
