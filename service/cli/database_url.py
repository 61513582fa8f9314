"""Checks a database URL before a driver reads it: the driver's own errors repeat parts of passwords."""

import getpass
import os
import re
from urllib.parse import parse_qs, urlsplit

_ENCODE = (
    "a user name, password or database name that contains one of / @ : # ? % or a space must be percent-encoded,"
    " for example %2F for /. A password can also be left out of the URL and given in PGPASSWORD."
)
_MAX_PORT = 65_535


def check_database_url(url: str) -> str | None:
    """Return what is wrong with a URL, without repeating any of it, or None if a driver can read it."""
    scheme, colon, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres"} or not colon:
        return "it must begin with postgresql://."
    if re.search(r"[\s#\x00-\x1f]", rest) or not _brackets_match(url):
        return _ENCODE
    authority, mark, tail = re.fullmatch(r"([^/?]*)([/?]?)(.*)", rest).groups()  # type: ignore[union-attr]
    path, query = ("", tail) if mark == "?" else tail.partition("?")[::2]
    login, at, hosts = authority.rpartition("@")
    # Without a login, an @ further on means that a password ended the authority: user:pa/ss@host.
    if "@" in login or "@" in path or (not at and ":" in hosts and "@" in query):
        return _ENCODE
    try:
        parameters = parse_qs(query, strict_parsing=True) if query else {}
    except ValueError:
        return "the part after the question mark must be parameters, name=value. Where it is no such part, " + _ENCODE
    return _check_parts(login, hosts, parameters)


def _check_parts(login: str, hosts: str, parameters: dict[str, list[str]]) -> str | None:
    ports = re.findall(r":([^:,]*)(?:,|$)", re.sub(r"\[.*?\]", "", hosts))
    ports += [port for value in parameters.get("port", ()) for port in value.split(",")]
    if not all(port == "" or is_port(port) for port in ports):
        return f"its port is not a number from 1 to {_MAX_PORT}."
    if not login and "user" not in parameters and not _is_user_known():
        return "it must name a user, because the user of this process has no name: postgresql://USER@HOST/DATABASE."
    return None


def _brackets_match(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


def _is_user_known() -> bool:
    """Return whether a driver finds a user name outside the URL."""
    if os.environ.get("PGUSER"):
        return True
    try:
        getpass.getuser()
    except (KeyError, OSError):  # no entry for this uid: KeyError until Python 3.12, OSError since
        return False
    return True


def is_port(text: str) -> bool:
    """Return whether a text is the number of a TCP port."""
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 0 < int(text) <= _MAX_PORT
