"""Where the service listens, and whether others than this machine can reach it."""

import errno
import ipaddress
import socket

from service.errors import OperatorError

BACKLOG = 1024


class ListenError(OperatorError):
    """The address cannot be had; says why and what to do."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address but not listening yet, so that a port in use is known at once.

    Port 0 picks a free one. Raises ListenError.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # IPv4 first: that is where clients of "localhost" get in the end.
        family, kind, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        bound = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:
        raise ListenError(f"The host {host!r} is no address of this machine: {error}.") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise _explained(host, port, error) from error
    return bound


def listen(bound: socket.socket, count: int) -> list[socket.socket]:
    """Listen with `count` sockets on one port, among which the kernel spreads connections.

    The first listens alone and only then lets the others in (SO_REUSEPORT): a second service is refused
    instead of silently getting half of the connections. Raises ListenError.
    """
    host, port = address(bound)
    listeners = [bound]
    try:
        bound.listen(BACKLOG)
        for _ in range(count - 1):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listeners.append(socket.socket(bound.family, bound.type))
            listeners[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listeners[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listeners[-1].bind(bound.getsockname())
            listeners[-1].listen(BACKLOG)
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise _explained(host, port, error) from error
    return listeners


def address(bound: socket.socket) -> tuple[str, int]:
    """Return host and port of a bound socket."""
    host, port = bound.getsockname()[:2]
    return host, port


def url(bound: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port = address(bound)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(bound: socket.socket) -> bool:
    """Say whether only this machine can reach a bound socket."""
    return ipaddress.ip_address(address(bound)[0].partition("%")[0]).is_loopback


def _explained(host: str, port: int, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(f"Port {port} of {host} is in use by another program; give another one with --port.")
    if error.errno == errno.EACCES:
        return ListenError(f"This user may not listen on port {port}; give one above 1023 with --port.")
    return ListenError(f"Cannot listen on {host}, port {port}: {error.strerror or error}.")
