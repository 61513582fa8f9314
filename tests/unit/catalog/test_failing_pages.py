"""Which failures set an event aside, and how the culprit of a page is found."""

import pytest
from waiting import DEADLINE_S

from service.catalog.batches import in_slices
from service.catalog.failures import PageSize, is_caused_by_page, reason_of
from service.catalog.freshness import LagWatch
from service.errors import DatabaseUnavailable, OperatorError, Overloaded, ValueRefused


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("a run without an event"), True),
        (ValueRefused("a value"), True),
        (DatabaseUnavailable("x", sqlstate="54000"), True),
        (DatabaseUnavailable("x", sqlstate="23502"), True),
        (DatabaseUnavailable("x", sqlstate="XX001"), True),
        (DatabaseUnavailable("x", sqlstate="53100"), False),
        (DatabaseUnavailable("x", sqlstate="42P01"), False),
        (DatabaseUnavailable("x"), False),
        (Overloaded("x"), False),
        (OperatorError("an archive is missing"), False),
        (BrokenPipeError(), False),
        (TimeoutError(), False),
    ],
)
def test_only_what_the_page_causes_sets_an_event_aside(error, expected):
    assert is_caused_by_page(error) is expected


def test_pages_are_halved_down_to_the_culprit_and_whole_again_behind_it():
    size, position, culprit, failures = PageSize(2000), 0, 777, 0
    while position < culprit:
        if position < culprit <= position + size.events:
            failures += 1
            if not size.shrink(position + size.events):
                position += 1  # it is set aside
        else:
            position += size.events
            size.succeeded(position)
    assert (position, size.events) == (culprit, 1)
    assert failures <= 12
    size.succeeded(2000)
    assert size.events == 2000


def test_a_reason_repeats_nothing_that_was_sent():
    error = ValueError("a secret")
    assert reason_of(error) == "ValueError"
    refused = ValueRefused("a secret")
    refused.__cause__ = error
    assert reason_of(refused) == "ValueError"


def test_rows_are_written_in_slices_of_bytes(monkeypatch):
    monkeypatch.setattr("service.catalog.batches._STATEMENT_BYTES", 10)
    rows = [(index, b"x" * size) for index, size in enumerate((4, 4, 4, 30, 1))]
    assert [[row[0] for row in slice_] for slice_ in in_slices(rows, -1)] == [[0, 1], [2], [3], [4]]


def test_a_lag_is_timed_only_while_nothing_is_projected():
    watch = LagWatch()
    assert watch.observe(10, 10, 0.0) == 0
    assert watch.observe(12, 10, 100.0) == 0, "they may have been appended just now"
    assert watch.observe(13, 10, 100.0 + DEADLINE_S) == DEADLINE_S
    assert watch.observe(20, 12, 200.0) == 0
    assert watch.observe(20, 12, 205.0) == 5
    assert watch.observe(20, 20, 206.0) == 0
    assert watch.observe(21, 20, 300.0) == 0
