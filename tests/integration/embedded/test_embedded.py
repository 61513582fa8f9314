"""The embedded PostgreSQL and its owner: real servers, real signals."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from embedding import (
    IDENTITIES,
    QUICK,
    REPOSITORY,
    SERVICE,
    Service,
    copied_packages,
    log_of,
    public_directory,
    query,
    wait_until,
    wait_until_ended,
)

from service.embedded import files
from service.embedded import postgres as embedded_postgres
from service.embedded.files import EmbeddedError
from service.embedded.postgres import EmbeddedPostgres, attach


@pytest.fixture
def public():
    with public_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def packages():
    with copied_packages() as directory:
        yield directory


@pytest.fixture(params=IDENTITIES)
def identity(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def home(identity: str, tmp_path: Path, public: Path) -> Path:
    """A data directory of whoever the service runs as."""
    if identity != "nobody":
        return tmp_path / "data"
    user = pwd.getpwnam("nobody")
    data_dir = public / "data"
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, user.pw_uid, user.pw_gid)
    return data_dir


@pytest.fixture
def begin(packages: Path, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts services; none outlives its test."""
    begun: list[Service] = []

    def begin(data_dir: Path, identity: str = IDENTITIES[0]) -> Service:
        log = tmp_path / f"service-{len(begun)}.log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVICE, data_dir, identity, packages],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            )
        begun.append(Service(process, log))
        return begun[-1]

    yield begin
    for service in begun:
        service.kill()
        for pipe in (service.process.stdin, service.process.stdout):
            pipe.close()
        if service.said.startswith("postgresql:"):
            with suppress(ProcessLookupError):
                os.kill(service.postmaster, signal.SIGCONT)
            wait_until_ended(service.postmaster)


def test_a_cold_start_makes_a_database_that_a_warm_start_finds_again(identity, home, begin):
    first = begin(home, identity)
    first.wait_for_answer()
    query(first.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert first.stop() == 0
    wait_until_ended(first.postmaster)

    second = begin(home, identity)
    second.wait_for_answer()
    assert query(second.dsn, "SELECT answer FROM kept") == 42


def test_the_server_never_runs_as_root_and_its_data_belong_to_whom_it_runs_as(identity, home, begin):
    service = begin(home, identity)
    service.wait_for_answer()
    runs_as = Path("/proc", str(service.postmaster)).stat().st_uid
    assert runs_as != 0
    assert runs_as == (home / "postgres").stat().st_uid
    assert (home / "postgres").stat().st_mode & 0o777 == 0o700
    assert identity != "nobody" or runs_as == pwd.getpwnam("nobody").pw_uid


def test_kill_9_of_the_service_shuts_the_server_down_cleanly(identity, home, begin):
    service = begin(home, identity)
    service.wait_for_answer()
    service.kill()
    wait_until_ended(service.postmaster)
    # Nobody may be there to reap it, so the pid file says more than the process table.
    wait_until(lambda: not (home / "postgres/postmaster.pid").exists(), "the pid file is removed")
    # The process that writes the log ends after the server.
    wait_until(lambda: "database system is shut down" in log_of(home), "the log says that the server was shut down")
    assert attach(home) is None


def test_a_start_right_after_kill_9_of_the_service_waits_for_its_server_to_end(identity, home, begin):
    killed = begin(home, identity)
    killed.wait_for_answer()
    query(killed.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(killed.postmaster, signal.SIGSTOP)  # a long shutdown
    killed.kill()

    following = begin(home, identity)
    waits = f"waiting for the PostgreSQL of an earlier run (process {killed.postmaster})"
    wait_until(lambda: waits in following.log.read_text(), "the next start finds a server")
    os.kill(killed.postmaster, signal.SIGCONT)
    following.wait_for_answer()
    assert query(following.dsn, "SELECT answer FROM kept") == 42
    assert "not properly shut down" not in log_of(home)


def test_a_server_that_outlived_its_owner_is_stopped_by_the_next_start(tmp_path, monkeypatch):
    orphan = EmbeddedPostgres(tmp_path / "data", settings=QUICK)
    orphan.start()
    orphan._resources.close()  # its owner's locks go, but no signal comes, as on a system without PR_SET_PDEATHSIG
    monkeypatch.setattr(embedded_postgres, "PREDECESSOR_S", 10.0)
    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as postgres:
        assert orphan.poll() == 0
        assert query(postgres.dsn, "SELECT 1") == 1
    orphan.stop()


def test_kill_9_of_the_postmaster_is_noticed_and_the_next_start_recovers_what_was_committed(tmp_path):
    postgres = EmbeddedPostgres(tmp_path / "data", settings=QUICK)
    postgres.start()
    assert postgres.poll() is None
    query(postgres.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(postgres._process.pid, signal.SIGKILL)
    wait_until(lambda: postgres.poll() is not None, "poll() notices")
    assert postgres.poll() == -signal.SIGKILL
    postgres.stop()

    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as again:
        assert query(again.dsn, "SELECT answer FROM kept") == 42
    assert "not properly shut down; automatic recovery in progress" in log_of(tmp_path / "data")


def test_of_two_started_at_once_one_owns_the_data_and_the_other_is_told_who(identity, home, begin):
    services = [begin(home, identity), begin(home, identity)]
    winner, loser = sorted(services, key=lambda service: service.wait_for_answer(), reverse=True)
    assert winner.dsn.startswith("postgresql:")
    assert loser.process.wait() == 1
    assert f"owned by process {winner.process.pid}" in loser.said
    assert query(winner.dsn, "SELECT 1") == 1


def test_a_second_owner_in_the_same_process_is_refused_and_the_first_goes_on(tmp_path):
    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as first:
        second = EmbeddedPostgres(tmp_path / "data", settings=QUICK)
        with pytest.raises(EmbeddedError, match=f"owned by process {os.getpid()}"):
            second.start()
        second.stop()
        assert query(first.dsn, "SELECT 1") == 1


def test_a_service_killed_while_it_creates_its_data_leaves_nothing_in_the_way(tmp_path, begin):
    data_dir = tmp_path / "data"
    service = begin(data_dir)
    wait_until(lambda: any(data_dir.glob("postgres.new-*/PG_VERSION")), "initdb is at work")
    service.kill()

    with EmbeddedPostgres(data_dir, settings=QUICK) as postgres:
        assert query(postgres.dsn, "SELECT 1") == 1
        assert not list(data_dir.glob("postgres.new-*"))


def test_attach_finds_a_server_that_runs_and_no_other(tmp_path, begin):
    data_dir = tmp_path / "data"
    assert attach(data_dir) is None
    service = begin(data_dir)
    service.wait_for_answer()
    assert attach(data_dir) == service.dsn

    os.kill(service.postmaster, signal.SIGKILL)
    wait_until_ended(service.postmaster)
    assert files.is_ready(data_dir / "postgres"), "the stale pid file still calls it ready"
    assert attach(data_dir) is None


def test_the_short_way_to_a_deep_socket_is_cleared_away_after_kill_9(tmp_path, begin):
    data_dir = tmp_path / ("deep" * 30)
    service = begin(data_dir)
    service.wait_for_answer()
    abandoned = files.find_socket_dir(data_dir)
    service.kill()
    assert abandoned.is_symlink()
    with EmbeddedPostgres(data_dir, settings=QUICK) as postgres:
        assert query(postgres.dsn, "SELECT 1") == 1
        assert not abandoned.parent.exists()


def test_a_server_that_does_not_stop_is_made_to(tmp_path, monkeypatch, caplog):
    caplog.set_level("WARNING", logger="service.embedded.postgres")
    steps = ((signal.SIGINT, 0.01), (signal.SIGQUIT, 0.01), (signal.SIGKILL, None))
    monkeypatch.setattr(embedded_postgres, "STOP_STEPS", steps)
    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as postgres:
        os.kill(postgres._process.pid, signal.SIGSTOP)
    assert [record.getMessage()[-10:] for record in caplog.records] == [" of SIGINT", "of SIGQUIT"]
    assert attach(tmp_path / "data") is None
