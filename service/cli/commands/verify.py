"""runfold verify."""

import asyncio
import json
import sys
from pathlib import Path

import click

from service.audit import saved_heads
from service.audit.verification import Progress, VerificationResult, verify_ledger
from service.cli.commands.database import attached
from service.cli.commands.options import database_options
from service.cli.commands.progress import progress_bar

_POSITION = click.IntRange(min=1)


@click.command("verify", short_help="Recompute the ledger's hash chain.")
@click.option(
    "--from", "first", type=_POSITION, default=1, show_default=True, metavar="N", help="First position to verify."
)
@click.option(
    "--to", "last", type=_POSITION, show_default="the ledger head", metavar="N", help="Last position to verify."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the result as JSON, for scripts: {ok, from, to, head, brokenAt, reason}.",
)
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also compare the ledger with a saved head, or with an export.",
)
@database_options
def command(
    first: int, last: int | None, *, as_json: bool, against: Path | None, database_url: str, data_dir: Path
) -> None:
    """Recompute the ledger's hash chain from its rows; find missing positions and altered payloads.

    Prints the ledger head and exits with 0, or prints the first position that is wrong and exits with 1. Keep a copy of
    the head outside the database: without it, a ledger that was rewritten as a whole cannot be detected.
    """
    with attached(database_url, data_dir) as dsn, progress_bar("Verifying") as progress:
        try:
            result = asyncio.run(_verify(dsn, first, last, against, progress))
        except saved_heads.UnreadableHead as error:
            raise click.UsageError(f"{error}.") from error
        except ValueError as error:
            raise click.UsageError(f"{error}.") from error
    click.echo(_as_json(result) if as_json else _as_text(result))
    sys.exit(0 if result.ok else 1)


async def _verify(
    dsn: str, first: int, last: int | None, against: Path | None, progress: Progress
) -> VerificationResult:
    """Verify the ledger, and compare it with a saved head or an export."""
    saved = saved_heads.read_saved_head(against) if against else None
    result = await verify_ledger(dsn, first, last, progress)
    reason = await saved_heads.compare_with_ledger(dsn, saved) if saved else None
    if not result.ok or saved is None or reason is None:
        return result
    return result._replace(ok=False, reason=reason)  # the reason names the position or the file


def _as_text(result: VerificationResult) -> str:
    if result.reason and result.broken_at is None:
        return f"What was saved is not this ledger's beginning: {result.reason}."
    if not result.ok:
        return f"Position {result.broken_at} does not hold: {result.reason}."
    if result.last == 0:
        return "The ledger is empty."
    return (
        f"Positions {result.first} to {result.last} hold."
        f" The head is position {result.head_position}, {result.head_hash.hex()}."
    )


def _as_json(result: VerificationResult) -> str:
    document: dict[str, object] = {
        "ok": result.ok,
        "from": result.first,
        "to": result.last,
        "head": {"position": result.head_position, "hash": result.head_hash.hex()},
    }
    if not result.ok:
        document |= {"brokenAt": result.broken_at, "reason": result.reason}
    return json.dumps(document)
