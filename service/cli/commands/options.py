"""Options that are settings: each is a flag and an environment variable; the flag takes precedence."""

import os
import pwd
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from platformdirs import user_data_path

from service.domain import timestamps
from service.settings import PROCESS, Settings

DEFAULTS = Settings(data_dir=user_data_path("runfold", appauthor=False), projector=PROCESS)

_MAX_ACTOR = 128

F = TypeVar("F", bound=Callable[..., Any])


def setting(name: str, help_text: str, **attributes: Any) -> Callable[[F], F]:  # noqa: ANN401  those of click.option
    """Return the option for a field of Settings; its default is the field's."""
    field = name.lstrip("-").partition("/")[0].replace("-", "_")
    attributes.setdefault("envvar", f"RUNFOLD_{field.upper()}")
    attributes.setdefault("default", getattr(DEFAULTS, field))
    attributes.setdefault("show_default", True)
    return click.option(name, help=help_text, show_envvar=True, **attributes)


def parse_time(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    """Parse a date such as 2019-05-09 (midnight UTC), or a timestamp."""
    if text is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        pass
    try:
        return timestamps.parse(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, nor a date such as 2019-05-09.") from error


def _check_url(_context: click.Context, _parameter: click.Parameter, url: str) -> str:
    if url and not url.startswith(("postgresql://", "postgres://")):
        raise click.BadParameter("it must begin with postgresql://.")
    hosts = url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    for port in re.findall(r":([^:,\]]*)(?:,|$)", re.sub(r"\[.*?\]", "", hosts)):
        if port and not port.isdecimal():
            raise click.BadParameter("its port is not a number.")  # what was given may be part of a password
    return url


def database_options(command: F) -> F:
    """Add --database-url and --data-dir."""
    for option in (
        setting(
            "--data-dir",
            "Data directory of the embedded PostgreSQL, which is used without a database URL.",
            type=click.Path(file_okay=False, path_type=Path),
        ),
        setting(
            "--database-url",
            "Database to use: postgresql://user:password@host/database.",
            envvar=["RUNFOLD_DATABASE_URL", "DATABASE_URL"],
            metavar="URL",
            show_default="an embedded PostgreSQL",
            callback=_check_url,
        ),
    ):
        command = option(command)
    return command


def operating_system_user() -> str:
    """Return the name of the user that runs this program; `uid N` for one without an entry in the user database."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _check_actor(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if not 0 < len(name) <= _MAX_ACTOR or not name.isprintable() or not name.strip():
        raise click.BadParameter(f"it must have 1 to {_MAX_ACTOR} printable characters.")
    return name


def actor_option(command: F) -> F:
    """Add --actor: who is recorded, with the source `cli`, as having done what the command records."""
    return click.option(
        "--actor",
        default=operating_system_user,
        show_default="the operating system's user",
        callback=_check_actor,
        metavar="NAME",
        help="Who does this; it is recorded in the ledger.",
    )(command)


def archives_option(command: F) -> F:
    """Add --archives."""
    return click.option(
        "--archives",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        show_default="where each was written",
        help="Directory with the files of archived payloads.",
    )(command)
