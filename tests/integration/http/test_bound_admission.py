"""How API keys that are bound to namespaces are created, stored and recognised."""

import asyncio
import json
from hashlib import sha256

import msgspec
import pytest
from click.testing import CliRunner
from served import Served
from waiting import wait_until

from service.auth import keys
from service.auth.keys import ScopeName
from service.cli.main import cli
from service.domain.binding import parse_binding
from service.http.app import build_app
from service.http.authentication import STALE_S
from service.settings import Settings

BINDING = parse_binding(["team-a", "team-a-*"])
PATTERNS = ["team-a", "team-a-*"]


class OldPayload(msgspec.Struct):
    """The payload of a key's events as programs read it that know no bound keys."""

    name: str
    scope: ScopeName
    digest: str


@pytest.fixture
async def client(dsn, aiohttp_client):
    return await aiohttp_client(Served(build_app(Settings(database_url=dsn, auth="on", projector="inline"))))


async def put(client, namespace, secret):
    headers = {"Authorization": f"Bearer {secret}"}
    async with client.put(f"/api/v1/namespaces/{namespace}", json={"ownerName": "me"}, headers=headers) as response:
        return response.status, await response.json()


def run(dsn, *arguments):
    return CliRunner().invoke(cli, ["keys", *arguments, "--database-url", dsn])


async def invoke(dsn, *arguments):
    return await asyncio.to_thread(run, dsn, *arguments)


async def payloads(db):
    rows = await db.fetch(
        "select p.body::text from runfold.events e join runfold.payloads p using (log, position) "
        "where e.subject = 'key' order by e.position"
    )
    return [row[0] for row in rows]


async def test_a_program_that_knows_no_bound_keys_does_not_admit_one(connections, db, client):
    """It would look for the SHA-256 of the secret, and take the key for one of all namespaces."""
    bound = await keys.create_key(connections, "bound", "write", binding=BINDING)
    free = await keys.create_key(connections, "free", "write")
    stored = {key.name: key.digest for key in map(msgspec.json.Decoder(OldPayload).decode, await payloads(db))}
    assert stored["free"] == sha256(free.encode()).hexdigest()
    assert stored["bound"] not in {sha256(bound.encode()).hexdigest(), stored["free"]}
    assert [(await put(client, "team-a", secret))[0] for secret in (bound, free)] == [200, 200]
    assert [(await put(client, "team-b", secret))[0] for secret in (bound, free)] == [403, 200]


async def test_the_binding_is_recorded_and_a_key_that_is_created_again_has_the_new_one(connections, db, client):
    old = await keys.create_key(connections, "ci", "write", binding=BINDING)
    assert (await put(client, "team-a-x", old))[0] == 200
    await keys.revoke_key(connections, "ci")
    new = await keys.create_key(connections, "ci", "write", binding=parse_binding(["team-b"]))
    assert [json.loads(payload)["namespaces"] for payload in await payloads(db)] == [PATTERNS, PATTERNS, ["team-b"]]
    assert [(await put(client, name, new))[0] for name in ("team-b", "team-a")] == [200, 403]

    async def refused():
        return (await put(client, "team-a", old))[0] == 401

    await wait_until(refused, "the old secret is refused", STALE_S)


async def test_a_refusal_names_the_key_and_what_it_is_bound_to(connections, client):
    secret = await keys.create_key(connections, "ci", "write", binding=BINDING)
    status, problem = await put(client, "elsewhere", secret)
    assert status == 403
    assert problem["type"] == "/errors/outside-namespaces"
    assert problem["detail"] == "API key ci is bound to team-a, team-a-*; this namespace is another"
    assert (await client.get(problem["type"])).status == 200


async def test_a_key_with_a_pattern_of_a_later_version_is_for_no_namespace(connections, client):
    unreadable = BINDING._replace(patterns=("team-a", "team-[ab]*x"))
    secret = await keys.create_key(connections, "later", "write", binding=unreadable)
    assert (await put(client, "team-a", secret))[0] == 403
    async with client.get("/api/v1/namespaces", headers={"Authorization": f"Bearer {secret}"}) as response:
        assert (await response.json())["namespaces"] == []


async def test_the_commands_create_and_list_bound_keys(dsn):
    options = [option for pattern in PATTERNS for option in ("--namespace", pattern)]
    made = await invoke(dsn, "create", "bound", "--scope", "write", *options, "--json")
    created = json.loads(made.stdout)
    assert {**created, "secret": ""} == {"name": "bound", "scope": "write", "namespaces": PATTERNS, "secret": ""}
    said = await invoke(dsn, "create", "also", "--scope", "read", "--namespace", "x\\*y*")
    assert "also (read, bound to x\\*y*)" in said.stderr
    assert json.loads((await invoke(dsn, "create", "free", "--scope", "read", "--json")).stdout)["namespaces"] is None
    listed = json.loads((await invoke(dsn, "list", "--json")).stdout)
    assert {key["name"]: key["namespaces"] for key in listed} == {"bound": PATTERNS, "also": ["x\\*y*"], "free": None}
    table = (await invoke(dsn, "list")).stdout
    assert "team-a, team-a-*" in table
    assert "all" in table


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--scope", "write", "--namespace", "*"], "a key for all namespaces has no pattern"),
        (["--scope", "write", "--namespace", "team-*-x"], "* stands at the end only"),
        (["--scope", "write", "--namespace", ""], "its value is empty"),
        (["--scope", "admin", "--namespace", "team-a"], "--namespace takes read or write"),
    ],
)
async def test_what_binds_to_nothing_sensible_is_refused_and_creates_no_key(dsn, db, options, said):
    refused = await invoke(dsn, "create", "odd", *options)
    assert refused.exit_code == 2
    assert said in " ".join(refused.output.split())
    assert await payloads(db) == []
