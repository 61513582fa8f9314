"""docs/connecting.md, word by word: the callback while the service is killed, and the variables of clients."""

import asyncio
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
import requests
import yaml
from documents import code
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from programs import REPOSITORY, program, run
from services import free_port
from waiting import wait_until

PAGE = "docs/connecting.md"
LIVES = 60
STATES = (
    "select stream, array_agg(state order by position) states from runfold.events where subject = 'run' group by stream"
)


class Broken(Exception):
    """What a job of the test ends with."""


async def new_key(dsn, tmp_path):
    made = await run(tmp_path / "keys", "keys", "create", f"key-{uuid4()}", "--scope", "write", "--database-url", dsn)
    return made.output.strip()


async def test_the_callback_loses_nothing_and_records_nothing_twice_while_the_service_is_killed(
    dsn, db, tmp_path, monkeypatch
):
    callback, usage = code(PAGE, "Plain Python", "python")
    port, names, ended, pauses = free_port(), {}, {}, []
    monkeypatch.setenv("RUNFOLD_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("RUNFOLD_API_KEY", await new_key(dsn, tmp_path))
    exec(callback, names)  # noqa: S102  what the page says
    sleep = time.sleep
    names["time"] = SimpleNamespace(monotonic=time.monotonic, sleep=lambda wait: (pauses.append(wait), sleep(wait)))

    def life(number):
        with suppress(Broken), names["run"]("etl", "load", number=number) as run_id:
            ended[UUID(run_id)] = "FAILED" if number % 5 == 0 else "COMPLETED"
            if number % 5 == 0:
                raise Broken

    def lives():
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(life, range(LIVES)))

    async def recorded(number):
        return await db.fetchval("select position > $1 from runfold.ledger_head", number)

    arguments = ("serve", "--port", port, "--database-url", dsn)
    working = None
    for threshold in (40, 120):
        async with program(tmp_path / f"log-{threshold}", *arguments) as service:
            await service.wait_until_ready()
            if working is None:
                await asyncio.to_thread(exec, usage, names)
                working = asyncio.create_task(asyncio.to_thread(lives))
            await wait_until(lambda: recorded(threshold), "events are recorded")  # noqa: B023  it is awaited here
            service.send(SIGKILL)
    async with program(tmp_path / "log", *arguments) as service:
        await service.wait_until_ready()
        await asyncio.wait_for(working, 60)
    assert pauses
    histories = {row["stream"]: row["states"] for row in await db.fetch(STATES)}
    assert len(ended) == LIVES
    assert len(histories) == LIVES + 1  # and that of the usage
    assert {stream: states for stream, states in histories.items() if stream in ended} == {
        stream: ["NEW", "RUNNING", state] for stream, state in ended.items()
    }


@pytest.fixture(scope="module")
def secret(server):
    command = [sys.executable, "-m", "service", "keys", "create", "client", "--scope", "write"]
    command += ["--database-url", server.dsn]
    made = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)

    async def needed():
        return (await asyncio.to_thread(requests.get, f"{server.url}/api/v1/namespaces", timeout=10)).status_code == 401

    asyncio.run(wait_until(needed, "requests need a key"))
    return made.stdout.strip()


@pytest.fixture
def here(server, secret, tmp_path):
    """Replace what stands for the address, the key and the place of the copy."""

    def replace(text: str) -> str:
        text = text.replace("https://runfold.example.com", server.url).replace("rf_secret", secret)
        return text.replace("/var/log/openlineage", str(tmp_path))

    return replace


@pytest.fixture
def exported(here):
    """Return the variables that lines of a section export."""

    def read(heading: str) -> dict[str, str]:
        lines = code(PAGE, heading, "sh")[0].replace("dbt-ol run", "true")
        ended = subprocess.run(
            ["bash", "-euc", f"{here(lines)}\nenv --null"],
            env={"PATH": os.environ["PATH"]},
            check=True,
            capture_output=True,
        )
        variables = dict(item.split("=", 1) for item in ended.stdout.decode().split("\0") if item)
        return {name: value for name, value in variables.items() if "OPENLINEAGE" in name}

    return read


def emitted(client: OpenLineageClient) -> str:
    run_id = str(uuid4())
    now = datetime.now(UTC).isoformat()
    client.emit(
        RunEvent(
            eventType=RunState.START, eventTime=now, run=Run(run_id), job=Job("clients", "job"), producer="https://x.y"
        )
    )
    return run_id


def is_recorded(server, secret, run_id: str) -> bool:
    headers = {"Authorization": f"Bearer {secret}"}
    answer = requests.get(f"{server.url}/api/v1/jobs/runs/{run_id}", headers=headers, timeout=10)
    return answer.status_code == 200 and answer.json()["state"] == "RUNNING"


@pytest.mark.parametrize("heading", ["openlineage-python", "A copy of every event", "dbt", "Prefect"])
def test_the_documented_variables_let_the_python_client_in(server, secret, exported, monkeypatch, heading):
    variables = exported(heading)
    assert variables
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_recorded(server, secret, emitted(OpenLineageClient()))


def test_the_documented_file_is_understood(server, secret, here, tmp_path, monkeypatch):
    (text,) = code(PAGE, "openlineage-python", "yaml")
    (tmp_path / "openlineage.yml").write_text(here(text))
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(tmp_path / "openlineage.yml"))
    assert yaml.safe_load(text)["transport"]["type"] == "http"
    assert is_recorded(server, secret, emitted(OpenLineageClient()))


def test_airflows_transport_is_understood(server, secret, exported):
    """The provider gives the JSON of this variable to the client as its transport."""
    transport = json.loads(exported("Airflow")["AIRFLOW__OPENLINEAGE__TRANSPORT"])
    assert is_recorded(server, secret, emitted(OpenLineageClient(config={"transport": transport})))


def test_the_copy_holds_what_was_lost_and_is_imported_once(server, secret, here, exported, monkeypatch):
    variables = exported("A copy of every event")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", variables["OPENLINEAGE__TRANSPORT"])
    arrived = emitted(OpenLineageClient())
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", variables["OPENLINEAGE__TRANSPORT"].replace(secret, "rf_wrong"))
    lost = emitted(OpenLineageClient())
    assert is_recorded(server, secret, arrived)
    assert not is_recorded(server, secret, lost)
    (line,) = code(PAGE, "A copy of every event", "sh")[1:]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = {"PATH": path, "DATABASE_URL": server.dsn, "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(["bash", "-euc", here(line)], env=variables, check=True, capture_output=True, text=True)
    assert ended.stdout.startswith("1 events recorded, 1 known already, 0 refused.")
    assert is_recorded(server, secret, lost)
