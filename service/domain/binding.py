r"""Which namespaces an API key is bound to. Every decision about what such a key may see or record is made here.

A pattern is the name of a namespace, or the beginning of names followed by `*`, which stands for any text, also for
none. `\*` and `\\` stand for an asterisk and a backslash of the name. Names are compared character by character: no
pattern ignores case or composes characters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from service.domain.run import MAX_JOBS, RunRegisters

MAX_PATTERNS = 100
"""Most patterns of a key."""

_MAX_LENGTH = 1024
"""Most characters of a pattern, without escapes: those of a namespace's name."""


class Binding(NamedTuple):
    """The namespaces of an API key: those that have one of the names, or begin with one of the prefixes.

    `patterns` are these as the operator wrote them.
    """

    patterns: tuple[str, ...]
    names: tuple[str, ...]
    prefixes: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.patterns) or "none"

    def allows(self, namespace: str | None) -> bool:
        """Tell whether a namespace is one of these. What belongs to no namespace, such as an API key, is not."""
        return namespace is not None and (namespace in self.names or namespace.startswith(self.prefixes))

    def may_see(self, run: RunRegisters) -> bool:
        """Tell whether the key may see a run, and change it by commands, which are answered with the run.

        A run shows what all of its events reported, so all jobs that they name must be in these namespaces. Of a run
        with MAX_JOBS jobs not all are known.
        """
        own = run.job
        return (
            own is not None
            and self.allows(own.namespace)
            and len(run.jobs) < MAX_JOBS
            and all(self.allows(job.namespace) for job in run.jobs)
        )

    def may_report(self, run: RunRegisters) -> bool:
        """Tell whether the key may report events of a run that exists: one of its jobs is in these namespaces.

        No later event changes that, so one team cannot stop another from reporting a run.
        """
        own = run.job
        return (own is not None and self.allows(own.namespace)) or any(self.allows(job.namespace) for job in run.jobs)


NOWHERE = Binding((), (), ())
"""No namespace at all."""


def parse_binding(patterns: Iterable[str]) -> Binding:
    """Return the binding of patterns. Raises ValueError for a pattern that is not well-formed, and for none."""
    given = tuple(dict.fromkeys(patterns))
    if not given:
        raise ValueError("there must be a pattern")
    if len(given) > MAX_PATTERNS:
        raise ValueError(f"there are more than {MAX_PATTERNS} patterns")
    parsed = [_parse(pattern) for pattern in given]
    names = tuple(text for text, is_prefix in parsed if not is_prefix)
    prefixes = tuple(text for text, is_prefix in parsed if is_prefix)
    return Binding(given, names, prefixes)


def _parse(pattern: str) -> tuple[str, bool]:
    """Return the text of a pattern, and whether it is the beginning of names."""
    text = ""
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            if escaped not in ("*", "\\") or not escaped:
                raise ValueError(f"{pattern!a}: a backslash stands before * or a backslash only")
            text += escaped
        elif character == "*":
            if next(characters, None) is not None:
                raise ValueError(f"{pattern!a}: * stands at the end only; write \\* for an asterisk in a name")
            if not text:
                raise ValueError("a key for all namespaces has no pattern")
            return _checked(text, pattern), True
        else:
            text += character
    return _checked(text, pattern), False


def _checked(text: str, pattern: str) -> str:
    if not text:
        raise ValueError("a pattern is empty")
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"{pattern[:64]!a}…: no namespace has more than {_MAX_LENGTH} characters")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{pattern!a}: no namespace has such a character")
    return text
