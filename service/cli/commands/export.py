"""runfold export."""

import asyncio
import sys
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
from service.cli.commands.options import database_options
from service.cli.commands.progress import progress_bar
from service.domain import timestamps
from service.domain.event import SOURCES, Kind, RunState
from service.errors import RunfoldError


def _time(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    try:
        return None if text is None else timestamps.parse(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters of GET /events."""
    for option in (
        click.option("--until", callback=_time, metavar="TIME", help="What was recorded before this."),
        click.option("--since", callback=_time, metavar="TIME", help="What was recorded then or later."),
        click.option("--source", "sources", multiple=True, type=click.Choice(SOURCES), help="Repeatable."),
        click.option("--actor", help="What this API key recorded."),
        click.option(
            "--state", "states", multiple=True, type=click.Choice([s.value for s in RunState]), help="Repeatable."
        ),
        click.option("--kind", "kinds", multiple=True, type=click.Choice([k.value for k in Kind]), help="Repeatable."),
        click.option("--run", type=click.UUID, metavar="ID", help="The events of one run."),
        click.option("--job", help="The events of jobs of this name."),
        click.option("--namespace", help="The events of this namespace."),
    ):
        command = option(command)
    return command


@click.command("export", short_help="Write the ledger's events to a file.")
@click.option(
    "--format", "form", type=click.Choice([f.value for f in ExportFormat]), default="ndjson", show_default=True
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to; else to standard output.",
)
@_filters
@database_options
def command(  # noqa: PLR0913, PLR0917  a parameter an option
    form: str,
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
) -> None:
    """Write the ledger's events, oldest first, as of the moment this begins.

    The head at that moment, and the file's digest, are written beside it, to FILE.head.json (to standard error where
    there is no FILE): `runfold verify --against FILE` proves with it that the ledger still begins with what is here.
    """
    if since and until and until < since:
        raise click.UsageError("--until lies before --since.")
    names = namespace, job, run, kinds or None, states or None, actor, sources or None
    wanted, chosen = EventFilters(*names, since, until), ExportFormat(form)
    with attached(database_url, data_dir) as dsn:
        exported = _write(partial(export_events, dsn, wanted), output, chosen)
    told = saved_heads.describe_export(exported, chosen, wanted)
    if output is None:
        click.echo(told, err=True)
        return
    saved_heads.head_path(output).write_text(told + "\n", encoding="utf-8")
    head = exported.head
    click.echo(f"{exported.events} events are in {output}. The head is position {head.position}, {head.hash.hex()}.")


def _write(write: Callable[..., Any], output: Path | None, form: ExportFormat) -> ExportResult:
    """Write beside, then into place: a file of that name is whole, and nothing else is left."""
    part = output.with_name(output.name + ".part") if output else None
    try:
        with ExitStack() as stack:
            file = stack.enter_context(part.open("wb")) if part else sys.stdout.buffer
            progress = stack.enter_context(progress_bar("Exporting"))
            exported: ExportResult = asyncio.run(write(file, form, progress))
            file.flush()
        if part is not None and output is not None:
            part.replace(output)
    except BrokenPipeError:
        raise  # `| head` has had enough; click ends without a word
    except (RunfoldError, OSError) as error:
        raise click.ClickException(f"{error}.") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return exported
