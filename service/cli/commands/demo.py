"""runfold demo."""

import asyncio
import sys
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from shlex import quote

import aiohttp
import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from yarl import URL

from service.cli.commands.background import service_in
from service.cli.commands.history import History, batches
from service.cli.commands.lives import LIVES, STEPS, Player, Step, explain
from service.cli.commands.options import DEFAULTS, data_dir_option, require_data_dir
from service.http.addresses import parse_base_path
from service.server.stop_signals import stop_requested

_COLOURS = {"NEW": "white", "RUNNING": "blue", "COMPLETED": "green", "FAILED": "red", "ABORTED": "yellow"}

_PACE_S = 0.25
"""Seconds between two reports on a terminal, so that they can be followed."""

_BATCH = 5_000
"""Events that are sent at once."""

_LISTED_WITHIN_S = 120
"""How long lists may take until they have all events; requests for them wait for some seconds each."""

_TIMEOUT = aiohttp.ClientTimeout(total=30)


def _parse_url(_context: click.Context, _parameter: click.Parameter, text: str) -> URL:
    try:
        url = URL(text)
        if url.scheme in {"http", "https"} and url.host:
            return url.origin().with_path(parse_base_path(url.raw_path), encoded=True)
    except ValueError:
        pass
    raise click.BadParameter("it must be a URL such as http://127.0.0.1:5000.")


@click.command("demo", short_help="Show a few runs from start to end.")
@click.option(
    "--url",
    default=f"http://{DEFAULTS.host}:{DEFAULTS.port}",
    callback=_parse_url,
    help="URL of the service; if none answers there, one is started.",
    envvar="RUNFOLD_URL",
    show_default=True,
    show_envvar=True,
)
@data_dir_option("Data directory of a service that the demo starts.")
@click.option("--key", help="API key, if the service requires one.", envvar="RUNFOLD_API_KEY", show_envvar=True)
@click.option(
    "--stay/--exit",
    default=None,
    help="Keep a service that the demo started until Ctrl-C, or stop it at the end.",
    show_default="stay on a terminal",
)
@click.option(
    "--history",
    is_flag=True,
    help="Record a month of runs of a few hundred jobs, for the web interface, instead of a few runs.",
)
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="The days of --history.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed makes another --history.")
def command(
    url: URL, data_dir: Path, key: str | None, *, stay: bool | None, history: bool, days: int, seed: int
) -> None:
    """Report a few runs from start to end over HTTP, then print commands that show them.

    Everything is recorded in the namespace `demo`, and with --history in `airflow-prod`, `dbt-warehouse`,
    `spark-cluster` and `ingest`. If no service answers, one is started with an embedded PostgreSQL.
    """
    if stay is None:
        stay = sys.stdout.isatty()
    past = History(datetime.now(UTC), days, seed) if history else None
    asyncio.run(_Demo(url, data_dir, past).run(key, stay=stay))


class _Demo:
    def __init__(self, url: URL, data_dir: Path, history: History | None) -> None:
        self._history = history
        self._url = url
        self._data_dir = data_dir
        self._console = Console(highlight=False, soft_wrap=True)

    async def run(self, key: str | None, *, stay: bool) -> None:
        """Send the reports to the service at the URL, or to one that is started there."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session:
            if await self._answers(session):
                self._print(f"A service answers on {self._url}: the runs of this demo are recorded there permanently.")
                await self._play(session)
            else:
                await self._play_on_new_service(session, stay=stay)

    async def _answers(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(self._url / "livez") as response:
                if not response.ok:
                    raise click.ClickException(f"The server at {self._url} is not Runfold; give another --url.")
                return True
        except aiohttp.ClientConnectorError:
            return False
        except (aiohttp.ClientError, TimeoutError) as error:
            raise click.ClickException(f"{self._url} does not answer: {error or 'timed out'}.") from error

    async def _play_on_new_service(self, session: aiohttp.ClientSession, *, stay: bool) -> None:
        if self._url.scheme == "https":
            raise click.ClickException(f"No service answers on {self._url}, and the demo starts none with https.")
        require_data_dir(self._data_dir)
        self._print(f"No service answers on {self._url}: starting one with an embedded PostgreSQL.")
        async with service_in(self._data_dir, self._url) as service:
            await self._play(session)
            if stay:
                stop = stop_requested()
                self._print("\nThe service is still running; Ctrl-C stops it.")
                tasks = [asyncio.create_task(waiting) for waiting in (stop.wait(), service.wait())]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        self._print("\nThe service is stopped; its data are kept. This command starts it again:")
        path = self._url.raw_path.removesuffix("/")
        options = ["--port", str(self._url.port), *(["--base-path", path] if path else [])]
        self._print(f"runfold serve {' '.join(options)} --data-dir {quote(str(self._data_dir))}")

    async def _play(self, session: aiohttp.ClientSession) -> None:
        if self._history is not None:
            await self._record(self._history, session)
            return
        player = Player(session, str(self._url / "api/v1"), with_key="Authorization" in session.headers)
        on_terminal = self._console.is_terminal
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        with Progress(*columns, console=self._console, transient=True, disable=not on_terminal) as progress:
            task = progress.add_task("Sending reports", total=STEPS)
            await player.define()
            for life in LIVES:
                run = await player.create(life)
                self._print(f"\n[bold]{life.title}[/] [dim]{run}[/]")
                for report in life.reports:
                    self._show(await player.report(life, report))
                    progress.advance(task)
                    await asyncio.sleep(_PACE_S if on_terminal else 0)
        self._print("\n[bold]Commands that show the runs:[/]")
        for description, shell_command in player.commands():
            self._print(f"\n[dim]# {description}[/]")
            self._console.print(shell_command, markup=False)

    async def _record(self, history: History, session: aiohttp.ClientSession) -> None:
        """Send the events of a history in order, and wait until lists show them."""
        lines = history.lines()
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        with Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        ) as progress:
            task = progress.add_task("Sending events", total=len(lines))
            for body in batches(lines, _BATCH):
                path = "/lineage/batch"
                url, headers = f"{self._url / 'api/v1'}{path}", {"Content-Type": "application/x-ndjson"}
                async with session.post(url, data=body, headers=headers) as response:
                    if response.status != HTTPStatus.NO_CONTENT:
                        raise click.ClickException(explain("POST", path, response.status, await response.read()))
                progress.advance(task, body.count(b"\n"))
            jobs, datasets = await self._count(session, "/jobs"), await self._count(session, "/datasets")
        self._print(
            f"{len(lines):,} events of {history.runs:,} runs are recorded; "
            f"the service knows {jobs:,} jobs and {datasets:,} datasets now."
        )
        self._print(f"See them at [bold]{str(self._url).rstrip('/')}/[/]")

    async def _count(self, session: aiohttp.ClientSession, path: str) -> int:
        """Return how many jobs or datasets the service lists, as soon as its lists have all events."""
        end = asyncio.get_running_loop().time() + _LISTED_WITHIN_S
        while True:
            async with session.get(f"{self._url / 'api/v1'}{path}?limit=1") as response:
                body = await response.read()
                if response.ok:
                    return int(orjson.loads(body)["totalCount"])
            if response.status != HTTPStatus.SERVICE_UNAVAILABLE or asyncio.get_running_loop().time() > end:
                raise click.ClickException(explain("GET", path, response.status, body))

    def _show(self, step: Step) -> None:
        report, colour = step.report, _COLOURS[step.state]
        remark = f"  [dim]{report.remark}[/]" if report.remark else ""
        at = f"{step.at:%Y-%m-%dT%H:%MZ}"
        self._print(f"  {report.command:<8} at {at}   {report.status}  [{colour}]{step.state:<9}[/]{remark}")

    def _print(self, text: str) -> None:
        self._console.print(text)
