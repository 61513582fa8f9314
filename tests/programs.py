"""Runs the real program, and watches it and its children."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from service.settings import Settings

REPOSITORY = Path(__file__).parents[1]
DEADLINE_S = 60.0
SETTINGS = {f"RUNFOLD_{field.upper()}" for field in Settings.__dataclass_fields__} | {"DATABASE_URL", "RUNFOLD_URL"}


class Ended(NamedTuple):
    """What a program left behind."""

    status: int
    output: str
    errors: str


class Program:
    """A process of `runfold`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log
        self.url = ""
        self.said = ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def wait_until_ready(self) -> None:
        line = await asyncio.wait_for(self.process.stdout.readline(), DEADLINE_S)
        self.said = line.decode()
        found = re.search(r"http://\S+?:\d+", self.said)
        assert found, self.log.read_text()
        self.url = found[0]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self) -> Ended:
        output, _ = await asyncio.wait_for(self.process.communicate(), DEADLINE_S)
        return Ended(self.process.returncode, output.decode(), self.log.read_text())

    def children(self, name: str) -> list[int]:
        """Return the pids of children whose command line has a name in it."""
        return children_of(self.process.pid, name)


def children_of(pid: int, name: str) -> list[int]:
    """Return the pids of children of a process whose command line has a name in it."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [child for task in tasks for child in map(int, task.read_text().split()) if name in command_line(child)]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def until_ended(pid: int) -> None:
    """Wait until a process that is no child of ours has ended."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, ended.set)
        try:
            await asyncio.wait_for(ended.wait(), DEADLINE_S)
        finally:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)


@asynccontextmanager
async def program(log: Path, *arguments: object, **environment: str) -> AsyncIterator[Program]:
    """Start `runfold` with some arguments, and with no settings from our environment; it does not outlive the test."""
    command = (sys.executable, "-m", "service", *arguments)
    async with _started(command, log, REPOSITORY, environment) as started:
        yield started


@asynccontextmanager
async def program_after(preparation: str, log: Path, *arguments: object) -> AsyncIterator[Program]:
    """Start `runfold` after some lines of Python, which change what has no option."""
    command = (sys.executable, "-c", f"{preparation}\nfrom service.__main__ import main\nmain()", *arguments)
    async with _started(command, log, REPOSITORY, {}) as started:
        yield started


@asynccontextmanager
async def program_of(checkout: Path, log: Path, *arguments: object) -> AsyncIterator[Program]:
    """Start `runfold` from another checkout of the code."""
    command = (sys.executable, "-m", "service", *arguments)
    async with _started(command, log, checkout, {"PYTHONPATH": str(checkout)}) as started:
        yield started


@asynccontextmanager
async def installed_program(log: Path, directory: Path, *arguments: object) -> AsyncIterator[Program]:
    """Start the installed `runfold` in a directory: unlike `python -m`, it does not put that on the search path."""
    command = (Path(sys.executable).with_name("runfold"), *arguments)
    async with _started(command, log, directory, {}) as started:
        yield started


@asynccontextmanager
async def _started(
    command: Sequence[object], log: Path, directory: Path, environment: dict[str, str]
) -> AsyncIterator[Program]:
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS and not name.startswith("OTEL_")}
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            cwd=directory,
            env=clean | environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    try:
        yield Program(process, log)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def run(log: Path, *arguments: object, **environment: str) -> Ended:
    """Run `runfold` to its end."""
    async with program(log, *arguments, **environment) as started:
        return await started.end()
