"""The short form of `make mutants`: three faults, one of which no test once found. docs/testing.md."""

import pytest

from mutants.mutant import Mutant
from mutants.run import MUTANTS, check_all, run_unchanged

SOME = (
    "a listener more than a page behind loses an event per page",
    "an event of the same time is late",
    "rule 3: the same start again is recorded",
)


@pytest.mark.timeout(600)
def test_some_planted_faults_are_found():
    chosen = [mutant for area in MUTANTS.values() for mutant in area if mutant.name in SOME]
    assert len(chosen) == len(SOME)
    assert [result.problem for result in check_all(chosen, 1)] == [None] * len(SOME)


@pytest.mark.timeout(600)
def test_a_fault_that_no_test_finds_and_one_that_cannot_be_planted_are_problems():
    harmless = Mutant(
        "", "service/domain/ids.py", '"""Makes the', '"""Makes', ("unit/ledger/test_cursors.py::test_a_row_comes_back",)
    )
    unknown = harmless._replace(tests=("unit/ledger/test_cursors.py::test_nothing",))
    broken = harmless._replace(old="not there")
    survived, not_run, not_planted = (result.problem for result in check_all([harmless, unknown, broken], 1))
    assert "survives unit/ledger/test_cursors.py" in survived
    assert "could not be run" in not_run
    assert "0 times" in not_planted


def test_named_tests_hold_without_a_fault_or_find_nothing():
    mutant = next(mutant for mutant in MUTANTS["domain"] if "duration" in mutant.name)
    assert run_unchanged([mutant], 1).status == 0
