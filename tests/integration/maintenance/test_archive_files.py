"""The files of archives: none is replaced, and no payload leaves the database without the file that it is in."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256

import pytest
from building import events, fact
from databases import copy
from partitions import LATER, RUNS, append, fill, holds, small_partitions, time_of

from service.database.connections import Connections
from service.domain.event import RunState
from service.errors import OperatorError
from service.ledger.events import read_payloads
from service.maintenance.archive import archive_payloads
from service.maintenance.erase import erase_payloads
from service.maintenance.restore import restore_payloads


class Interrupted(Exception):
    pass


@pytest.fixture
async def filled(db, connections):
    await fill(db, connections)
    return db


async def interrupted(dsn, directory, wanted):
    """Archive all, up to the first step `wanted`."""

    def stop(step, _archive):
        if step == wanted:
            raise Interrupted

    with pytest.raises(Interrupted):
        await archive_payloads(dsn, LATER, directory, stop)


def digests(directory):
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


@pytest.mark.usefixtures("filled")
async def test_a_file_of_another_ledger_is_kept(dsn, connections, tmp_path):
    other = tmp_path / "payloads-0-1-10.parquet"
    other.write_bytes(b"the only copy of payloads of another ledger")
    bodies = await read_payloads(connections, range(1, 26))
    done = await archive_payloads(dsn, LATER, tmp_path)
    assert other.read_bytes() == b"the only copy of payloads of another ledger"
    assert re.fullmatch(r"payloads-0-1-10-[0-9a-f]{16}\.parquet", done[0].file)
    assert digests(tmp_path) == {one.file: one.sha256 for one in done} | {other.name: digests(tmp_path)[other.name]}
    await holds(dsn)
    await restore_payloads(dsn)
    assert await read_payloads(connections, range(1, 26)) == bodies


@pytest.fixture
async def second(postgres):
    """Another ledger, which has other payloads at the same positions."""
    async with copy(postgres) as dsn, Connections(dsn) as connections:
        async with connections.connection() as connection:
            await connection.execute(small_partitions())
        await append(connections, *(fact(RUNS[0], RunState.RUNNING, 100 + minute) for minute in range(25)))
        yield dsn


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("step", ["written", "checked"])
async def test_ledgers_that_are_archived_into_one_directory_at_once_keep_their_files(dsn, second, tmp_path, step):
    archived = []

    def archive_second(reached, _archive):
        if reached == step and not archived:
            with ThreadPoolExecutor() as pool:
                archived.extend(pool.submit(asyncio.run, archive_payloads(second, LATER, tmp_path)).result())

    done = await archive_payloads(dsn, LATER, tmp_path, archive_second)
    assert len(done) == len(archived) == 3
    assert digests(tmp_path) == {one.file: one.sha256 for one in (*done, *archived)}
    for ledger in (dsn, second):
        assert len(await restore_payloads(ledger)) == 3
        await holds(ledger)


@pytest.mark.usefixtures("filled")
async def test_the_file_that_has_an_erased_payload_is_not_of_the_name_of_the_new_one(dsn, tmp_path):
    first = (await archive_payloads(dsn, LATER, tmp_path))[0]
    await restore_payloads(dsn, 3)
    copies = (await erase_payloads(dsn, 3, "article 17")).copies
    new = (await archive_payloads(dsn, LATER, tmp_path))[0]
    assert [copy.file for copy in copies] == [first.file]
    assert (new.first, new.last, new.payloads) == (1, 10, 9)
    (tmp_path / first.file).unlink()
    assert [one.first for one in await restore_payloads(dsn, 4)] == [1]
    await holds(dsn)


@pytest.mark.parametrize("loss", ["missing", "altered"])
@pytest.mark.usefixtures("filled")
async def test_payloads_stay_while_the_file_of_an_interrupted_run_cannot_be_used(loss, dsn, connections, tmp_path):
    bodies = await read_payloads(connections, range(1, 26))
    first, second = tmp_path / "first", tmp_path / "second"
    await interrupted(dsn, first, "recorded")
    file = first / "payloads-0-1-10.parquet"
    kept = file.read_bytes()
    if loss == "missing":
        file.unlink()
    else:
        file.write_bytes(b"")
    with pytest.raises(OperatorError, match=r"stay in the database because .*`runfold restore 1`; then archive again"):
        await archive_payloads(dsn, LATER, second)
    assert await read_payloads(connections, range(1, 26)) == bodies
    await holds(dsn)
    file.write_bytes(kept)
    await archive_payloads(dsn, LATER, second)
    assert await read_payloads(connections, range(1, 26)) == {}
    await holds(dsn)


@pytest.mark.usefixtures("filled")
async def test_what_is_all_in_the_database_is_restored_without_its_file(dsn, connections, tmp_path):
    bodies = await read_payloads(connections, range(1, 26))
    first, second = tmp_path / "first", tmp_path / "second"
    await interrupted(dsn, first, "recorded")
    (first / "payloads-0-1-10.parquet").unlink()
    assert [one.first for one in await restore_payloads(dsn, 1)] == [1]
    assert await read_payloads(connections, range(1, 26)) == bodies
    await holds(dsn)
    assert [one.directory for one in await archive_payloads(dsn, LATER, second)] == [str(second)] * 3
    assert await read_payloads(connections, range(1, 26)) == {}
    await holds(dsn)


async def test_a_file_is_needed_once_a_payload_has_left(filled, dsn, connections, tmp_path, monkeypatch):
    monkeypatch.setattr("service.maintenance.archived_removal._PAYLOADS_AT_ONCE", 2)
    before = await time_of(filled, 9) + timedelta(microseconds=1)

    def stop(step, _archive):
        if step == "deleted":
            raise Interrupted

    with pytest.raises(Interrupted):
        await archive_payloads(dsn, before, tmp_path, stop)
    [file] = tmp_path.iterdir()
    file.rename(tmp_path / "moved")
    left = await read_payloads(connections, range(1, 26))
    assert 0 < len(left) < 25
    for work in (lambda: archive_payloads(dsn, before, tmp_path), lambda: restore_payloads(dsn, 1)):
        with pytest.raises(OperatorError, match="is missing"):
            await work()
    assert await read_payloads(connections, range(1, 26)) == left
    await holds(dsn)
    (tmp_path / "moved").rename(file)
    await archive_payloads(dsn, before, tmp_path)
    await holds(dsn)


async def test_a_file_that_left_with_its_payloads_is_not_asked_for(filled, dsn, tmp_path):
    await archive_payloads(dsn, await time_of(filled, 11), tmp_path)
    (tmp_path / "payloads-0-1-10.parquet").unlink()
    assert [one.first for one in await archive_payloads(dsn, LATER, tmp_path)] == [11, 21]
    assert [row["kind"] for row in (await events(filled))[25:]] == ["archived"] * 3
    await holds(dsn)
