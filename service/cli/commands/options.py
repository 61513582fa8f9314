"""Options that are settings: each is a flag and an environment variable; the flag takes precedence."""

import os
import pwd
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
from click.core import ParameterSource
from platformdirs import user_data_path

from service.cli import volume
from service.cli.database_url import check_database_url
from service.cli.durations import Allowance
from service.cli.environment import RequiredTextOption, SettingOption
from service.cli.parameter_types import FilePath, Integer, OptionalText, Text
from service.domain import timestamps
from service.domain.registers import FACET_LIMITS
from service.payloads.run_ids import run_uuid
from service.settings import PROCESS, Settings

NO_DATA_DIR = Path()
"""The data directory where there is no default: of a user without a home directory, and in a container without a
volume. A directory that is given is made absolute."""


def _default_data_dir() -> Path:
    directory = volume.directory()
    if directory is not None:
        return directory if volume.is_mounted(directory) else NO_DATA_DIR
    try:
        return user_data_path("runfold", appauthor=False)
    except RuntimeError:  # neither HOME nor an entry for this uid, as in a container
        return NO_DATA_DIR


DEFAULTS = Settings(data_dir=_default_data_dir(), projector=PROCESS)

_MAX_ACTOR = 128

F = TypeVar("F", bound=Callable[..., Any])


def setting(name: str, help_text: str, **attributes: Any) -> Callable[[F], F]:  # noqa: ANN401  those of click.option
    """Return the option for a field of Settings; its default is the field's."""
    field = name.lstrip("-").partition("/")[0].replace("-", "_")
    attributes.setdefault("cls", SettingOption)
    attributes.setdefault("envvar", f"RUNFOLD_{field.upper()}")
    attributes.setdefault("default", getattr(DEFAULTS, field))
    attributes.setdefault("show_default", True)
    return click.option(name, help=help_text, show_envvar=True, **attributes)


def parse_time(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    """Parse a date such as 2019-05-09 (midnight UTC), or a timestamp."""
    if text is None:
        return None
    with suppress(ValueError):
        text = f"{date.fromisoformat(text)}T00:00:00Z"
    try:
        return timestamps.parse(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}; a date such as 2019-05-09 is midnight UTC.") from error


def _check_url(_context: click.Context, _parameter: click.Parameter, url: str) -> str:
    wrong = check_database_url(url) if url else None
    if wrong is not None:
        raise click.BadParameter(wrong)  # without the value, which may have a password
    return url


def require_data_dir(data_dir: Path) -> Path:
    """Return the data directory. Raises UsageError if none was given and there is no default."""
    if data_dir == NO_DATA_DIR:
        directory = volume.directory()
        if directory is not None:
            raise click.UsageError(
                f"No volume is mounted at {directory}, so the data of an embedded PostgreSQL would be lost with this"
                " container: choose the database of a running server with --database-url, mount a volume there"
                f" (docker run --volume runfold:{directory} ...), or choose a directory with --data-dir."
            )
        raise click.UsageError(
            "This user has no home directory for the data of an embedded PostgreSQL: choose a directory with"
            " --data-dir, or the database of a running server with --database-url."
        )
    return data_dir


def _make_absolute(context: click.Context, parameter: click.Parameter, path: Path) -> Path:
    is_default = context.get_parameter_source(parameter.name or "") is ParameterSource.DEFAULT
    return path if is_default else path.absolute()


def _why_no_default() -> str:
    directory = volume.directory()
    return "none, as this user has no home directory" if directory is None else f"{directory}, if a volume is mounted"


def data_dir_option(help_text: str) -> Callable[[F], F]:
    """Return --data-dir. It is made absolute; it is neither read nor created unless it is used."""
    return setting(
        "--data-dir",
        help_text,
        cls=RequiredTextOption,
        type=FilePath(file_okay=False, readable=False, path_type=Path, utf8=True),
        show_default=True if DEFAULTS.data_dir != NO_DATA_DIR else _why_no_default(),
        callback=_make_absolute,
    )


def database_options(command: F) -> F:
    """Add --database-url and --data-dir."""
    for option in (
        data_dir_option("Data directory of the embedded PostgreSQL, which is used without a database URL."),
        setting(
            "--database-url",
            "Database to use: postgresql://user:password@host/database.",
            cls=RequiredTextOption,
            type=OptionalText(),
            envvar=["RUNFOLD_DATABASE_URL", "DATABASE_URL"],
            metavar="URL",
            show_default="an embedded PostgreSQL",
            callback=_check_url,
        ),
    ):
        command = option(command)
    return command


silent_after_setting = setting(
    "--silent-after",
    "Time without an event after which a RUNNING run is recorded as aborted, by inference, such as 90s, 15m, 6h or 2d;"
    " jobs and namespaces may have their own.",
    type=Allowance(),
    metavar="DURATION",
    show_default="off",
)
"""The option --silent-after."""

_facet_settings = (
    setting(
        "--max-facets",
        "Maximum number of facets in the view of a run or job. The ledger keeps all.",
        type=Integer(min=1),
    ),
    setting(
        "--max-facets-bytes",
        "Maximum size of the facets in the view of a run or job together, in bytes.",
        type=Integer(min=1),
    ),
)


FACETS = "Limits of facets, as the service has them"
FACET_OPTIONS = ("max_facets", "max_facets_bytes")
"""The title and the options of a group of the help, of commands that project events."""


def facet_settings(command: F) -> F:
    """Add --max-facets and --max-facets-bytes as settings."""
    for option in _facet_settings:
        command = option(command)
    return command


def limit_facets(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --max-facets and --max-facets-bytes to a command that projects events: they must be those of the service."""

    @wraps(command)
    def limited(*arguments: Any, max_facets: int, max_facets_bytes: int, **options: Any) -> Any:  # noqa: ANN401
        FACET_LIMITS.set(max_facets, max_facets_bytes)
        return command(*arguments, **options)

    return facet_settings(limited)


class RunId(click.ParamType[UUID]):
    """The id of a run: a UUID, or any other text that OpenLineage events had as runId."""

    name = "run"

    def convert(self, value: UUID | str, param: click.Parameter | None, ctx: click.Context | None) -> UUID:
        """Return the run's UUID."""
        return value if isinstance(value, UUID) else run_uuid(Text().convert(value, param, ctx))


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


def require_option(context: click.Context, name: str, needed: str) -> None:
    """Raise UsageError if an option is on the command line that has a meaning with another one only.

    A variable of the environment may be there for other commands, so it is no error.
    """
    if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"--{name.replace('_', '-')} needs {needed}.", context)


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
        type=FilePath(exists=True, file_okay=False, path_type=Path),
        show_default="where each was written",
        help="Directory with the files of archived payloads.",
    )(command)
