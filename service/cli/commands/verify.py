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
@click.option("--from", "first", type=_POSITION, default=1, show_default=True, metavar="N", help="First position.")
@click.option("--to", "last", type=_POSITION, show_default="the head", metavar="N", help="Last position.")
@click.option("--json", "as_json", is_flag=True, help="Print {ok, from, to, head} or what is wrong, for a script.")
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A head that was saved, or an export: does the ledger still begin with it?",
)
@database_options
def command(
    first: int, last: int | None, *, as_json: bool, against: Path | None, database_url: str, data_dir: Path
) -> None:
    """Recompute the ledger's hash chain from its rows, look for missing positions and altered payloads.

    Exit status 0 and the head, or 1 and the first position that does not hold. Keep the head elsewhere: only who
    knows it from before can tell that nobody rewrote the ledger and its head.
    """
    with attached(database_url, data_dir) as dsn, progress_bar("Verifying") as progress:
        try:
            verdict = asyncio.run(_judge(dsn, first, last, against, progress))
        except saved_heads.UnreadableHead as error:
            raise click.UsageError(f"{error}.") from error
        except ValueError as error:
            raise click.UsageError(f"{error}.") from error
    click.echo(_as_json(verdict) if as_json else _as_text(verdict))
    sys.exit(0 if verdict.ok else 1)


async def _judge(
    dsn: str, first: int, last: int | None, against: Path | None, progress: Progress
) -> VerificationResult:
    """Hold the ledger against what was saved of it, then against itself."""
    former = saved_heads.read_saved_head(against) if against else None
    verdict = await verify_ledger(dsn, first, last, progress)
    reason = await saved_heads.compare_with_ledger(dsn, former) if former else None
    if not verdict.ok or former is None or reason is None:
        return verdict
    return verdict._replace(ok=False, reason=reason)  # it says itself which position, or which file, is at fault


def _as_text(verdict: VerificationResult) -> str:
    if verdict.reason and verdict.broken_at is None:
        return f"What was saved is not this ledger's beginning: {verdict.reason}."
    if not verdict.ok:
        return f"Position {verdict.broken_at} does not hold: {verdict.reason}."
    if verdict.last == 0:
        return "The ledger is empty."
    return (
        f"Positions {verdict.first} to {verdict.last} hold."
        f" The head is position {verdict.head_position}, {verdict.head_hash.hex()}."
    )


def _as_json(verdict: VerificationResult) -> str:
    answer: dict[str, object] = {
        "ok": verdict.ok,
        "from": verdict.first,
        "to": verdict.last,
        "head": {"position": verdict.head_position, "hash": verdict.head_hash.hex()},
    }
    if not verdict.ok:
        answer |= {"brokenAt": verdict.broken_at, "reason": verdict.reason}
    return json.dumps(answer)
