"""Where the service listens."""

import socket
from contextlib import ExitStack

import pytest

from service.server import sockets
from service.server.sockets import ListenError


@pytest.fixture
def opened():
    with ExitStack() as stack:
        yield stack.enter_context


@pytest.mark.parametrize("count", [1, 3])
def test_sockets_share_a_port_and_every_connection_is_accepted_by_one_of_them(count, opened):
    listeners = [opened(one) for one in sockets.listen(sockets.bind("127.0.0.1", 0), count)]
    assert len({sockets.address(one) for one in listeners}) == 1
    clients = [opened(socket.create_connection(sockets.address(listeners[0]))) for _ in range(50)]
    accepted = [accept_all(one, opened) for one in listeners]
    assert sum(accepted) == len(clients)
    assert all(accepted)


def accept_all(listener, opened):
    listener.settimeout(0)
    count = 0
    while True:
        try:
            opened(listener.accept()[0])
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize("count", [1, 2])
def test_nobody_else_gets_into_a_port_that_is_listened_on(count, opened):
    listeners = [opened(one) for one in sockets.listen(sockets.bind("127.0.0.1", 0), count)]
    with pytest.raises(ListenError, match="in use by another program"):
        sockets.listen(opened(sockets.bind(*sockets.address(listeners[0]))), count)


@pytest.mark.parametrize("count", [1, 2])
def test_of_two_that_bound_one_port_before_either_listened_one_is_told(count, opened):
    first = opened(sockets.bind("127.0.0.1", 0))
    second = opened(sockets.bind(*sockets.address(first)))
    for listener in sockets.listen(first, count):
        opened(listener)
    with pytest.raises(ListenError, match="in use by another program"):
        sockets.listen(second, count)


@pytest.mark.parametrize(("host", "port"), [("nowhere.invalid", 0), ("192.0.2.1", 0), ("a" * 100, 0)])
def test_a_host_that_is_not_of_this_machine_is_told_in_a_sentence(host, port):
    with pytest.raises(ListenError, match=host):
        sockets.bind(host, port)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False)],  # noqa: S104
)
def test_what_only_this_machine_can_reach_is_told_from_what_others_can(host, loopback, opened):
    assert sockets.is_loopback(opened(sockets.bind(host, 0))) is loopback


def test_the_url_is_one_that_can_be_copied(opened):
    bound = opened(sockets.bind("::1", 0))
    assert sockets.url(bound) == f"http://[::1]:{sockets.address(bound)[1]}"
