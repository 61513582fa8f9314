"""Runfold answers what a real Marquez was sent as Marquez did, but for the table of decision record 0042."""

import aiohttp
import pytest
from programs import REPOSITORY, program
from recordings import Replay, differences, entries, recording

RECORD = REPOSITORY / "docs/decisions/0042-differences-from-marquez.md"


@pytest.mark.parametrize("name", ["datasets", "graph"])
async def test_the_answers_differ_exactly_as_the_table_says(name, dsn, tmp_path):
    table, used, unexpected = entries(RECORD, f"{name}.jsonl"), set(), []
    async with program(tmp_path / "log", "serve", "--port", 0, "--database-url", dsn) as server:
        await server.wait_until_ready()
        async with aiohttp.ClientSession(server.url) as session:
            replay = Replay(session)
            for sent in recording(name):
                for difference in differences(await replay.send(sent)):
                    covering = [entry for entry in table if entry.covers(difference)]
                    used.update(covering[:1])
                    if not covering:
                        unexpected.append(difference)
    assert unexpected == []
    assert [entry for entry in table if entry not in used] == [], "these rows cover nothing"
