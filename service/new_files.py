"""Files that have their names once they are complete and on the disk.

A file is written under a temporary name of its own beside its target, so that two processes that write to one target do
not write to the same file. The file is locked while its process lives: one that is not locked was left behind by a
process that was killed, and the next one that writes to that target removes it. Some network file systems have no such
locks; there, what was left behind stays, and `exclusive` excludes nothing. Every function raises OSError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

from service.errors import OperatorError

_MAX_NAME = 200
"""Bytes of a target's name that its temporary name has; it has a digest of longer ones."""

_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS})
"""Errors of file systems that cannot flush directories."""


class NewFile(NamedTuple):
    """A file that is being written: its temporary path, and the file itself. Neither is used after it has its name."""

    path: Path
    file: BinaryIO

    def rename(self, target: Path) -> None:
        """Give the file its name, in place of any file of that name."""
        self.flush()
        self.path.replace(target)
        flush_directory(target.parent)

    def rename_unless_taken(self, target: Path) -> bool:
        """Give the file its name, unless a file has that name; return whether it has it now."""
        self.flush()
        with locked_directory(target.parent):
            try:
                os.link(self.path, target)  # renaming would replace a file of that name
            except FileExistsError:
                return False
            except OSError:  # this file system has no links
                if os.path.lexists(target):
                    return False
                self.path.replace(target)
            else:
                self.path.unlink()
        flush_directory(target.parent)
        return True

    def flush(self) -> None:
        """Flush what is written to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())


@contextmanager
def new_file(target: Path, *, exclusive: bool = False) -> Iterator[NewFile]:
    """Give an empty file beside a target; after the block it is removed unless it was renamed.

    `exclusive`: raise OperatorError where another process is writing a file for the same target.
    """
    name = target.name if len(os.fsencode(target.name)) <= _MAX_NAME else sha256(os.fsencode(target.name)).hexdigest()
    with locked_directory(target.parent):
        if _remove_left_behind(target.parent, name) and exclusive:
            raise OperatorError(f"Another process is writing {target}; run this again when it is done.")
        path = target.with_name(f".{name}.{secrets.token_hex(8)}.part")
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb")
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield NewFile(path, file)
    finally:
        # While it is locked, its temporary name is of no other file.
        with suppress(OSError):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            file.close()


def _remove_left_behind(directory: Path, name: str) -> bool:
    """Remove the files that killed processes left behind; return whether another process is writing one."""
    temporary = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.part")
    is_written = False
    for path in [Path(entry) for entry in os.scandir(directory) if temporary.fullmatch(entry.name)]:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # it has got its name meanwhile, or is another user's
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            is_written = True
        except OSError:
            pass
        finally:
            os.close(descriptor)
    return is_written


@contextmanager
def locked_directory(directory: Path) -> Iterator[None]:
    """Exclude the other blocks of this directory, in all processes, during a block that takes a moment."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def flush_directory(directory: Path) -> None:
    """Flush the names in a directory to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)
