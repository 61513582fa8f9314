"""An image of this checkout, and a PostgreSQL for its containers, both for the whole session of each process."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from engine import PASSWORD, POSTGRES_IMAGE, Container, build, container, docker, wait_for

pytest.register_assert_rewrite("check_image", "check_runs")

REVISION = "0123456789abcdef0123456789abcdef01234567"
LONGEST_FIRST = ("check_ha", "check_compose", "check_runs", "check_systemd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that the rest is done beside it."""
    order = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session")
def image() -> str:
    build("runfold-test", REVISION=REVISION)
    return "runfold-test"


@pytest.fixture(scope="session")
def network() -> Iterator[str]:
    name = f"runfold-test-{uuid4().hex[:12]}"
    docker("network", "create", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture(scope="session")
def postgres(network: str) -> Iterator[Container]:
    settings = [f"--network={network}", "--network-alias=postgres", "--env=POSTGRES_USER=runfold"]
    settings.append(f"--env=POSTGRES_PASSWORD={PASSWORD}")
    if native := os.environ.get("NATIVE_PLATFORM"):
        settings.append(f"--platform={native}")
    with container(POSTGRES_IMAGE, options=tuple(settings)) as server:
        wait_for(lambda: "accepting" in server.exec("pg_isready", "-h", "127.0.0.1", status=None), "PostgreSQL answers")
        yield server


@pytest.fixture
def database(postgres: Container, network: str) -> tuple[str, ...]:
    """Options of a container that uses an empty database."""
    name = f"test{os.urandom(6).hex()}"
    postgres.exec("createdb", "-U", "runfold", name)
    return f"--network={network}", f"--env=RUNFOLD_DATABASE_URL=postgresql://runfold:{PASSWORD}@postgres/{name}"
