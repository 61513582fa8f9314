"""Plants one fault after the other in copies of the tree: a named test must fail for each.

`make mutants`, or `.venv/bin/python -m mutants.run --only ledger,audit`. The exit status is 1 if a fault does not apply
any more, if no test finds it, or if a named test fails without any fault. docs/testing.md says what a fault is.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from shutil import copytree, ignore_patterns
from typing import NamedTuple
from xml.etree import ElementTree as ET

from mutants.access import ACCESS
from mutants.audit import AUDIT
from mutants.bindings import BINDINGS
from mutants.catalog import CATALOG
from mutants.domain import DOMAIN
from mutants.ledger import LEDGER
from mutants.lineage import LINEAGE
from mutants.mutant import ROOT, Mutant, mutated
from mutants.retention import RETENTION

MUTANTS = {
    "domain": DOMAIN,
    "ledger": LEDGER,
    "catalog": CATALOG,
    "lineage": LINEAGE,
    "audit": AUDIT,
    "access": ACCESS,
    "bindings": BINDINGS,
    "retention": RETENTION,
}

_TEST_S = 40
"""Seconds after which a test that hangs fails: a fault may make it wait for ever."""

_RUN_S, _ALL_S = 300.0, 1_200.0
"""Seconds after which the tests of a fault, and those of all faults, are ended: then it is not known what they find."""

_SKIPPED = ignore_patterns(".git", ".venv", "*_cache", "__pycache__", "build", "dist", "node_modules")
_OK, _FAILED = 0, 1


class Result(NamedTuple):
    """What became of a fault; `problem`: why the check fails, None where every named test found it."""

    mutant: Mutant
    seconds: float
    problem: str | None


class Outcome(NamedTuple):
    """A run of tests: the status of pytest (None: it was killed), the tests that failed, and the output."""

    status: int | None
    failed: frozenset[str]
    output: str


class Copy:
    """A copy of the tree, in which tests run with one fault at a time."""

    def __init__(self, directory: Path) -> None:
        """Copy the tree."""
        self._root = directory / "tree"
        self._report = directory / "report.xml"
        copytree(ROOT, self._root, ignore=_SKIPPED)

    def check(self, mutant: Mutant) -> Result:
        """Plant a fault, run its tests, and remove it."""
        file = self._root / mutant.file
        text = file.read_text(encoding="utf-8")
        began = time.monotonic()
        try:
            file.write_text(mutated(mutant, text), encoding="utf-8")
            # Of the parameters of a single test, one that fails is enough.
            options = ("--exitfirst",) if len(mutant.tests) == 1 else ()
            problem = _problem(mutant, self.run(mutant.tests, _RUN_S, options))
        except (ValueError, OSError) as error:
            problem = str(error)
        finally:
            file.write_text(text, encoding="utf-8")
        return Result(mutant, time.monotonic() - began, problem)

    def run(self, tests: Sequence[str], seconds: float, options: Sequence[str] = ()) -> Outcome:
        """Run tests in the copy, in a process group that is killed after some seconds."""
        self._report.unlink(missing_ok=True)
        usual = ["-q", "--timeout", str(_TEST_S), "-p", "no:cacheprovider", "--junitxml", str(self._report)]
        usual += ["--hypothesis-profile", "first-failure"]
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *usual, *options, *(f"tests/{test}" for test in tests)],
            cwd=self._root,
            env=os.environ | {"PYTHONPATH": str(self._root), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        status: int | None
        try:
            output, _ = process.communicate(timeout=seconds)
            status = process.returncode
        except subprocess.TimeoutExpired:
            status = None
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        return Outcome(status, frozenset(_failed(self._report)), output)


def _failed(report: Path) -> Iterator[str]:
    """Yield the tests that failed according to pytest's report, without their parameters."""
    if not report.exists():
        return
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  pytest has just written it
        if case.find("failure") is not None or case.find("error") is not None:
            path = case.get("classname", "").removeprefix("tests.").replace(".", "/")
            yield f"{path}.py::{case.get('name', '').partition('[')[0]}"


def _problem(mutant: Mutant, outcome: Outcome) -> str | None:
    if outcome.status is None:
        return f"its tests did not end within {_RUN_S:.0f} s"
    if outcome.status not in (_OK, _FAILED):
        return f"its tests could not be run: pytest ended with status {outcome.status}\n{outcome.output[-2000:]}"
    unmoved = [test for test in mutant.tests if test not in outcome.failed]
    return f"it survives {', '.join(unmoved)}" if unmoved else None


@contextmanager
def copies(count: int) -> Iterator[list[Copy]]:
    """Provide copies of the tree, and remove them afterwards."""
    with tempfile.TemporaryDirectory(prefix="runfold-mutants-") as base:
        yield [Copy(Path(base) / str(number)) for number in range(count)]


def check_all(mutants: Sequence[Mutant], jobs: int) -> Iterator[Result]:
    """Check faults, `jobs` at a time. Yields the results in the order of the faults."""
    with copies(jobs) as made, ThreadPoolExecutor(jobs) as pool:
        free: SimpleQueue[Copy] = SimpleQueue()
        for copy in made:
            free.put(copy)

        def check(mutant: Mutant) -> Result:
            copy = free.get()
            try:
                return copy.check(mutant)
            finally:
                free.put(copy)

        yield from pool.map(check, mutants)


def run_unchanged(mutants: Sequence[Mutant], jobs: int) -> Outcome:
    """Run all named tests without a fault: a test that fails anyway finds nothing."""
    with copies(1) as (copy,):
        tests = sorted({test for mutant in mutants for test in mutant.tests})
        return copy.run(tests, _ALL_S, ("-n", str(jobs), "--dist", "loadfile") if jobs > 1 else ())


def _select(words: Sequence[str]) -> list[Mutant]:
    """Return the faults of areas, or whose name has a word; all where there are no words."""
    if not words:
        return [mutant for area in MUTANTS.values() for mutant in area]
    return [
        mutant
        for name, area in MUTANTS.items()
        for mutant in area
        if any(word == name or (word not in MUTANTS and word in mutant.name) for word in words)
    ]


def _show(result: Result) -> None:
    print(f"{'found' if result.problem is None else 'NOT FOUND':9}  {result.seconds:5.1f} s  {result.mutant.name}")
    if result.problem is not None:
        print(f"           {result.mutant.file}: {result.problem}")
    sys.stdout.flush()


def main() -> int:
    """Read the command line and run; return the exit status."""
    reader = argparse.ArgumentParser(description="Plant faults one at a time; a named test must fail for each.")
    reader.add_argument("--only", default="", metavar="WORD,…", help=f"areas ({', '.join(MUTANTS)}), or words of names")
    reader.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="faults at a time")
    given = reader.parse_args()
    mutants = _select([word for word in given.only.split(",") if word])
    if not mutants or given.jobs < 1:
        reader.error("--only selects no fault, or --jobs is below 1")
    unchanged = run_unchanged(mutants, given.jobs)
    if unchanged.status != _OK:
        print(f"Without any fault, the named tests fail or do not end:\n{unchanged.output[-4000:]}")
        return 1
    results = []
    for result in check_all(mutants, given.jobs):
        _show(result)
        results.append(result)
    missed = sum(result.problem is not None for result in results)
    print(
        f"\n{len(results)} faults were planted; {missed or 'none'} of them {'was' if missed == 1 else 'were'} missed."
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
