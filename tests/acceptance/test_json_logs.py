"""`runfold serve --log-format json`: every line on stderr is a JSON object, whatever process writes it."""

import json
import os
import re
import signal

import aiohttp
import pytest
from programs import children_of, program, run, until_ended
from waiting import wait_until


def entries(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_each_line_is_an_object_of_the_service_of_its_workers_and_of_their_projectors(dsn, tmp_path):
    log = tmp_path / "stderr"
    arguments = ("serve", "--port", 0, "--database-url", dsn, "--workers", 2, "--access-log")
    async with program(log, *arguments, RUNFOLD_LOG_FORMAT="auto") as service:

        async def logged(text):
            return [entry["message"] for entry in entries(log) if text in entry["message"]]

        await wait_until(lambda: logged("Runfold answers on "), "it is ready")
        url = re.search(r"http://\S+:\d+", (await logged("Runfold answers on "))[0])[0]
        projector = children_of(service.children("service.server.workers")[0], "projector_process")[0]
        os.kill(projector, signal.SIGKILL)
        await until_ended(projector)
        await wait_until(lambda: logged("the projector process ended with status -9"), "the end is logged")
        async with aiohttp.ClientSession(url) as session:
            trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            sent = {"X-Request-ID": "r-1", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
            async with session.get("/api/v1/namespaces/a%0Ab?x=secret", headers=sent) as response:
                assert response.status == 400
        await wait_until(lambda: logged("GET /api/v1/namespaces/a%0Ab 400"), "the request is logged")
        service.send(signal.SIGTERM)
        ended = await service.end()
    assert (ended.status, ended.output) == (0, "")
    found = entries(log)
    assert {"time", "level", "process", "logger", "message"} <= set.intersection(*(set(entry) for entry in found))
    (line,) = [entry for entry in found if entry["logger"] == "service.access"]
    assert (line["request_id"], line["trace_id"], line["status"]) == ("r-1", trace, 400)
    assert "secret" not in ended.errors
    assert found[-1]["message"] == "stopped"
    assert len({entry["process"] for entry in found}) >= 3


@pytest.mark.parametrize("log_format", ["json", "text"])
async def test_why_it_could_not_start_is_the_last_line(log_format, tmp_path):
    wrong = (
        "--database-wait",
        0,
        "--database-url",
        "postgresql://me:secret@127.0.0.1:1/db",
        "--log-format",
        log_format,
    )
    ended = await run(tmp_path / "stderr", "serve", "--port", 0, *wrong)
    assert ended.status == 1
    assert "secret" not in ended.errors
    last = ended.errors.splitlines()[-1]
    if log_format == "json":
        entry = json.loads(last)
        assert entry["level"] == "critical"
        last = f"Error: {entry['message']}"
    assert last.startswith("Error: ")
    assert "127.0.0.1" in last
