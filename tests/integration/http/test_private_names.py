"""Each private name of aiohttp that the service or its tests use is what they take it for, in the installed aiohttp."""

import ast
import asyncio
import inspect
import re
import socket
from collections import deque
from importlib.metadata import version
from pathlib import Path

import pytest
from aiohttp import hdrs, web, web_response
from aiohttp.http import RawRequestMessage
from aiohttp.test_utils import TestServer, make_mocked_request
from served import Served
from waiting import DEADLINE_S, wait_until

from service.http import fast_path, server_protocol
from service.http.fast_path import PRIVATE_NAMES
from service.http.server_header import SERVER

REPOSITORY = Path(__file__).parents[3]


async def hello(_request):
    return web.Response(text="hello")


@pytest.fixture
def app():
    made = web.Application(handler_args={"lingering_time": 3.0})
    made.router.add_get("/hello/{name}", hello)
    return made


@pytest.fixture
async def server(app):
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    yield runner.server
    await runner.cleanup()


async def has_match_info(app, _server):
    request = make_mocked_request("GET", "/hello/x", app=app)
    match = web.UrlMappingMatchInfo({"name": "y"}, next(iter(app.router.routes())))
    request._match_info = match
    request._cache.clear()
    assert request.match_info is match
    await app._handle(request)
    assert dict(request._match_info) == {"name": "x"}


async def has_handle(app, server):
    assert server.request_handler == app._handle
    response = await app._handle(make_mocked_request("GET", "/hello/x"))
    assert response.text == "hello"


async def has_make_server(app, _server):
    runner = web.AppRunner(app)
    assert list(inspect.signature(runner._make_server).parameters) == []
    assert inspect.iscoroutinefunction(web.AppRunner._make_server)
    assert "self._server = await self._make_server()" in inspect.getsource(web.AppRunner.setup)


async def has_loop_and_arguments(_app, server):
    assert server._kwargs.keys() == {"debug", "access_log_class", "access_log", "lingering_time"}
    assert server._kwargs["lingering_time"] == 3.0
    connection = web.RequestHandler(server, loop=server._loop, **server._kwargs)
    assert connection._loop is server._loop


async def has_messages(_app, server):
    connection = server()
    assert connection._messages == deque()
    connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    ((message, _body),) = connection._messages
    assert isinstance(message, RawRequestMessage)
    connection.data_received(b"no chunk\r\n")
    error, _body = connection._messages[-1]
    assert not isinstance(error, RawRequestMessage)
    assert not _body.at_eof() or len(connection._messages) == 2


async def has_count_of_requests(_app, server):
    connection = server()
    connection.data_received(b"GET / HTTP/1.1\r\nHost: ")
    assert connection._request_count == 0
    connection.data_received(b"x\r\n\r\n")
    assert connection._request_count == 1


async def has_progress_and_time_to_close(_app, server):
    client, theirs = socket.socketpair()
    with client:
        _, connection = await asyncio.get_running_loop().connect_accepted_socket(server, theirs)
        before = connection._next_keepalive_close_time
        assert before == pytest.approx(connection._loop.time() + connection._keepalive_timeout, abs=5)

        async def idle():
            return not connection._messages and not connection._request_in_progress

        source = inspect.getsource(web.RequestHandler._handle_request)
        assert source.index("_request_in_progress = True") < source.index("await request_handler(request)")
        assert source.rindex("await self.finish_response") < source.index("_request_in_progress = False")
        assert not connection._request_in_progress
        client.settimeout(0)
        connection.data_received(b"GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n")
        received = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 4), DEADLINE_S)
        assert received == b"HTTP"
        await wait_until(idle, "the answer is complete")
        assert connection._next_keepalive_close_time >= before
        connection.force_close()


async def has_current_request(app, server):
    connection = server()
    assert connection._current_request is None
    seen = []

    async def handler(_request):
        seen.append(connection._current_request)
        raise asyncio.CancelledError

    request = make_mocked_request("GET", "/", app=app)
    with pytest.raises(asyncio.CancelledError):
        await connection._handle_request(request, None, handler)
    assert seen == [request]
    assert connection._current_request is None


async def has_handle_error(_app, _server):
    ours = inspect.signature(server_protocol._Connection.handle_error).parameters
    theirs = inspect.signature(web.RequestHandler.handle_error).parameters
    assert [(one.name, one.default) for one in ours.values()] == [(one.name, one.default) for one in theirs.values()]


async def has_finish_response(_app, _server):
    ours = inspect.signature(server_protocol._Connection.finish_response).parameters
    assert ours.keys() == inspect.signature(web.RequestHandler.finish_response).parameters.keys()
    assert inspect.iscoroutinefunction(web.RequestHandler.finish_response)


async def knows_whether_reading_is_paused(_app, server):
    client, theirs = socket.socketpair()
    with client:
        _, connection = await asyncio.get_running_loop().connect_accepted_socket(server, theirs)
        connection.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nbody")
        assert connection._reading_paused is False
        connection.pause_reading()
        assert connection._reading_paused is True
        connection.resume_reading()
        assert connection._reading_paused is False


async def holds_what_follows_requests_that_are_not_taken(_app, server):
    ours, theirs = socket.socketpair()
    with ours:
        _, connection = await asyncio.get_running_loop().connect_accepted_socket(server, theirs)
        connection.data_received(100 * b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        held = len(connection._messages)
        assert held < 100
        for _ in range(8):
            connection._parser.message_consumed()
        connection.data_received(b"")
        assert len(connection._messages) == held + 8


async def has_what_says_that_a_response_was_sent(_app, _server):
    response = web.Response(body=b"x")
    assert (response.prepared, response.keep_alive, response.body_length) == (False, None, 0)
    response._eof_sent, response._keep_alive, response._body_length = True, True, 7
    assert (response.prepared, response.keep_alive, response.body_length) == (True, True, 7)
    assert await response.prepare(make_mocked_request("GET", "/")) is None


async def takes_its_name_from_here(_app, _server):
    response = web.Response(body=b"x")
    await response.prepare(make_mocked_request("GET", "/"))
    assert response.headers["Server"] == web_response.SERVER_SOFTWARE == SERVER


CHECKS = {
    "Request._match_info": has_match_info,
    "Application._handle": has_handle,
    "AppRunner._make_server": has_make_server,
    "Server._loop": has_loop_and_arguments,
    "Server._kwargs": has_loop_and_arguments,
    "RequestHandler._messages": has_messages,
    "RequestHandler._request_count": has_count_of_requests,
    "RequestHandler._request_in_progress": has_progress_and_time_to_close,
    "RequestHandler._keepalive_timeout": has_progress_and_time_to_close,
    "RequestHandler._next_keepalive_close_time": has_progress_and_time_to_close,
    "RequestHandler._loop": has_progress_and_time_to_close,
    "RequestHandler._current_request": has_current_request,
    "RequestHandler.handle_error": has_handle_error,
    "RequestHandler.finish_response": has_finish_response,
    "RequestHandler._parser": holds_what_follows_requests_that_are_not_taken,
    "HttpRequestParser.message_consumed": holds_what_follows_requests_that_are_not_taken,
    "RequestHandler._reading_paused": knows_whether_reading_is_paused,
    "Response._eof_sent": has_what_says_that_a_response_was_sent,
    "Response._keep_alive": has_what_says_that_a_response_was_sent,
    "Response._body_length": has_what_says_that_a_response_was_sent,
    "aiohttp.http.RawRequestMessage": has_messages,
    "aiohttp.web_response.SERVER_SOFTWARE": takes_its_name_from_here,
}


def test_each_private_name_has_a_check_and_a_reason():
    assert [f"{one.owner.__name__}.{one.name}" for one in PRIVATE_NAMES] == list(CHECKS)
    assert all(one.why for one in PRIVATE_NAMES)


@pytest.mark.parametrize("name", CHECKS)
async def test_a_private_name_is_what_the_service_takes_it_for(name, app, server):
    await CHECKS[name](app, server)


async def test_the_server_of_the_tests_makes_its_runner_where_theirs_does(app):
    assert inspect.iscoroutinefunction(TestServer._make_runner)
    assert isinstance(await TestServer(app)._make_runner(), web.AppRunner)
    assert isinstance(await Served(app)._make_runner(), server_protocol.HttpRunner)


def test_a_response_of_the_service_has_no_attribute_that_aiohttp_has_too():
    own = {"_code", "_message", "_sent", "_materialize"}
    assert own <= set(vars(fast_path.PreserializedResponse(b"", 200, None))) | set(
        vars(fast_path.PreserializedResponse)
    )
    assert own.isdisjoint({*dir(web.Response), *vars(web.Response())})


def test_aiohttp_asks_a_response_for_nothing_else_while_it_sends_it():
    """What RequestHandler reads of a response is what PreserializedResponse has of its own."""
    used = set()
    for function in (web.RequestHandler.start, web.RequestHandler.finish_response, web.RequestHandler._handle_request):
        used |= set(re.findall(r"\bresp\.(\w+)", inspect.getsource(function)))
    assert used == {"prepare", "write_eof", "keep_alive"}
    assert used <= vars(fast_path.PreserializedResponse).keys()


def test_only_one_module_of_the_service_uses_private_names_of_aiohttp():
    """Of everything that imports aiohttp, no other module reads `x._name` of something that is not its own."""
    found = set()
    for path in (REPOSITORY / "service").rglob("*.py"):
        text = path.read_text()
        if "aiohttp" not in text or path.name == "fast_path.py":
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                base = node.value
                own = isinstance(base, ast.Name) and base.id in {"self", "cls"}
                if not own and node.attr not in {"_asdict", "_replace", "_make"}:
                    found.add(f"{path.name}: {ast.unparse(node)}")
    assert found == set()


def test_the_version_of_aiohttp_is_pinned_to_the_minor_one():
    (line,) = re.findall(r'"(aiohttp[^"]*)"', (REPOSITORY / "pyproject.toml").read_text())
    assert line == "aiohttp>=3.14,<3.15"
    assert version("aiohttp").startswith("3.14.")


def test_the_headers_that_are_looked_up_for_each_request_are_folded_in_advance():
    assert type(fast_path.REQUEST_ID) is type(hdrs.EXPECT)
