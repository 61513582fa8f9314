"""Traces of the real program, exported to a receiver of OTLP."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import tomllib
from uuid import uuid4

import aiohttp
import pytest
from building import APPENDING, fact, held_head
from documents import blocks
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from otlp import attributes, ids, links, receiver
from programs import REPOSITORY, program, run
from waiting import wait_until

RUN = "/api/v1/jobs/runs/{id}"
LINEAGE = "/api/v1/lineage"
JSON = {"Content-Type": "application/json"}

BATCHES = 6
"""One of the service, which defines the namespace `default`; two of six callers, two of a run that begins and ends, and
one of a caller whose trace is not recorded."""


def traceparent(trace: str, span: str, flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{span}-{flags}"}


async def test_requests_batches_commits_and_pages_are_spans_that_lead_to_each_other(dsn, db, tmp_path):
    log = tmp_path / "stderr"
    arguments = ("serve", "--port", 0, "--database-url", dsn, "--access-log", "--log-format", "json")
    async with receiver() as received:
        name = documented_variable()
        variables = {name: received.url, "OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_RESOURCE_ATTRIBUTES": "team=data"}
        async with program(log, *arguments, **variables) as service:
            url = await address(log)
            async with aiohttp.ClientSession(url, headers=JSON) as session:
                callers = [(uuid4().hex, uuid4().hex[:16]) for _ in range(6)]
                await post_in_two_batches(session, dsn, db, callers)
                ended = uuid4()
                await post(session, LINEAGE, fact(ended, "RUNNING").payload)
                await post(session, RUN.format(id=ended) + "/complete")
                refused = await post(session, RUN.format(id=ended) + "/fail", **traceparent(*callers[0]))
                unsampled = uuid4().hex
                await post(session, LINEAGE, fact(uuid4(), None).payload, **traceparent(unsampled, callers[0][1], "00"))
                async with session.get("/metrics"):
                    pass

                async def all_are_exported():
                    pages = {link for page in received.named("project page") for link in links(page)}
                    batches = {ids(batch) for batch in appended(received)}
                    return len(batches) == BATCHES and pages >= batches and received.named(f"POST {RUN}/fail")

                await wait_until(all_are_exported, "all spans are exported")
            service.send(signal.SIGTERM)
            assert (await service.end()).status == 0
    assert {(each["service.name"], each["team"]) for each in received.resources} == {("runfold", "data")}
    check_requests(received, callers)
    check_batches(received, callers)
    (fail,) = received.named(f"POST {RUN}/fail")
    assert refused.headers["traceresponse"] == "00-{}-{}-01".format(*ids(fail))
    assert (attributes(fail)["http.response.status_code"], attributes(fail)["runfold.run"]) == (409, str(ended))
    assert fail.status.code == Status.STATUS_CODE_UNSET  # the caller's error is none of ours
    assert not [span for span in received.spans if span.trace_id.hex() == unsampled or "metrics" in span.name]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    logged = {
        (line["trace_id"], line["span_id"])
        for line in lines
        if line["logger"] == "service.access" and "trace_id" in line
    }
    assert {ids(span) for span in received.spans if span.kind == Span.SPAN_KIND_SERVER} <= logged


def documented_variable():
    """Return the variable of the documented command; its extra is one of the package."""
    install, serve = blocks("docs/observability.md", "Traces")
    extra = re.fullmatch(r"pip install 'runfold\[(\w+)\]'", install)[1]
    assert extra in tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return re.fullmatch(r"(\w+)=\S+ runfold serve", serve)[1]


def check_requests(received, callers):
    """Each request is a span in the trace of its caller, below the caller's span."""
    requests = {span.trace_id.hex(): span for span in received.named(f"POST {LINEAGE}")}
    for trace, parent in callers:
        assert requests[trace].parent_span_id.hex() == parent
        assert requests[trace].kind == Span.SPAN_KIND_SERVER
        assert attributes(requests[trace])["http.route"] == LINEAGE
        assert attributes(requests[trace])["http.response.status_code"] == 201


def check_batches(received, callers):
    """A batch is linked with each of its requests, these with it, its commit is below it, and a page leads to it."""
    requests = {ids(span): span for span in received.named(f"POST {LINEAGE}")}
    of_many = max(received.named("append batch"), key=lambda batch: len(batch.links))
    assert len(of_many.links) == 5
    assert {trace for trace, _ in links(of_many)} == {trace for trace, _ in callers[1:]}
    assert not of_many.parent_span_id
    for link in links(of_many):
        assert links(requests[link]) == {ids(of_many)}
    for batch in appended(received):
        (commit,) = [span for span in received.named("commit") if span.trace_id == batch.trace_id]
        assert commit.parent_span_id == batch.span_id
        assert batch.start_time_unix_nano <= commit.start_time_unix_nano < commit.end_time_unix_nano
        assert commit.end_time_unix_nano <= batch.end_time_unix_nano
        (page,) = [page for page in received.named("project page") if ids(batch) in links(page)]
        assert attributes(page)["runfold.after"] < attributes(page)["runfold.upto"]


def appended(received):
    """Return the batches that appended events; one of a refused command appends none."""
    return [
        batch
        for batch in received.named("append batch")
        if any(commit.trace_id == batch.trace_id for commit in received.named("commit"))
    ]


async def post(session, path, body=None, **headers):
    async with session.post(path, data=body, headers=headers) as response:
        await response.read()
        return response


async def post_in_two_batches(session, dsn, db, callers):
    """Post an event for each caller: the first is being appended while the others wait, so they make one batch."""

    def send(caller):
        return asyncio.create_task(post(session, LINEAGE, fact(uuid4(), "RUNNING").payload, **traceparent(*caller)))

    async def waits():
        async with session.get("/metrics") as response:
            return f"runfold_queue_depth {len(callers) - 1}.0" in await response.text()

    async with held_head(dsn):
        first = send(callers[0])
        await wait_until(lambda: db.fetchval(APPENDING), "the first event is being appended")
        others = [send(caller) for caller in callers[1:]]
        await wait_until(waits, "the others wait")
    for task in (first, *others):
        assert (await task).status == 201


async def address(log):
    async def printed():
        return [line for line in log.read_text().splitlines() if "Runfold answers on" in line]

    await wait_until(printed, "it is ready")
    return json.loads((await printed())[0])["message"].split()[3].rstrip(",")


async def test_a_receiver_that_does_not_answer_costs_no_request_and_little_time_at_the_end(dsn, tmp_path):
    arguments = ("serve", "--port", 0, "--database-url", dsn)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with program(tmp_path / "stderr", *arguments, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as service:
            await service.wait_until_ready()
            async with aiohttp.ClientSession(service.url, headers=JSON) as session:
                for _ in range(20):
                    assert (await post(session, LINEAGE, fact(uuid4(), "RUNNING").payload)).status == 201
            service.send(signal.SIGTERM)
            began = asyncio.get_running_loop().time()
            assert (await service.end()).status == 0
            assert asyncio.get_running_loop().time() - began < 20


def test_nothing_of_opentelemetry_is_imported_where_it_is_not_asked_for():
    code = "import sys, service.server.serve, service.tracing as t; assert t.start() is None; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )
    assert "opentelemetry" not in ended.stdout


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"OTEL_TRACES_EXPORTER": "otlp"}, f"{sys.executable} -m pip install 'runfold[otel]'"),
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "Runfold exports traces by otlp, or none"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "by http/protobuf"),
    ],
)
async def test_what_cannot_be_exported_is_a_sentence_before_anything_is_started(variables, sentence, tmp_path):
    (tmp_path / "opentelemetry.py").touch()  # hides the installed package
    ended = await run(
        tmp_path / "stderr",
        "serve",
        "--port",
        0,
        "--data-dir",
        tmp_path / "data",
        **variables,
        PYTHONPATH=str(tmp_path),
    )
    assert ended.status == 1
    assert sentence in ended.errors
    assert len(ended.errors.splitlines()) == 1
    assert not (tmp_path / "data").exists()
