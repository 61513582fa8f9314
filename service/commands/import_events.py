"""runfold import."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click

from service.bulk import Bulk
from service.commands.database import attached, migrate
from service.commands.options import DEFAULTS, database_options
from service.commands.progress import progress_bar
from service.errors import RunfoldError
from service.importing import import_events
from service.ingestion import Failure, Ingestion
from service.link import Link
from service.openlineage import Origin

_LINKS = 2
_SHOWN = 20
"""Refusals that are told one by one."""


@click.command("import", short_help="Read files of OpenLineage events into the ledger.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--refused", type=click.File("wb"), metavar="FILE", help="Write the events that were refused to FILE, one a line.")
@database_options
def command(files: Sequence[str], refused: BinaryIO | None, database_url: str, data_dir: Path) -> None:
    """Read OpenLineage events from files: JSON arrays or lines of JSON, either of them gzip; - is standard input.

    An event that is in the ledger already is passed over, so an import that broke off is resumed by repeating it.
    Exit status 1 where events were refused.
    """
    failures: list[str] = []
    counts = [0, 0, 0]
    with attached(database_url, data_dir, must_exist=False) as dsn, ExitStack() as opened:
        migrate(dsn)
        for name in files:
            stream = sys.stdin.buffer if name == "-" else opened.enter_context(Path(name).open("rb"))
            one = asyncio.run(_import(dsn, name, stream, refused, failures))
            counts = [a + b for a, b in zip(counts, (one.recorded - one.known, one.known, one.failed), strict=True)]
    _tell(*counts, failures)
    sys.exit(1 if failures else 0)


async def _import(
    dsn: str, name: str, stream: BinaryIO, refused: BinaryIO | None, failures: list[str]
) -> Ingestion:
    links = [Link(dsn) for _ in range(_LINKS)]
    bulk = Bulk(links, max_batch=DEFAULTS.max_batch, on_append=lambda _position: None)
    heard = _hearing(name, refused, failures)
    ingestion = Ingestion(bulk.append, Origin("import"), max_bytes=DEFAULTS.max_event_bytes, on_failure=heard)
    size = Path(name).stat().st_size if name != "-" else 0
    try:
        with progress_bar(f"Importing {name} (bytes)") as show:
            await import_events(stream, ingestion, DEFAULTS.max_event_bytes, lambda done: show(done, size))
    except RunfoldError as error:
        failures.append(f"{name}: {error.detail}; what came before that is recorded")
    finally:
        for link in links:
            await link.close()
    if ingestion.retriable:
        raise click.ClickException(
            f"The database does not answer: {ingestion.recorded} events of {name} are recorded, not all. "
            "Repeat the import to go on; nothing is recorded twice."
        )
    return ingestion


def _hearing(name: str, refused: BinaryIO | None, failures: list[str]) -> Callable[[Failure], None]:
    def hear(failure: Failure) -> None:
        failures.append(f"{name}:{failure.line.number}: {failure.reason}" if len(failures) < _SHOWN else "")
        if refused is not None and failure.line.text is not None and not failure.retriable:
            refused.write(failure.line.text.replace(b"\n", b" ") + b"\n")

    return hear


def _tell(new: int, known: int, refused: int, failures: Sequence[str]) -> None:
    click.echo(f"{new} events recorded, {known} known already, {refused} refused.")
    for failure in failures[:_SHOWN]:
        click.echo(f"  {failure}", err=True)
    if len(failures) > _SHOWN:
        click.echo(f"  … and {len(failures) - _SHOWN} more", err=True)
