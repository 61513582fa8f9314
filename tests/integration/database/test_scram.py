"""A password's verifier is the one that PostgreSQL computes itself, whatever the password."""

import asyncio
import base64
import os
from uuid import uuid4

import asyncpg
import pytest
from databases import execute
from hypothesis import example, given, settings
from hypothesis import strategies as st
from programs import run

from service.database.scram import verifier

# Characters that this Python's Unicode does not know yet may be normalised by a newer PostgreSQL.
PASSWORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs", "Cn")), min_size=1, max_size=40)
NASTY = "p@ss/w:rd#1 $HOME ${X} \"q\" 'q' \\ %41 ü \u00a0 ﬁ"


@pytest.fixture
def server(postgres):
    """Return what the server stores for a password."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(postgres))
    role = f"role_{uuid4().hex}"

    async def store(password):
        literal = await connection.fetchval("select quote_literal($1)", password)
        await connection.execute(f"alter role {role} password {literal}")
        return await connection.fetchval("select rolpassword from pg_authid where rolname = $1", role)

    loop.run_until_complete(connection.execute(f"create role {role}"))
    yield lambda password: loop.run_until_complete(store(password))
    loop.run_until_complete(connection.execute(f"drop role {role}"))
    loop.run_until_complete(connection.close())
    loop.close()


@given(PASSWORDS)
@settings(max_examples=300)
@example("abc")
@example(NASTY)
@example("\u00ad")  # is mapped to nothing
@example("a\u0627")  # a letter of either direction
@example("\u0627b\u0627")
@example("\u06271")
@example("Ⅷ")
@example("🈀")  # is normalised to characters that Unicode 3.2 has, and is none itself
@example("\u2028x")
def test_it_is_the_servers(server, password):
    stored = server(password)
    iterations, salt = stored.split("$")[1].split(":")
    assert verifier(password, base64.b64decode(salt), int(iterations)) == stored


def test_no_two_are_alike():
    assert verifier("x") != verifier("x")


async def test_migrate_sets_the_password_of_the_role(dsn, db, tmp_path):
    role = f"role_{uuid4().hex}"
    variables = {"DATABASE_URL": dsn, "RUNFOLD_ROLE_PASSWORD": NASTY}
    try:
        for _ in range(2):
            ended = await run(tmp_path / "log", "migrate", "--role", role, **variables)
            assert ended.status == 0, ended
            assert "no password yet" not in ended.output
            stored = await db.fetchval("select rolpassword from pg_authid where rolname = $1", role)
            iterations, salt = stored.split("$")[1].split(":")
            assert verifier(NASTY, base64.b64decode(salt), int(iterations)) == stored
    finally:
        await execute(dsn, f"drop owned by {role}; drop role {role}")


async def test_a_role_that_may_not_set_passwords_is_told_so(dsn, tmp_path):
    owner, role = (f"role_{os.urandom(6).hex()}" for _ in range(2))
    await execute(dsn, f"create role {owner} login; create role {role} login; grant all on schema runfold to {owner}")
    try:
        address = dsn.replace("postgresql://runfold@", f"postgresql://{owner}@")
        ended = await run(tmp_path / "log", "migrate", "--role", role, DATABASE_URL=address, RUNFOLD_ROLE_PASSWORD="x")
        assert ended.status == 1
        assert "Traceback" not in ended.errors
    finally:
        await execute(dsn, f"drop owned by {owner}; drop role {owner}; drop role {role}")
