"""Misspelt environment variables are refused; those of Kubernetes are not settings."""

import os

import click
import pytest

from service.cli.commands import serve
from service.cli.environment import check_environment, variables_of
from service.cli.main import cli
from service.settings import Settings

KNOWN = set(variables_of(cli))


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("RUNFOLD_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def test_every_setting_has_a_variable():
    assert {f"RUNFOLD_{field.upper()}" for field in Settings.__dataclass_fields__} <= KNOWN
    assert {"DATABASE_URL", "RUNFOLD_URL", "RUNFOLD_API_KEY"} <= KNOWN


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("RUNFOLD_DATABSE_URL", "did you mean RUNFOLD_DATABASE_URL?"),
        ("RUNFOLD_DATABASE_URL_FILE", "did you mean RUNFOLD_DATABASE_URL?"),
        ("RUNFOLD_WORKER", "did you mean RUNFOLD_WORKERS?"),
        ("RUNFOLD_42", "the settings are DATABASE_URL, RUNFOLD_"),
        ("RUNFOLD_FOLDING", "was replaced by RUNFOLD_PROJECTOR, with the values process and inline"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused_with_the_nearest(environment, name, said):
    environment.setenv(name, "s3cret")
    with pytest.raises(click.UsageError) as refused:
        check_environment(KNOWN)
    assert name in refused.value.message
    assert said in refused.value.message
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUNFOLD_PORT", "tcp://10.96.12.3:5000"),
        ("RUNFOLD_SERVICE_HOST", "10.96.12.3"),
        ("RUNFOLD_SERVICE_PORT", "5000"),
        ("RUNFOLD_SERVICE_PORT_HTTP", "5000"),
        ("RUNFOLD_PORT_5000_TCP", "tcp://10.96.12.3:5000"),
        ("RUNFOLD_PORT_5000_TCP_PROTO", "tcp"),
        ("RUNFOLD_PORT_5000_TCP_ADDR", "10.96.12.3"),
        ("RUNFOLD_POSTGRES_SERVICE_HOST", "10.96.12.4"),
        ("RUNFOLD_POSTGRES_PORT", "tcp://10.96.12.4:5432"),
        ("RUNFOLD_WORKERS", "2"),
        ("ANOTHER_PROGRAMS", "x"),
    ],
)
def test_variables_of_kubernetes_and_of_others_are_left_alone(environment, name, value):
    environment.setenv(name, value)
    check_environment(KNOWN)


def test_a_port_from_kubernetes_counts_as_not_set(environment):
    environment.setenv("RUNFOLD_PORT", "tcp://10.96.12.3:5000")
    assert serve.command.make_context("serve", []).params["port"] == Settings().port
