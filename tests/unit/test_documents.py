"""Links between documents lead somewhere, decision records have numbers of their own, and commands are run by tests."""

import ast
import re
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest
from documents import blocks, commands
from programs import REPOSITORY

RECORDS = sorted((REPOSITORY / "docs/decisions").glob("*.md"))
DOCUMENTS = sorted(chain(REPOSITORY.glob("*.md"), (REPOSITORY / "docs").rglob("*.md")))
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name(document: Path) -> str:
    return str(document.relative_to(REPOSITORY))


def anchors(document: Path) -> set[str]:
    """Return the fragments of a document's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_to_a_file_or_heading_of_the_repository_leads_there(document):
    missing = []
    for link in LINK.findall(CODE.sub("", document.read_text())):
        path, _, fragment = link.partition("#")
        if re.match(r"\w+:", path):
            continue
        target = (document.parent / path) if path else document
        if not target.exists() or (fragment and target.suffix == ".md" and fragment not in anchors(target)):
            missing.append(link)
    assert missing == []


def test_no_two_decision_records_have_the_same_number():
    numbers = Counter(record.name[:4] for record in RECORDS)
    assert [number for number, count in numbers.items() if count > 1] == []


@pytest.mark.parametrize("record", RECORDS, ids=name)
def test_the_title_of_a_decision_record_begins_with_its_number(record):
    assert record.read_text().startswith(f"# {record.name[:4]}: ")


RUN_ELSEWHERE = {
    (
        "docs/auditing.md",
        "Saving heads elsewhere",
    ): "needs an account with a cloud; docs/backup.md saves a head to a file",
    ("docs/containers.md", "Compose"): "the lines of README.md, In production",
    (
        "docs/operations.md",
        "A role with least privileges",
    ): "tests/integration/database/test_roles.py and test_backup.py",
    (
        "docs/marquez.md",
        "Marquez's web interface",
    ): "needs Marquez's sources; tests/acceptance/test_marquez_interface.py makes its requests",
    ("docs/testing.md", "Alerts"): "runs for minutes",
    ("docs/testing.md", "Chaos"): "runs for minutes; tests/acceptance/test_chaos.py runs a short form",
    ("docs/testing.md", "Mutants"): "runs for an hour; tests/acceptance/test_planted_faults.py runs a short form",
}
"""Sections with commands that no test reads from the document, and why."""

NO_COMMANDS = {
    ("docs/ledger-format.md", "The form of a row"),
    ("docs/ledger-format.md", "The ledger's hash chain"),
    ("docs/observability.md", "Logs"),
    ("docs/producers.md", "Spark: a failed write is COMPLETED"),
    ("docs/silent-runs.md", "What you see"),
}
"""Sections whose code is no shell."""


def read_by_tests() -> set[tuple[str, str]]:
    """Return each document with each heading that a module of the tests names, if it reads code from documents."""
    found = set()
    for path in (REPOSITORY / "tests").rglob("*.py"):
        text = path.read_text()
        if "from documents import" in text and path != Path(__file__):
            strings = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
            documents = {string for string in strings if isinstance(string, str) and string.endswith(".md")}
            found |= {(document, string) for document in documents for string in strings}
    return found


def test_the_commands_of_each_page_are_run_by_a_test_or_it_is_said_why_not():
    pages = [name(document) for document in DOCUMENTS if document.parent.name != "decisions"]
    present = {(page, heading) for page in pages if page != "CHANGELOG.md" for heading in commands(page)}
    assert present - read_by_tests() - NO_COMMANDS == set(RUN_ELSEWHERE)
    assert present >= NO_COMMANDS


def test_compose_is_started_on_one_page_as_on_the_other():
    on_page, in_readme = blocks("docs/containers.md", "Compose"), blocks("README.md", "In production")
    assert on_page == [line.partition(" #")[0].rstrip() for line in in_readme]


def test_the_index_has_every_page():
    links = set(LINK.findall((REPOSITORY / "docs/README.md").read_text()))
    assert {page.name for page in (REPOSITORY / "docs").glob("*.md")} - {"README.md"} <= links
