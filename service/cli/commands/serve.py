"""runfold serve."""

import asyncio
import dataclasses
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click
import uvloop

from service import logs, tracing
from service.auth import keys
from service.cli.commands.database import Database, migrate, owned, wait_for_database
from service.cli.commands.options import (
    database_options,
    facet_settings,
    require_data_dir,
    setting,
    silent_after_setting,
)
from service.cli.option_groups import GroupedCommand
from service.cli.parameter_types import Integer, Number, OptionalText, Text
from service.embedded.files import has_cluster
from service.errors import OperatorError, RunfoldError
from service.http.addresses import parse_base_path, parse_networks
from service.server import sockets
from service.server.serve import serve
from service.server.stop_signals import STOP_SIGNALS
from service.server.workers import supervise
from service.settings import INLINE, PROCESS, Settings

_POSITIVE = Integer(min=1)

_GROUPS = {
    "Network": ("host", "port", "base_path", "trusted_proxies", "drain"),
    "Access": ("auth", "insecure", "allowed_hosts", "requests_per_key"),
    "Database": ("database_url", "data_dir", "database_wait", "database_timeout", "statement_cache_size"),
    "Processes": ("workers", "projector"),
    "Logging": ("log_level", "log_format", "access_log"),
    "Silent runs": ("silent_after",),
    "Limits": (
        "queue_capacity",
        "queue_bytes",
        "pending_body_bytes",
        "max_event_bytes",
        "max_body_bytes",
        "max_batch",
        "max_facets",
        "max_facets_bytes",
        "max_clock_lead",
    ),
}
"""The options, in the order in which an operator looks for them."""

_log = logging.getLogger(__name__)


def _check_base_path(_context: click.Context, _parameter: click.Parameter, path: str) -> str:
    try:
        return parse_base_path(path)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


def _check_networks(_context: click.Context, _parameter: click.Parameter, networks: str) -> str:
    try:
        parse_networks(networks)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error
    return networks


@click.command("serve", cls=GroupedCommand, groups=_GROUPS, short_help="Serve the HTTP API.")
@setting("--host", "Address to listen on.", type=Text())
@setting("--port", "Port to listen on; 0 picks a free one.", type=Integer(0, 65535))
@setting("--workers", "Number of processes that serve the port.", type=Integer(1, 1000))
@database_options
@setting(
    "--database-wait",
    "Seconds that the start waits for a database that cannot be reached or is starting.",
    type=Number(0, 31_536_000),
)
@setting(
    "--auth",
    "Whether requests need an API key; auto: as soon as a key exists.",
    type=click.Choice(["auto", "on", "off"]),
)
@setting("--insecure", "Allow listening on a public address without authentication.", is_flag=True)
@setting(
    "--allowed-hosts",
    "Names by which the service may be addressed while requests need no API key, besides loopback and --host:"
    " name or name:port, separated by commas; pages of these origins may write, too. *: any name.",
    type=OptionalText(),
    show_default="none",
)
@setting(
    "--base-path",
    "Path below which clients find the service, such as /runfold. Requests are answered there and at the root.",
    type=OptionalText(),
    show_default="none",
    callback=_check_base_path,
)
@setting(
    "--trusted-proxies",
    "Addresses and CIDR blocks of proxies, separated by commas, whose X-Forwarded-… headers are used.",
    type=OptionalText(),
    show_default="none",
    callback=_check_networks,
)
@setting("--access-log/--no-access-log", "Log each request on one line.")
@setting(
    "--projector",
    "Run the projector, which builds the catalog from the ledger, in its own process, or inline in the serving process"
    " (less memory, slower under load).",
    type=click.Choice([PROCESS, INLINE]),
)
@setting("--log-level", "Minimum severity of logged messages.", type=click.Choice(logs.LEVELS))
@setting(
    "--log-format",
    "Log records as lines of text or as JSON objects; auto: text on a terminal, JSON elsewhere.",
    type=click.Choice(logs.FORMATS),
)
@setting(
    "--queue-capacity",
    "Number of requests that may wait to be recorded; further ones are answered with 503.",
    type=_POSITIVE,
)
@setting(
    "--queue-bytes",
    "Memory that waiting requests may take, in bytes; further ones are answered with 503.",
    type=_POSITIVE,
)
@setting(
    "--requests-per-key",
    "Number of requests a second that each API key may send to a worker on average, 10 times as many at once; further"
    " ones are answered with 429, and batches with more events are slowed down. 0: no limit.",
    type=Integer(0, 1_000_000),
)
@setting("--max-batch", "Maximum number of events recorded in one transaction.", type=_POSITIVE)
@setting("--max-event-bytes", "Maximum size of an OpenLineage event, in bytes.", type=_POSITIVE)
@facet_settings
@setting("--max-body-bytes", "Maximum size of any other request body, in bytes.", type=_POSITIVE)
@setting(
    "--pending-body-bytes",
    "Maximum size of all request heads and bodies that are being received, in bytes; beyond it, requests are answered"
    " with 503.",
    type=_POSITIVE,
)
@setting(
    "--statement-cache-size",
    "Number of prepared statements per database connection. 0: behind a pooler that is not recognised as one.",
    type=Integer(min=0),
)
@setting(
    "--database-timeout",
    "Seconds until a request that waits for the database is answered with 503.",
    type=Number(0.1, 86_400),
)
@setting(
    "--max-clock-lead",
    "Seconds that the database's clock may be ahead of the service's; beyond that nothing is recorded.",
    type=Number(min=1.0, max=315_360_000.0),
)
@setting(
    "--drain",
    "Seconds after SIGTERM or Ctrl-C during which requests are still answered, and /readyz answers 503, so that proxies"
    " send no more of them.",
    type=Number(min=0, max=300),
)
@silent_after_setting
def command(**options: Any) -> None:  # noqa: ANN401  the fields of Settings
    """Bring the database's schema up to date, then serve the HTTP API.

    Without a database URL, an embedded PostgreSQL is started in the data directory and stopped afterwards. On SIGTERM
    or Ctrl-C the service waits for --drain, accepts no more requests, answers those in progress, and exits.
    """
    settings = Settings(**options)
    if settings.requests_per_key and settings.auth == "off":
        raise click.UsageError("--requests-per-key limits API keys, and with --auth off no request has one.")
    logs.set_up(settings.log_level, settings.log_format)
    for number in STOP_SIGNALS:
        signal.signal(number, _exit)
    with _logged_failure(settings.log_format):
        _start(settings)
    _log.info("stopped")


@contextmanager
def _logged_failure(log_format: str) -> Iterator[None]:
    """Log why the service ends as the last record, where records are JSON; else it is printed as a sentence."""
    try:
        yield
    except (click.ClickException, OperatorError, RunfoldError) as error:
        if not logs.is_json(log_format):
            raise
        _log.critical("%s", error.format_message() if isinstance(error, click.ClickException) else error)
        sys.exit(error.exit_code if isinstance(error, click.ClickException) else 1)


def _start(settings: Settings) -> None:
    tracing.require_packages()
    with sockets.bind(settings.host, settings.port) as bound:
        # A database that is not created yet has no keys.
        may_have_keys = bool(settings.database_url) or has_cluster(require_data_dir(settings.data_dir))
        authenticated = settings.auth == "on" or (settings.auth == "auto" and may_have_keys)
        _refuse_exposure(bound, authenticated=authenticated, insecure=settings.insecure)
        with owned(settings.database_url, settings.data_dir, workers=settings.workers) as database:
            _serve(dataclasses.replace(settings, database_url=database.dsn), bound, database)


class _Exposed(click.ClickException):
    exit_code = 2


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    """Handle a stop signal during the start: SystemExit closes what was opened."""
    sys.exit(0)


def _refuse_exposure(bound: socket.socket, *, authenticated: bool, insecure: bool) -> None:
    if authenticated or insecure or sockets.is_loopback(bound):
        return
    raise _Exposed(
        f"{sockets.address(bound)[0]} can be reached from other machines, and requests would need no API key:"
        " give --auth on, or --insecure if a proxy in front of the service authenticates requests."
    )


def _serve(settings: Settings, bound: socket.socket, database: Database) -> None:
    with logs.errors_only("service.database"):  # a database that cannot be used is reported once, by the exit message
        asyncio.run(wait_for_database(settings.database_url, settings.database_wait))
        migrate(settings.database_url)
        if settings.auth == "auto" and not sockets.is_loopback(bound):
            has_keys = asyncio.run(keys.any_key_exists(settings.database_url))
            _refuse_exposure(bound, authenticated=has_keys, insecure=settings.insecure)

    def ready() -> None:
        url = sockets.url(bound) + settings.base_path
        if logs.is_json(settings.log_format):
            _log.info("Runfold answers on %s, recording in %s", url, database.name)
            return
        shown = click.style(url, bold=True)
        click.echo(f"Runfold answers on {shown}, recording in {database.name}. Ctrl-C or SIGTERM stops it.")

    listeners = sockets.listen(bound, settings.workers)
    try:
        if settings.workers == 1:
            uvloop.run(serve(settings, bound, ready=ready, check=database.check))
        else:
            asyncio.run(supervise(settings, listeners, ready=ready, check=database.check))
    finally:
        # The embedded PostgreSQL is stopped next; a second Ctrl-C must not interrupt that.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
