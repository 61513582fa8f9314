"""runfold demo."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

import aiohttp
import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from yarl import URL

from service.cli.commands.background import answers, echo_stopped, require_http, service_in, stay
from service.cli.commands.demo_history import HistoryDemo
from service.cli.commands.history import History
from service.cli.commands.lives import LIVES, STEPS, Player, Step
from service.cli.commands.options import DEFAULTS, data_dir_option, require_data_dir, require_option
from service.cli.parameter_types import Integer, Text
from service.cli.standard_streams import is_terminal
from service.http.addresses import parse_base_path

_COLOURS = {"NEW": "white", "RUNNING": "blue", "COMPLETED": "green", "FAILED": "red", "ABORTED": "yellow"}

_PACE_S = 0.25
"""Seconds between two reports on a terminal, so that they can be followed."""

_TIMEOUT = aiohttp.ClientTimeout(total=30)


def _parse_url(_context: click.Context, _parameter: click.Parameter, text: str) -> URL:
    try:
        url = URL(text)
        if url.scheme in {"http", "https"} and url.host:
            return url.origin().with_path(parse_base_path(url.raw_path), encoded=True)
    except ValueError:
        pass
    raise click.BadParameter("it must be a URL such as http://127.0.0.1:5000.")


_MAX_KEY = 1024


def _check_key(_context: click.Context, _parameter: click.Parameter, key: str | None) -> str | None:
    if key is not None and not (len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
        raise click.BadParameter("it must be the secret that `runfold keys create` has printed.")
    return key


@click.command("demo", short_help="Show a few runs from start to end, or a month of them.")
@click.option(
    "--url",
    type=Text(),
    default=f"http://{DEFAULTS.host}:{DEFAULTS.port}",
    callback=_parse_url,
    metavar="URL",
    help="URL of the service; if none answers there, one is started. With --history the variable is ignored.",
    envvar="RUNFOLD_URL",
    show_default=True,
    show_envvar=True,
)
@data_dir_option("Data directory of a service that the demo starts; with --history another one, unless it is given.")
@click.option(
    "--key",
    type=Text(),
    callback=_check_key,
    metavar="SECRET",
    help="API key, if the service requires one.",
    envvar="RUNFOLD_API_KEY",
    show_envvar=True,
)
@click.option(
    "--stay/--exit",
    "stays",
    default=None,
    help="Keep a service that the demo started until Ctrl-C, or stop it at the end.",
    show_default="stay on a terminal",
)
@click.option("--history", is_flag=True, help="Show a month of runs of a few hundred jobs instead of a few runs.")
@click.option(
    "--days", metavar="N", type=Integer(1, 365), default=30, show_default=True, help="With --history: show N days."
)
@click.option(
    "--seed",
    metavar="N",
    type=int,
    default=1,
    show_default=True,
    help="With --history: another number makes other runs.",
)
@click.pass_context
def command(
    context: click.Context,
    url: URL,
    data_dir: Path,
    key: str | None,
    *,
    stays: bool | None,
    history: bool,
    days: int,
    seed: int,
) -> None:
    """Report a few runs from start to end over HTTP, then print commands that show them.

    Everything is recorded in the namespace `demo`. If no service answers, one is started with an embedded PostgreSQL.

    With --history, write a month of runs into a ledger of its own, recorded in the past as they happened, and serve it
    at the next free port from 5000 on, or at --url. If a service answers at the --url that is given, the month is
    reported to it instead, and recorded now, in the namespaces `airflow-prod`, `dbt-warehouse`, `spark-cluster` and
    `ingest`.
    """
    if stays is None:
        stays = is_terminal(sys.stdout)

    if not history:
        for name in ("days", "seed"):
            require_option(context, name, "--history")
        asyncio.run(_Demo(url, data_dir).run(key, stays=stays))
    else:
        past = History(datetime.now().astimezone(), days, seed)
        # The variable may be there for producers: a month must not be reported to their service by mistake.
        to_url = context.get_parameter_source("url") is ParameterSource.COMMANDLINE
        into_directory = context.get_parameter_source("data_dir") is not ParameterSource.DEFAULT
        HistoryDemo(past, key).run(url if to_url else None, data_dir if into_directory else None, stays=stays)


class _Demo:
    def __init__(self, url: URL, data_dir: Path) -> None:
        self._url = url
        self._data_dir = data_dir
        self._console = Console(highlight=False, soft_wrap=True)

    async def run(self, key: str | None, *, stays: bool) -> None:
        """Send the reports to the service at the URL, or to one that is started there."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session:
            if await answers(session, self._url):
                self._print(f"A service answers on {self._url}: the runs of this demo are recorded there permanently.")
                await self._play(session)
            else:
                await self._play_on_new_service(session, stays=stays)

    async def _play_on_new_service(self, session: aiohttp.ClientSession, *, stays: bool) -> None:
        require_http(self._url)
        require_data_dir(self._data_dir)
        self._print(f"No service answers on {self._url}: starting one with an embedded PostgreSQL.")
        async with service_in(self._data_dir, self._url) as service:
            await self._play(session)
            if stays:
                await stay(service)
        echo_stopped(self._data_dir, self._url)

    async def _play(self, session: aiohttp.ClientSession) -> None:
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

    def _show(self, step: Step) -> None:
        report, colour = step.report, _COLOURS[step.state]
        remark = f"  [dim]{report.remark}[/]" if report.remark else ""
        at = f"{step.at:%Y-%m-%dT%H:%MZ}"
        self._print(f"  {report.command:<8} at {at}   {report.status}  [{colour}]{step.state:<9}[/]{remark}")

    def _print(self, text: str) -> None:
        self._console.print(text)
