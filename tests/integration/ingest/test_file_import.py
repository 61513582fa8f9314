"""runfold import: files of every form into the ledger, over and over."""

import asyncio
import gzip
import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

REPOSITORY = Path(__file__).parents[3]


def event(**facets) -> str:
    return json.dumps(
        {
            "eventType": "COMPLETE",
            "eventTime": "2024-02-01T00:00:00Z",
            "run": {"runId": str(uuid4()), "facets": facets},
            "job": {"namespace": "imported", "name": "job"},
            "producer": "https://example.com",
        }
    )


async def run(dsn: str, *arguments: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
    command = [sys.executable, "-m", "service", "import", *map(str, arguments), "--database-url", dsn]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, errors = await process.communicate(stdin)
    return process.returncode, output.decode(), errors.decode()


async def recorded(db: asyncpg.Connection) -> list[str]:
    rows = await db.fetch(
        "select p.body::text from runfold.events e join runfold.payloads p using (log, position)"
        " where e.source = 'import' order by position"
    )
    return [row[0] for row in rows]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", ["lines", "array", "indented array"])
async def test_a_file_of_any_form_is_read_and_reading_it_again_records_nothing(dsn, db, tmp_path, form, packed):
    sent = [event(f="\N{SNOWMAN}") for _ in range(1200)]
    if form == "indented array":
        sent = [json.dumps(json.loads(one), indent=1) for one in sent]
    text = "\n".join(sent) if form == "lines" else f" [\n{','.join(sent)}\n]\n"
    file = tmp_path / "events"
    file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert await run(dsn, file) == (0, "1200 events recorded, 0 known already, 0 refused.\n", "")
    assert sorted(await recorded(db)) == sorted(sent)
    assert (await run(dsn, file))[1] == "0 events recorded, 1200 known already, 0 refused.\n"


async def test_standard_input_and_several_files_are_read(dsn, db, tmp_path):
    sent = [event() for _ in range(3)]
    (tmp_path / "a").write_text(sent[0])
    (tmp_path / "b").write_text(f"\ufeff[{sent[1]}]")
    status, output, _ = await run(dsn, tmp_path / "a", "-", tmp_path / "b", stdin=gzip.compress(sent[2].encode()))
    assert (status, output) == (0, "3 events recorded, 0 known already, 0 refused.\n")
    assert sorted(await recorded(db)) == sorted(sent)


async def test_what_is_refused_is_told_and_kept_and_the_rest_is_recorded(dsn, db, tmp_path):
    good = event()
    (tmp_path / "events").write_text(f'{{"eventTime": "soon"}}\n\n{good}\nnonsense\n')
    status, output, errors = await run(dsn, tmp_path / "events", "--refused", tmp_path / "refused")
    assert status == 1
    assert output == "1 events recorded, 0 known already, 2 refused.\n"
    assert f"{tmp_path}/events:1: eventTime: 'soon' is not" in errors
    assert f"{tmp_path}/events:4: the event is not JSON" in errors
    assert (tmp_path / "refused").read_text() == '{"eventTime": "soon"}\nnonsense\n'
    assert await recorded(db) == [good]


async def test_a_broken_file_is_told_and_what_came_before_is_recorded(dsn, db, tmp_path):
    sent = [event(f=uuid4().hex * 100) for _ in range(500)]
    whole = gzip.compress("\n".join(sent).encode())
    (tmp_path / "events").write_bytes(whole[: len(whole) * 3 // 4])
    status, _, errors = await run(dsn, tmp_path / "events")
    assert status == 1
    assert "the gzip stream is broken" in errors
    found = await recorded(db)
    assert 100 < len(found) < 500
    assert set(found) <= set(sent)
    (tmp_path / "events").write_bytes(whole)
    assert (await run(dsn, tmp_path / "events"))[:2] == (
        0,
        f"{500 - len(found)} events recorded, {len(found)} known already, 0 refused.\n",
    )


async def test_an_array_that_breaks_off_is_told(dsn, db, tmp_path):
    sent = event()
    (tmp_path / "events").write_text(f"[{sent}, ")
    status, _, errors = await run(dsn, tmp_path / "events")
    assert status == 1
    assert "the array breaks off" in errors
    assert await recorded(db) == [sent]


async def test_a_file_that_is_not_there_is_wrong_use(dsn, tmp_path):
    assert (await run(dsn, tmp_path / "nothing"))[0] == 2
