"""Passwords in connection URLs: they are never shown, nor stored in the catalog."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"
"""What stands in place of a password."""

_SECRET = re.compile(
    r"pass|pwd|secret|token|credential|signature|jaas|key|jwt|bearer|(?:^|[^a-z])(?:sig|auth|pw)$", re.IGNORECASE
)
"""What the name of a parameter contains whose value is secret."""

_NAME = re.compile(r"(?<![^?&;,#\s=/(){}\"'])(?P<name>[^?&;,#\s=/(){}\"']+)\s*=\s*")
"""The name of a parameter: of a query, a JDBC URL (`;name=value`, `(name=value)`), or a keyword string of libpq."""

_END = re.compile(r"(?<![&;#])[&;#]*$|[&;#]\s*[^?&;,#\s=/()]+\s*=|(?<!\s)\s+[^?&;,#\s=/()]+\s*=")
"""What ends a value: nothing more, or a further parameter. A separator before anything else may be in a password."""

_END_IN_LIST = re.compile(rf"\)|,\s*[^?&;,#\s=/()]+\s*=|{_END.pattern}")
"""Likewise in a list such as `(host=h,password=x)`."""

_QUOTED = re.compile(r"\{(?:[^}]|\}\})*\}|\"(?:[^\"\\]|\\.|\"\")*\"|'(?:[^'\\]|\\.|'')*'", re.DOTALL)

_USER_END, _ORACLE_USER_END = re.compile(r":|%3a", re.IGNORECASE), re.compile(r"[:/]|%3a|%2f", re.IGNORECASE)

_DRIVER = re.compile(r"jdbc:[^:/@]*:(?:(?:thin|oci8?|kprb):)?", re.IGNORECASE)
"""What comes before the user in a JDBC URL that has no `//`, as Oracle's `jdbc:oracle:thin:user/password@host`."""

_MAX_DECODINGS = 8
"""How often a URL may be percent-encoded as a whole or in parts."""

_MAX_LENGTH = 8_192
"""Characters of the longest URL of which anything is shown."""


def hide_passwords(url: str) -> str:
    """Return a connection URL with `***` in place of passwords.

    What stands between the first separator of a user and the last `@` is taken for a password, so that no password is
    shown whose special characters are not percent-encoded; something harmless may be hidden instead. Where a password
    only shows when the URL is decoded, the URL is returned decoded.
    """
    if len(url) > _MAX_LENGTH:
        return HIDDEN
    shown = decoded = _hide(url)
    for _ in range(_MAX_DECODINGS):
        if decoded == (decoded := unquote(decoded)):
            break
        if (hidden := _hide(decoded)) != decoded:
            shown = decoded = hidden
    return shown


def _hide(url: str) -> str:
    begin, is_authority = _begin_of_user(url)
    end = url.rfind("@")
    separator = (_USER_END if is_authority else _ORACLE_USER_END).search(url, begin, max(begin, end))
    if separator is not None:
        url = url[: separator.end()] + HIDDEN + url[end:]
    return _hide_parameters(url)


def _begin_of_user(url: str) -> tuple[int, bool]:
    """Return where the name of a user may begin, and whether that is after `//`."""
    slashes = url.find("//")
    if slashes >= 0 and "@" in url[slashes:] and "@" not in url[:slashes]:
        return slashes + 2, True
    driver = _DRIVER.match(url)
    return (driver.end() if driver else 0), False


def _hide_parameters(url: str) -> str:
    parts, shown_from, position = [], 0, 0
    while (found := _NAME.search(url, position)) is not None:
        position = found.end()
        if _SECRET.search(unquote(found["name"])):
            end = _end_of_value(url, position, in_list=url[: found.start()].rstrip()[-1:] in ("(", ","))
            if end > position:
                parts += [url[shown_from:position], HIDDEN]
                shown_from = position = end
    return "".join((*parts, url[shown_from:]))


def _end_of_value(url: str, begin: int, *, in_list: bool) -> int:
    quoted = _QUOTED.match(url, begin)
    found = (_END_IN_LIST if in_list else _END).search(url, quoted.end() if quoted else begin)
    return found.start() if found else len(url)
