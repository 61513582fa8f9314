"""The process that folds beside the one that serves: it comes back, it leaves, and nobody is told less for it."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest
from programs import program, until_ended
from waiting import wait_until

PROJECTOR = "service.lineage.projector_process"
RUNS = "/api/v1/namespaces/etl/jobs/load/runs"


@pytest.fixture
async def serving(dsn, tmp_path):
    """The service on the test's database, and a client of it."""
    arguments = ("serve", "--port", 0, "--database-url", dsn)
    async with program(tmp_path / "stderr", *arguments) as service:
        await service.wait_until_ready()
        async with aiohttp.ClientSession(service.url) as session:
            yield service, session


async def ok(answering, status=200):
    async with answering as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def define(session):
    await ok(session.put("/api/v1/namespaces/etl", json={"ownerName": "me"}))
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    await ok(session.put("/api/v1/namespaces/etl/jobs/load", json=job))


async def test_whoever_was_told_recorded_finds_it_in_the_next_list(serving):
    service, session = serving
    assert len(service.children(PROJECTOR)) == 1
    await define(session)
    for count in range(1, 20):
        await ok(session.post(RUNS), 201)
        assert (await ok(session.get(RUNS)))["totalCount"] == count


async def test_it_interrupts_nobody_and_has_no_lower_priority(serving):
    service, session = serving
    await define(session)  # which is answered once it was folded
    (child,) = service.children(PROJECTOR)
    assert os.sched_getscheduler(child) == os.SCHED_BATCH
    assert os.getpriority(os.PRIO_PROCESS, child) == os.getpriority(os.PRIO_PROCESS, service.process.pid)


async def test_one_that_is_killed_is_followed_by_another_and_lists_go_on(serving):
    service, session = serving
    await define(session)
    (folding,) = service.children(PROJECTOR)
    os.kill(folding, signal.SIGKILL)
    await until_ended(folding)
    await ok(session.post(RUNS), 201)

    async def listed():
        async with session.get(RUNS) as answer:
            assert answer.status in (200, 503)
            return answer.status == 200 and (await answer.json())["totalCount"] == 1

    await wait_until(listed, "the run is in the list")
    assert service.children(PROJECTOR) != [folding]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_it_does_not_outlive_the_service(number, serving):
    service, session = serving
    await define(session)
    (folding,) = service.children(PROJECTOR)
    service.send(number)
    await service.end()
    await until_ended(folding)


async def test_its_arguments_and_environment_hold_no_url(serving, dsn):
    service, _session = serving
    (folding,) = service.children(PROJECTOR)
    for part in ("cmdline", "environ"):
        assert dsn.encode() not in await asyncio.to_thread(Path(f"/proc/{folding}/{part}").read_bytes)


async def test_folding_can_be_left_inside(dsn, tmp_path):
    arguments = ("serve", "--port", 0, "--database-url", dsn, "--projector", "inline")
    async with program(tmp_path / "stderr", *arguments) as service:
        await service.wait_until_ready()
        assert service.children(PROJECTOR) == []
        async with aiohttp.ClientSession(service.url) as session:
            await define(session)
            await ok(session.post(RUNS), 201)
            assert (await ok(session.get(RUNS)))["totalCount"] == 1


async def test_one_that_ends_again_and_again_is_shown_by_readyz_the_log_and_a_metric(serving):
    service, session = serving
    await define(session)
    ended = []

    async def another():
        return [child for child in service.children(PROJECTOR) if child not in ended]

    for _ in range(3):
        await wait_until(another, "there is a child")
        (child,) = await another()
        os.kill(child, signal.SIGKILL)
        await until_ended(child)
        ended.append(child)

    async def not_ready():
        async with session.get("/readyz") as answer:
            return answer.status == 503 and "again and again" in (await answer.json())["detail"]

    await wait_until(not_ready, "it is not ready")
    async with session.get("/metrics") as answer:
        text = await answer.text()
    assert "runfold_projector_restarts_total 3.0" in text
    assert "runfold_projector_up 0.0" in text
    assert service.log.read_text().count("ended 3 times within 60 s") == 1


async def test_ready_does_not_change_with_one_that_is_replaced(serving):
    service, session = serving
    (child,) = service.children(PROJECTOR)
    os.kill(child, signal.SIGKILL)
    await until_ended(child)

    async def counted():
        async with session.get("/metrics") as answer:
            return "runfold_projector_restarts_total 1.0" in await answer.text()

    await wait_until(counted, "the restart is counted")
    async with session.get("/readyz") as answer:
        assert answer.status == 200
