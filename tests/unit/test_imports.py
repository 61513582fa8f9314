"""Which package may import which."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

SERVICE, TESTS = Path(__file__).parents[2] / "service", Path(__file__).parents[1]

LAYERS = (
    ("errors", "settings", "logs", "os_process", "histograms", "single_flight", "trace_context"),
    ("new_files", "not_found", "parquet", "tracing"),
    ("domain",),
    ("payloads", "database", "embedded"),
    ("ledger",),
    ("auth", "catalog", "audit", "ingest"),
    ("lineage",),
    ("maintenance", "monitor"),
    ("http",),
    ("server",),
    ("cli",),
    ("__main__",),
)
"""The packages and modules of service/, from the bottom to the top. Each imports itself and what lies below it."""

RANK = {package: rank for rank, layer in enumerate(LAYERS) for package in layer}

STATUSES_BEGIN = 400


@cache
def modules():
    return [path for path in sorted(SERVICE.rglob("*.py")) if path != SERVICE / "__init__.py"]


def package(path):
    """Return the package of a module below service/, or the module itself where it lies beside the packages."""
    return path.relative_to(SERVICE).parts[0].removesuffix(".py")


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
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


def packages_imported(path):
    return {name.split(".")[1] for name in imported(path) if name.startswith("service.")}


def upward_imports(path):
    """Return the packages that a module imports although they lie beside or above its own."""
    own = package(path)
    return {name for name in packages_imported(path) - {own} if RANK[name] >= RANK[own]}


PACKAGES = sorted({package(path) for path in modules()})
BY_PACKAGE = pytest.mark.parametrize("name", PACKAGES)


def modules_of(name):
    """Return the modules of a package of service/; a test of each module would take longer than what it checks."""
    found = [path for path in modules() if package(path) == name]
    assert found
    return found


@BY_PACKAGE
def test_every_module_has_its_place(name):
    assert name in RANK, "add the package to LAYERS"


@BY_PACKAGE
def test_imports_go_down_only(name):
    assert not {path: found for path in modules_of(name) if (found := upward_imports(path))}


def test_an_import_that_goes_up_is_found(tmp_path, monkeypatch):
    (tmp_path / "domain").mkdir()
    module = tmp_path / "domain" / "run.py"
    module.write_text("from service.ledger.appender import Appender\n", encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "SERVICE", tmp_path)
    assert upward_imports(module) == {"ledger"}


@BY_PACKAGE
def test_modules_of_a_package_import_each_other_in_one_direction(name):
    """No module imports itself through others."""
    full_names = [".".join(("service", *path.relative_to(SERVICE).with_suffix("").parts)) for path in modules_of(name)]
    assert not [own for own in full_names if own in reachable(own)]


@cache
def graph():
    """Return for each module of service/ the modules of service/ that it imports."""
    names = {".".join(("service", *path.relative_to(SERVICE).with_suffix("").parts)): path for path in modules()}
    found = {}
    for name, path in names.items():
        full = imported(path)
        found[name] = {
            module for module in names if module in full or module in {one.rpartition(".")[0] for one in full}
        }
    return found


def reachable(start):
    seen, waiting = set(), list(graph()[start])
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += graph()[module]
    return seen


@pytest.mark.parametrize("path", sorted((SERVICE / "domain").glob("*.py")), ids=lambda path: path.stem)
def test_the_domain_is_the_standard_library_only(path):
    outside = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names
    assert outside <= {"service"}
    assert packages_imported(path) <= {"domain", "errors"}


@pytest.mark.parametrize("module", ["errors", "settings"])
def test_the_bottom_layer_is_the_standard_library_only(module):
    assert {name.split(".")[0] for name in imported(SERVICE / f"{module}.py")} <= sys.stdlib_module_names


@BY_PACKAGE
def test_the_database_driver_is_used_in_one_package(name):
    assert name == "database" or not users_of(name, "asyncpg")


@BY_PACKAGE
def test_aiohttp_is_used_by_the_outer_packages_only(name):
    assert name in {"http", "server", "cli"} or not users_of(name, "aiohttp")


def users_of(name, library):
    """Return the modules of a package that import a library."""
    return [path for path in modules_of(name) if any(one.split(".")[0] == library for one in imported(path))]


def test_only_the_demo_writes_events_with_times_of_the_past():
    importers = {path for path in modules() if any("example_ledger" in name for name in imported(path))}
    commands = SERVICE / "cli/commands"
    assert importers == {commands / f"{name}.py" for name in ("demo_history", "history", "history_events")}


@BY_PACKAGE
def test_only_one_module_decides_which_status_an_error_has(name):
    others = [path for path in modules_of(name) if path != SERVICE / "http/problems.py"]
    assert not {path: found for path in others if (found := list(statuses_of_errors(path)))}


def statuses_of_errors(path):
    """Find answers with a status of 400 or more, and aiohttp's exceptions where they are raised."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.keyword) and node.arg == "status" and isinstance(node.value, ast.Constant):
            if node.value.value >= STATUSES_BEGIN:
                yield node.value.value
        elif isinstance(node, ast.Raise) and node.exc is not None and "web.HTTP" in ast.unparse(node.exc):
            yield ast.unparse(node.exc)


def test_no_file_is_longer_than_400_lines():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in [*modules(), *TESTS.rglob("*.py")]}
    assert not {path: length for path, length in lengths.items() if length > 400}
