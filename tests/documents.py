"""The lines of code in the documentation."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def blocks(document: str, heading: str) -> list[str]:
    """Return the lines of code, joined where they are continued, in a section of a document."""
    section = _section(document, heading)
    fenced = re.findall(r"^```\w*\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (\S(?:.*\\\n)*.*)$", _without_fences(section), re.MULTILINE)
    return [line for block in fenced for line in block.splitlines()] or [
        re.sub(r"\\\n\s*", "", line) for line in indented
    ]


def code(document: str, heading: str, language: str) -> list[str]:
    """Return the blocks of code in a language, in a section of a document."""
    return re.findall(rf"^```{language}\n(.*?)^```", _section(document, heading), re.MULTILINE | re.DOTALL)


def commands(document: str) -> set[str]:
    """Return the headings above lines of shell: those that are indented, or in a fence of sh or of no language."""
    text = (REPOSITORY / document).read_text()
    found = set()
    for heading in re.findall(r"^#+ (.*)$", _without_fences(text), re.MULTILINE):
        section = _section(document, heading)
        fences = re.findall(r"^```(\w*)\n.*?^```", section, re.MULTILINE | re.DOTALL)
        if {"", "sh"} & set(fences) or re.search(r"^    \S", _without_fences(section), re.MULTILINE):
            found.add(heading)
    return found


def _without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _section(document: str, heading: str) -> str:
    """Return the text below a heading, up to the next heading; lines of code that begin with # are none."""
    text = (REPOSITORY / document).read_text()
    headings = [
        line
        for line in re.finditer(r"^```.*?^```|^#+ ([^\n]*)$", text, re.MULTILINE | re.DOTALL)
        if line[1] is not None
    ]
    (number,) = (number for number, line in enumerate(headings) if line[1] == heading)
    return text[headings[number].end() : headings[number + 1].start() if number + 1 < len(headings) else len(text)]
