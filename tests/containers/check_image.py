"""The image: what is in it, and how it is built."""

import json
import re
import subprocess
import sys
import tarfile
import tomllib
from collections import Counter

from engine import PLATFORM, REPOSITORY, build, docker

VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
MB = 1_000_000
MACHINES = {"amd64": 62, "arm64": 183}
"""What the header of an ELF file says, by architecture."""


def in_image(image, *command, status=0, options=()):
    return docker("run", "--rm", "--entrypoint", command[0], *options, image, *command[1:], status=status)


def layers(image):
    """Return (what created it, bytes) of each layer that is not empty, the newest first."""
    lines = docker("history", "--no-trunc", "--human=false", "--format", "{{json .}}", image).splitlines()
    described = [json.loads(line) for line in lines]
    return [(layer["CreatedBy"], int(layer["Size"])) for layer in described if int(layer["Size"]) > 0]


def config(image):
    return json.loads(docker("image", "inspect", image))[0]["Config"]


def test_its_user_is_a_number_and_not_roots_and_it_has_no_volume(image):
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", config(image)["User"])
    assert not config(image).get("Volumes")


def test_all_programs_and_libraries_are_of_one_architecture(image):
    described = json.loads(docker("image", "inspect", image))[0]
    expected = PLATFORM or docker("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}").strip()
    assert f"{described['Os']}/{described['Architecture']}" == expected
    created = docker("create", image).split()[-1]
    found = Counter()
    try:
        with (
            subprocess.Popen(["docker", "export", created], stdout=subprocess.PIPE) as exporting,
            tarfile.open(fileobj=exporting.stdout, mode="r|") as files,
        ):
            for file in files:
                header = files.extractfile(file).read(20) if file.isreg() else b""
                if header.startswith(b"\x7fELF"):
                    found[int.from_bytes(header[18:20], "little")] += 1
    finally:
        docker("rm", "--force", created)
    assert found.keys() == {MACHINES[described["Architecture"]]}
    assert found.total() > 400


def test_labels_name_version_revision_and_licence(image):
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config(image)["Labels"].items()}
    assert labels["version"] == VERSION
    assert labels["revision"] == "0123456789abcdef0123456789abcdef01234567"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["base.name"]
    assert {"title", "description", "created", "source"} <= labels.keys()


def test_the_version_that_it_prints_has_the_revision(image):
    assert in_image(image, "runfold", "--version") == f"runfold, version {VERSION}+g0123456789ab\n"


def test_without_parquet_it_has_at_most_200_mb(image):
    sizes = layers(image)
    parquet = [size for created, size in sizes if "/parquet" in created]
    assert len(parquet) == 1
    assert sum(size for _, size in sizes) - sum(parquet) <= 200 * MB


def test_another_version_of_the_code_is_a_last_layer_of_at_most_6_mb(image):
    build("runfold-test-other", REVISION="fedcba98")
    ours, others = (
        json.loads(docker("image", "inspect", name))[0]["RootFS"]["Layers"] for name in (image, "runfold-test-other")
    )
    assert [one == other for one, other in zip(ours, others, strict=True)][:3] == [True, True, True]
    assert ours[3] != others[3]
    assert layers("runfold-test-other")[0][1] <= 6 * MB


def test_parquet_can_be_left_out():
    build("runfold-test-small", PARQUET="no")
    assert "ModuleNotFoundError" in in_image("runfold-test-small", "python", "-c", "import pyarrow", status=1)
    assert sum(size for _, size in layers("runfold-test-small")) <= 200 * MB


EXPORTING = (
    "from service import tracing; recording = tracing.start(); print(type(recording).__name__); recording.stop()"
)


def test_opentelemetry_can_be_added(image):
    build("runfold-test-otel", OTEL="yes", PARQUET="no")
    endpoint = "--env=OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"
    assert in_image("runfold-test-otel", "python", "-c", EXPORTING, options=(endpoint,)) == "Tracing\n"
    refused = in_image(image, "runfold", "serve", "--database-url=postgresql://h/d", status=1, options=(endpoint,))
    assert "pip install 'runfold[otel]'" in refused


def test_nothing_in_it_installs_packages(image):
    files = in_image(image, "find", "/", "-xdev", options=("--user=0",)).splitlines()
    assert len(files) > 5_000
    installer = re.compile(
        r"/((pip|ensurepip|setuptools|pkg_resources|wheel|easy_install)(\d[\d.]*)?(-[^/]*)?|[^/]*\.whl)$"
    )
    assert [file for file in files if installer.search(file)] == []


PROGRAM = """
import sys, importlib.util, service.__main__, service.server.serve, service.server.workers, service.http.app
import service.lineage.projector_process, alembic.command, asyncpg, pyarrow.parquet
files = {n: m.__spec__ for n, m in sys.modules.items() if getattr(m, "__spec__", None) and m.__spec__.has_location}
from os.path import exists
compiled = importlib.util.cache_from_source
late = [n for n, s in files.items() if s.origin.endswith(".py") and not exists(compiled(s.origin))]
print(len(files), late)
"""


def test_everything_that_it_imports_is_compiled(image):
    number, late = in_image(image, "python", "-c", PROGRAM).strip().split(" ", 1)
    assert int(number) > 500
    assert late == "[]"


def test_its_bill_of_materials_has_every_package_in_the_version_that_is_pinned(image):
    listed = json.loads(in_image(image, "cat", "/usr/share/doc/runfold/sbom.cdx.json"))
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    assert listed["metadata"]["component"]["purl"] == f"pkg:pypi/runfold@{VERSION}+g0123456789ab"
    found = {component["purl"].partition("?")[0] for component in listed["components"]}
    pins = [
        *(REPOSITORY / "requirements.txt").read_text().split(),
        *(REPOSITORY / "requirements-parquet.txt").read_text().split(),
    ]
    assert {
        f"pkg:pypi/{re.sub('[-_.]+', '-', pin.partition('==')[0]).lower()}@{pin.partition('==')[2]}" for pin in pins
    } == {purl for purl in found if purl.startswith("pkg:pypi/")}
    names = {component["name"] for component in listed["components"]}
    assert {"python", "postgresql", "libc6", "bash"} <= names
    (libc,) = (component for component in listed["components"] if component["name"] == "libc6")
    assert libc["purl"].endswith(f"?arch={json.loads(docker('image', 'inspect', image))[0]['Architecture']}")
    references = {component["bom-ref"] for component in listed["components"]} | {
        listed["metadata"]["component"]["bom-ref"]
    }
    for dependency in listed["dependencies"]:
        assert {dependency["ref"], *dependency["dependsOn"]} <= references


def test_every_pin_has_a_wheel_for_arm64(image, tmp_path):
    version = in_image(image, "python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    platforms = [f"--platform=manylinux_2_{glibc}_aarch64" for glibc in (17, 26, 27, 28)]
    options = (
        "--dry-run",
        "--ignore-installed",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--python-version",
        version,
    )
    names = ("requirements.txt", "requirements-parquet.txt", "requirements-otel.txt")
    files = [part for name in names for part in ("-r", REPOSITORY / name)]
    command = [sys.executable, "-m", "pip", "install", *options, *platforms, "--target", tmp_path, *files]
    subprocess.run(command, check=True, timeout=300)
