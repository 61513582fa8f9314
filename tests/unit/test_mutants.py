"""The planted faults of mutants/ apply to this tree, and the tests that must find them exist."""

import ast
from functools import cache

import pytest

from mutants.mutant import ROOT, Mutant, mutated
from mutants.run import MUTANTS

ALL = [mutant for area in MUTANTS.values() for mutant in area]


@cache
def functions(file):
    """Return the names of the tests in a file."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("mutant", ALL, ids=[mutant.name for mutant in ALL])
def test_each_fault_applies_once_and_its_tests_exist(mutant):
    text = mutated(mutant, (ROOT / mutant.file).read_text(encoding="utf-8"))
    if mutant.file.endswith(".py"):
        compile(text, mutant.file, "exec")
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert name in functions(file), test


def test_names_are_unique():
    assert len({mutant.name for mutant in ALL}) == len(ALL)


@pytest.mark.parametrize(("old", "new"), [("a", "b"), ("missing", "b"), ("unique", "unique")])
def test_a_fault_that_does_not_apply_once_is_refused(old, new):
    with pytest.raises(ValueError, match=old):
        mutated(Mutant("", "file", old, new, ()), "a a unique")
