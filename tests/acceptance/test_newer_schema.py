"""A database that a newer version has migrated: which commands go on, and what the others say."""

from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner
from databases import execute

from service.cli.environment import subcommands_of
from service.cli.main import cli
from service.database.migrations import newest_revision
from service.domain.ids import stream_of

RUN = str(stream_of("run"))
LOOKING = {
    "doctor": (),
    "export": ("--output", "exported"),
    "keys create": ("x", "--scope", "read"),
    "keys list": (),
    "keys revoke": ("x",),
    "runs": (),
    "show": (RUN,),
    "silent": ("--silent-after", "1h"),
    "tail": (),
    "verify": (),
    "import": ("events",),
    "migrate": (),
    "rebuild": (),
}
SERVING = {"serve": ("--port", "0")}
REPLACING = {
    "archive": ("--before", "2020-01-01", "--to", "."),
    "erase": ("1", "--why", "x", "--yes"),
    "restore": (),
    "verify": ("--catalog",),
}
ALL = [*LOOKING.items(), *SERVING.items(), *REPLACING.items()]


def commands(group: click.Group, name: str = ""):
    for command in subcommands_of(group):
        if isinstance(command, click.Group):
            yield from commands(command, f"{name}{command.name} ")
        else:
            yield f"{name}{command.name}"


def test_every_command_is_tried_here():
    """All but `demo`, which starts `serve` and has no database URL."""
    assert {name for name, _ in ALL} == set(commands(cli)) - {"demo"}


@pytest.fixture
def invoke(dsn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events").touch()
    return lambda name, arguments: CliRunner().invoke(cli, (*name.split(), *arguments, "--database-url", dsn))


@pytest.fixture
async def newer(dsn):
    await execute(
        dsn, "update runfold_version set version_num = '9999', migrated_by = '7.8.9', oldest_program = '9998'"
    )


@pytest.fixture
async def newer_that_lets_this_go_on(dsn, newer):  # noqa: ARG001  it changes what that made
    await execute(dsn, f"update runfold_version set oldest_program = '{newest_revision()}'")


def assert_refused(result, name):
    assert (result.exit_code, result.stdout) == (3 if name in {"verify", "doctor"} else 1, ""), result.output
    assert "A newer version of Runfold, 7.8.9, has migrated this database" in result.stderr
    assert f"its schema is at revision 9999, and this version, {version('runfold')}," in result.stderr
    assert f"knows revisions up to {newest_revision()}" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.usefixtures("newer")
def test_every_command_refuses_the_schema_of_a_newer_version_and_names_both(invoke):
    for name, arguments in ALL:
        assert_refused(invoke(name, arguments), name)


@pytest.mark.usefixtures("newer_that_lets_this_go_on")
def test_where_migrations_let_it_go_on_it_does_but_replaces_and_removes_nothing(invoke):
    for name, arguments in REPLACING.items():
        result = invoke(name, arguments)
        assert_refused(result, name)
        assert "It can serve, record and read, but not do this." in result.stderr
    for name, arguments in LOOKING.items():
        result = invoke(name, arguments)
        if name == "show":
            assert "no run" in result.stderr.lower(), result.output
        else:
            assert result.exit_code == 0, (name, result.output)


@pytest.mark.usefixtures("newer_that_lets_this_go_on")
def test_migrate_leaves_the_rights_of_roles_as_the_newer_version_made_them(invoke):
    result = invoke("migrate", ("--role", "runfold_of_nobody"))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "The schema is at revision 9999.",
        "A newer version made it, and this one may use it. Nothing was changed, nor the rights of any role.",
    ]
