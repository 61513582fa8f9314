"""The embedded PostgreSQL, used without a database URL: a child process that does not outlive its owner.

`files` describes the data directory, `binaries` finds a server, `process` starts it.
"""

import logging
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

from service.embedded import files
from service.embedded.binaries import Binaries, choose
from service.embedded.files import EmbeddedError
from service.embedded.process import User, accessible_path, environment, require_name, server_user, spawn

__all__ = ["EmbeddedError", "EmbeddedPostgres", "attach"]

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        # Only users who may enter the data directory can connect.
        "listen_addresses": "",
        "port": str(files.PORT),
        "unix_socket_directories": ".",
        "unix_socket_permissions": "0700",
        # An acknowledged commit is on disk.
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "max_wal_size": "1GB",
        "shared_buffers": "128MB",
        "TimeZone": "UTC",
        "log_timezone": "UTC",
        # One file per weekday, overwritten a week later. No statements and no details: they contain payloads.
        "logging_collector": "on",
        "log_destination": "stderr",
        "log_directory": "log",
        "log_filename": "postgresql-%a.log",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_truncate_on_rotation": "on",
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
    }
)
FEWEST_CONNECTIONS = 100
"""The minimum of max_connections."""

BUILTIN_LOCALE_MAJOR = 17
POLL_S = 0.02
# Recovery logs its progress every 10 s; a start that logs nothing for this long has failed.
SILENCE_S = 600.0
PREDECESSOR_S = 600.0
# Signals in this order, each with its timeout in seconds: SIGINT is a fast shutdown with a checkpoint, SIGQUIT leaves
# recovery to the next start.
STOP_STEPS: tuple[tuple[signal.Signals, float | None], ...] = (
    (signal.SIGINT, 120.0),
    (signal.SIGQUIT, 30.0),
    (signal.SIGKILL, None),
)
PSQL_S = 60
CREATE_DATABASE = (
    "SELECT 'CREATE DATABASE runfold' WHERE NOT EXISTS"
    " (SELECT FROM pg_catalog.pg_database WHERE datname = 'runfold') \\gexec\n"
)

_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """Owns the PostgreSQL server in a data directory. Use it as a context manager, from the main thread.

    On Linux the server stops when this process ends for whatever reason: the kernel sends SIGINT to the server when the
    thread that started it ends. Therefore it must be started in the main thread.
    """

    def __init__(
        self, data_dir: Path, *, connections: int = FEWEST_CONNECTIONS, settings: Mapping[str, str] | None = None
    ) -> None:
        """Start nothing yet. `connections` is max_connections; `settings` override SETTINGS and are meant for tests."""
        self.data_dir = data_dir.absolute()
        self.dsn = ""
        self._settings = {**SETTINGS, "max_connections": str(connections), **(settings or {})}
        self._resources = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server and return a DSN for asyncpg once it accepts connections.

        Blocks: about 1 s for the first start, which creates the data, and longer for a recovery after a crash.
        Raises EmbeddedError: another process owns the data, another major version wrote them, there are no binaries, or
        the start fails (with the end of the log).
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                "the embedded PostgreSQL ends with the thread that starts it: start it in the main thread"
            )
        if self._process is not None:
            return self.dsn
        try:
            self._start()
        except (OSError, subprocess.SubprocessError) as error:
            self.stop()
            raise EmbeddedError(
                f"PostgreSQL cannot be started in {self.data_dir}: {error}. Give a directory that this"
                " user owns with --data-dir, or the URL of a running server with --database-url."
            ) from error
        except BaseException:
            self.stop()
            raise
        return self.dsn

    def stop(self) -> None:
        """Shut the server down and wait for it; may be called repeatedly. The next start needs no recovery."""
        process, self._process, self.dsn = self._process, None, ""
        with self._resources:
            if process is not None:
                _shut_down(process)

    def poll(self) -> int | None:
        """Return the server's exit status if it has ended unexpectedly (-9: killed by signal 9), else None."""
        return None if self._process is None else self._process.poll()

    def _start(self) -> None:
        started_at = time.time()
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._resources.callback(os.close, files.lock_as_owner(self.data_dir))
        server_lock = _after_predecessor(self.data_dir)
        self._resources.callback(os.close, server_lock)
        cluster = files.cluster_in(self.data_dir)
        user = server_user(cluster)
        binaries = choose(cluster, user)
        files.start_log_in(self.data_dir).unlink(missing_ok=True)
        files.remove_unfinished(self.data_dir)
        if not cluster.exists():
            self._create(binaries, user, server_lock)
        files.remove_stale_pid_files(cluster)
        self._launch(binaries, user, server_lock)
        self._wait_until_ready(started_at)
        self._connect(binaries)

    def _create(self, binaries: Binaries, user: User | None, server_lock: int) -> None:
        if user is None:
            require_name()
        _log.info("creating a PostgreSQL %s in %s", binaries.version, self.data_dir)
        unfinished = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.data_dir))
        if user is not None:
            os.chown(unfinished, user.uid, user.gid)
        with (
            files.start_log_in(self.data_dir).open("ab") as output,
            accessible_path(unfinished, user) as (name, descriptors),
            spawn(
                [binaries.program("initdb"), "-D", name, *self._initdb_options(binaries)],
                user=user,
                output=output,
                keep=(*descriptors, server_lock),
            ) as initdb,
        ):
            try:
                status = initdb.wait()
            except BaseException:
                initdb.terminate()
                raise
        if status != 0:
            raise EmbeddedError(
                f"PostgreSQL could not create its data in {self.data_dir} (initdb ended with {status}):\n"
                + files.log_tail(self.data_dir, 0)
            )
        files.put_in_place(unfinished, files.cluster_in(self.data_dir))

    def _initdb_options(self, binaries: Binaries) -> list[str]:
        options = [
            "-U",
            "runfold",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
            "--no-instructions",
        ]
        if binaries.major >= BUILTIN_LOCALE_MAJOR:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self._settings["fsync"] == "off":
            options.append("--no-sync")
        return options

    def _launch(self, binaries: Binaries, user: User | None, server_lock: int) -> None:
        settings = [argument for name, value in self._settings.items() for argument in ("-c", f"{name}={value}")]
        with (
            files.start_log_in(self.data_dir).open("ab") as output,
            accessible_path(files.cluster_in(self.data_dir), user) as (name, descriptors),
        ):
            self._process = spawn(
                [binaries.program("postgres"), "-D", name, *settings],
                user=user,
                output=output,
                keep=(*descriptors, server_lock),
            )

    def _wait_until_ready(self, started_at: float) -> None:
        cluster = files.cluster_in(self.data_dir)
        size, last_output_at = -1, time.monotonic()
        while not (files.server_pid(cluster) == self._pid and files.is_ready(cluster)):
            status = self._wait_for_exit()
            if status is not None:
                raise EmbeddedError(
                    f"PostgreSQL in {self.data_dir} ended with {status} while starting. The end of its log:\n"
                    + files.log_tail(self.data_dir, started_at)
                )
            if size != (size := files.log_size(self.data_dir)):
                last_output_at = time.monotonic()
            elif time.monotonic() - last_output_at > SILENCE_S:
                raise EmbeddedError(
                    f"PostgreSQL in {self.data_dir} does not become ready and has logged nothing for"
                    f" {SILENCE_S:.0f} s. The end of its log:\n{files.log_tail(self.data_dir, started_at)}"
                )

    @property
    def _pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def _wait_for_exit(self) -> int | None:
        try:
            return None if self._process is None else self._process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            return None

    def _connect(self, binaries: Binaries) -> None:
        socket_dir, guard = files.make_socket_dir(self.data_dir)
        if guard is not None:
            self._resources.callback(os.close, guard)
            self._resources.callback(files.remove_socket_link, self.data_dir)
        _create_database(binaries, socket_dir)
        self.dsn = files.dsn(socket_dir)


def attach(data_dir: Path) -> str | None:
    """Return the DSN of the server that another process runs on data_dir; None when none runs.

    It runs if it is ready and accepts connections on its socket. Raises EmbeddedError without access to the directory.
    """
    data_dir = data_dir.absolute()
    try:
        if not files.is_ready(files.cluster_in(data_dir)):
            return None
        socket_dir = files.find_socket_dir(data_dir)
    except PermissionError as error:
        raise files.no_access(data_dir, error) from error
    return files.dsn(socket_dir) if socket_dir is not None and files.accepts(socket_dir) else None


def _after_predecessor(data_dir: Path) -> int:
    """Take server.lock, which a server whose owner was killed may still hold; return the descriptor.

    On Linux the kernel has sent SIGINT to that server. Elsewhere, or if that signal was lost, it is sent now: since the
    socket accepts connections while the lock is held, the pid in the server's file is its own.
    """
    deadline = time.monotonic() + PREDECESSOR_S
    signalled = False
    while (server_lock := files.lock(data_dir / "server.lock")) is None:
        pid = files.server_pid(files.cluster_in(data_dir))
        if not signalled:
            _log.info("waiting for the PostgreSQL of an earlier run (process %s) to end", pid)
            socket_dir = files.find_socket_dir(data_dir)
            if pid is not None and socket_dir is not None and files.accepts(socket_dir):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
            signalled = True
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"The PostgreSQL of an earlier run (process {pid}) in {data_dir} does not end; see its log in"
                f" {files.cluster_in(data_dir) / 'log'}, then stop it."
            )
        time.sleep(POLL_S)
    return server_lock


def _create_database(binaries: Binaries, socket_dir: Path) -> None:
    connection = ["-h", str(socket_dir), "-p", str(files.PORT), "-U", "runfold", "-d", "postgres"]
    psql = subprocess.run(  # noqa: S603 - a program that was looked up
        [binaries.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *connection],
        input=CREATE_DATABASE,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PSQL_S,
    )
    if psql.returncode != 0:
        raise EmbeddedError(f"The database cannot be created in the embedded PostgreSQL: {psql.stderr.strip()}")


def _shut_down(process: subprocess.Popen[bytes]) -> None:
    for number, timeout in STOP_STEPS:
        process.send_signal(number)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            _log.warning("PostgreSQL (process %s) did not stop within %s s of %s", process.pid, timeout, number.name)
        else:
            return
