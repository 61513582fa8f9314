"""runfold demo --history: a month in a ledger of its own, recorded in the past, or reported to a service that runs."""

import asyncio
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import click
import orjson
from platformdirs import user_data_path
from yarl import URL

from service.cli import volume
from service.cli.commands.background import answers, echo_stopped, require_http, service_in, stay
from service.cli.commands.database import migrate, owned
from service.cli.commands.history import History, batches
from service.cli.commands.lives import explain
from service.cli.commands.options import DEFAULTS
from service.cli.commands.progress import progress_bar
from service.database import migrations
from service.maintenance.example_ledger import Contents, read_contents, write_examples
from service.server import sockets

_PORTS = 20
"""Ports that are tried one after the other."""

_BATCH = 5_000
"""Events that are sent at once."""

_LISTED_WITHIN_S = 120
"""How long lists may take until they have all events; requests for them wait for some seconds each."""

_TIMEOUT = aiohttp.ClientTimeout(total=30)


class HistoryDemo:
    """Writes or reports the events of a history, and says where they can be seen."""

    def __init__(self, history: History, key: str | None) -> None:
        """Take the history, and the API key of a service that requires one."""
        self._history = history
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def run(self, url: URL | None, data_dir: Path | None, *, stays: bool) -> None:
        """Report to the service at the URL if one answers there; else write into the directory, and serve it.

        None: the next free port, and a directory of the demo's own. `stays`: until a signal. Raises ClickException.
        """
        if url is not None and asyncio.run(self._report(url)):
            return
        url = url or _free_url()
        require_http(url)
        data_dir = data_dir or _own_directory()
        self._write(data_dir)
        asyncio.run(self._serve(url, data_dir, stays=stays))

    def _write(self, data_dir: Path) -> None:
        """Write the month into a new ledger; leave one that has it already as it is."""
        with owned("", data_dir) as database:
            found = Contents(0, None)
            if asyncio.run(migrations.check_schema(database.dsn, must_exist=False)) is not None:
                found = asyncio.run(read_contents(database.dsn))
            if found.examples_since is not None:
                click.echo(
                    f"{data_dir} has examples already, from {found.examples_since.astimezone():%-d %B %Y} on, which are"
                    " kept. For new ones, remove that directory and repeat this."
                )
                return
            if found.position:
                raise click.ClickException(
                    f"The ledger in {data_dir} has {found.position} events, and examples are written into an empty one"
                    " only. Give another --data-dir, or report them to a service that serves this one, with --url; they"
                    " are recorded now then."
                )
            click.echo(f"Writing {self._history.days} days of examples, recorded as they happened, into {data_dir}")
            migrate(database.dsn)
            events = asyncio.run(write_examples(database.dsn, self._history.sent()))
            click.echo(f"{events:,} events of {self._history.runs:,} runs are recorded.")

    async def _serve(self, url: URL, data_dir: Path, *, stays: bool) -> None:
        async with service_in(data_dir, url) as service, self._session() as session:
            await self._show(url, session)
            if stays:
                await stay(service)
        echo_stopped(data_dir, url)

    async def _report(self, url: URL) -> bool:
        """Report everything to the service at a URL. Returns False if none answers there."""
        async with self._session() as session:
            if not await answers(session, url):
                return False
            click.echo(
                f"A service answers on {url}: the runs of this demo are recorded there permanently. They are recorded"
                " now, so that nothing is known of them at past times; without --url, the demo serves a ledger of its"
                " own, in which they are recorded as they happened."
            )
            lines = self._history.lines()
            with progress_bar("Sending events") as show:
                for number, body in enumerate(batches(lines, _BATCH)):
                    await _post(session, url, body)
                    show(min((number + 1) * _BATCH, len(lines)), len(lines))
            click.echo(f"{len(lines):,} events of {self._history.runs:,} runs are recorded.")
            await self._show(url, session)
            return True

    async def _show(self, url: URL, session: aiohttp.ClientSession) -> None:
        jobs, datasets = await _count(session, url, "/jobs"), await _count(session, url, "/datasets")
        click.echo(f"The service knows {jobs:,} jobs and {datasets:,} datasets now.")
        click.echo(f"See them at {click.style(str(url).rstrip('/') + '/', bold=True)}")

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=_TIMEOUT, headers=self._headers)


def _free_url() -> URL:
    """Return the URL of the default port, or of the next one that is free."""
    for port in range(DEFAULTS.port, DEFAULTS.port + _PORTS):
        try:
            sockets.bind(DEFAULTS.host, port).close()
        except sockets.ListenError:
            continue
        if port != DEFAULTS.port:
            click.echo(f"Port {DEFAULTS.port} is in use; the examples are served on port {port}.")
        return URL.build(scheme="http", host=DEFAULTS.host, port=port)
    raise click.ClickException(f"The ports from {DEFAULTS.port} on are in use; give a --url.")


def _own_directory() -> Path:
    """Return the directory of the examples beside that of a service: what is recorded in that stays as it is."""
    directory = volume.directory()
    try:
        return user_data_path("runfold-demo", appauthor=False) if directory is None else directory / "demo"
    except RuntimeError:  # neither HOME nor an entry for this uid
        raise click.UsageError("This user has no home directory: choose a directory with --data-dir.") from None


async def _post(session: aiohttp.ClientSession, url: URL, body: bytes) -> None:
    path, headers = "/lineage/batch", {"Content-Type": "application/x-ndjson"}
    async with session.post(f"{url / 'api/v1'}{path}", data=body, headers=headers) as response:
        if response.status != HTTPStatus.NO_CONTENT:
            raise click.ClickException(explain("POST", path, response.status, await response.read()))


async def _count(session: aiohttp.ClientSession, url: URL, path: str) -> int:
    """Return how many jobs or datasets the service lists, as soon as its lists have all events."""
    end = asyncio.get_running_loop().time() + _LISTED_WITHIN_S
    while True:
        async with session.get(f"{url / 'api/v1'}{path}?limit=1") as response:
            body = await response.read()
            if response.ok:
                found: Any = orjson.loads(body)
                return int(found["totalCount"])
        if response.status != HTTPStatus.SERVICE_UNAVAILABLE or asyncio.get_running_loop().time() > end:
            raise click.ClickException(explain("GET", path, response.status, body))
