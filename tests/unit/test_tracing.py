"""When traces are recorded, and what a batch is linked with."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.errors import OperatorError
from service.tracing import Tracing, is_requested

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "runfold", "OTEL_METRICS_EXPORTER": "otlp"}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, False),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": ""}, True),
    ],
)
def test_the_standard_variables_ask_for_traces(environment, expected):
    assert is_requested(environment) is expected


@pytest.mark.parametrize("wrong", [{"OTEL_TRACES_EXPORTER": "zipkin"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}])
def test_what_runfold_cannot_export_is_an_error_and_not_ignored(wrong):
    with pytest.raises(OperatorError):
        is_requested(ENDPOINT | wrong)


def test_a_batch_is_linked_both_ways_but_not_from_a_request_that_is_over(caplog):
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracing = Tracing(provider)
    with tracing.request("POST", "/over", {}):
        over = tracing.current_span()
    with tracing.request("POST", "/waiting", {}), tracing.batch([over, tracing.current_span()]):
        pass
    found = {span.name: span for span in spans.get_finished_spans()}
    batch = found["append batch"]
    assert batch.parent is None
    assert {link.context.span_id for link in batch.links} == {
        found[name].context.span_id for name in ("POST /over", "POST /waiting")
    }
    assert [link.context for link in found["POST /waiting"].links] == [batch.context]
    assert not found["POST /over"].links
    assert not caplog.records
    tracing.stop()
