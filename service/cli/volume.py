"""The default data directory in a container: used only if a volume is mounted there."""

import os
import re
from pathlib import Path

VARIABLE = "RUNFOLD_VOLUME"
"""Set by the image: the directory for a volume with the data of an embedded PostgreSQL."""

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def directory() -> Path | None:
    """Return the directory for a volume; None outside of a container."""
    path = os.environ.get(VARIABLE)
    return Path(path) if path else None


def is_mounted(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Return whether a file system other than the container's own is mounted at a directory, or above it.

    `mounts` is the kernel's list (Linux). os.path.ismount does not notice a directory of the same file system that is
    mounted there, as bind mounts are.
    """
    real = path.resolve()
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return any(os.path.ismount(above) for above in (real, *real.parents[:-1]))
    points = {Path(os.fsdecode(_unescape(line.split()[4]))) for line in lines}
    return not points.isdisjoint((real, *real.parents[:-1]))


def _unescape(field: bytes) -> bytes:
    """Return a field of mountinfo as bytes of a path: spaces, tabs, line breaks and backslashes are octal in it."""
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 8)]), field)
