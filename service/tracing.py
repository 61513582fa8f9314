"""OpenTelemetry traces, if the variables OTEL_… ask for them: of requests, batches, commits and projected pages.

Without these variables nothing of OpenTelemetry is imported, and `start` returns None. Spans are exported by a thread
of the SDK, which keeps a bounded number of them. Decision record: docs/decisions/0036-traces.md.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from service.errors import ExtraMissing, OperatorError
from service.trace_context import TraceContext

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanContext

_MAX_LINKS = 1000
"""Links of a span; a batch has one for each of its requests. OTEL_SPAN_LINK_COUNT_LIMIT sets another bound."""

_STOP_S = 5.0
"""Seconds in which the last spans are exported when a process stops."""

_SERVER_ERROR = 500

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


def is_requested(environment: Mapping[str, str]) -> bool:
    """Return whether the variables ask for traces: an endpoint, or the exporter otlp. Raises OperatorError."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter == "none" or not (exporter or any(environment.get(name) for name in _ENDPOINTS)):
        return False
    if exporter not in ("", "otlp"):
        raise OperatorError(f"OTEL_TRACES_EXPORTER is {exporter!r}; Runfold exports traces by otlp, or none.")
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), _PROTOCOL)
    if protocol != _PROTOCOL:
        raise OperatorError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; Runfold exports traces by {_PROTOCOL}.")
    return True


def require_packages() -> None:
    """Raise OperatorError if traces are requested and OpenTelemetry is not installed."""
    if is_requested(os.environ):
        _import_sdk()


def _import_sdk() -> None:
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: PLC0415  see the module's docstring
        import opentelemetry.sdk.trace.export  # noqa: F401, PLC0415
    except ImportError as error:
        raise ExtraMissing(
            f"The variables OTEL_… ask for traces, and OpenTelemetry is not installed ({error}):"
            " set OTEL_TRACES_EXPORTER=none, or install it",
            "otel",
        ) from error


def start() -> Tracing | None:
    """Return what records spans of this process; None if the environment does not ask for it. Raises OperatorError."""
    if not is_requested(os.environ):
        return None
    _import_sdk()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    limits = SpanLimits(max_links=None if os.environ.get("OTEL_SPAN_LINK_COUNT_LIMIT") else _MAX_LINKS)
    resource = Resource.create({"service.version": version("runfold")} | ({} if named else {"service.name": "runfold"}))
    provider = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


class RequestSpan:
    """The span of a request."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def context(self) -> TraceContext:
        """Its ids."""
        return _context(self._span.get_span_context())

    def answered(self, status: int, **attributes: str | float | None) -> None:
        """Record the answer; attributes that are None are left out."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415

        self._span.set_attribute("http.response.status_code", status)
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(f"runfold.{name}", value)
        if status >= _SERVER_ERROR:
            self._span.set_status(StatusCode.ERROR)


class Tracing:
    """Records the spans of this process."""

    def __init__(self, provider: TracerProvider) -> None:
        """Take the SDK's provider, which `stop` shuts down."""
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.context import Context  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._provider = provider
        self._tracer = provider.get_tracer("runfold", version("runfold"))
        self._propagator = TraceContextTextMapPropagator()
        self._trace, self._root = trace, Context()

    @contextmanager
    def request(self, method: str, route: str | None, headers: Mapping[str, str]) -> Iterator[RequestSpan]:
        """Record a request while the block runs, in the trace that its headers name, if any.

        `route` is the template of its path; None if it has none.
        """
        attributes = {"http.request.method": method} | ({"http.route": route} if route else {})
        with self._tracer.start_as_current_span(
            f"{method} {route}" if route else method,
            context=self._propagator.extract({name.lower(): value for name, value in headers.items()}, self._root),
            kind=self._trace.SpanKind.SERVER,
            attributes=attributes,
        ) as span:
            yield RequestSpan(span)

    def current_span(self) -> Span:
        """Return the span in which the caller runs, to be linked with a batch."""
        return self._trace.get_current_span()

    def current_context(self) -> TraceContext | None:
        """Return the ids of the span in which the caller runs; None where none is recorded."""
        context = self.current_span().get_span_context()
        return _context(context) if context.is_valid and context.trace_flags.sampled else None

    @contextmanager
    def batch(self, parents: Iterable[Span]) -> Iterator[None]:
        """Record a batch while the block runs: a trace of its own, linked with the requests in it, both ways."""
        spans = {span.get_span_context().span_id: span for span in parents if span.get_span_context().is_valid}
        with self._tracer.start_as_current_span(
            "append batch",
            context=self._root,
            links=[self._trace.Link(span.get_span_context()) for span in spans.values()],
            attributes={"runfold.batch.requests": len(spans)},
        ) as batch:
            for span in spans.values():
                if span.is_recording():  # its caller may have left, or was answered because it waited for too long
                    span.add_link(batch.get_span_context())
            yield

    @contextmanager
    def commit(self, events: int) -> Iterator[None]:
        """Record the commit of some events while the block runs, within the current batch or request."""
        with self._tracer.start_as_current_span(
            "commit",
            kind=self._trace.SpanKind.CLIENT,
            attributes={"runfold.events": events, "db.system.name": "postgresql"},
        ):
            yield

    @contextmanager
    def page(self, after: int, upto: int, batches: Collection[TraceContext]) -> Iterator[None]:
        """Record a page that is projected into the catalog, linked with the batches whose events it has."""
        with self._tracer.start_as_current_span(
            "project page",
            context=self._root,
            links=[self._trace.Link(self._span_context(batch)) for batch in batches],
            attributes={"runfold.after": after, "runfold.upto": upto},
        ):
            yield

    def _span_context(self, span: TraceContext) -> SpanContext:
        return self._trace.SpanContext(
            int(span.trace_id, 16),
            int(span.span_id, 16),
            is_remote=True,
            trace_flags=self._trace.TraceFlags(span.sampled),
        )

    def stop(self) -> None:
        """Export what is left, for some seconds at most."""
        # A daemon: the process must end although the receiver does not answer.
        thread = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        thread.start()
        thread.join(_STOP_S)


def _context(context: SpanContext) -> TraceContext:
    return TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", bool(context.trace_flags.sampled))
