"""Values that only the database or the file system can tell are wrong: a sentence, and no traceback."""

from uuid import uuid4

import pytest
from building import fact
from programs import run

from service.ledger.appender import Appender


@pytest.fixture
def log(tmp_path):
    return tmp_path / "stderr"


async def test_an_export_below_a_file_or_with_a_name_that_has_no_room_for_a_suffix_is_refused(dsn, log, tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "x", tmp_path / ("x" * 253), tmp_path / "missing" / "x"):
        ended = await run(log, "export", "--output", path, "--database-url", dsn)
        assert ended.status == 1
        assert ended.errors.startswith("Error: The export cannot be written: ")
        assert len(ended.errors.splitlines()) == 1


async def test_show_takes_any_number_of_events(dsn, connections, log):
    appender, of_run = Appender(connections), uuid4()
    appender.start()
    await appender.fact(fact(of_run, "RUNNING"))
    await appender.drain()
    for events, shown in (("0", "1"), ("1", "1, the latest 1:"), (str(10**30), "1, the latest 1:")):
        ended = await run(log, "show", of_run, "--events", events, "--database-url", dsn)
        assert (ended.status, ended.errors) == (0, "")
        assert f"events     {shown}\n" in ended.output
