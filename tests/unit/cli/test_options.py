"""A user without a home directory, as in a container with any uid."""

import pwd

import click
import pytest

from service.cli.commands import options, rebuild
from service.cli.commands.options import NO_DATA_DIR, require_data_dir
from service.cli.database_url import check_database_url


@pytest.fixture
def without_entry(monkeypatch):
    """Neither an entry for this uid nor variables that name the user or a home directory."""

    def no_entry(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    for name in ("HOME", "XDG_DATA_HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.usefixtures("without_entry")
def test_without_a_home_there_is_no_default_data_directory():
    assert options._default_data_dir() == NO_DATA_DIR
    with pytest.raises(click.UsageError, match=r"no home directory .* --data-dir, or the database"):
        require_data_dir(options._default_data_dir())


def test_a_directory_that_is_given_is_never_taken_for_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    context = rebuild.command.make_context("rebuild", ["--data-dir", "."])
    assert require_data_dir(context.params["data_dir"]) == tmp_path


def test_a_url_must_name_a_user_where_this_user_has_no_name(without_entry):
    assert "it must name a user" in check_database_url("postgresql://host/db")
    assert check_database_url("postgresql://me@host/db") is None
    assert check_database_url("postgresql://host/db?user=me") is None
    without_entry.setenv("PGUSER", "me")
    assert check_database_url("postgresql://host/db") is None
