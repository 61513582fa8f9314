"""A module named `service` in the working directory is never imported, by the program or by one of its processes."""

import signal
import socket

import aiohttp
import pytest
from programs import installed_program

MODULE = """
from pathlib import Path
Path(__file__).with_name("imported").touch()
print("the wrong service", flush=True)
raise SystemExit("the wrong service was imported")
"""


@pytest.fixture(params=["service.py", "service/__init__.py"])
def directory(request, tmp_path):
    """A working directory that holds another `service`."""
    module = tmp_path / "here" / request.param
    module.parent.mkdir(parents=True)
    module.write_text(MODULE)
    yield tmp_path / "here"
    assert not module.with_name("imported").exists()


@pytest.mark.parametrize("workers", [1, 2])
async def test_serve_migrates_starts_its_processes_and_answers(workers, directory, empty_dsn, tmp_path):
    arguments = ("serve", "--port", 0, "--workers", workers, "--database-url", empty_dsn)
    async with installed_program(tmp_path / "stderr", directory, *arguments) as service:
        await service.wait_until_ready()
        async with aiohttp.ClientSession(service.url) as session:
            async with session.put("/api/v1/namespaces/etl", json={"ownerName": "me"}) as answer:
                assert answer.status == 200, await answer.text()
            async with session.get("/api/v1/namespaces") as answer:
                assert "etl" in [one["name"] for one in (await answer.json())["namespaces"]]
        if workers == 1:
            assert len(service.children("service.lineage.projector_process")) == 1
        else:
            assert len(service.children("service.server.workers")) == workers
        service.send(signal.SIGTERM)
        ended = await service.end()
    assert ended.status == 0
    assert "the wrong service" not in ended.output + ended.errors


async def test_demo_starts_a_service_and_plays_on_it(directory, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    arguments = ("demo", "--exit", "--url", url, "--data-dir", tmp_path / "data")
    async with installed_program(tmp_path / "stderr", directory, *arguments) as demo:
        ended = await demo.end()
    assert (ended.status, ended.errors) == (0, "")
    assert "409  COMPLETED  refused" in ended.output
    assert "the wrong service" not in ended.output
