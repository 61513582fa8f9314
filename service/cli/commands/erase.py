"""runfold erase."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import click

from service.cli.commands.database import attached
from service.cli.commands.options import FACET_OPTIONS, FACETS, actor_option, database_options, limit_facets
from service.cli.json_output import json_option, print_json
from service.cli.option_groups import GroupedCommand
from service.cli.parameter_types import Text
from service.cli.standard_streams import is_terminal
from service.cli.text import time_of
from service.maintenance.erase import ErasableEvent, ErasureResult, erasable_events, erase_payloads
from service.payloads.run_ids import parse_uuid

_DIGITS = 18
"""The number of decimal digits that always fit into a bigint."""

_SHOWN = 10
"""Events that are shown in detail before they are erased."""


def _run_or_position(_context: click.Context, _parameter: click.Parameter, text: str) -> UUID | int:
    run = parse_uuid(text)
    if run is not None:
        return run
    if not text.isdecimal() or not text.isascii() or len(text) > _DIGITS or int(text) == 0:
        raise click.BadParameter("it must be the UUID of a run or the position of an event.")
    return int(text)


_GROUPS = {
    "Erasure": ("why", "dry_run", "yes", "actor"),
    "Output": ("as_json",),
    "Database": ("database_url", "data_dir"),
    FACETS: FACET_OPTIONS,
}
"""The options, by what they are about."""


@click.command("erase", cls=GroupedCommand, groups=_GROUPS, short_help="Erase payloads permanently.")
@click.argument("what", metavar="RUN|POSITION", callback=_run_or_position)
@click.option("--why", required=True, type=Text(), help="Reason for the erasure; it is recorded in the ledger.")
@click.option("--dry-run", is_flag=True, help="Only show what would be erased.")
@click.option("--yes", is_flag=True, help="Erase without asking, for scripts.")
@actor_option
@json_option("dryRun", "events", "bytes", "erased", "copies")
@database_options
@limit_facets
def command(
    what: UUID | int,
    why: str,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    actor: str,
    database_url: str,
    data_dir: Path,
) -> None:
    """Erase permanently the payloads of all events of a run, or of one event, as a law may require.

    The events stay, with the digests of their payloads, and so do states and times. Facets, args, inputs and outputs
    that came from the payloads disappear from every view. The ledger records what was erased, by whom, and why.

    Shows what will be erased, and asks. Where standard input is no terminal, --yes or --dry-run is needed.
    """
    if not why.strip():
        raise click.BadParameter("it must not be empty.", param_hint="'--why'")
    if not (yes or dry_run or _is_terminal()):
        raise click.UsageError("Nothing is erased without confirmation: use --yes, or --dry-run to look first.")
    with attached(database_url, data_dir, exact=True) as dsn:
        events = asyncio.run(erasable_events(dsn, what))
        if not (as_json and (yes or dry_run)):
            click.echo(_preview(events), err=as_json)
        if not (yes or dry_run):
            click.confirm("Erase them? It cannot be undone.", abort=True, err=as_json)
        done = None if dry_run else asyncio.run(erase_payloads(dsn, what, why, actor))
    if as_json:
        print_json(_as_object(events, done))
    elif done is not None:
        click.echo(_summary(done))
        for copy in done.copies:
            click.echo(
                f"{copy.file} (SHA-256 {copy.sha256}) is an archive with a copy: delete every copy of that file."
            )


def _is_terminal() -> bool:
    return is_terminal(sys.stdin)


def _preview(events: list[ErasableEvent]) -> str:
    """Return what will be erased: the payloads of these events, the first of them in detail."""
    if not events:
        return "No payload is left to erase."
    size = sum(event.payload_bytes for event in events)
    lines = [f"Payloads to erase: {len(events)}, {size:,} bytes in all."]
    for event in events[:_SHOWN]:
        # A name may have any characters: ascii() keeps it on its line, and escape sequences away from the terminal.
        names = [ascii(name) for name in (event.namespace, event.job) if name is not None]
        of_names = f" of {' '.join(names)}" if names else ""
        what = " ".join(filter(None, (event.kind, event.state)))
        lines.append(
            f"  position {event.position}: {what}, {event.subject} {event.stream}{of_names},"
            f" recorded {time_of(event.recorded_at)} from {event.source}, {event.payload_bytes:,} bytes"
        )
    if len(events) > _SHOWN:
        lines.append(f"  … and {len(events) - _SHOWN} more, up to position {events[-1].position}")
    return "\n".join(lines)


def _as_object(events: list[ErasableEvent], done: ErasureResult | None) -> dict[str, object]:
    """Return the result for scripts; `done` is None for a dry run."""
    return {
        "dryRun": done is None,
        "events": [
            {
                "position": event.position,
                "subject": event.subject,
                "id": str(event.stream),
                "kind": event.kind,
                "state": event.state,
                "namespace": event.namespace,
                "job": event.job,
                "recordedAt": event.recorded_at,
                "source": event.source,
                "bytes": event.payload_bytes,
            }
            for event in events
        ],
        "bytes": sum(event.payload_bytes for event in events),
        "erased": done.removed if done else 0,
        "copies": [{"file": copy.file, "sha256": copy.sha256} for copy in done.copies] if done else [],
    }


def _summary(done: ErasureResult) -> str:
    if not done.removed:
        return "Nothing to erase: it was erased before."
    if done.removed == 1:
        return "1 payload is erased. PostgreSQL overwrites it after the next VACUUM; backups keep it."
    return f"{done.removed} payloads are erased. PostgreSQL overwrites them after the next VACUUM; backups keep them."
