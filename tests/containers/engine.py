"""The Docker engine, by its command line, and containers of the image."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from documents import blocks

REPOSITORY = Path(__file__).parents[2]
PLATFORM = os.environ.get("PLATFORM", "")
"""The platform of the image, such as linux/arm64; empty: the engine's."""
EMULATED = "EMULATED" in os.environ
"""Whether the processor is emulated: everything takes ten times as long, and more memory."""
DEADLINE_S = 600.0 if EMULATED else 120.0
POSTGRES_IMAGE = os.environ.get("POSTGRES_IMAGE", "docker.io/library/postgres:18")
PASSWORD = "abc-DEF_123"
BUILD_ARGUMENTS = ("PYTHON_IMAGE", "CA_CERTIFICATES", "PIP_INDEX_URL")


class Ended(Exception):
    """A command ended with another status than expected; has its output."""


def docker(*arguments: str, status: int | None = 0, text: str = "", timeout: float = DEADLINE_S, **env: str) -> str:
    """Run docker; return its output and errors. `status` None: any. Raises Ended, and TimeoutExpired."""
    ended = subprocess.run(
        ["docker", *arguments],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        cwd=REPOSITORY,
        env={**os.environ, **env},
        check=False,
    )
    if status is not None and ended.returncode != status:
        raise Ended(f"docker {' '.join(arguments)}: {ended.returncode}\n{ended.stdout[-4000:]}")
    return ended.stdout


def wait_for(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Check a condition until it holds: an engine sends no signal for most of them."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {deadline_s} s: {what}")
        time.sleep(0.2)


def build(tag: str, **arguments: str) -> None:
    """Build the image of this checkout by the documented command; the arguments of run.sh are passed on."""
    (line,) = blocks("docs/containers.md", "The image")
    command = [tag if word == "runfold" else word for word in shlex.split(line)[1:]]
    passed = {name: os.environ[name] for name in BUILD_ARGUMENTS if name in os.environ} | arguments
    options = [option for name, value in passed.items() for option in ("--build-arg", f"{name}={value}")]
    if PLATFORM:
        options.append(f"--platform={PLATFORM}")
    docker(*command, "--progress=plain", *options, timeout=2400 if EMULATED else 600, DOCKER_BUILDKIT="1")


class Container:
    """A container that runs in the background."""

    def __init__(self, name: str) -> None:
        self.name = name

    def inspect(self, path: str) -> object:
        """Return a part of the description, such as `State.Health.Status`."""
        described = json.loads(docker("inspect", self.name))[0]
        for key in path.split("."):
            described = described[key]
        return described

    @property
    def running(self) -> bool:
        return bool(self.inspect("State.Running"))

    @property
    def health(self) -> object:
        return self.inspect("State.Health.Status")

    def logs(self) -> str:
        return docker("logs", self.name)

    def exec(self, *arguments: str, status: int | None = 0, text: str = "") -> str:
        return docker("exec", "--interactive", self.name, *arguments, status=status, text=text, timeout=2 * DEADLINE_S)

    def url(self, port: int = 5000) -> str:
        """Return the address of a published port."""
        return "http://" + docker("port", self.name, str(port)).split()[0]

    def wait_until_ready(self) -> None:
        """Wait until /readyz, asked from inside, is 200. Raises Ended if it has ended, or is late.

        One process in the container asks: to start one for each question costs more than the service's start.
        """
        asking = "until runfold-healthcheck >/dev/null 2>&1; do sleep 0.1; done; echo ready"
        said = self.exec("timeout", f"{DEADLINE_S:.0f}", "bash", "-c", asking, status=None)
        if said != "ready\n":
            raise Ended(f"{self.name} is not ready: {said}\n{self.logs()}")


@contextmanager
def container(image: str, *command: str, options: tuple[str, ...] = ()) -> Iterator[Container]:
    """Run a container in the background, and remove it with its anonymous volumes."""
    name = f"runfold-test-{uuid4().hex[:12]}"
    docker("run", "--detach", "--name", name, *options, image, *command)
    try:
        yield Container(name)
    finally:
        docker("rm", "--force", "--volumes", name)


@contextmanager
def volume() -> Iterator[str]:
    name = f"runfold-test-{uuid4().hex[:12]}"
    docker("volume", "create", name)
    try:
        yield name
    finally:
        docker("volume", "rm", name)


def create_key(running: Container) -> str:
    """Create an API key in a container of the image; return its secret."""
    return re.search(r"rf_[\w-]{40,}", running.exec("runfold", "keys", "create", "me", "--scope", "write"))[0]  # type: ignore[index]


def http_status(url: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> int:
    """Return the status of the answer to a request."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  one of ours
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
