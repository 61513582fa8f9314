"""Loads the SQL statements that lie in service/database/sql.

A statement names its parameters: `:position`. A comment line of its file lists them in the order in which callers pass them:

    -- parameters: log, position

PostgreSQL numbers parameters, so loading replaces each name by its place in that list. A statement that is made of several
files (`{placeholders}`) has the parameters of all of them, in the order of the text; a name that occurs twice is one
parameter. A file whose list and text do not agree cannot be loaded.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_DIRECTORY = Path(__file__).parent / "sql"
_LIST = re.compile(r"^-- parameters: (.+)$", re.MULTILINE)
_COMMENT = re.compile(r"--[^\n]*")
_NAME = re.compile(r"(?<![:\w]):([a-z_]+)\b")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

SCHEMA = "runfold"
"""The schema of the tables; a catalog that is being rebuilt lies in another one until it is complete."""


def load(name: str, **parts: str) -> str:
    """Return a statement as PostgreSQL takes it; `parts` replace its placeholders: identifiers, or texts of `load_text`."""
    text = load_text(name, **parts)
    names = list(dict.fromkeys(one.strip() for found in _LIST.findall(text) for one in found.split(",")))
    body = _COMMENT.sub("", text)
    if set(names) != set(_NAME.findall(body)):
        raise ValueError(f"the list of parameters of {name}.sql and its text differ: {sorted(names)}")
    places = {parameter: f"${place}" for place, parameter in enumerate(names, 1)}
    return _NAME.sub(lambda found: places[found[1]], body).strip()


def load_text(name: str, **parts: str) -> str:
    """Return the text of a file, its placeholders replaced, to be a part of another statement."""
    parts = {"schema": SCHEMA} | parts
    return _PLACEHOLDER.sub(lambda found: parts[found[1]], _read(name)).strip()


@cache
def _read(name: str) -> str:
    return (_DIRECTORY / f"{name}.sql").read_text(encoding="utf-8")
