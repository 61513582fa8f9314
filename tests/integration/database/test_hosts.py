"""A database URL with several hosts: a primary and standbys, of which some may be gone."""

import asyncio
import socket
import time
from inspect import signature
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import asyncpg
import pytest
from asyncpg.connect_utils import _parse_connect_arguments
from databases import database, execute
from hypothesis import given
from hypothesis import strategies as st

from service.cli.commands.database import wait_for_database
from service.database.connections import Connections
from service.database.hosts import Hosts, split_hosts
from service.errors import DatabaseUnavailable

WRITABLE = "select current_setting('transaction_read_only') = 'off' as writable"


def url_of(dsn, *hosts, query="target_session_attrs=read-write"):
    """Return the address of a database of the tests' server, after other hosts, all in one authority."""
    parts = urlsplit(dsn)
    found = parse_qs(parts.query)
    own = f"{quote(found['host'][0], safe='')}:{found['port'][0]}"
    return urlunsplit(parts._replace(netloc=f"runfold@{','.join([*hosts, own])}", query=query))


@pytest.fixture
def silent():
    """A machine that answers nothing: connections are accepted by the kernel alone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def refused():
    """A port that nothing listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


async def test_a_host_that_does_not_answer_takes_its_share_of_the_time_once(dsn, silent):
    hosts = Hosts(url_of(dsn, silent))
    began = time.monotonic()
    await (await hosts.connect(2.0)).close()
    first, began = time.monotonic() - began, time.monotonic()
    await (await hosts.connect(2.0)).close()
    assert 0.9 < first < 2.0
    assert time.monotonic() - began < 0.9


async def test_all_connections_of_a_process_know_which_host_answered(dsn, silent):
    url = url_of(dsn, silent)
    async with Connections(url) as one, Connections(url) as other:
        await one.fetch("select")
        async with asyncio.timeout(1):
            await other.fetch("select")


async def test_hosts_that_refuse_connections_or_writes_are_passed_over(dsn, empty_dsn, refused):
    await execute(empty_dsn, f'alter database "{urlsplit(empty_dsn).path[1:]}" set default_transaction_read_only = on')
    async with Connections(url_of(empty_dsn, refused)) as connections:
        with pytest.raises(DatabaseUnavailable, match="the database does not answer"):
            await connections.fetch("select")
    async with Connections(url_of(empty_dsn)) as connections:
        with pytest.raises(DatabaseUnavailable, match="no host of the database is of the kind"):
            await connections.fetch("select")
    async with Connections(url_of(dsn, refused)) as connections:
        assert (await connections.fetch(WRITABLE))[0]["writable"]


async def test_a_refused_login_is_no_reason_to_try_another_host(dsn, monkeypatch):
    tried = []

    async def refuse(url, **_options):
        tried.append(url)
        raise asyncpg.InvalidPasswordError("no")

    monkeypatch.setattr(asyncpg, "connect", refuse)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await Hosts(url_of(dsn, "a", "b")).connect()
    assert len(tried) == 1


async def test_start_waits_until_a_standby_is_promoted(empty_dsn, postgres):
    name = urlsplit(empty_dsn).path[1:]
    await execute(postgres, f"alter database {name} set default_transaction_read_only = on")
    waiting = asyncio.create_task(wait_for_database(url_of(empty_dsn), 30))
    done, _ = await asyncio.wait([waiting], timeout=0.5)
    assert not done
    await execute(database(postgres, "postgres"), f"alter database {name} reset default_transaction_read_only")
    await asyncio.wait_for(waiting, 30)


HOST = st.sampled_from(["db", "10.0.0.1", "[::1]", "%2Frun%2Fpg", "h-2.example.com"])
SPEC = st.builds(lambda host, port: host + port, HOST, st.sampled_from(["", ":5432", ":6543"]))


@given(st.lists(SPEC, min_size=1, max_size=4), st.sampled_from(["", "me@", "me:p%40s%2Cs@"]), st.booleans())
def test_the_parts_of_a_url_name_the_same_hosts_as_the_whole(specs, login, has_query):
    url = f"postgresql://{login}{','.join(specs)}/db{'?sslmode=disable&target_session_attrs=any' if has_query else ''}"
    addresses, parameters = parsed(url)
    parts = [parsed(part) for part in split_hosts(url)]
    assert [address for found, _ in parts for address in found] == addresses
    assert {(one.user, one.password, one.database) for _, one in parts} == {
        (parameters.user, parameters.password, parameters.database)
    }


def parsed(url):
    """Return what the driver makes of a URL: addresses and parameters."""
    options = dict.fromkeys(signature(_parse_connect_arguments).parameters)
    bounds = {name: 0 for name in options if name.endswith(("_size", "_lifetime"))}
    return _parse_connect_arguments(**options | bounds | {"dsn": url})[:2]
