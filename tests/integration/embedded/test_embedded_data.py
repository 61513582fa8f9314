"""What the embedded PostgreSQL finds in its directory, how it starts on that, and how it is set."""

import os
import pwd
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from embedding import IS_ROOT, QUICK, query, wait_until_ended

from service.embedded import files
from service.embedded import postgres as embedded_postgres
from service.embedded.files import EmbeddedError
from service.embedded.postgres import EmbeddedPostgres, attach


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
    killed._resources.close()  # as if its owner were gone too; but being its parent, we keep the zombie

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
        socket_dir = files.find_socket_dir(data_dir)
        assert socket_dir.samefile(data_dir / "postgres")
    assert attach(data_dir) is None
    assert not socket_dir.is_symlink()
    assert socket_dir.exists() == (socket_dir == data_dir / "postgres")


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


def test_a_start_may_take_its_time_but_not_fall_silent(tmp_path, monkeypatch):
    with EmbeddedPostgres(tmp_path / "data", settings=QUICK) as postgres:
        pass
    monkeypatch.setattr(embedded_postgres, "SILENCE_S", 0.05)
    with monkeypatch.context() as patched:
        patched.setattr(files, "is_ready", lambda _: False)
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
