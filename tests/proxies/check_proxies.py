"""The configurations of deploy/proxies, with the real proxies in front of the real service."""

import asyncio
import json
import os
import re
import shlex
import socket
import ssl
import subprocess
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from documents import blocks
from programs import REPOSITORY, program
from waiting import wait_until

NAME = "runfold.example.com"
JSON = {"Content-Type": "application/json"}
CLIENT = "127.0.0.2"
NGINX = """
daemon off;
{user}
pid {here}/pid;
error_log {here}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
    include {here}/runfold.conf;
}}
"""
SLOW_CLIENTS = 40
BATCH_BYTES = 6_000_000


def free_ports(count: int) -> list[int]:
    taken = [socket.socket() for _ in range(count)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


class Ways:
    """A proxy, the service behind it, and a client of both."""

    def __init__(self, proxy: str, ports: tuple[int, int, int], service, trust: ssl.SSLContext) -> None:
        self.proxy, self.service, self.trust = proxy, service, trust
        self.behind, self.port, self.plain = ports
        self.url = f"https://{NAME}:{self.port}/runfold"

    def connections(self) -> int:
        """Return how many connections the service has."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        local = f":{self.behind:04X}"
        return sum(fields[1].endswith(local) and fields[3] == "01" for fields in map(str.split, lines))

    def log(self) -> list[dict]:
        return [json.loads(line) for line in self.service.log.read_text().splitlines() if line.startswith("{")]


def configure(proxy: str, here: Path, certificate: Path, ports: tuple[int, int, int]) -> list[str]:
    """Write the configuration with the ports and places of this test; return the command that runs the proxy."""
    behind, secure, plain = ports
    file = REPOSITORY / "deploy/proxies" / {"nginx": "nginx.conf", "caddy": "Caddyfile"}[proxy]
    text = file.read_text().replace("127.0.0.1:5000", f"127.0.0.1:{behind}")
    text = text.replace("/etc/ssl/runfold.", f"{certificate.parent}/runfold.")
    if proxy == "nginx":
        text = text.replace("listen 443", f"listen 127.0.0.1:{secure}").replace(
            "listen 80", f"listen 127.0.0.1:{plain}"
        )
        (here / "runfold.conf").write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        (here / "nginx.conf").write_text(NGINX.format(here=here, user=user))
        return ["nginx", "-p", str(here), "-c", str(here / "nginx.conf"), "-e", str(here / "error.log")]
    text = text.replace("{\n\tservers", f"{{\n\tadmin off\n\thttp_port {plain}\n\thttps_port {secure}\n\tservers", 1)
    (here / "Caddyfile").write_text(text)
    return ["caddy", "run", "--config", str(here / "Caddyfile"), "--adapter", "caddyfile"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificate")
    subject = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-days", "2"]
    key, file = directory / "runfold.key", directory / "runfold.crt"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(file)]
    subprocess.run([*new, *subject], check=True, capture_output=True)
    return file


@pytest.fixture(params=["nginx", "caddy"])
async def ways(request, certificate, dsn, tmp_path):
    behind, secure, _ = ports = free_ports(3)
    (line,) = blocks("docs/proxies.md", "TLS and proxies")
    options = (*shlex.split(line)[1:], "--port", behind, "--base-path", "/runfold")
    names = {"RUNFOLD_DATABASE_URL": dsn, "RUNFOLD_ALLOWED_HOSTS": f"{NAME}:{secure}"}
    logs = {"RUNFOLD_ACCESS_LOG": "1", "RUNFOLD_LOG_FORMAT": "json"}
    trust = ssl.create_default_context(cafile=str(certificate))
    async with program(tmp_path / "log", *options, **names, **logs) as service:
        await wait_until(lambda: listens(behind), "the service listens")
        command = configure(request.param, tmp_path, certificate, ports)
        own = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(tmp_path))
        with (tmp_path / "proxy.log").open("wb") as said:
            process = await asyncio.create_subprocess_exec(*command, env=os.environ | own, stdout=said, stderr=said)
        await wait_until(lambda: listens(secure), "the proxy listens")
        yield Ways(request.param, ports, service, trust)
        process.terminate()
        await process.wait()


async def listens(port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


class ToThisMachine(aiohttp.abc.AbstractResolver):
    """Knows one name."""

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self):
        pass


@asynccontextmanager
async def client(ways):
    """A client with an address of its own, which checks the certificate."""
    connector = aiohttp.TCPConnector(resolver=ToThisMachine(), ssl=ways.trust, local_addr=(CLIENT, 0))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


def event(run, event_type="START", size=0):
    job, producer = {"namespace": "etl", "name": "load"}, "https://example.com"
    facets = {"text": {"_producer": producer, "_schemaURL": producer, "text": "x" * size}}
    at = "2024-02-01T00:00:00Z"
    run = {"runId": str(run), "facets": facets}
    return json.dumps({"eventType": event_type, "eventTime": at, "run": run, "job": job, "producer": producer}).encode()


async def define(session, ways):
    async with session.put(f"{ways.url}/api/v1/namespaces/etl", json={"ownerName": "me"}) as answer:
        assert answer.status == 200, await answer.text()
    job = {"type": "BATCH", "inputs": [], "outputs": []}
    async with session.put(f"{ways.url}/api/v1/namespaces/etl/jobs/load", json=job) as answer:
        assert answer.status == 200


async def test_answers_lead_to_the_proxy_and_the_log_has_the_clients_address(ways):
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Prefix": "/forged", "X-Forwarded-Host": "forged.example"}
    async with client(ways) as session:
        await define(session, ways)
        run = str(uuid4())
        runs = f"{ways.url}/api/v1/namespaces/etl/jobs/load/runs"
        async with session.post(runs, json={"id": run}, headers=forged) as answer:
            assert answer.status == 201
            assert answer.headers["Location"] == f"/runfold/api/v1/jobs/runs/{run}"
        async with session.post(f"{ways.url}/api/v1/jobs/runs/{run}/start") as answer:
            assert (await answer.json())["state"] == "RUNNING"
        async with session.get(f"{ways.url}/openapi.json", headers=forged) as answer:
            (server,) = (await answer.json(content_type=None))["servers"]
            assert server["url"] == ways.url
        async with session.get(f"http://{NAME}:{ways.plain}/livez", allow_redirects=False) as answer:
            assert answer.status == 308
            assert answer.headers["Location"].startswith("https://")
    callers = {line["caller"] for line in ways.log() if "caller" in line and line["method"] in {"POST", "PUT"}}
    assert callers == {CLIENT}


async def test_megabytes_of_lines_are_recorded(ways):
    lines = [event(uuid4(), size=3_000) for _ in range(BATCH_BYTES // 3_000)]

    async def body():
        for line in lines:
            yield line + b"\n"

    async with client(ways) as session:
        headers = {"Content-Type": "application/x-ndjson"}
        async with session.post(f"{ways.url}/api/v1/lineage/batch", data=body(), headers=headers) as answer:
            assert answer.status == 204, await answer.text()  # all were recorded
        async with session.get(f"{ways.url}/api/v1/events/count?kind=transition") as answer:
            assert (await answer.json())["count"] == len(lines), await answer.text()


async def test_events_arrive_at_once_and_the_connection_to_the_service_ends_with_the_client(ways):
    async with client(ways) as session:
        async with session.get(f"{ways.url}/api/v1/events/stream") as stream:
            assert stream.headers["Content-Type"] == "text/event-stream"
            for _ in range(3):
                run = uuid4()
                async with session.post(f"{ways.url}/api/v1/lineage", data=event(run), headers=JSON) as answer:
                    assert answer.status == 201
                began = time.monotonic()
                async with asyncio.timeout(10):
                    while str(run).encode() not in await stream.content.readline():
                        pass
                assert time.monotonic() - began < 1
        answers = f"http://127.0.0.1:{ways.behind}/metrics"

        async def ended():
            async with session.get(answers) as metrics:
                return re.search(r"^runfold_event_stream_clients 0", await metrics.text(), re.MULTILINE)

        await wait_until(ended, "the service knows that the client has left")


async def test_slow_clients_hold_no_connection_of_the_service(ways):
    """Caddy holds back requests whose head is incomplete, nginx also those whose body is."""
    head = f"POST /runfold/api/v1/lineage HTTP/1.1\r\nHost: {NAME}:{ways.port}\r\nContent-Length: 100\r\n"
    head += "Content-Type: application/json\r\n"
    incomplete = head if ways.proxy == "caddy" else f"{head}\r\n{{"
    writers = []
    for _ in range(SLOW_CLIENTS):
        opened = await asyncio.open_connection("127.0.0.1", ways.port, ssl=ways.trust, server_hostname=NAME)
        opened[1].write(incomplete.encode())
        await opened[1].drain()
        writers.append(opened[1])
    async with client(ways) as session:
        for _ in range(10):
            async with session.post(f"{ways.url}/api/v1/lineage", data=event(uuid4()), headers=JSON) as answer:
                assert answer.status == 201
    assert 1 <= ways.connections() <= 3
    for writer in writers:
        writer.close()
