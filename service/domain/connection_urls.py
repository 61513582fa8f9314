"""Passwords in connection URLs: they are never shown, nor stored in the catalog."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"
"""What stands in place of a password."""

_SECRET = re.compile(r"pass|pwd|secret|token|credential|signature|api_?key|access_?key|private_?key", re.IGNORECASE)
"""What the name of a parameter contains whose value is secret."""

_PARAMETER = re.compile(r"(?P<name>[^?&;,#\s=/]+)=(?P<value>\{(?:[^}]|\}\})*\}|[^&;#\s]*)")
"""A parameter of a query, of a JDBC URL (`;name=value`, `{}` quotes it) or of a keyword string of libpq."""

_DRIVER = re.compile(r"jdbc:[^:/@]*:(?:(?:thin|oci8?|kprb):)?", re.IGNORECASE)
"""What comes before the user in a JDBC URL that has no `//`, as Oracle's `jdbc:oracle:thin:user/password@host`."""


def hide_passwords(url: str) -> str:
    """Return a connection URL with `***` in place of passwords.

    What stands between the first separator of a user and the last `@` is taken for a password, so that no password is
    shown whose special characters are not percent-encoded; something harmless may be hidden instead.
    """
    begin, is_authority = _begin_of_user(url)
    end = url.rfind("@")
    separator = re.compile(r":" if is_authority else r"[:/]").search(url, begin, max(begin, end))
    if separator is not None:
        url = url[: separator.end()] + HIDDEN + url[end:]
    return _PARAMETER.sub(_hide_value, url)


def _begin_of_user(url: str) -> tuple[int, bool]:
    """Return where the name of a user may begin, and whether that is after `//`."""
    slashes = url.find("//")
    if slashes >= 0 and "@" in url[slashes:] and "@" not in url[:slashes]:
        return slashes + 2, True
    driver = _DRIVER.match(url)
    return (driver.end() if driver else 0), False


def _hide_value(parameter: re.Match[str]) -> str:
    name, value = parameter["name"], parameter["value"]
    return f"{name}={HIDDEN}" if value and _SECRET.search(unquote(name)) else parameter[0]
