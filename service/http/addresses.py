"""The addresses of this service as its clients see them: below a path, and behind proxies.

A proxy may serve the service below a path (`--base-path`), and may tell by X-Forwarded-Proto, -Host and -Prefix which
address its clients use, and by X-Forwarded-For who they are. These headers are used only from proxies that are trusted
(`--trusted-proxies`): any client can send them. Of several values the last one counts, which the trusted proxy itself
has added.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from functools import lru_cache

from aiohttp import web
from multidict import istr

_PROTO, _HOST, _PREFIX = istr("X-Forwarded-Proto"), istr("X-Forwarded-Host"), istr("X-Forwarded-Prefix")
_FOR = istr("X-Forwarded-For")
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_MAX_LENGTH = 255
_PROTOCOLS = ("http", "https")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_base_path(text: str) -> str:
    """Return a path without a slash at its end; `` and `/` are the root, which is ``. Raises ValueError."""
    path = text.removesuffix("/")
    if path and (_PATH.fullmatch(path) is None or len(path) > _MAX_LENGTH):
        raise ValueError("it must be a path such as /runfold, of letters, digits and . _ ~ -")
    return path


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a list of addresses and CIDR blocks, separated by commas. Raises ValueError."""
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


class Addresses:
    """Says how clients address this service."""

    def __init__(self, base_path: str = "", trusted_proxies: str = "") -> None:
        """Take the path below which the service is, and the proxies whose headers count. Raises ValueError."""
        self.base_path = parse_base_path(base_path)
        self._trusted = parse_networks(trusted_proxies)
        self._is_trusted = lru_cache(maxsize=1024)(self._is_in_trusted_network)

    @property
    def has_trusted_proxies(self) -> bool:
        """Whether there are proxies whose headers count."""
        return bool(self._trusted)

    def prefix(self, request: web.BaseRequest) -> str:
        """Return the path below which the client of a request finds the service; `` is the root."""
        return self.base_path if not self._trusted else self._forwarded_prefix(request)

    def origin(self, request: web.BaseRequest) -> str | None:
        """Return scheme and host by which the client addresses the service; None unless a trusted proxy tells."""
        host = self.forwarded_host(request)
        if host is None:
            return None
        proto = self._value(request, _PROTO)
        return f"{proto if proto in _PROTOCOLS else request.scheme}://{host}"

    def forwarded_host(self, request: web.BaseRequest) -> str | None:
        """Return the host, perhaps with a port, that the client has sent to a trusted proxy; None where none tells."""
        host = self._value(request, _HOST)
        return host if host is not None and _AUTHORITY.fullmatch(host) else None

    def caller(self, request: web.BaseRequest) -> str | None:
        """Return the IP address of the client: that of the connection, or the one that a trusted proxy tells."""
        given = self._value(request, _FOR)
        if given is not None:
            with suppress(ValueError):
                return str(ipaddress.ip_address(given))
        return request.remote

    def _forwarded_prefix(self, request: web.BaseRequest) -> str:
        given = self._value(request, _PREFIX)
        if given is not None:
            try:
                return parse_base_path(given)
            except ValueError:
                pass
        return self.base_path

    def _value(self, request: web.BaseRequest, header: istr) -> str | None:
        """Return the last value of a header of a trusted proxy."""
        if not self._trusted or header not in request.headers or not self._is_trusted(request.remote):
            return None
        value = request.headers.getall(header)[-1].rpartition(",")[2].strip()
        return value if len(value) <= _MAX_LENGTH else None

    def _is_in_trusted_network(self, remote: str | None) -> bool:
        try:
            address = ipaddress.ip_address((remote or "").partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._trusted)


ADDRESSES = web.AppKey("addresses", Addresses)
