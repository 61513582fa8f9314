"""What deploy/ and the compose files say of the program is so."""

import dataclasses
import re
import tomllib

import pytest
import yaml
from documents import REPOSITORY

from service.settings import Settings

SETTINGS = {f"RUNFOLD_{field.name.upper()}" for field in dataclasses.fields(Settings)} | {"RUNFOLD_ROLE_PASSWORD"}
OF_COMPOSE = {"RUNFOLD_BIND", "RUNFOLD_IMAGE", "RUNFOLD_MEMORY"}


def variables(*paths):
    """Return the variables of Runfold that files name."""
    return {name for path in paths for name in re.findall(r"\bRUNFOLD_[A-Z_]+\b", (REPOSITORY / path).read_text())}


@pytest.mark.parametrize("path", ["docker-compose.yml", "deploy/compose-ha.yml", "deploy/systemd/runfold.env"])
def test_variables_are_settings_or_explained_in_the_example(path):
    assert variables(path)
    assert variables(path) <= SETTINGS | OF_COMPOSE
    assert variables(path) & OF_COMPOSE <= variables(".env.example")


@pytest.mark.parametrize("path", ["docker-compose.yml", "deploy/compose-ha.yml"])
def test_every_variable_of_a_compose_file_is_in_the_example(path):
    used = set(re.findall(r"\$\{([A-Z_]+)", (REPOSITORY / path).read_text()))
    named = set(re.findall(r"^#?([A-Z_]+)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
    assert used <= named


def test_the_chart_has_the_version_of_the_program():
    chart = yaml.safe_load((REPOSITORY / "deploy/helm/runfold/Chart.yaml").read_text())
    program = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert chart["appVersion"] == program
