"""An image of this checkout, and a PostgreSQL for its containers, both for the whole session."""

import os
from collections.abc import Iterator

import pytest
from engine import PASSWORD, POSTGRES_IMAGE, Container, build, container, docker, wait_for

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def image() -> str:
    build("runfold-test", REVISION=REVISION)
    return "runfold-test"


@pytest.fixture(scope="session")
def network() -> Iterator[str]:
    name = f"runfold-test-{os.getpid()}"
    docker("network", "create", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture(scope="session")
def postgres(network: str) -> Iterator[Container]:
    settings = (f"--network={network}", "--network-alias=postgres", "--env=POSTGRES_USER=runfold")
    with container(POSTGRES_IMAGE, options=(*settings, f"--env=POSTGRES_PASSWORD={PASSWORD}")) as server:
        wait_for(lambda: "accepting" in server.exec("pg_isready", "-h", "127.0.0.1", status=None), "PostgreSQL answers")
        yield server


@pytest.fixture
def database(postgres: Container, network: str) -> tuple[str, ...]:
    """Options of a container that uses an empty database."""
    name = f"test{os.urandom(6).hex()}"
    postgres.exec("createdb", "-U", "runfold", name)
    return f"--network={network}", f"--env=RUNFOLD_DATABASE_URL=postgresql://runfold:{PASSWORD}@postgres/{name}"
