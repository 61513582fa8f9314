"""Who may import whom: down this list only."""

import ast
import sys
from pathlib import Path

import pytest

SERVICE, TESTS = Path(__file__).parents[2] / "service", Path(__file__).parents[1]

LAYERS = [
    {"__main__"},
    {"cli"},
    {"commands"},
    {"workers"},
    {"serving"},
    {"app"},
    {"handlers"},
    {"pages"},
    {"html", "openapi", "middleware", "protocol"},
    {"front", "ready"},
    {"guard", "meter", "problems", "connections"},
    {"operations"},
    {"bodies"},
    {"answers", "beginnings"},
    {"resources"},
    {"saved"},
    {"importing", "exporting"},
    {"bookmarks"},
    {"ingestion"},
    {"lineage"},
    {"wire", "openlineage"},
    {"complaints", "batches", "elements"},
    {"catalog", "lists", "rebuild", "verify", "keys", "archiving", "restoring", "erasing"},
    {"apart"},
    {"folder"},
    {"archives", "folding"},
    {"tail"},
    {"audit", "searches"},
    {"postings", "frames", "lanes"},
    {"appender", "reader"},
    {"batch", "bulk"},
    {"drafts"},
    {"ledger"},
    {"refold"},
    {"fold"},
    {"content"},
    {"subjects"},
    {"recent"},
    {"registers", "identifiers"},
    {"parquet"},
    {"rights"},
    {"erasure"},
    {"cursors", "filters", "timetravel", "verdicts"},
    {"decide", "definitions"},
    {"domain"},
    {"link", "embedded", "migrations", "sockets", "logs", "ledger_form"},
    {"embedded_binaries"},
    {"embedded_process"},
    {"embedded_files"},
    {"children"},
    {"errors", "settings", "schemas", "slices", "timestamps", "depth", "lines", "offsets"},
    {"__init__"},
]
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}

SPEAKS_ASYNCPG = {"link", "commands"}
"""Only here are the driver's types and exceptions known: by the service, and by commands that run without it."""

STATUSES_BEGIN = 400


def modules():
    return sorted(SERVICE.rglob("*.py"))


def room(path):
    """Return the module or, for what lies in a folder, the folder: a room with its own order."""
    return path.relative_to(SERVICE).parts[0].removesuffix(".py")


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """Return the full names of all that a module imports, wherever it does so."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_imported(path):
    return {name.split(".")[1] for name in imported(path) if name.startswith("service.")}


BY_PATH = pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SERVICE)))


@BY_PATH
def test_every_module_has_its_place(path):
    assert room(path) in RANK, "put the module into LAYERS, where it belongs"


@BY_PATH
def test_imports_go_down_only(path):
    upwards = {name for name in rooms_imported(path) - {room(path)} if RANK[name] <= RANK[room(path)]}
    assert not upwards


def test_the_domain_is_the_standard_library_only():
    outside = {name.split(".")[0] for name in imported(SERVICE / "domain.py")} - sys.stdlib_module_names
    assert not outside


@pytest.mark.parametrize("module", ["decide", "definitions", "errors", "settings", "timestamps", "slices"])
def test_what_surrounds_the_domain_is_the_standard_library_and_the_domain(module):
    roots = {name.split(".")[0] for name in imported(SERVICE / f"{module}.py")}
    assert roots - sys.stdlib_module_names <= {"service"}


@BY_PATH
def test_the_driver_is_spoken_in_one_module(path):
    speaks = any(name.split(".")[0] == "asyncpg" for name in imported(path))
    assert not speaks or room(path) in SPEAKS_ASYNCPG


@BY_PATH
def test_aiohttp_is_known_to_the_outer_rooms_only(path):
    knows = any(name.split(".")[0] == "aiohttp" for name in imported(path))
    assert not knows or RANK[room(path)] <= RANK["resources"]


@BY_PATH
def test_only_one_module_decides_which_status_an_error_has(path):
    if room(path) != "problems":
        assert not list(statuses_of_errors(path))


def statuses_of_errors(path):
    """Find answers with a status of 400 or more, and aiohttp's exceptions where they are raised."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.keyword) and node.arg == "status" and isinstance(node.value, ast.Constant):
            if node.value.value >= STATUSES_BEGIN:
                yield node.value.value
        elif isinstance(node, ast.Raise) and node.exc is not None and "web.HTTP" in ast.unparse(node.exc):
            yield ast.unparse(node.exc)


@pytest.mark.parametrize("path", [*modules(), *sorted(TESTS.rglob("*.py"))], ids=lambda path: path.stem)
def test_no_file_is_longer_than_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
