"""The real program in a process of its own."""

import os
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from programs import REPOSITORY
from waiting import DEADLINE_S


class Service(NamedTuple):
    """The real program in a process of its own."""

    url: str
    dsn: str
    process: subprocess.Popen


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def serve(dsn: str, log: Path) -> Service:
    """Start `runfold serve` on a free port, and wait until it has printed its address."""
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--database-url", dsn]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=output)
    descriptor = os.pidfd_open(process.pid)
    end = time.monotonic() + DEADLINE_S
    while not (found := re.search(rb"http://[\w.]+:\d+", log.read_bytes())):
        assert not select.select([descriptor], [], [], 0.02)[0], log.read_text()
        assert time.monotonic() < end, log.read_text()
    return Service(found[0].decode(), dsn, process)
