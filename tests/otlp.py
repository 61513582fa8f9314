"""A receiver of OTLP over HTTP, which keeps the spans that it gets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Receiver:
    """The spans that were exported, and the resources that exported them."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        self.url = ""

    async def receive(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        for exported in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            self.resources.append({each.key: each.value.string_value for each in exported.resource.attributes})
            self.spans += [span for scope in exported.scope_spans for span in scope.spans]
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, content_type="application/x-protobuf")

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


def attributes(span: Span) -> dict[str, object]:
    """Return the attributes of a span."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def links(span: Span) -> set[tuple[str, str]]:
    """Return the traces and spans that a span is linked with."""
    return {(link.trace_id.hex(), link.span_id.hex()) for link in span.links}


def ids(span: Span) -> tuple[str, str]:
    """Return the trace of a span, and its own id."""
    return span.trace_id.hex(), span.span_id.hex()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Receive on a free port until the block ends."""
    found = Receiver()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/v1/traces", found.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()
