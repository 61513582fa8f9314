"""Whether the database refuses to record events."""

import pytest

from service.errors import DatabaseUnavailable
from service.ledger.append_health import AppendHealth


def failed(sqlstate):
    health = AppendHealth()
    health.failed(DatabaseUnavailable("the database's disk is full", "role secret", sqlstate))
    return health


@pytest.mark.parametrize("sqlstate", ["53100", "25006", "42501", "58030"])
def test_a_refusal_is_remembered_until_the_next_success_without_its_reason(sqlstate):
    health = failed(sqlstate)
    assert health.problem == "the database's disk is full"
    health.succeeded()
    assert health.problem is None


@pytest.mark.parametrize("sqlstate", [None, "40001", "57014"])
def test_a_lost_connection_is_none(sqlstate):
    assert failed(sqlstate).problem is None


def test_a_refusal_is_forgotten_in_time_or_no_request_would_try_again(monkeypatch):
    health = failed("53100")
    monkeypatch.setattr("service.ledger.append_health._MEMORY_S", 0.0)
    assert health.problem is None
