"""Links between documents lead to files and headings that exist, and decision records have numbers of their own."""

import re
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest
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
