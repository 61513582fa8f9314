"""runfold verify."""

import asyncio
import sys
from pathlib import Path
from typing import NamedTuple

import click

from service.audit import saved_heads
from service.audit.saved_heads import HeadComparison, SavedHead
from service.audit.verification import Progress, VerificationResult, verify_ledger
from service.cli.commands.database import attached
from service.cli.commands.exit_statuses import ExitStatus, exit_statuses
from service.cli.commands.options import archives_option, database_options, require_option
from service.cli.commands.progress import progress_bar
from service.cli.json_output import json_option, print_json
from service.cli.option_groups import GroupedCommand
from service.cli.parameter_types import FilePath, Integer
from service.maintenance.catalog_check import CatalogCheck, check_catalog

_POSITION = Integer(min=1)
_SHOWN = 5
"""Positions that a message lists."""


class _Verification(NamedTuple):
    """What was verified: the ledger; a saved head or an export, and the catalog, each None where it was not."""

    ledger: VerificationResult
    saved: HeadComparison | None = None
    catalog: CatalogCheck | None = None


_GROUPS = {
    "What is verified": ("first", "last", "against", "catalog", "restart", "archives"),
    "Output": ("as_json",),
    "Database": ("database_url", "data_dir"),
}
"""The options, by what they are about."""


@click.command("verify", cls=GroupedCommand, groups=_GROUPS, short_help="Recompute the ledger's hash chain.")
@click.option(
    "--from", "first", type=_POSITION, default=1, show_default=True, metavar="N", help="First position to verify."
)
@click.option(
    "--to", "last", type=_POSITION, show_default="the ledger head", metavar="N", help="Last position to verify."
)
@json_option("ok", "from", "to", "complete", "head", "brokenAt", "reason", "against", "catalog")
@click.option(
    "--against",
    type=FilePath(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also compare the ledger with a saved head, or with each record of an export.",
)
@click.option(
    "--catalog",
    is_flag=True,
    help="Also project the catalog anew, and compare it and the posting lists with those in use. Needs the rights of"
    " the owner of the tables.",
)
@click.option(
    "--restart",
    is_flag=True,
    help="With --catalog: do not go on with what an interrupted check has projected; begin at the first event.",
)
@archives_option
@database_options
def command(  # noqa: PLR0913  one for each option
    first: int,
    last: int | None,
    *,
    as_json: bool,
    against: Path | None,
    catalog: bool,
    restart: bool,
    archives: Path | None,
    database_url: str,
    data_dir: Path,
) -> None:
    """Recompute the ledger's hash chain from its rows; find missing positions and altered payloads.

    Exits with 0 if all holds, and prints the ledger head; with 1 if something does not hold, and prints the first
    position that is wrong; with 2 for wrong usage; with 3 if the database or a file could not be read, so that nothing
    is known; with 130 if it was interrupted. Keep a copy of the head outside the database: without it, a ledger that
    was rewritten as a whole cannot be detected.

    What --catalog has projected when it is interrupted stays in the database, in the schema runfold_verify; the same
    command goes on with it.
    """
    if not catalog:
        for name in ("restart", "archives"):
            require_option(click.get_current_context(), name, "--catalog")
    found = _Found(first)
    with exit_statuses(found):
        with attached(database_url, data_dir, exact=catalog) as dsn, progress_bar("Verifying") as progress:
            try:
                saved = saved_heads.read_saved_head(against) if against else None
                report = asyncio.run(_verify(dsn, last, saved, found, progress))
                if catalog and report.ledger.ok:
                    found.unknown = "the catalog. The same command goes on with what is projected of it"
                    checked = asyncio.run(check_catalog(dsn, progress, archives, restart=restart))
                    report = report._replace(catalog=checked)
            except (saved_heads.UnreadableHead, ValueError) as error:
                raise click.UsageError(f"{error}.") from error
        if as_json:
            print_json(_as_object(report, against))
        else:
            click.echo(_as_text(report))
        sys.exit(_status(report))


class _Found:
    """What was found out before an interruption; `unknown`: what is looked at once the whole range holds."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.verified = 0
        self.unknown = ""

    def __str__(self) -> str:
        last = self.first + self.verified - 1
        if not self.verified:
            return "Nothing is known."
        unknown = self.unknown or f"the rest. `--from {last + 1}` goes on there"
        return f"Positions {self.first} to {last} hold, nothing is known of {unknown}."


async def _verify(
    dsn: str, last: int | None, saved: SavedHead | None, found: _Found, progress: Progress
) -> _Verification:
    """Verify the ledger from the first position of `found` on, and compare it with a saved head or an export."""

    def verified(done: int, total: int) -> None:
        found.verified = done
        progress(done, total)

    result = await verify_ledger(dsn, found.first, last, verified)
    if result.ok:
        found.unknown = "what was saved"
    return _Verification(result, await saved_heads.compare_with_ledger(dsn, saved, progress) if saved else None)


def _status(report: _Verification) -> ExitStatus:
    if not report.ledger.ok or (report.saved and report.saved.reason) or (report.catalog and report.catalog.found):
        return ExitStatus.BROKEN
    return ExitStatus.COULD_NOT_LOOK if report.saved and report.saved.unproved else ExitStatus.HOLDS


def _as_text(report: _Verification) -> str:
    ledger, saved, catalog = report
    if not ledger.ok:
        lines = [f"Position {ledger.broken_at} does not hold: {ledger.reason}."]
    elif ledger.last == 0:
        lines = ["The ledger is empty."]
    else:
        head = f"The head is position {ledger.head_position}, {ledger.head_hash.hex()}."
        lines = [f"Positions {ledger.first} to {ledger.last} hold. {head}"]
    if saved is not None:
        lines.append(f"What was saved is not this ledger's beginning: {saved.reason}." if saved.reason else saved.proof)
        if saved.unproved:
            lines.append(_unproved_text(saved.unproved))
    if catalog is not None:
        lines += _catalog_lines(catalog)
    return "\n".join(lines)


def _catalog_lines(catalog: CatalogCheck) -> list[str]:
    continued = []
    if catalog.continued_from:
        continued = [f"An interrupted check had projected positions 1 to {catalog.continued_from}; this one went on."]
    if not catalog.found:
        holds = f"The catalog and the posting lists are what positions 1 to {catalog.position} make them."
        return [*continued, holds]
    more = catalog.found - len(catalog.differences)
    return [
        *continued,
        f"The catalog is not what positions 1 to {catalog.position} make it; `runfold rebuild` makes it anew:",
        *(["  (an earlier version projected a part of it, without what was added since)"] * catalog.has_older_parts),
        *(f"  {difference}" for difference in catalog.differences),
        *([f"  … and {more} more differences"] if more else []),
    ]


def _unproved_text(positions: tuple[int, ...]) -> str:
    shown = ", ".join(str(position) for position in positions[:_SHOWN])
    more = f" and {len(positions) - _SHOWN} more" if len(positions) > _SHOWN else ""
    return (
        f"The payloads of positions {shown}{more} could not be compared: they left the database, and NDJSON has spaces"
        " for the line breaks that they may have had. `runfold restore` brings archived payloads back."
    )


def _as_object(report: _Verification, against: Path | None) -> dict[str, object]:
    ledger, saved, catalog = report
    return {
        "ok": _status(report) is ExitStatus.HOLDS,
        "from": ledger.first,
        "to": ledger.last,
        "complete": ledger.complete,
        "head": {"position": ledger.head_position, "hash": ledger.head_hash.hex()},
        "brokenAt": ledger.broken_at,
        "reason": ledger.reason or (saved.reason if saved else None),
        "against": _against_as_object(saved, against) if saved else None,
        "catalog": _catalog_as_object(catalog) if catalog else None,
    }


def _against_as_object(saved: HeadComparison, against: Path | None) -> dict[str, object]:
    return {
        "file": str(against),
        "ok": saved.reason is None and not saved.unproved,
        "proof": saved.proof or None,
        "unprovedPayloads": list(saved.unproved),
    }


def _catalog_as_object(catalog: CatalogCheck) -> dict[str, object]:
    return {
        "ok": not catalog.found,
        "position": catalog.position,
        "continuedFrom": catalog.continued_from,
        "found": catalog.found,
        "differences": catalog.differences,
        "hasOlderParts": catalog.has_older_parts,
    }
