"""An outage is a few lines in the log, whatever the number of statements that fail."""

import pytest

from service.database import outages
from service.database.outages import DatabaseState
from service.errors import DatabaseUnavailable

REFUSED = DatabaseUnavailable("the database does not answer", "connection refused")


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set."""

    class Clock:
        now = 1_000.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(outages, "time", made)
    return made


def test_an_outage_is_logged_at_its_start_once_a_minute_and_at_its_end(clock, caplog):
    state = DatabaseState()
    for _ in range(1_300):  # 130 s
        state.record_failure(REFUSED, unanswered=True)
        clock.now += 0.1
    state.record_success()
    assert state.troubled
    clock.now += 3
    state.record_success()
    state.record_success()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4
    assert lines[0].startswith("database: the database does not answer")
    assert "failing for 60 s" in lines[1]
    assert "answers again; 1300 statements failed within 130 s" in lines[3]
    assert not state.troubled


def test_another_error_in_an_outage_is_logged_once(clock, caplog):
    state = DatabaseState()
    for _ in range(10):
        state.record_failure(REFUSED, unanswered=True)
        state.record_failure(DatabaseUnavailable("the database's disk is full"), unanswered=False)
        clock.now += 0.1
    assert len(caplog.records) == 2


def test_statements_are_refused_only_while_the_database_is_down_and_probed():
    for probed in (True, False):
        state = DatabaseState(probed=probed)
        state.record_failure(DatabaseUnavailable("a lock in the database was not free in time"), unanswered=False)
        state.raise_if_down()
        state.record_failure(REFUSED, unanswered=True)
        if probed:
            with pytest.raises(DatabaseUnavailable, match="does not answer"):
                state.raise_if_down()
        state.record_success()
        state.raise_if_down()
