"""A copy of this checkout, in which the lines of the documentation are run as they are written."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from engine import BUILD_ARGUMENTS, REPOSITORY, Ended


def copy_checkout(directory: Path) -> None:
    """Copy the files of this checkout, those that are not committed included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    for path in filter(None, listed.stdout.decode().split("\0")):
        if (REPOSITORY / path).is_file():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / path, directory / path)


class Project:
    """A compose project in a directory of its own; its names and its port are no other project's.

    run.sh has removed what an earlier run has left of it, also its image: `up` builds one only where there is none.
    """

    def __init__(self, directory: Path, name: str, port: int, file: str = "docker-compose.yml") -> None:
        copy_checkout(directory)
        self.directory, self.working_directory = directory, (directory / file).parent
        self.image, self.url = name, f"http://127.0.0.1:{port}"
        kept = {
            key: text for key, text in os.environ.items() if key in BUILD_ARGUMENTS or not key.startswith("RUNFOLD_")
        }
        own = {
            "COMPOSE_PROJECT_NAME": name,
            "RUNFOLD_IMAGE": name,
            "RUNFOLD_PORT": str(port),
            "COMPOSE_FILE": Path(file).name,
        }
        self.environment = kept | own

    def run(self, line: str, *, status: int | None = 0, terminal: bool = False, text: str = "") -> str:
        """Run a line of shell; return what it prints. With `terminal`, as if it was typed."""
        line = line.replace("docker tag runfold runfold:before", f"docker tag {self.image} {self.image}:before")
        line = line.replace("docker tag runfold:before runfold", f"docker tag {self.image}:before {self.image}")
        command = (
            ["script", "--quiet", "--return", "--command", line, "/dev/null"] if terminal else ["bash", "-c", line]
        )
        ended = subprocess.run(
            command,
            cwd=self.working_directory,
            env=self.environment,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        if status is not None and ended.returncode != status:
            raise Ended(f"{line}: {ended.returncode}\n{ended.stdout[-4000:]}")
        return ended.stdout

    def container(self, service: str) -> str:
        return self.run(f"docker compose ps --all --quiet {service}").strip()
