"""Refuses what web pages make a browser send to a service that requires no API key.

Such a service trusts its network. A browser on that network sends requests for any page that its user opens: a page can
post to 127.0.0.1, and a page whose name is made to resolve to 127.0.0.1 (DNS rebinding) can read the answers, too. So,
while authentication is off:

- the Host of a request, and the one that a trusted proxy forwards, must be an address or name of this machine, the
  address that is listened on, or configured. A page can choose the name in its own URL, but not an IP address: a
  service that listens on every address answers to any of them;
- a request that is not safe (RFC 9110, 9.2.1) must not come from another origin. As in Go's CrossOriginProtection,
  `Sec-Fetch-Site` decides, and in browsers without it `Origin`. Clients that are not browsers send neither.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from multidict import istr

from service.auth.keys import Scope
from service.errors import CrossSite
from service.http.addresses import Addresses
from service.http.route import Route

_SAFE = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
_FETCH_SITE = istr("Sec-Fetch-Site")
_SAME = frozenset({"same-origin", "none"})
_REMEMBERED = 256
_SHOWN = 64

ANY_HOST = "*"


class CrossSiteGuard:
    """Which hosts a service without authentication answers to, and which origins may write."""

    def __init__(self, listening_on: str, allowed: str, addresses: Addresses | None = None) -> None:
        """Take the host that is listened on, and further ones: `name` or `name:port`, separated by commas; `*`: any.

        `addresses` tells the hosts that proxies forward.
        """
        self._addresses = addresses if addresses is not None and addresses.has_trusted_proxies else None
        names = {name.strip().lower() for name in allowed.split(",")} - {""}
        self._any = ANY_HOST in names
        self._allowed = names
        self._listening_on = listening_on.lower().rstrip(".")
        self._any_address = _is_unspecified(listening_on)
        self._known: dict[str, bool] = {}

    def check(self, request: web.Request, route: Route) -> None:
        """Raise CrossSite for a foreign Host, or a request from a page of another origin that is not safe."""
        if route.scope is Scope.OPEN:
            return
        host = request.headers.get(hdrs.HOST)
        self._check_host(host)
        if self._addresses is not None:
            # A proxy that puts its own name into Host would hide a foreign one.
            self._check_host(self._addresses.forwarded_host(request))
        if request.method not in _SAFE:
            self._check_origin(request, host or "")

    def _check_host(self, host: str | None) -> None:
        if host is not None and not self._any and not self._is_known(host):
            shown = ascii(host[:_SHOWN])
            raise CrossSite(f"without authentication, Host {shown} is not answered; allow it with --allowed-hosts")

    def _check_origin(self, request: web.Request, host: str) -> None:
        site, origin = request.headers.get(_FETCH_SITE), request.headers.get(hdrs.ORIGIN)
        if (site in _SAME) if site else (origin is None or _authority(origin) == host.lower()):
            return
        authority = _authority(origin or "")
        if authority and (authority in self._allowed or _name_of(authority) in self._allowed):
            return
        raise CrossSite("without authentication, pages of other origins may not write; allow them with --allowed-hosts")

    def _is_known(self, host: str) -> bool:
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[host] = self._is_ours(host.lower())
        return known

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        if host in self._allowed or name in self._allowed or name == self._listening_on:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name == "localhost" or name.endswith(".localhost")
        return address.is_loopback or self._any_address


def _is_unspecified(host: str) -> bool:
    try:
        return not host or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _authority(origin: str) -> str:
    """Return host and port of an origin as a Host header has them; empty for `null` and for what is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """Return the name or address in a Host header, without port, brackets and the dot at its end."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")
