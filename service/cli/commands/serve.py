"""runfold serve."""

import asyncio
import dataclasses
import signal
import socket
import sys
from types import FrameType
from typing import Any, NoReturn

import click
import uvloop

from service import logs
from service.auth import keys
from service.cli.commands.database import Database, migrate, owned
from service.cli.commands.options import database_options, setting
from service.embedded.files import cluster_in
from service.server import sockets
from service.server.serve import STOP_SIGNALS, serve
from service.server.workers import supervise
from service.settings import INLINE, PROCESS, Settings

_POSITIVE = click.IntRange(min=1)


@click.command("serve", short_help="Serve the HTTP API.")
@setting("--host", "Address to listen on.")
@setting("--port", "Port to listen on; 0 picks a free one.", type=click.IntRange(0, 65535))
@setting("--workers", "Processes that share the port.", type=_POSITIVE)
@database_options
@setting(
    "--auth",
    "Whether callers need an API key; auto: as soon as there is one.",
    type=click.Choice(["auto", "on", "off"]),
)
@setting("--insecure", "Listen beyond this machine without authentication.", is_flag=True)
@setting("--access-log/--no-access-log", "Log a line a request.")
@setting(
    "--projector",
    "Where the projector of the catalog runs: in a process of its own, or inline in the serving process"
    " (less memory, slower under load).",
    type=click.Choice([PROCESS, INLINE]),
)
@setting("--log-level", "The least that is logged.", type=click.Choice(logs.LEVELS))
@setting("--queue-capacity", "Requests that may wait to be recorded; one more is told 503.", type=_POSITIVE)
@setting("--max-batch", "Events recorded in one transaction.", type=_POSITIVE)
@setting("--max-event-bytes", "Size of the largest OpenLineage event.", type=_POSITIVE)
@setting("--max-body-bytes", "Size of the largest other request.", type=_POSITIVE)
@setting(
    "--statement-cache-size",
    "Prepared statements a connection keeps; 0 behind a transaction pooler.",
    type=click.IntRange(min=0),
)
def command(**options: Any) -> None:  # noqa: ANN401  the fields of Settings
    """Serve the HTTP API, after bringing the database's schema up to date.

    Without a database URL, an embedded PostgreSQL is started in the data directory and stopped afterwards.
    SIGTERM or Ctrl-C: accept nothing more, answer what is under way, close.
    """
    settings = Settings(**options)
    logs.set_up(settings.log_level)
    for number in STOP_SIGNALS:
        signal.signal(number, _leave)
    with sockets.bind(settings.host, settings.port) as bound:
        # A database that is yet to be made has no keys.
        may_have_keys = bool(settings.database_url) or cluster_in(settings.data_dir).exists()
        authenticated = settings.auth == "on" or (settings.auth == "auto" and may_have_keys)
        _refuse_exposure(bound, authenticated=authenticated, insecure=settings.insecure)
        with owned(settings.database_url, settings.data_dir, workers=settings.workers) as database:
            _serve(dataclasses.replace(settings, database_url=database.dsn), bound, database)


class _Exposed(click.ClickException):
    exit_code = 2


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Be told to stop while still starting: what was opened is closed on the way out."""
    sys.exit(0)


def _refuse_exposure(bound: socket.socket, *, authenticated: bool, insecure: bool) -> None:
    if authenticated or insecure or sockets.is_loopback(bound):
        return
    raise _Exposed(
        f"Others can reach {sockets.address(bound)[0]}, and nobody would be asked for an API key:"
        " give --auth on, or --insecure if something in front of the service checks who calls."
    )


def _serve(settings: Settings, bound: socket.socket, database: Database) -> None:
    migrate(settings.database_url)
    if settings.auth == "auto" and not sockets.is_loopback(bound):
        has_keys = asyncio.run(keys.any_key_exists(settings.database_url))
        _refuse_exposure(bound, authenticated=has_keys, insecure=settings.insecure)

    def ready() -> None:
        url = click.style(sockets.url(bound), bold=True)
        click.echo(f"Runfold answers on {url}, recording in {database.name}. Ctrl-C or SIGTERM stops it.")

    listeners = sockets.listen(bound, settings.workers)
    try:
        if settings.workers == 1:
            uvloop.run(serve(settings, bound, ready=ready, look=database.look))
        else:
            asyncio.run(supervise(settings, listeners, ready=ready, look=database.look))
    finally:
        # The embedded PostgreSQL is stopped next; an impatient second Ctrl-C must not leave it half-way.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
