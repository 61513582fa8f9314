"""Real clients with API keys against the real program with `--auth on`: who is let in, and what the others see."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import marquez_client.client
import pytest
import requests
from databases import TEMPLATE, database, execute
from marquez_client import Clients, MarquezClient, errors
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.serde import Serde
from openlineage.client.transport.async_http import AsyncHttpConfig, AsyncHttpTransport
from openlineage.client.transport.http import HttpConfig, HttpTransport
from programs import REPOSITORY
from services import Service, serve
from waiting import DEADLINE_S

WRONG = ["rf_wrong", None]


@pytest.fixture(scope="module")
def guarded(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The real program, which asks everybody for a key."""
    name = f"guarded_{uuid4().hex}"
    asyncio.run(execute(postgres, f"create database {name} template {TEMPLATE} strategy file_copy"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RUNFOLD_AUTH", "on")
        service = serve(database(postgres, name), tmp_path_factory.mktemp("guarded") / "log")
    yield service
    service.process.terminate()
    assert service.process.wait(DEADLINE_S) == 0
    asyncio.run(execute(postgres, f"drop database {name} with (force)"))


@pytest.fixture
def secret(guarded):
    """Make keys with the real command."""

    def make(scope: str) -> str:
        command = [sys.executable, "-m", "service", "keys", "create", f"{scope}-{uuid4()}", "--scope", scope]
        made = subprocess.run(
            [*command, "--database-url", guarded.dsn], cwd=REPOSITORY, check=True, capture_output=True, text=True
        )
        return made.stdout.strip()

    return make


@pytest.fixture
def own_headers(monkeypatch):
    """Marquez's clients share one set of headers, key and all, which must not outlive the test."""
    monkeypatch.setattr(marquez_client.client, "_HEADERS", dict(marquez_client.client._HEADERS))


@pytest.fixture
def marquez(guarded, own_headers):  # noqa: ARG001  pytest's way to say that it comes first
    """Make Marquez clients."""
    return lambda key: MarquezClient(guarded.url, api_key=key)


def auth(key: str | None) -> dict:
    return {"auth": {"type": "api_key", "apiKey": key}} if key else {}


def an_event(namespace: str, state: RunState = RunState.START, run: str | None = None) -> RunEvent:
    now = datetime.now(UTC).isoformat()
    run = run or str(uuid4())
    return RunEvent(eventType=state, eventTime=now, run=Run(run), job=Job(namespace, "job"), producer="https://x.y")


def recorded(service: Service, namespace: str) -> list[tuple[str, str | None]]:
    """Return each event of a namespace as it was sent, and who sent it."""

    async def read():
        connection = await asyncpg.connect(service.dsn)
        try:
            return await connection.fetch(
                "select p.body::text, e.actor from runfold.events e join runfold.payloads p using (log, position)"
                " where e.namespace = $1 order by position",
                namespace,
            )
        finally:
            await connection.close()

    return [tuple(row) for row in asyncio.run(read())]


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_the_openlineage_client_is_let_in_by_its_key(guarded, secret, compression):
    namespace, config = f"http-{compression}", {"url": guarded.url, "compression": compression}
    transport = HttpTransport(HttpConfig.from_dict(config | auth(secret("write"))))
    event = an_event(namespace)
    OpenLineageClient(transport=transport).emit(event)
    transport.close()
    ((text, actor),) = recorded(guarded, namespace)
    assert text == Serde.to_json(event)
    assert actor.startswith("write-")


def test_the_openlineage_client_is_let_in_by_its_environment(guarded, secret, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", guarded.url)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", secret("write"))
    OpenLineageClient().emit(an_event("environment"))
    assert len(recorded(guarded, "environment")) == 1


@pytest.mark.parametrize("key", WRONG)
def test_without_a_right_key_the_openlineage_client_raises_401(guarded, key):
    transport = HttpTransport(HttpConfig.from_dict({"url": guarded.url, "compression": "gzip"} | auth(key)))
    with pytest.raises(requests.HTTPError) as caught:
        OpenLineageClient(transport=transport).emit(an_event("wrong"))
    transport.close()
    assert caught.value.response.status_code == 401
    assert caught.value.response.headers["WWW-Authenticate"] == 'Bearer realm="runfold"'
    assert recorded(guarded, "wrong") == []


def test_a_key_that_may_only_read_raises_403(guarded, secret):
    transport = HttpTransport(HttpConfig.from_dict({"url": guarded.url} | auth(secret("read"))))
    with pytest.raises(requests.HTTPError) as caught:
        OpenLineageClient(transport=transport).emit(an_event("reader"))
    transport.close()
    assert caught.value.response.status_code == 403
    assert recorded(guarded, "reader") == []


def emit_asynchronously(service: Service, key: str | None, events: list[RunEvent]) -> dict[str, int]:
    """Return what the client counted as delivered and as failed."""
    config = AsyncHttpConfig.from_dict({"url": service.url, "compression": "gzip"} | auth(key))
    transport = AsyncHttpTransport(config)
    client = OpenLineageClient(transport=transport)
    for event in events:
        client.emit(event)
    assert transport.wait_for_completion(DEADLINE_S)
    transport.close(DEADLINE_S)
    return transport.get_stats()


def test_the_asynchronous_client_is_let_in_by_its_key(guarded, secret):
    runs = [str(uuid4()) for _ in range(20)]
    sent = [an_event("async", state, run) for run in runs for state in (RunState.START, RunState.COMPLETE)]
    assert emit_asynchronously(guarded, secret("write"), sent) == {"pending": 0, "success": 40, "failed": 0}
    assert sorted(text for text, _ in recorded(guarded, "async")) == sorted(Serde.to_json(event) for event in sent)


@pytest.mark.parametrize("key", WRONG)
def test_without_a_right_key_the_asynchronous_client_counts_failures_and_does_not_repeat_them(guarded, key):
    sent = [an_event("async-wrong") for _ in range(5)]
    assert emit_asynchronously(guarded, key, sent) == {"pending": 0, "success": 0, "failed": 5}
    assert recorded(guarded, "async-wrong") == []


def test_the_marquez_client_is_let_in_by_its_key(secret, marquez):
    client = marquez(secret("write"))
    assert client.create_namespace("marquez", "me")["name"] == "marquez"
    assert client.get_namespace("marquez")["ownerName"] == "me"


@pytest.mark.usefixtures("own_headers")
def test_the_marquez_client_is_let_in_by_its_environment(guarded, secret, monkeypatch):
    monkeypatch.setenv("MARQUEZ_URL", guarded.url)
    monkeypatch.setenv("MARQUEZ_API_KEY", secret("read"))
    assert "default" in [one["name"] for one in Clients.new_client().list_namespaces()["namespaces"]]
    with pytest.raises(errors.APIError):
        Clients.new_client().create_namespace("marquez-reader", "me")


@pytest.mark.parametrize("key", WRONG)
def test_without_a_right_key_the_marquez_client_raises_an_error_that_says_401(marquez, key):
    with pytest.raises(errors.APIError) as caught:
        marquez(key).list_namespaces()
    assert caught.value.__cause__.response.status_code == 401
    assert caught.value.__cause__.response.json()["code"] == 401
