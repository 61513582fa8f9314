"""Renders the chart."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
CHART = REPOSITORY / "deploy" / "helm" / "runfold"
HELM = REPOSITORY / "tests" / "helm" / "helm.sh"
OWN_SECRET = {"image": {"repository": "registry.example.com/runfold"}, "database": {"existingSecret": "db"}}
"""The fewest values that the chart accepts."""


class Refused(Exception):
    """Helm refuses the values, or the chart; has its message."""


def helm(*arguments: str, values: dict[str, Any] | None = None) -> str:
    """Run helm with values; return what it prints. Raises Refused."""
    given = ("--values", "-") if values is not None else ()
    ended = subprocess.run(
        [HELM, *arguments, *given],
        input=json.dumps(values or {}),
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    if ended.returncode:
        raise Refused(ended.stderr + ended.stdout)
    return ended.stdout


def render(values: dict[str, Any], *, release: str = "rf", kubernetes: str = "1.34") -> list[dict[str, Any]]:
    """Return the objects of an installation, those of hooks included."""
    text = helm("template", release, str(CHART), "--kube-version", kubernetes, "--namespace", "ns", values=values)
    return [found for found in yaml.safe_load_all(text) if found]


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [found for found in objects if found["kind"] == kind]


def pod_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return the specification of the pods of a Deployment or Job."""
    return found["spec"]["template"]["spec"]
