"""Starts PostgreSQL's programs: the user, the environment, and their end with this process."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from service.embedded.files import EmbeddedError
from service.os_process import PR_SET_PDEATHSIG, libc

SERVER_USER = "postgres"
UNPRIVILEGED_UID = 65534
"""The uid of the user without rights that every Linux distribution has."""

PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")


@dataclass(frozen=True)
class User:
    """The user that the server runs as when this process runs as root."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        """The user name, or the numeric id if it has none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


def server_user(cluster: Path) -> User | None:
    """Return the user that the server of this cluster runs as; None means the current user.

    PostgreSQL refuses to run as root. Existing data are served by their owner, new data by SERVER_USER or, if this
    machine does not have it, by the user with UNPRIVILEGED_UID. Raises EmbeddedError if neither exists.
    """
    if os.geteuid() != 0:
        return None
    if sys.platform != "linux":
        raise EmbeddedError("PostgreSQL does not run as root; start Runfold as an ordinary user.")
    if cluster.exists():
        return _owner(cluster)
    for find in (partial(pwd.getpwnam, SERVER_USER), partial(pwd.getpwuid, UNPRIVILEGED_UID)):
        with suppress(KeyError):
            entry = find()
            return User(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and this machine has neither a user {SERVER_USER} nor one with uid"
        f" {UNPRIVILEGED_UID}; create one of them, or start Runfold as an ordinary user."
    )


def require_name() -> None:
    """Raise EmbeddedError if the current user has no entry in the user database: initdb refuses to run without one."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise EmbeddedError(
            f"This user, uid {os.geteuid()}, has no entry in /etc/passwd, without which PostgreSQL's initdb creates no"
            " data: run Runfold as a user that has one (in its image: 10001), add one, or give the URL of a running"
            " server with --database-url."
        ) from None


def _owner(cluster: Path) -> User:
    owner = cluster.stat()
    if owner.st_uid == 0:
        raise EmbeddedError(
            f"{cluster} belongs to root, and PostgreSQL does not run as root;"
            f" give the directory to another user: chown -R postgres {cluster}"
        )
    return User(owner.st_uid, owner.st_gid)


@contextmanager
def accessible_path(directory: Path, user: User | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield a path of the directory that the user can open, and the descriptors that the child must inherit for it.

    Another user cannot reach a directory below /root or a private temporary directory by its path. Instead of changing
    the modes of its parents, this process opens it and the child uses the descriptor.
    """
    if user is None:
        yield str(directory), ()
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)


def spawn(
    command: Sequence[str | Path], *, user: User | None, output: IO[bytes], keep: Sequence[int]
) -> subprocess.Popen[bytes]:
    """Start a program that receives SIGINT when the calling thread ends (Linux only).

    It runs in its own session, so that Ctrl-C in a terminal reaches this process alone, and with a small environment:
    PG… variables do not change its behaviour, and secrets are not passed on. Descriptors in `keep` stay open in it and
    in all its children.
    """
    return subprocess.Popen(  # noqa: S603 - the program was looked up, the arguments are fixed
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
        umask=0o077,
        cwd="/",
        env=environment(),
        pass_fds=tuple(keep),
        start_new_session=True,
        # PR_SET_PDEATHSIG can only be set here, and this function makes only system calls after the fork.
        preexec_fn=_interrupt_with_parent(os.getpid()),  # noqa: PLW1509 - see above
    )


def environment() -> dict[str, str]:
    """Return the environment of PostgreSQL's programs."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"LC_ALL": "C"}


def _interrupt_with_parent(parent: int) -> Callable[[], None]:
    def between_fork_and_exec() -> None:
        # A background job of a script inherits an ignored SIGINT; the server must react to it from its start.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if libc is None:
            return
        # Popen has changed the user already; a change of the user would clear this setting.
        if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(1)

    return between_fork_and_exec
