"""runfold export."""

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from service.audit import saved_heads
from service.audit.export import ExportFormat, ExportResult, export_events
from service.audit.filters import EventFilters
from service.cli.commands.database import attached
from service.cli.commands.options import RunId, database_options, parse_time
from service.cli.commands.progress import progress_bar
from service.cli.json_output import json_option, print_json
from service.cli.option_groups import GroupedCommand
from service.cli.parameter_types import FilePath, Text
from service.cli.standard_streams import standard_output
from service.domain.event import SOURCES, Kind, RunState
from service.new_files import NewFile, locked_directory, new_file


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters of GET /events."""
    for option in (
        click.option(
            "--until",
            callback=parse_time,
            metavar="TIME",
            help="Only events that were recorded before this date (midnight UTC) or time.",
        ),
        click.option(
            "--since",
            callback=parse_time,
            metavar="TIME",
            help="Only events that were recorded at this date (midnight UTC) or time, or later.",
        ),
        click.option(
            "--source",
            "sources",
            multiple=True,
            type=click.Choice(SOURCES),
            help="Only events from this source. Repeatable.",
        ),
        click.option(
            "--actor", type=Text(), metavar="NAME", help="Only events that were recorded with the API key of this name."
        ),
        click.option(
            "--state",
            "states",
            multiple=True,
            type=click.Choice([state.value for state in RunState]),
            help="Only transitions to this state. Repeatable.",
        ),
        click.option(
            "--kind",
            "kinds",
            multiple=True,
            type=click.Choice([kind.value for kind in Kind]),
            help="Only events of this kind. Repeatable.",
        ),
        click.option("--run", type=RunId(), metavar="ID", help="Only events of this run: its UUID, or its runId."),
        click.option("--job", type=Text(), metavar="NAME", help="Only events of jobs of this name."),
        click.option("--namespace", type=Text(), metavar="NAME", help="Only events of this namespace."),
    ):
        command = option(command)
    return command


_GROUPS = {
    "Output": ("output", "format_name", "as_json"),
    "Which events": ("namespace", "job", "run", "kinds", "states", "actor", "sources", "since", "until"),
    "Database": ("database_url", "data_dir"),
}
"""The options, by what they are about."""


@click.command("export", cls=GroupedCommand, groups=_GROUPS, short_help="Write the ledger's events to a file.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice([one.value for one in ExportFormat]),
    show_default="that of the suffix .csv or .parquet of the file's name, else ndjson",
    help="Format of the file.",
)
@click.option(
    "--output",
    type=FilePath(dir_okay=False, path_type=Path),
    metavar="FILE",
    show_default="standard output",
    help="File to write.",
)
@_filters
@json_option("file", "headFile", "log", "position", "hash", "recordedAt", "format", "filters", "events", "sha256")
@database_options
def command(  # noqa: PLR0913, PLR0917  a parameter an option
    format_name: str | None,
    output: Path | None,
    database_url: str,
    data_dir: Path,
    namespace: str | None,
    job: str | None,
    run: UUID | None,
    kinds: tuple[str, ...],
    states: tuple[str, ...],
    actor: str | None,
    sources: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    *,
    as_json: bool,
) -> None:
    """Write the ledger's events, oldest first, as of the start of the export.

    The ledger head at that moment and the digest of the file are written to FILE.head.json (to standard error without
    --output). `runfold verify --against FILE` proves with them that the ledger still begins with the exported events.
    """
    if as_json and output is None:
        raise click.UsageError("--json needs --output: without it, standard output has the events.")
    if since and until and until < since:
        raise click.UsageError("--until is before --since.")
    names = namespace, job, run, kinds or None, states or None, actor, sources or None
    filters = EventFilters(*names, since, until)
    export_format = ExportFormat(format_name) if format_name else _format_of(output)
    with attached(database_url, data_dir) as dsn:
        exported, description = _write(partial(export_events, dsn, filters), output, export_format, filters)
    if output is None:
        click.echo(description, err=True)
        return
    if as_json:
        paths = {"file": str(output), "headFile": str(saved_heads.head_path(output))}
        print_json(paths | json.loads(description))
        return
    head = exported.head
    click.echo(f"{exported.events} events are in {output}. The head is position {head.position}, {head.hash.hex()}.")


def _format_of(output: Path | None) -> ExportFormat:
    """Return the format that the suffix of a file's name stands for; NDJSON for any other suffix."""
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    return ExportFormat(suffix) if suffix in set(ExportFormat) else ExportFormat.NDJSON


def _write(
    write: Callable[..., Any], output: Path | None, export_format: ExportFormat, filters: EventFilters
) -> tuple[ExportResult, str]:
    """Write the events; return what they are, and the document that describes them, which lies beside a file.

    A file of the given name is always complete.
    """
    try:
        with ExitStack() as stack:
            new = stack.enter_context(new_file(output, exclusive=True)) if output else None
            file = new.file if new else standard_output()
            progress = stack.enter_context(progress_bar("Exporting"))
            exported: ExportResult = asyncio.run(write(file, export_format, progress))
            file.flush()
            description = saved_heads.describe_export(exported, export_format, filters)
            if new is not None and output is not None:
                _put_in_place(new, output, description)
    except BrokenPipeError:
        raise  # the reader (`| head`) has closed the pipe; click exits without a message
    except OSError as error:
        raise click.ClickException(f"The export cannot be written: {error}.") from error
    return exported, description


def _put_in_place(new: NewFile, output: Path, description: str) -> None:
    """Give a file its name, and its head the name beside it, with no other export's in between.

    Before, the head of an earlier export of that name is removed: beside this one, it would say that it was altered.
    """
    head_path = saved_heads.head_path(output)
    with new_file(head_path) as head, locked_directory(output.parent):
        head.file.write(f"{description}\n".encode())
        head_path.unlink(missing_ok=True)
        new.rename(output)
        head.rename(head_path)
