"""runfold import --marquez."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import click

from service.audit import saved_heads
from service.audit.saved_heads import SavedHead
from service.cli.commands.catalog_update import STATEMENT_TIMEOUT_S, Behind, update_catalog
from service.cli.commands.database import attached, migrate, naming
from service.cli.commands.options import DEFAULTS
from service.cli.commands.progress import progress_bar
from service.cli.database_url import check_database_url
from service.cli.json_output import print_when_done
from service.cli.parameter_types import FilePath, OptionalText
from service.database.connections import Connections
from service.errors import DatabaseUnavailable
from service.ingest.marquez_checkpoints import MarquezCheckpoint, find_checkpoint, save_checkpoint
from service.ingest.marquez_database import read_marquez
from service.ingest.marquez_import import MarquezImport, Refusal
from service.ledger.bulk_appender import BulkAppender
from service.ledger.events import read_head
from service.logs import without_password

F = TypeVar("F", bound=Callable[..., Any])

_CONNECTIONS = 3
_READ_TIMEOUT_S = 3600.0
"""Seconds that a statement in Marquez's database may take: it may have to sort millions of events."""

_SHOWN = 20
_NAMES = {"tagged": "tags of jobs, datasets and fields", "hidden": "deletions", "runs": "events of runs"}
"""What kinds are called in the summary, where not by their names."""


def _check(_context: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    problem = check_database_url(url) if url else None
    if problem is not None:
        raise click.BadParameter(problem)
    return url or None


def _check_checkpoint(_context: click.Context, _parameter: click.Parameter, file: Path | None) -> Path | None:
    if file is not None and file.exists() and file.stat().st_size and find_checkpoint(file) is None:
        raise click.BadParameter(f"{str(file)!r} is there and no checkpoint; it would be overwritten.")
    return file


def options(command: F) -> F:
    """Add --marquez and --checkpoint."""
    for option in (
        click.option(
            "--checkpoint",
            type=FilePath(dir_okay=False, path_type=Path),
            metavar="FILE",
            callback=_check_checkpoint,
            show_default="marquez-….runfold-import in this directory",
            help="File that keeps how far the database of Marquez is imported.",
        ),
        click.option(
            "--marquez",
            type=OptionalText(),
            envvar="RUNFOLD_MARQUEZ",
            show_envvar=True,
            metavar="URL",
            callback=_check,
            help="Database of Marquez to import: postgresql://user:password@host/database.",
        ),
    ):
        command = option(command)
    return command


class Source(NamedTuple):
    """The database of Marquez, the checkpoint's file (None: the default), and whether a checkpoint is ignored."""

    url: str
    checkpoint: Path | None
    restart: bool

    @property
    def file(self) -> Path:
        """The checkpoint's file."""
        digest = sha256(without_password(self.url).encode()).hexdigest()[:8]
        return self.checkpoint or Path(f"marquez-{digest}.runfold-import")


class _Summary:
    """What the import has done so far."""

    def __init__(self, refused: BinaryIO | None) -> None:
        self._refused_file = refused
        self._refusals: list[Refusal] = []
        self._count = 0
        self.work: MarquezImport | None = None
        self.behind = Behind(None, None)

    def add(self, refusal: Refusal) -> None:
        self._count += 1
        if len(self._refusals) < _SHOWN:
            self._refusals.append(refusal._replace(text=None))
        if self._refused_file is not None and refusal.text is not None:
            self._refused_file.write(refusal.text.replace(b"\n", b" ") + b"\n")

    @property
    def refused(self) -> int:
        return self._count

    def as_object(self, complete: bool) -> dict[str, object]:  # noqa: FBT001
        counts = self.work.counts() if self.work else {}
        return {
            "complete": complete and self.work is not None and self.work.broken_off is None,
            "recorded": sum(each.recorded for each in counts.values()),
            "known": sum(each.known for each in counts.values()),
            "refused": self._count,
            "failures": [
                {"file": f"Marquez: {each.kind}", "line": None, "reason": f"{each.name}: {each.reason}"}
                for each in self._refusals
            ],
            **self.behind.as_object(),
        }

    def print(self) -> None:
        for kind, counts in (self.work.counts() if self.work else {}).items():
            if any(counts):
                click.echo(
                    f"{_NAMES.get(kind, kind)}: {counts.recorded} recorded, {counts.known} known already,"
                    f" {counts.refused} could not be taken"
                )

    def print_refusals(self) -> None:
        for kind, name, reason, _ in self._refusals:
            click.echo(f"  {kind}: {name}: {without_password(reason)}", err=True)
        if self._count > _SHOWN:
            click.echo(f"  … and {self._count - _SHOWN} more", err=True)


def run(source: Source, target: tuple[str, Path], refused: BinaryIO | None, *, as_json: bool) -> None:
    """Import a database of Marquez into the one that a database URL and a data directory choose."""
    summary = _Summary(refused)
    with (
        attached(*target, must_exist=False) as dsn,
        print_when_done(summary.as_object, as_json=as_json),
    ):
        migrate(dsn)
        asyncio.run(_import(dsn, source, summary))
        if summary.work is not None and summary.work.broken_off is None:
            summary.behind = asyncio.run(update_catalog(dsn))  # also where an interrupted import recorded the events
        if summary.work is not None and summary.work.broken_off is not None:
            raise click.ClickException(
                f"Not all is recorded: {summary.work.broken_off}. Repeat the import to go on; nothing is recorded"
                " twice."
            )
    if not as_json:
        summary.print()
    summary.print_refusals()
    sys.exit(1 if summary.refused else 0)


async def _import(dsn: str, source: Source, summary: _Summary) -> None:
    previous = None if source.restart else await _find_checkpoint(dsn, source.file)
    async with (
        Connections(dsn, _CONNECTIONS, wait_s=None, command_timeout_s=STATEMENT_TIMEOUT_S) as connections,
        Connections(source.url, sequential_scans=True, command_timeout_s=_READ_TIMEOUT_S) as marquez,
    ):
        bulk = BulkAppender(connections, max_batch=DEFAULTS.max_batch, on_append=lambda _position, _events: None)

        async def save(created_at: datetime) -> None:
            try:
                head = await read_head(connections)
                save_checkpoint(source.file, MarquezCheckpoint(created_at, head.position, head.hash.hex()))
            except DatabaseUnavailable:
                return  # the next append reports it
            except OSError as error:
                click.echo(f"{source.file} cannot be written ({error}): the next import begins at the start.", err=True)

        with progress_bar("Importing from Marquez") as show:
            summary.work = MarquezImport(
                bulk.append,
                max_bytes=DEFAULTS.max_event_bytes,
                on_refusal=summary.add,
                save=save,
                progress=lambda _kind, done, total: show(done, total),
            )
            with naming(f"The database of Marquez, {source.url},"):
                async with read_marquez(marquez) as reader:
                    await summary.work.run(reader, previous.since if previous else None)


async def _find_checkpoint(dsn: str, file: Path) -> MarquezCheckpoint | None:
    """Return the checkpoint in a file, if it belongs to this ledger."""
    checkpoint = find_checkpoint(file)
    if checkpoint is None:
        return None
    head = SavedHead(file, checkpoint.position, bytes.fromhex(checkpoint.hash))
    if (await saved_heads.compare_with_ledger(dsn, head)).reason is not None:
        return None
    click.echo(
        f"Events that Marquez received until {checkpoint.created_at.isoformat()} are in the ledger, according to"
        f" {file}; continuing there.",
        err=True,
    )
    return checkpoint
