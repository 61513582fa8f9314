"""Values that only the database or the file system can tell are wrong, and outputs: a sentence, and no traceback."""

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from building import fact
from programs import REPOSITORY, run

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


async def in_shell(line, dsn):
    """Return how `python -m service` ends that a line of shell calls: its status and what it says."""
    process = await asyncio.create_subprocess_shell(
        f"exec {sys.executable} -m service {line} --database-url {dsn!r}",
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    return process.returncode, errors.decode().splitlines()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is full")
@pytest.mark.parametrize(("command", "status"), [("migrate", 1), ("verify", 3), ("export", 1)])
async def test_a_full_output_is_a_sentence(command, status, dsn):
    ended, errors = await in_shell(f"{command} >/dev/full", dsn)
    assert ended == status
    assert len(errors) == 1
    assert "cannot be written: " in errors[0]
    assert "No space left on device" in errors[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is full")
@pytest.mark.parametrize("option", ["", "--json"])
async def test_a_key_whose_secret_is_lost_is_named(option, dsn):
    ended, errors = await in_shell(f"keys create lost --scope read {option} >/dev/full", dsn)
    reason = "its secret cannot be written (No space left on device): revoke it, and create it again."
    assert (ended, errors) == (1, [f"Error: The key lost is created, but {reason}"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("export >&-", "Standard output is closed: name a file with --output."),
        ("import - <&-", "Standard input is closed: name a file."),
        ("erase 1 --why x <&-", "Nothing is erased without confirmation: use --yes, or --dry-run to look first."),
    ],
)
async def test_a_closed_stream_is_wrong_usage(line, said, dsn):
    ended, errors = await in_shell(line, dsn)
    assert (ended, errors[-1]) == (2, f"Error: {said}")
