"""The month of `runfold demo --history` as a ledger: recorded in the past, unbroken, and only where nothing is yet."""

from datetime import UTC, datetime, timedelta

import pytest
from building import facts
from partitions import holds, project_all

from service.cli.commands.history import History
from service.domain import timestamps
from service.errors import Malformed
from service.ledger.events import append_events, read_head
from service.maintenance.catalog_check import check_catalog
from service.maintenance.example_ledger import Example, LedgerNotEmpty, read_contents, write_examples

NOW = datetime.now(UTC) - timedelta(hours=1)
LINE = (
    b'{"eventType":"START","eventTime":"2024-01-01T00:00:00Z","run":{"runId":"%d"},'
    b'"job":{"namespace":"etl","name":"load"},"producer":"tests"}'
)


@pytest.fixture(scope="module")
def month():
    return History(NOW, 1, 1).sent()[-400:]


async def test_a_month_is_a_ledger_that_holds_and_goes_on(dsn, db, pair, month):
    assert await write_examples(dsn, month) == len(month)
    assert (await read_contents(dsn)) == (len(month), month[0].recorded_at)
    recorded = await db.fetch("select recorded_at, actor, source from runfold.events order by position")
    assert [row["recorded_at"] for row in recorded] == [each.recorded_at for each in month]
    assert {(row["actor"], row["source"]) for row in recorded} == {("runfold demo", "import")}
    appended = await append_events(pair, facts(3), [None] * 3)
    assert appended.recorded_at > timestamps.now() - timedelta(minutes=1)
    await holds(dsn)
    await project_all(pair)
    assert (await check_catalog(dsn)).found == 0


async def test_where_something_is_recorded_no_other_times_are_written(dsn, connections, month):
    await append_events(connections, facts(1), [None])
    before = await read_head(connections)
    with pytest.raises(LedgerNotEmpty, match="has 1 events"):
        await write_examples(dsn, month)
    assert await read_contents(dsn) == (1, None)
    assert await read_head(connections) == before


@pytest.mark.parametrize(
    ("examples", "error"),
    [
        ([Example(NOW, LINE % 1), Example(NOW - timedelta(seconds=1), LINE % 2)], ValueError),
        ([Example(NOW, LINE % 1), Example(NOW + timedelta(days=1), LINE % 2)], ValueError),
        ([Example(NOW, LINE % 1), Example(NOW, b"{")], Malformed),
    ],
)
async def test_what_cannot_be_recorded_leaves_nothing(dsn, connections, examples, error):
    with pytest.raises(error):
        await write_examples(dsn, examples)
    assert (await read_head(connections)).position == 0
