"""A file system of memory whose size can be changed: PostgreSQL's disk, which a fault fills. Mounting needs root."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from chaos.waiting import Violation

_LARGE = 8 * 1024**3
_LEFT = 128 * 1024
"""Bytes that are left when the disk is full; PostgreSQL needs more to extend a table."""

_ATTEMPTS = 20


def _run(*command: object) -> bool:
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False)
    return done.returncode == 0


def can_mount() -> bool:
    """Return whether this process may mount file systems."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory(prefix="runfold-chaos-") as place:
        if not _run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place):
            return False
        return _run("umount", place)


class Disk:
    """A tmpfs. It takes as much memory as its files."""

    def __init__(self, place: Path) -> None:
        """Mount it at a new directory. Raises Violation where that fails: see can_mount."""
        self.place = place
        place.mkdir()
        if not _run("mount", "-t", "tmpfs", "-o", f"size={_LARGE},mode=755", "tmpfs", place):
            raise Violation(f"a file system could not be mounted at {place}")

    def fill(self) -> None:
        """Take all space: the size becomes what is used. Raises Violation where the kernel refuses that."""
        for _ in range(_ATTEMPTS):  # PostgreSQL may take more space between the two calls
            status = os.statvfs(self.place)
            used = (status.f_blocks - status.f_bfree) * status.f_frsize
            if self._resize(used + _LEFT):
                return
        raise Violation(f"the size of the file system at {self.place} could not be changed")

    def free(self) -> None:
        """Give the space back."""
        if not self._resize(_LARGE):
            raise Violation(f"the size of the file system at {self.place} could not be changed")

    def close(self) -> None:
        """Unmount it, also where a process still has files of it open."""
        if not _run("umount", self.place):
            _run("umount", "--lazy", self.place)

    def _resize(self, size: int) -> bool:
        return _run("mount", "-o", f"remount,size={size}", self.place)
