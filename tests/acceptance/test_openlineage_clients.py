"""Real OpenLineage clients against the real program: the ledger has the bytes that they emit."""

import asyncio
import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import requests
from dbt_environment import dbt_environment
from documents import code
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import nominal_time_run, sql_job
from openlineage.client.serde import Serde
from openlineage.client.transport.async_http import AsyncHttpConfig, AsyncHttpTransport
from openlineage.client.transport.http import HttpConfig, HttpTransport
from urllib3 import HTTPResponse

from service.errors import Unavailable

DATA = Path(__file__).parents[1] / "data"
AIRFLOW_PATIENCE_S = 10.0
"""Seconds that Airflow lets an event be sent: `[openlineage] execution_timeout`."""


def an_event(state: RunState, run: str, namespace: str = "clients") -> RunEvent:
    return RunEvent(
        eventType=state,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(
            runId=run,
            facets={"nominalTime": nominal_time_run.NominalTimeRunFacet("2024-02-01T00:00:00Z", None)},
        ),
        job=Job(namespace=namespace, name="job", facets={"sql": sql_job.SQLJobFacet(query="select '\N{SNOWMAN}'")}),
        producer="https://example.com/producer",
    )


def texts(dsn: str, namespace: str) -> list[str]:
    """Return the payloads of a namespace's events, in the ledger's order."""
    return asyncio.run(read_texts(dsn, namespace))


async def read_texts(dsn: str, namespace: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "select p.body::text from runfold.events e join runfold.payloads p using (log, position)"
            " where e.namespace = $1 order by position",
            namespace,
        )
    finally:
        await connection.close()
    return [row[0] for row in rows]


def view(server, run: str) -> dict:
    answer = requests.get(f"{server.url}/api/v1/jobs/runs/{run}", timeout=10)
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_the_python_client_is_understood_as_it_is(server, compression):
    namespace = f"http-{compression}"
    transport = HttpTransport(HttpConfig.from_dict({"url": server.url, "compression": compression}))
    client = OpenLineageClient(transport=transport)
    run = str(uuid4())
    sent = [an_event(state, run, namespace) for state in (RunState.START, RunState.RUNNING, RunState.COMPLETE)]
    for event in sent:
        client.emit(event)
    transport.close()
    assert texts(server.dsn, namespace) == [Serde.to_json(event) for event in sent]
    assert view(server, run)["state"] == "COMPLETED"
    assert view(server, run)["nominalStartTime"] == "2024-02-01T00:00:00Z"


def test_the_asynchronous_client_delivers_everything_once(server):
    transport = AsyncHttpTransport(AsyncHttpConfig.from_dict({"url": server.url, "compression": "gzip"}))
    client = OpenLineageClient(transport=transport)
    runs = [str(uuid4()) for _ in range(50)]
    sent = [an_event(state, run, "async") for run in runs for state in (RunState.START, RunState.FAIL)]
    for event in sent:
        client.emit(event)
    assert transport.wait_for_completion(30)
    transport.close(10)
    assert sorted(texts(server.dsn, "async")) == sorted(Serde.to_json(event) for event in sent)
    assert {view(server, run)["state"] for run in runs} == {"FAILED"}


def test_a_recorded_airflow_is_in_the_ledger_to_the_byte(server):
    recorded = (DATA / "peer" / "airflow.ndjson").read_bytes().splitlines()
    for line in recorded:
        answer = requests.post(
            f"{server.url}/api/v1/lineage",
            data=line,
            headers={"Content-Type": "application/json"},
            timeout=10,
        )
        assert answer.status_code == 201, answer.text
    assert texts(server.dsn, "airflow-prod") == [line.decode() for line in recorded]
    types_of = {}
    for event in map(json.loads, recorded):
        types_of.setdefault(event["run"]["runId"], set()).add(event["eventType"])
    for run, types in types_of.items():
        assert view(server, run)["state"] == ("FAILED" if "FAIL" in types else "COMPLETED")


@pytest.fixture(scope="session")
def dbt() -> Path:
    return dbt_environment()


PROJECT = {
    "dbt_project.yml": "name: shop\nversion: '1.0.0'\nprofile: shop\nmodel-paths: [models]\n"
    "models: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop:\n  target: dev\n  outputs:\n"
    "    dev: {type: duckdb, path: shop.duckdb, schema: main, threads: 1}\n",
    "models/orders.sql": "select 1 as id, 10 as amount union all select 2, 20\n",
    "models/revenue.sql": "select sum(amount) as total from {{ ref('orders') }}\n",
    "models/broken.sql": "select amount / nothing_of_the_kind from {{ ref('orders') }}\n",
}

STATES = {"success": "COMPLETED", "error": "FAILED"}


@pytest.mark.timeout(900)
def test_every_run_of_a_real_dbt_ends_as_dbt_said(server, dbt, tmp_path):
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    emitted = tmp_path / "events.ndjson"
    page = "docs/connecting.md"
    script = code(page, "dbt", "sh")[0].replace("dbt-ol", f"{code(page, 'A copy of every event', 'sh')[0]}\ndbt-ol")
    script = script.replace("https://runfold.example.com", server.url).replace("/var/log/openlineage", str(tmp_path))
    environment = os.environ | {"PATH": f"{dbt}:{os.environ['PATH']}", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    command = ["bash", "-uc", script]
    finished = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, timeout=600)
    results = json.loads((tmp_path / "target" / "run_results.json").read_text())["results"]
    expected = {one["unique_id"].rpartition(".")[2]: STATES[one["status"]] for one in results}
    assert expected == {"orders": "COMPLETED", "revenue": "COMPLETED", "broken": "FAILED"}, finished.stdout
    found = requests.get(f"{server.url}/api/v1/jobs?limit=1000", timeout=10).json()["jobs"]
    jobs = {job["name"]: job["latestRun"]["state"] for job in found if job["namespace"] == "dbt"}
    for model, state in expected.items():
        assert [ended for name, ended in jobs.items() if model in name.split(".")] == [state], jobs
    assert set(jobs.values()) <= {"COMPLETED", "FAILED"}
    assert texts(server.dsn, "dbt") == emitted.read_text().splitlines()
    assert len(texts(server.dsn, "dbt")) >= 2 * len(expected)


def test_retry_after_leaves_the_clients_patience_as_long_as_it_is():
    """The waits of the http transport between its tries: by itself, and by the header that Runfold answers."""
    transport = HttpTransport(HttpConfig.from_dict({"type": "http", "url": "http://localhost:5000"}))
    retry = transport._prepare_adapter().max_retries
    own = by_header = 0.0
    answer = HTTPResponse(status=503, headers={"Retry-After": str(Unavailable.retry_after)})
    for _ in range(retry.total):
        retry = retry.increment("POST", "/api/v1/lineage", response=answer)
        own += retry.get_backoff_time()
        by_header += retry.get_retry_after(answer)
    assert own <= by_header <= AIRFLOW_PATIENCE_S
