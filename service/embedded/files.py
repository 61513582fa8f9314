"""What lies in the data directory of the embedded PostgreSQL, and what can be told from it.

    postgres/         the cluster (PGDATA), with the Unix socket and a week of logs (postgres/log) in it
    postgres.new-*    a cluster being made; renamed when complete, removed when found
    postgres-start.log  what initdb and the server said before its own log was open
    owner.lock        flock held by the process that owns the server; names its pid
    server.lock       flock inherited by the server and all its children
    socket-link       where the short way to the socket lies, if the directory is too deep

Both locks are the kernel's, so they cannot outlive what they stand for: as long as server.lock is held,
something of the server lives, though its owner and even its postmaster be gone; when it is free, nothing of
ours runs.
"""

import fcntl
import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from service.errors import OperatorError

PORT = 5432
SOCKET = f".s.PGSQL.{PORT}"
SUN_PATH_BYTES = 107 if sys.platform == "linux" else 103
STATUS_LINE = 7
TAIL_LINES = 15


class EmbeddedError(OperatorError):
    """The embedded PostgreSQL cannot be had; a sentence for the operator: what happened, what to do."""


def cluster_in(data_dir: Path) -> Path:
    """Return where PGDATA lies."""
    return data_dir / "postgres"


def start_log_in(data_dir: Path) -> Path:
    """Return the file for what is said before the server's own log is open."""
    return data_dir / "postgres-start.log"


_NAMING_S = 1.0


def lock(path: Path) -> int | None:
    """Take the lock; return the descriptor that holds it, or None when another has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


def _owner_named_in(path: Path) -> str:
    """Return the owner's pid. One that has only just taken the lock is given a moment to write it."""
    until = time.monotonic() + _NAMING_S
    while not (owner := path.read_text().strip()) and time.monotonic() < until:
        time.sleep(0.01)
    return owner


def lock_as_owner(data_dir: Path) -> int:
    """Become the owner; return the descriptor that makes us so. EmbeddedError when there is one already."""
    path = data_dir / "owner.lock"
    descriptor = lock(path)
    if descriptor is None:
        owner = _owner_named_in(path)
        raise EmbeddedError(
            f"The PostgreSQL in {data_dir} is owned by {f'process {owner}' if owner else 'another process'};"
            " stop that one, or take another --data-dir."
        )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def dsn(socket_dir: Path) -> str:
    """Return the address for asyncpg; the port is named lest PGPORT change it."""
    return f"postgresql://runfold@/runfold?host={quote(str(socket_dir))}&port={PORT}"


def make_socket_dir(data_dir: Path) -> tuple[Path, int | None]:
    """Return a directory through which clients reach the socket, short enough for sun_path.

    That is the cluster itself where its path fits. Where it does not (or has a comma, which asyncpg takes
    for two hosts), it is a symbolic link in a private directory, noted in `socket-link`; the descriptor
    returned with it holds a lock that tells systemd-tmpfiles to let it be, and must stay open as long as
    the link is used.
    """
    remove_socket_link(data_dir)
    cluster = cluster_in(data_dir)
    if _usable(cluster):
        return cluster, None
    private = Path(tempfile.mkdtemp(prefix="runfold-", dir=_short_base()))
    link = private / "pg"
    link.symlink_to(cluster)
    (data_dir / "socket-link").write_bytes(os.fsencode(link))
    descriptor = os.open(private, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return link, descriptor


def find_socket_dir(data_dir: Path) -> Path | None:
    """Return the directory that the owner made for the socket, or None when none leads there."""
    cluster = cluster_in(data_dir)
    if _usable(cluster):
        return cluster
    return _noted_link(data_dir)


def remove_socket_link(data_dir: Path) -> None:
    """Remove the short way to the socket, be it ours or left behind by an owner that was killed."""
    link = _noted_link(data_dir)
    if link is not None:
        link.unlink()
        link.parent.rmdir()
    (data_dir / "socket-link").unlink(missing_ok=True)


def _noted_link(data_dir: Path) -> Path | None:
    try:
        link = Path(os.fsdecode((data_dir / "socket-link").read_bytes()))
        leads_here = link.readlink() == cluster_in(data_dir)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return link if leads_here else None


def _usable(directory: Path) -> bool:
    return len(os.fsencode(directory / SOCKET)) <= SUN_PATH_BYTES and "," not in str(directory)


def _short_base() -> Path:
    private = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", tempfile.gettempdir())
    # Nothing of a known name is made in /tmp: mkdtemp makes a private directory there.
    for base in (private, tempfile.gettempdir(), "/tmp"):  # noqa: S108 - see above
        if _usable(Path(base, "runfold-12345678", "pg")) and os.access(base, os.W_OK | os.X_OK):
            return Path(base)
    raise EmbeddedError(
        "The data directory is too deep for a Unix socket, and there is no /tmp for a shorter way;"
        " take a --data-dir with a shorter path."
    )


def accepts(socket_dir: Path) -> bool:
    """Say whether somebody listens on the socket: what really runs, whatever the pid file says."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(socket_dir / SOCKET))
        except OSError:
            return False
    return True


def server_pid(cluster: Path) -> int | None:
    """Return the postmaster's pid as its pid file has it; the process may be long gone."""
    return _pid_in(cluster / "postmaster.pid")


def is_ready(cluster: Path) -> bool:
    """Say whether the pid file calls the server ready, the way pg_ctl waits for it."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"


def remove_stale_pid_files(cluster: Path) -> None:
    """Remove pid files that PostgreSQL would stumble over; to be called with server.lock held.

    It copes with a pid that is not there. It gives up on an empty file (a full disk, a power cut) and on a
    pid that now is some other program's, which is the rule rather than the exception when a container
    starts again. A server started by hand on this cluster holds no lock of ours, so its files stay, and
    PostgreSQL refuses.
    """
    for name in ("postmaster.pid", f"{SOCKET}.lock"):
        pid = _pid_in(cluster / name)
        if pid is None or _is_another_program(pid, cluster):
            (cluster / name).unlink(missing_ok=True)


def _pid_in(path: Path) -> int | None:
    try:
        # A standalone backend writes its pid with a minus.
        return abs(int(path.read_text().split("\n", 1)[0]))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _is_another_program(pid: int, cluster: Path) -> bool:
    process = Path("/proc", str(pid))
    try:
        name = (process / "comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return False  # it is gone, or there is no /proc here: PostgreSQL itself shall judge
    if name not in {"postgres", "postmaster"}:
        return True
    try:
        return not (process / "cwd").samefile(cluster)
    except PermissionError:
        return False  # not ours to look at: likewise
    except (FileNotFoundError, ProcessLookupError):
        return True  # a zombie that nobody reaped, as in a container without an init, works nowhere any more


def remove_unfinished(data_dir: Path) -> None:
    """Remove clusters whose making was interrupted."""
    for left_behind in data_dir.glob("postgres.new-*"):
        shutil.rmtree(left_behind)


def put_in_place(unfinished: Path, cluster: Path) -> None:
    """Rename a complete cluster into place, durably."""
    unfinished.rename(cluster)
    parent = os.open(cluster.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def log_size(data_dir: Path) -> int:
    """Return how many bytes the logs hold; a change is a sign of life."""
    return sum(path.stat().st_size for path in _logs(data_dir))


def log_tail(data_dir: Path, since: float) -> str:
    """Return the last lines of the logs written after `since` (seconds since the epoch)."""
    lines: list[str] = []
    for path in _logs(data_dir):
        if path.stat().st_mtime >= since:
            lines += path.read_text(errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])


def _logs(data_dir: Path) -> list[Path]:
    return [
        path for path in (start_log_in(data_dir), *sorted((cluster_in(data_dir) / "log").glob("*"))) if path.exists()
    ]
