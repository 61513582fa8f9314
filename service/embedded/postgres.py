"""The embedded PostgreSQL, for whoever gives no database URL: a child process of ours that dies with us.

`embedded_files` knows what lies in the data directory, `embedded_binaries` finds a server, `embedded_process`
starts it.
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
from service.embedded.process import User, environment, handed_over, server_user, spawn

__all__ = ["EmbeddedError", "EmbeddedPostgres", "attach"]

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        # Nobody but whoever may enter the data directory gets in.
        "listen_addresses": "",
        "port": str(files.PORT),
        "unix_socket_directories": ".",
        "unix_socket_permissions": "0700",
        # What was acknowledged is on disk.
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "max_wal_size": "1GB",
        "shared_buffers": "128MB",
        "TimeZone": "UTC",
        "log_timezone": "UTC",
        # A file for each day of the week, overwritten a week later. No statements, no details: they hold
        # payloads.
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
"""As many connections as an embedded server takes at least."""

BUILTIN_LOCALE_MAJOR = 17
POLL_S = 0.02
# Recovery reports its progress every 10 s; this long without a word it is taken for stuck.
SILENCE_S = 600.0
PREDECESSOR_S = 600.0
# From the gentle to the rude, with seconds of patience: SIGINT is a fast shutdown with a checkpoint, SIGQUIT
# leaves recovery to the next start.
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
    """Owns one PostgreSQL in data_dir. Use it as a context manager, from the main thread.

    On Linux the server stops by itself when this process dies, however it dies: the kernel sends it SIGINT
    when the thread that started it ends, hence the main thread.
    """

    def __init__(
        self, data_dir: Path, *, connections: int = FEWEST_CONNECTIONS, settings: Mapping[str, str] | None = None
    ) -> None:
        """Prepare; the server takes so many connections. `settings` go before SETTINGS and are meant for tests."""
        self.data_dir = data_dir.absolute()
        self.dsn = ""
        self._settings = {**SETTINGS, "max_connections": str(connections), **(settings or {})}
        self._held = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server and return a DSN for asyncpg once it accepts connections.

        Blocks: about 1 s to create its data at first, as long as it takes to recover from a crash.
        EmbeddedError when it cannot be had: another owner, data of another major version, no binaries, a
        failing start (with the end of its log).
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                "the embedded PostgreSQL dies with the thread that starts it: start it in the main thread"
            )
        if self._process is not None:
            return self.dsn
        try:
            self._start()
        except (OSError, subprocess.SubprocessError) as error:
            self.stop()
            raise EmbeddedError(
                f"PostgreSQL cannot be started in {self.data_dir}: {error}. Give a directory that this"
                " user owns with --data-dir, or the address of a running server with --database-url."
            ) from error
        except BaseException:
            self.stop()
            raise
        return self.dsn

    def stop(self) -> None:
        """Shut the server down and wait for it; may be called again. The next start needs no recovery."""
        process, self._process, self.dsn = self._process, None, ""
        with self._held:
            if process is not None:
                _shut_down(process)

    def poll(self) -> int | None:
        """Return the server's exit status if it has ended by itself (-9: killed by signal 9), else None."""
        return None if self._process is None else self._process.poll()

    def _start(self) -> None:
        began = time.time()
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held.callback(os.close, files.lock_as_owner(self.data_dir))
        server_lock = _after_predecessor(self.data_dir)
        self._held.callback(os.close, server_lock)
        cluster = files.cluster_in(self.data_dir)
        user = server_user(cluster)
        binaries = choose(cluster, user)
        files.start_log_in(self.data_dir).unlink(missing_ok=True)
        files.remove_unfinished(self.data_dir)
        if not cluster.exists():
            self._create(binaries, user, server_lock)
        files.remove_stale_pid_files(cluster)
        self._launch(binaries, user, server_lock)
        self._wait_until_ready(began)
        self._connect(binaries)

    def _create(self, binaries: Binaries, user: User | None, server_lock: int) -> None:
        _log.info("creating a PostgreSQL %s in %s", binaries.version, self.data_dir)
        unfinished = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.data_dir))
        if user is not None:
            os.chown(unfinished, user.uid, user.gid)
        with (
            files.start_log_in(self.data_dir).open("ab") as output,
            handed_over(unfinished, user) as (name, descriptors),
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
            handed_over(files.cluster_in(self.data_dir), user) as (name, descriptors),
        ):
            self._process = spawn(
                [binaries.program("postgres"), "-D", name, *settings],
                user=user,
                output=output,
                keep=(*descriptors, server_lock),
            )

    def _wait_until_ready(self, began: float) -> None:
        cluster = files.cluster_in(self.data_dir)
        size, heard = -1, time.monotonic()
        while not (files.server_pid(cluster) == self._pid and files.is_ready(cluster)):
            status = self._wait_a_moment()
            if status is not None:
                raise EmbeddedError(
                    f"PostgreSQL in {self.data_dir} ended with {status} while starting. The end of its log:\n"
                    + files.log_tail(self.data_dir, began)
                )
            if size != (size := files.log_size(self.data_dir)):
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_S:
                raise EmbeddedError(
                    f"PostgreSQL in {self.data_dir} does not become ready and has logged nothing for"
                    f" {SILENCE_S:.0f} s. The end of its log:\n{files.log_tail(self.data_dir, began)}"
                )

    @property
    def _pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def _wait_a_moment(self) -> int | None:
        try:
            return None if self._process is None else self._process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            return None

    def _connect(self, binaries: Binaries) -> None:
        socket_dir, guard = files.make_socket_dir(self.data_dir)
        if guard is not None:
            self._held.callback(os.close, guard)
            self._held.callback(files.remove_socket_link, self.data_dir)
        _create_database(binaries, socket_dir)
        self.dsn = files.dsn(socket_dir)


def attach(data_dir: Path) -> str | None:
    """Return the DSN of the server that another process runs on data_dir; None when none runs.

    What counts is that it is ready and somebody answers on its socket. EmbeddedError when we may not look.
    """
    data_dir = data_dir.absolute()
    try:
        if not files.is_ready(files.cluster_in(data_dir)):
            return None
        socket_dir = files.find_socket_dir(data_dir)
    except PermissionError as error:
        raise EmbeddedError(
            f"The PostgreSQL in {data_dir} belongs to another user ({error}); run this as the user who runs Runfold."
        ) from error
    return files.dsn(socket_dir) if socket_dir is not None and files.accepts(socket_dir) else None


def _after_predecessor(data_dir: Path) -> int:
    """Take server.lock, which a server may still hold whose owner was killed; return the descriptor.

    On Linux it has its SIGINT from the kernel. Elsewhere, or if that did not arrive, it gets one now: that
    its socket answers while the lock is held shows that the pid in its file is truly its own.
    """
    deadline = time.monotonic() + PREDECESSOR_S
    told = False
    while (server_lock := files.lock(data_dir / "server.lock")) is None:
        pid = files.server_pid(files.cluster_in(data_dir))
        if not told:
            _log.info("waiting for the PostgreSQL of an earlier run (process %s) to end", pid)
            socket_dir = files.find_socket_dir(data_dir)
            if pid is not None and socket_dir is not None and files.accepts(socket_dir):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
            told = True
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"The PostgreSQL of an earlier run (process {pid}) in {data_dir} does not end; see its log in"
                f" {files.cluster_in(data_dir) / 'log'}, then stop it."
            )
        time.sleep(POLL_S)
    return server_lock


def _create_database(binaries: Binaries, socket_dir: Path) -> None:
    where = ["-h", str(socket_dir), "-p", str(files.PORT), "-U", "runfold", "-d", "postgres"]
    answer = subprocess.run(  # noqa: S603 - a program we looked up
        [binaries.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *where],
        input=CREATE_DATABASE,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PSQL_S,
    )
    if answer.returncode != 0:
        raise EmbeddedError(f"The database cannot be created in the embedded PostgreSQL: {answer.stderr.strip()}")


def _shut_down(process: subprocess.Popen[bytes]) -> None:
    for number, patience in STOP_STEPS:
        process.send_signal(number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            _log.warning("PostgreSQL (process %s) did not stop within %s s of %s", process.pid, patience, number.name)
        else:
            return
