"""A service in the background, for a command that finds none running."""

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import click
from yarl import URL

from service.os_process import python_command, terminate_with_parent


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
