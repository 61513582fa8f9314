"""The sockets that the service listens on."""

import errno
import ipaddress
import socket

from service.errors import OperatorError

BACKLOG = 1024


class ListenError(OperatorError):
    """The service cannot listen on the address; the message gives the reason and a remedy."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address but not listening yet, so that a port in use is detected early.

    Port 0 picks a free one. Raises ListenError.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # IPv4 first: clients of "localhost" try it as well.
        family, kind, _, _, address = min(addresses, key=lambda info: info[0] != socket.AF_INET)
        bound = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:
        raise ListenError(f"The host {host!r} is not an address of this machine: {error}.") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise _listen_error(host, port, error) from error
    return bound


def listen(bound: socket.socket, count: int) -> list[socket.socket]:
    """Listen with `count` sockets on one port; the kernel distributes connections among them.

    SO_REUSEPORT is set only after the first socket listens: a second service on the port is refused instead of silently
    getting half of the connections. Raises ListenError.
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
        raise _listen_error(host, port, error) from error
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
    """Return whether a bound socket can be reached from this machine only."""
    return ipaddress.ip_address(address(bound)[0].partition("%")[0]).is_loopback


def _listen_error(host: str, port: int, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(
            f"Port {port} of {host} is in use by another program; give another one, for example --port 8080"
            " (make run ARGS='--port 8080')."
        )
    if error.errno == errno.EACCES:
        return ListenError(f"This user may not listen on port {port}; give a port above 1023 with --port.")
    return ListenError(f"Cannot listen on {host}, port {port}: {error.strerror or error}.")
