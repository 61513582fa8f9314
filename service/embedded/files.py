"""The data directory of the embedded PostgreSQL.

    postgres/           the cluster (PGDATA), with the Unix socket and a week of logs (postgres/log)
    postgres.new-*      a cluster that is being created; renamed when complete, removed when found at a start
    postgres-start.log  output of initdb and of the server until its own log is open
    owner.lock          flock held by the process that owns the server; contains its pid
    server.lock         flock inherited by the server and all its children
    socket-link         the short path to the socket, if the directory's own path is too long

The kernel releases both locks when their holders end: as long as server.lock is held, some process of the server is
alive, even without its owner and its postmaster; when it is free, no process of the server is running.
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
    """The embedded PostgreSQL cannot be used; the message says what happened and what to do."""


def cluster_in(data_dir: Path) -> Path:
    """Return the path of PGDATA."""
    return data_dir / "postgres"


def has_cluster(data_dir: Path) -> bool:
    """Return whether there are data of a PostgreSQL. Raises EmbeddedError if this user may not look."""
    try:
        cluster_in(data_dir).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError as error:
        raise no_access(data_dir, error) from error
    return True


def no_access(data_dir: Path, error: PermissionError) -> EmbeddedError:
    """Return the error for a data directory that this user may not search; name its owner where that is known."""
    try:
        owner: int | None = data_dir.stat().st_uid
    except OSError:
        owner = None  # a directory above it cannot be searched
    if owner is None or owner == os.geteuid():
        return EmbeddedError(
            f"This user may not look into {data_dir} ({error.strerror}: {error.filename});"
            " choose another directory with --data-dir, or a database with --database-url."
        )
    return EmbeddedError(
        f"The PostgreSQL in {data_dir} belongs to another user, with the uid {owner}; run this as the user that runs"
        " Runfold."
    )


def start_log_in(data_dir: Path) -> Path:
    """Return the path of the log that is written until the server's own log is open."""
    return data_dir / "postgres-start.log"


_OWNER_PID_S = 1.0


def lock(path: Path) -> int | None:
    """Take the lock; return the descriptor that holds it, or None when another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


def _read_owner(path: Path) -> str:
    """Return the owner's pid; wait for an owner that has just taken the lock and not written it yet."""
    deadline = time.monotonic() + _OWNER_PID_S
    while not (owner := path.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return owner


def lock_as_owner(data_dir: Path) -> int:
    """Take owner.lock; return the descriptor that holds it. Raises EmbeddedError if another process owns the data."""
    path = data_dir / "owner.lock"
    descriptor = lock(path)
    if descriptor is None:
        owner = _read_owner(path)
        raise EmbeddedError(
            f"The PostgreSQL in {data_dir} is owned by {f'process {owner}' if owner else 'another process'};"
            " stop that process, or use another --data-dir."
        )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def dsn(socket_dir: Path) -> str:
    """Return the DSN for asyncpg. It names the port because asyncpg otherwise uses PGPORT."""
    return f"postgresql://runfold@/runfold?host={quote(str(socket_dir))}&port={PORT}"


def make_socket_dir(data_dir: Path) -> tuple[Path, int | None]:
    """Return a directory through which clients reach the socket, short enough for sun_path.

    That is the cluster itself if its path is short enough. Otherwise (or with a comma, which asyncpg parses as two
    hosts) it is a symbolic link in a private directory, recorded in `socket-link`; the descriptor returned with it
    holds a lock that makes systemd-tmpfiles keep the directory, and must stay open as long as the link is used.
    """
    remove_socket_link(data_dir)
    cluster = cluster_in(data_dir)
    if _fits(cluster):
        return cluster, None
    private = Path(tempfile.mkdtemp(prefix="runfold-", dir=_short_base()))
    link = private / "pg"
    link.symlink_to(cluster)
    (data_dir / "socket-link").write_bytes(os.fsencode(link))
    descriptor = os.open(private, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return link, descriptor


def find_socket_dir(data_dir: Path) -> Path | None:
    """Return the directory that the owner made for the socket, or None if there is none."""
    cluster = cluster_in(data_dir)
    if _fits(cluster):
        return cluster
    return _recorded_link(data_dir)


def remove_socket_link(data_dir: Path) -> None:
    """Remove the short path to the socket, also one that a killed owner has left behind."""
    link = _recorded_link(data_dir)
    if link is not None:
        link.unlink()
        link.parent.rmdir()
    (data_dir / "socket-link").unlink(missing_ok=True)


def _recorded_link(data_dir: Path) -> Path | None:
    try:
        link = Path(os.fsdecode((data_dir / "socket-link").read_bytes()))
        leads_here = link.readlink() == cluster_in(data_dir)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return link if leads_here else None


def _fits(directory: Path) -> bool:
    return len(os.fsencode(directory / SOCKET)) <= SUN_PATH_BYTES and "," not in str(directory)


def _short_base() -> Path:
    private = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", tempfile.gettempdir())
    # No predictable name is created in /tmp: mkdtemp creates a private directory there.
    for base in (private, tempfile.gettempdir(), "/tmp"):  # noqa: S108 - see above
        if _fits(Path(base, "runfold-12345678", "pg")) and os.access(base, os.W_OK | os.X_OK):
            return Path(base)
    raise EmbeddedError(
        "The path of the data directory is too long for a Unix socket, and /tmp cannot hold a link to it;"
        " use a --data-dir with a shorter path."
    )


def accepts(socket_dir: Path) -> bool:
    """Return whether a server accepts connections on the socket, regardless of its pid file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(socket_dir / SOCKET))
        except OSError:
            return False
    return True


def server_pid(cluster: Path) -> int | None:
    """Return the pid in the postmaster's pid file; the process may have ended."""
    return _pid_in(cluster / "postmaster.pid")


def is_ready(cluster: Path) -> bool:
    """Return whether the pid file reports the server as ready, as pg_ctl checks it."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"


def remove_stale_pid_files(cluster: Path) -> None:
    """Remove pid files that would stop PostgreSQL from starting. Call it with server.lock held.

    PostgreSQL accepts a file with the pid of no process. It refuses to start with an empty file (after a full disk or a
    power failure), and with the pid of another program, which is common when a container restarts. A server that was
    started manually on this cluster does not hold server.lock: its files are kept, and PostgreSQL refuses to start.
    """
    for name in ("postmaster.pid", f"{SOCKET}.lock"):
        pid = _pid_in(cluster / name)
        if pid is None or _is_another_program(pid, cluster):
            (cluster / name).unlink(missing_ok=True)


def _pid_in(path: Path) -> int | None:
    try:
        # A standalone backend writes its pid as a negative number.
        return abs(int(path.read_text().split("\n", 1)[0]))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _is_another_program(pid: int, cluster: Path) -> bool:
    process = Path("/proc", str(pid))
    try:
        name = (process / "comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return False  # it has ended, or there is no /proc: PostgreSQL itself decides
    if name not in {"postgres", "postmaster"}:
        return True
    try:
        return not (process / "cwd").samefile(cluster)
    except PermissionError:
        return False  # no access: likewise
    except (FileNotFoundError, ProcessLookupError):
        return True  # a zombie that was not reaped, as in a container without an init


def remove_unfinished(data_dir: Path) -> None:
    """Remove clusters whose creation was interrupted."""
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
    """Return the size of the logs in bytes; a change shows that the server is working."""
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
