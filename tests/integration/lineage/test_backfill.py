"""What is in the ledger already is projected in the background, while lists of runs are answered."""

from lineage_events import dataset, record, run_event
from waiting import wait_until


async def test_lists_are_answered_while_an_existing_ledger_is_projected(connections, client, db):
    await db.execute("update runfold.lineage_cursor set position = 0")
    await record(connections, *(run_event("load", ["raw"], [dataset(f"t{at}")], at=at) for at in range(50)))
    async with client.get("/api/v1/namespaces/etl/jobs/load/runs") as response:
        assert (await response.json())["totalCount"] == 50

    async def is_projected():
        head = await db.fetchval("select max(position) from runfold.events")
        return await db.fetchval("select position from runfold.lineage_cursor") == head

    await wait_until(is_projected, "lineage is projected")
    assert await db.fetchval("select count(*) from runfold.datasets") == 51
    async with client.get("/readyz") as response:
        assert (await response.json())["status"] == "ready"
