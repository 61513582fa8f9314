"""The lines of code in the documentation."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def blocks(document: str, heading: str) -> list[str]:
    """Return the lines of code, joined where they are continued, in a section of a document."""
    text = (REPOSITORY / document).read_text()
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    fenced = re.findall(r"^```\w*\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    indented = re.findall(
        r"^    (\S.*)$", re.sub(r"^```.*?^```", "", section, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return [line for block in fenced for line in block.splitlines()] or indented
