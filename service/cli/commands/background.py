"""A service that a command finds at a URL, or starts there in the background."""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from shlex import quote

import aiohttp
import click
from yarl import URL

from service.os_process import python_command, terminate_with_parent
from service.server.stop_signals import stop_requested


async def answers(session: aiohttp.ClientSession, url: URL) -> bool:
    """Return whether a service answers at a URL. Raises ClickException if something else does."""
    try:
        async with session.get(url / "livez") as response:
            if not response.ok:
                raise click.ClickException(f"The server at {url} is not Runfold; give another --url.")
            return True
    except aiohttp.ClientConnectorError:
        return False
    except (aiohttp.ClientError, TimeoutError) as error:
        raise click.ClickException(f"{url} does not answer: {str(error) or 'timed out'}.") from error


def require_http(url: URL) -> None:
    """Raise ClickException if no service can be started at a URL."""
    if url.scheme == "https":
        raise click.ClickException(f"No service answers on {url}, and the demo starts none with https.")


@asynccontextmanager
async def service_in(data_dir: Path, url: URL) -> AsyncIterator[Process]:
    """Start `runfold serve` at a URL with an embedded database, yield it when it is ready, stop it afterwards.

    It does not outlive this process. Raises ClickException when it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *python_command("service", "serve"),
        *("--host", url.host or "", "--port", str(url.port), "--base-path", url.raw_path),
        *("--data-dir", data_dir, "--log-level", "error"),
        env={name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")},
        stdout=PIPE,
        start_new_session=True,  # Ctrl-C reaches this process alone, which then stops the service
        preexec_fn=partial(terminate_with_parent, os.getpid()),
    )
    try:
        if not await process.stdout.readline():  # type: ignore[union-attr]
            raise click.ClickException("The service could not be started.")
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def stay(service: Process) -> None:
    """Return on SIGTERM or SIGINT, or when the service has ended."""
    stop = stop_requested()
    click.echo("\nThe service is still running; Ctrl-C stops it.")
    tasks = [asyncio.create_task(waiting) for waiting in (stop.wait(), service.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def echo_stopped(data_dir: Path, url: URL) -> None:
    """Say that the service is stopped, and how to start it again."""
    click.echo("\nThe service is stopped; its data are kept. This command starts it again:")
    path = url.raw_path.removesuffix("/")
    options = ["--port", str(url.port), *(["--base-path", path] if path else [])]
    click.echo(f"runfold serve {' '.join(options)} --data-dir {quote(str(data_dir))}")
