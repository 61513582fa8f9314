"""API keys: which requests are admitted, and how soon a process knows of a change."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiohttp import ClientError, web
from aiohttp.test_utils import make_mocked_request
from click.testing import CliRunner
from lineage_client import BATCH, LINEAGE, NDJSON, event, recorded_events
from marquez_client import MarquezClient
from openlineage.client.transport.http import ApiKeyTokenProvider
from served import Served
from waiting import wait_until
from yarl import URL

from service.auth import keys
from service.auth.keys import KeyEvent, Scope
from service.cli.main import cli
from service.domain.binding import parse_binding
from service.domain.ids import stream_of
from service.errors import DatabaseUnavailable
from service.http import authentication
from service.http.app import GUARD, build_app
from service.http.authentication import STALE_S
from service.http.route import CONTEXT
from service.http.routes import ROUTES
from service.settings import Settings

NAMESPACE = "/api/v1/namespaces/etl"


@pytest.fixture
async def serve(dsn, aiohttp_client):
    async def start(**settings):
        return await aiohttp_client(Served(build_app(Settings(database_url=dsn, **settings))))

    return start


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def put(client, secret: str | None = None) -> web.Response:
    return await client.put(NAMESPACE, json={"ownerName": "me"}, headers=bearer(secret) if secret else {})


async def until(client, status: int, secret: str | None = None) -> None:
    """Repeat the request until the service answers a status; a change of keys takes effect within STALE_S seconds."""

    async def answers_so():
        return (await put(client, secret)).status == status

    await wait_until(answers_so, f"status {status}", STALE_S)


async def test_without_any_key_auto_asks_for_none(client):
    assert (await put(client)).status == 200


async def test_on_asks_for_a_key_even_where_there_is_none(serve):
    client = await serve(auth="on")
    response = await put(client)
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="runfold"'
    assert (await response.json())["type"] == "/errors/unauthenticated"


async def test_off_asks_for_none_whatever_keys_there_are(serve, connections):
    await keys.create_key(connections, "scheduler", "write")
    client = await serve(auth="off")
    assert (await put(client)).status == 200


async def test_a_caller_learns_what_its_key_may_do(serve, connections):
    bound = await keys.create_key(connections, "team", "read", binding=parse_binding(["team-a-*", "etl"]))
    whole = await keys.create_key(connections, "scheduler", "write")
    client = await serve(auth="on")
    for secret, expected in (
        (bound, {"key": "team", "scope": "read", "namespaces": ["team-a-*", "etl"]}),
        (whole, {"key": "scheduler", "scope": "write", "namespaces": None}),
    ):
        assert await (await client.get("/api/v1/access", headers=bearer(secret))).json() == expected
    without = await serve(auth="off")
    everything = {"key": None, "scope": "admin", "namespaces": None}
    assert await (await without.get("/api/v1/access")).json() == everything


@pytest.mark.parametrize(("scope", "write"), [("read", 403), ("write", 200), ("admin", 200)])
async def test_a_scope_allows_what_it_says(serve, connections, scope, write):
    secret = await keys.create_key(connections, "someone", scope)
    client = await serve()
    assert (await put(client, secret)).status == write
    assert (await client.get("/api/v1/namespaces", headers=bearer(secret))).status == 200
    assert (await client.head("/api/v1/namespaces", headers=bearer(secret))).status == 200
    response = await client.post("/api/v1/runs/lookup", json={"ids": []}, headers=bearer(secret))
    assert response.status == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs", "/openapi.json", "/errors/conflict", "/"])
async def test_what_tells_of_the_service_needs_no_key(serve, path):
    client = await serve(auth="on")
    assert (await client.get(path)).status == 200


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/namespaces", "/nowhere"])
async def test_everything_else_needs_one(serve, path):
    client = await serve(auth="on")
    assert (await client.get(path)).status == 401


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic cmY6cmY=", "rf_x", "Bearer rf_unknown", "Bearer \udcff\udcfe", "Bearer x y"],
)
async def test_no_header_but_a_right_one_lets_in(serve, connections, header):
    await keys.create_key(connections, "scheduler", "write")
    client = await serve()
    response = await client.get(
        "/api/v1/namespaces", headers={"Authorization": header.encode("utf-8", "surrogateescape").decode("latin-1")}
    )
    assert response.status == 401


async def test_the_first_key_turns_auto_on_in_a_running_service(client, connections):
    secret = await keys.create_key(connections, "scheduler", "write")
    await until(client, 401)
    assert (await put(client)).status == 401
    assert (await put(client, secret)).status == 200


async def test_a_key_works_right_after_it_was_created(serve, connections):
    client = await serve(auth="on")
    assert (await put(client, await keys.create_key(connections, "scheduler", "write"))).status == 200


async def test_a_revoked_key_stops_in_every_process_and_the_service_does_not_open(serve, connections):
    secret = await keys.create_key(connections, "scheduler", "write")
    clients = [await serve(), await serve()]
    assert [(await put(client, secret)).status for client in clients] == [200, 200]
    await keys.revoke_key(connections, "scheduler")
    for client in clients:
        await until(client, 401, secret)
    assert (await put(clients[0])).status == 401


async def test_a_stream_ends_when_its_key_is_revoked_and_no_other_stream(serve, connections):
    secrets = [await keys.create_key(connections, name, "read") for name in ("gone", "stays")]
    client = await serve()
    streams = [await client.get("/api/v1/events/stream", headers=bearer(secret)) for secret in secrets]
    for stream in streams:
        assert stream.status == 200
        assert await stream.content.readline()
    await keys.revoke_key(connections, "gone")
    with pytest.raises(ClientError):
        async with asyncio.timeout(STALE_S):
            await streams[0].content.read()
    assert not streams[1].content.at_eof()
    await client.put(
        NAMESPACE, json={"ownerName": "me"}, headers=bearer(await keys.create_key(connections, "w", "write"))
    )
    async with asyncio.timeout(STALE_S):
        while b'"subject":"namespace"' not in await streams[1].content.readline():
            pass
    streams[1].close()


@pytest.mark.parametrize(("method", "path"), [("PUT", NAMESPACE), ("POST", LINEAGE), ("POST", BATCH)])
async def test_a_body_that_is_complete_after_its_key_was_revoked_records_nothing(serve, connections, db, method, path):
    """Whether the connection is cut first or the body is complete first."""
    secret = await keys.create_key(connections, "gone", "write")
    client = await serve()
    body = b'{"ownerName":"late"}' if path == NAMESPACE else event().encode()
    body = b"[%b]" % body if path == BATCH else body
    lines = f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {secret}", f"Content-Length: {len(body)}"
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write("\r\n".join([*lines, "", ""]).encode() + body[:10])
    await until(client, 200, secret)
    await keys.revoke_key(connections, "gone")
    await until(client, 401, secret)
    writer.write(body[10:])
    writer.close()
    control = await keys.create_key(connections, "stays", "write")
    await until(client, 200, control)
    actors = await db.fetch("select payload_digest from runfold.events where actor = 'gone'")
    assert len(actors) == 1  # the PUT of `until`


async def test_a_key_is_checked_again_when_the_body_is_complete(serve, connections, db, monkeypatch):
    """Without the connection being cut: both ways must hold."""
    secret = await keys.create_key(connections, "gone", "write")
    client = await serve()
    monkeypatch.setattr(client.app[GUARD], "_cut_off_revoked", lambda: None)
    body = event().encode()
    lines = f"POST {LINEAGE} HTTP/1.1", "Host: x", f"Authorization: Bearer {secret}", f"Content-Length: {len(body)}"
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write("\r\n".join([*lines, "", ""]).encode() + body[:10])
    await until(client, 200, secret)
    await keys.revoke_key(connections, "gone")
    await until(client, 401, secret)
    writer.write(body[10:])
    async with asyncio.timeout(STALE_S):
        assert b" 401 " in await reader.readline()
    assert await recorded_events(db) == 0
    writer.close()


async def test_a_stream_of_lines_ends_when_its_key_is_revoked(serve, connections, db):
    secret = await keys.create_key(connections, "gone", "write")
    client = await serve()
    stop = asyncio.Event()

    async def lines():
        while not stop.is_set():
            yield event(run=uuid4()).encode() + b"\n"
            await asyncio.sleep(0.01)

    sending = asyncio.create_task(client.post(BATCH, data=lines(), headers=NDJSON | bearer(secret)))

    async def begun():
        return await recorded_events(db)

    await wait_until(begun, "events are recorded")
    await keys.revoke_key(connections, "gone")
    done, _ = await asyncio.wait([sending], timeout=STALE_S + 1)
    stop.set()
    assert done
    assert isinstance(sending.exception(), ClientError)


async def test_each_batch_of_a_stream_checks_the_key(serve, connections, db, monkeypatch):
    secret = await keys.create_key(connections, "gone", "write")
    client = await serve()
    monkeypatch.setattr(client.app[GUARD], "_cut_off_revoked", lambda: None)

    async def lines():
        yield event(run=uuid4()).encode() + b"\n"
        await wait_until(lambda: recorded_events(db), "the first is recorded")
        await keys.revoke_key(connections, "gone")
        await until(client, 401, secret)
        yield event(run=uuid4()).encode() + b"\n"

    answer = await client.post(BATCH, data=lines(), headers=NDJSON | bearer(secret))
    assert "revoked" in (await answer.json())["failed_events"][0]["reason"]
    assert await recorded_events(db) == 1


async def test_a_name_can_be_used_again_and_only_the_new_secret_works(serve, connections):
    old = await keys.create_key(connections, "scheduler", "write")
    with pytest.raises(keys.KeyExists):
        await keys.create_key(connections, "scheduler", "read")
    await keys.revoke_key(connections, "scheduler")
    with pytest.raises(keys.NoSuchKey):
        await keys.revoke_key(connections, "scheduler")
    new = await keys.create_key(connections, "scheduler", "admin")
    client = await serve()
    assert [(await put(client, secret)).status for secret in (old, new)] == [401, 200]


async def test_an_event_carries_the_name_of_the_key(serve, connections, db):
    client = await serve()
    secret = await keys.create_key(connections, "airflow-prod", "write")
    await put(client, secret)
    await until(client, 401)
    await client.put(NAMESPACE, json={"ownerName": "you"}, headers=bearer(secret))
    found = await db.fetchval(
        "select actor from runfold.events where subject = 'namespace' order by position desc limit 1"
    )
    assert found == "airflow-prod"


async def test_no_secret_is_kept_or_logged(serve, connections, db, caplog):
    caplog.set_level("DEBUG")
    client = await serve(access_log=True)
    secret = await keys.create_key(connections, "scheduler", "write")
    await put(client, secret)
    rows = await db.fetch(
        "select e::text, p.body::text from runfold.events e left join runfold.payloads p using (log, position)"
    )
    assert secret not in repr(rows)
    assert secret not in caplog.text
    assert secret.startswith("rf_")


async def test_keys_older_than_five_seconds_let_nobody_in(serve, connections, monkeypatch):
    """While the database is unavailable, the service cannot know whether the key was revoked."""
    monkeypatch.setattr(authentication, "STALE_S", 0.3)
    secret = await keys.create_key(connections, "scheduler", "write")
    client = await serve()

    async def away(*_):
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(keys, "read_key_events", away)
    await until(client, 503, secret)
    assert (await client.get("/livez")).status == 200
    monkeypatch.undo()
    await until(client, 200, secret)


async def test_no_request_is_admitted_five_seconds_after_the_keys_were_read(serve, connections, monkeypatch):
    """docs/api-keys.md promises this time, so it is not read from the program."""
    secret = await keys.create_key(connections, "scheduler", "write")
    client = await serve()
    assert (await put(client, secret)).status == 200

    async def away(*_):
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(keys, "read_key_events", away)

    async def refused():
        return (await put(client, secret)).status == 503

    await wait_until(refused, "requests are refused", 5.5)


def test_a_key_whose_payload_was_erased_lets_nobody_in_and_a_revocation_needs_none():
    stream, at = stream_of("key", "ci"), datetime(2026, 1, 1, tzinfo=UTC)
    assert keys.apply_key_events({}, [KeyEvent(1, stream, "created", at, None)]) == {}
    payload = json.dumps({"name": "ci", "scope": "read", "digest": "00"})
    events = [KeyEvent(1, stream, "created", at, payload), KeyEvent(2, stream, "revoked", at, None)]
    assert keys.apply_key_events({}, events)[stream].revoked_at == at


async def test_the_clients_of_marquez_and_openlineage_are_understood(serve, connections):
    secret = await keys.create_key(connections, "clients", "write")
    client = await serve()
    header = ApiKeyTokenProvider({"api_key": secret}).get_bearer()
    assert (await client.get("/api/v1/namespaces", headers={"Authorization": header})).status == 200
    marquez = MarquezClient(url=str(client.make_url("")).rstrip("/"), api_key=secret)
    answer = await asyncio.to_thread(marquez.create_namespace, "by-marquez", "me")
    assert answer["name"] == "by-marquez"


@pytest.mark.parametrize("path", ["/nope", "/api/v1/nope/%2F", "/no%0Ape", "/api/v1/namespaces/a%0Ab"])
async def test_what_has_no_route_is_for_nobody_without_a_key(serve, connections, path):
    secret = await keys.create_key(connections, "reader", "read")
    client = await serve()
    url = URL(path, encoded=True)
    assert (await client.post(url)).status == 401
    answer = await client.post(url, headers=bearer(secret))
    assert answer.status in (404, 405)
    assert (await answer.json())["status"] == answer.status


async def test_a_route_knows_the_scope_it_needs(serve, connections):
    secret = await keys.create_key(connections, "scheduler", "write")
    client = await serve()
    guard = client.app[GUARD]
    request = make_mocked_request("GET", "/", headers=bearer(secret))
    route = next(route for route in ROUTES if route.scope is Scope.WRITE)
    assert guard.admit(request, route)
    assert request[CONTEXT] == (route, "scheduler", None, "write")


def test_the_command_creates_lists_and_revokes(dsn):
    def run(*arguments):
        return CliRunner().invoke(cli, ["keys", *arguments, "--database-url", dsn])

    made = run("create", "ci", "--scope", "read", "--json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["secret"].startswith("rf_")
    assert run("create", "ci", "--scope", "read").exit_code == 1
    assert run("create", "bad name", "--scope", "read").exit_code == 2
    assert run("create", "deploy", "--scope", "write").stdout.startswith("rf_")
    listed = json.loads(run("list", "--json").stdout)
    assert [(key["name"], key["scope"], key["revokedAt"]) for key in listed] == [
        ("ci", "read", None),
        ("deploy", "write", None),
    ]
    assert "ci" in run("list").stdout
    assert run("revoke", "ci").exit_code == 0
    assert run("revoke", "ci").exit_code == 1
    assert json.loads(run("list", "--json").stdout)[0]["revokedAt"] is not None
