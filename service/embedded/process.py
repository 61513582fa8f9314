"""Starting PostgreSQL's programs: as whom, with which environment, and tied to our own life."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from service.embedded.files import EmbeddedError
from service.os_process import PR_SET_PDEATHSIG, libc

SERVER_USERS = ("postgres", "nobody")
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")


@dataclass(frozen=True)
class User:
    """Whom a server is run as when we are root."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        """Its name, or its number where it has none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


def server_user(cluster: Path) -> User | None:
    """Return whom the server of this cluster runs as; None means as ourselves.

    PostgreSQL refuses to run as root. Data that exist are served by whoever owns them; otherwise the first of
    SERVER_USERS that this machine knows.
    """
    if os.geteuid() != 0:
        return None
    if sys.platform != "linux":
        raise EmbeddedError("PostgreSQL does not run as root; start Runfold as an ordinary user.")
    if cluster.exists():
        return _owner(cluster)
    for name in SERVER_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and there is none of the users {', '.join(SERVER_USERS)} to run"
        " it as; create one of them, or start Runfold as an ordinary user."
    )


def _owner(cluster: Path) -> User:
    owner = cluster.stat()
    if owner.st_uid == 0:
        raise EmbeddedError(
            f"{cluster} belongs to root, whom PostgreSQL does not run as;"
            f" give it to another user: chown -R postgres {cluster}"
        )
    return User(owner.st_uid, owner.st_gid)


@contextmanager
def handed_over(directory: Path, user: User | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield a name for the directory that the user can open, and the descriptors that must be passed for it.

    A directory below /root or a private temporary one cannot be reached by another user through its path.
    Instead of opening everything above it with chmod, we open it ourselves and let the child in through the
    descriptor.
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
    """Start a program that gets SIGINT when the calling thread dies (Linux).

    It runs in a session of its own, so that Ctrl-C in a terminal reaches us alone and we stop it when we
    are done, and with a small environment: no PG… variable changes what it does, no secret of ours is in
    it. Descriptors in `keep` stay open in it and all its children.
    """
    return subprocess.Popen(  # noqa: S603 - the program is one we looked up, the arguments are ours
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
        # There is no other way to PR_SET_PDEATHSIG, and what runs in the fork makes nothing but system calls.
        preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - see above
    )


def environment() -> dict[str, str]:
    """Return what PostgreSQL's programs get to see of our environment."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"LC_ALL": "C"}


def _die_with(parent: int) -> Callable[[], None]:
    def between_fork_and_exec() -> None:
        # A job in the background of a script inherits SIGINT ignored; it must count from the first moment on.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if libc is None:
            return
        # Popen has changed the user by now; before, this would have been cleared by the change.
        if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(1)

    return between_fork_and_exec
