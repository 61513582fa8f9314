"""JSON bytes and domain values: what comes in is read and checked here, what goes out is written here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import orjson
from orjson import Fragment

from service.domain import timestamps
from service.domain.job import JobRegisters, NamespaceRegisters
from service.domain.run import Content, RunRegisters, RunState, Stamped, StampedDatasets
from service.errors import FieldError, Invalid, Malformed
from service.payloads import depth
from service.payloads.contents import creator_content
from service.payloads.schemas import (
    CreateRun,
    LookUpRuns,
    PutJob,
    PutNamespace,
    decode_create_run,
    decode_look_up_runs,
    decode_put_job,
    decode_put_namespace,
)

T = TypeVar("T")

_ZULU = orjson.OPT_UTC_Z
_NO_ARGS = Fragment(b"{}")
_NEW, _RUNNING = RunState.NEW.value, RunState.RUNNING.value
_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def dump(value: Any) -> bytes:  # noqa: ANN401  whatever orjson writes
    """Write JSON; times as RFC 3339 with Z."""
    return orjson.dumps(value, option=_ZULU)


def _read(body: bytes, decode: Callable[[bytes], T]) -> T:
    if depth.too_deep(body):
        raise Malformed(f"the body is nested deeper than {depth.MAX_DEPTH} levels")
    try:
        text = body.decode()
        decoded = decode(body)
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    except msgspec.ValidationError as error:
        raise Malformed(_in_the_callers_words(str(error))) from None
    except msgspec.DecodeError as error:
        raise Malformed(_not_json(body, error)) from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    if "\\u0000" in text:
        _refuse_nul(msgspec.json.decode(body))
    return decoded


def _not_json(body: bytes, error: msgspec.DecodeError) -> str:
    if not body.strip():
        return "the body is empty"
    if _HALF_A_PAIR.search(body) and "truncated" in str(error):
        return "a text in the body has half of a surrogate pair, which stands for no character"
    return f"the body is not JSON: {error}"


def _refuse_nul(value: object) -> None:
    if isinstance(value, str) and "\0" in value:
        raise Invalid("the body has a NUL character in a text, which cannot be recorded")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for part in value:
            _refuse_nul(part)


def _in_the_callers_words(message: str) -> str:
    """`Expected `str`, got `int` - at `$.ownerName`` is clear but for the dollar."""
    return message.replace(" - at `$.", " at `").replace(" - at `$`", " in the body")


def read_create_run(body: bytes) -> tuple[CreateRun, Content]:
    """Read the body that creates a run; an empty one is {}. Raises Malformed or Invalid."""
    request = _read(body or b"{}", decode_create_run)
    errors = [*_times(request)]
    if errors:
        raise Invalid("; ".join(f"{e.field}: {e.message}" for e in errors), tuple(errors))
    try:
        return request, creator_content(request)
    except ValueError as error:
        raise Malformed(f"args: each value {error}") from None


def _times(request: CreateRun) -> Iterator[FieldError]:
    for field in ("nominalStartTime", "nominalEndTime"):
        text = getattr(request, field)
        try:
            if text is not None:
                timestamps.parse(text)
        except ValueError as error:
            yield FieldError(field, str(error))


def read_put_namespace(body: bytes) -> PutNamespace:
    """Read the body of a PUT of a namespace."""
    return _read(body, decode_put_namespace)


def read_put_job(body: bytes) -> PutJob:
    """Read the body of a PUT of a job."""
    return _read(body, decode_put_job)


def read_look_up(body: bytes) -> LookUpRuns:
    """Read the body that asks for many runs at once."""
    return _read(body, decode_look_up_runs)


def run_view(run_id: str, run: RunRegisters) -> dict[str, Any]:
    """Return a run as the API shows it; JSON that callers sent goes out as the bytes it came as."""
    created, started_at = run.created, run.started_at
    ended = run.ended
    nominal_start, nominal_end = run.nominal_times
    return {
        "id": run_id,
        "createdAt": created.at if created else run.updated_at,
        "updatedAt": run.updated_at,
        "nominalStartTime": nominal_start,
        "nominalEndTime": nominal_end,
        "state": ended.state if ended else _NEW if started_at is None else _RUNNING,
        "startedAt": started_at,
        "endedAt": ended.at if ended else None,
        "durationMs": run.duration_ms if ended else None,
        "args": Fragment(created.args) if created and created.args else _NO_ARGS,
        "jobVersion": None,
        "inputDatasetVersions": [],
        "outputDatasetVersions": [],
        "facets": facets_view(run.run_facets) if run.run_facets else {},
    }


def runs_view(runs: Iterable[tuple[UUID, RunRegisters]], total: int) -> dict[str, Any]:
    """Return a page of a list of runs, and how many the whole list has."""
    return {"runs": [run_view(str(run_id), run) for run_id, run in runs], "totalCount": total}


def job_of(run: RunRegisters) -> dict[str, str] | None:
    """Return the name of a run's job."""
    return {"namespace": run.created.namespace, "name": run.created.job} if run.created else None


def facets_view(facets: Mapping[str, Stamped]) -> dict[str, Fragment]:
    """Return the facets that stand, verbatim."""
    return {name: Fragment(facet.value) for name, facet in sorted(facets.items()) if facet.value is not None}


def namespace_view(namespace: NamespaceRegisters) -> dict[str, Any]:
    """Return a namespace as Marquez shows one."""
    definition = namespace.definition
    created = namespace.first_seen.at if namespace.first_seen else namespace.updated_at
    return {
        "name": namespace.name,
        "createdAt": created,
        "updatedAt": max(created, namespace.updated_at),
        "ownerName": definition.owner if definition else "anonymous",
        "description": definition.description if definition else None,
        "isHidden": namespace.hidden,
    }


def job_view(job: JobRegisters, latest_runs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return a job as Marquez shows one; latest_runs are views of runs, newest first."""
    definition = job.definition
    runs = list(latest_runs)
    return {
        "id": {"namespace": job.namespace, "name": job.name},
        "type": definition.type if definition else _type_of(job),
        "name": job.name,
        "simpleName": job.name,
        "parentJobName": None,
        "parentJobUuid": None,
        "createdAt": job.first_seen.at if job.first_seen else job.updated_at,
        "updatedAt": job.updated_at,
        "namespace": job.namespace,
        "inputs": _datasets(job.inputs),
        "outputs": _datasets(job.outputs),
        "location": definition.location if definition else None,
        "description": definition.description if definition else None,
        "latestRun": runs[0] if runs else None,
        "latestRuns": runs or None,
        "facets": facets_view(job.facets),
        "currentVersion": None,
        "labels": [],
        "tags": [],
    }


def _datasets(stamped: StampedDatasets | None) -> list[dict[str, str]]:
    return [dataset._asdict() for dataset in stamped.datasets] if stamped else []


def _type_of(job: JobRegisters) -> str:
    """A job that was never defined is a batch job, unless its `jobType` facet says that it streams."""
    facet = job.facets.get("jobType")
    return "STREAM" if facet and facet.value and b'"STREAMING"' in facet.value else "BATCH"


def read_time(name: str, text: str, now: datetime | None = None) -> datetime:
    """Read a parameter that is a time; with `now`, refuse one that is too far ahead of it."""
    try:
        at = timestamps.parse(text)
    except ValueError as error:
        raise Malformed(f"parameter {name}: {error}") from None
    if now is not None and timestamps.is_too_far_ahead(at, now):
        raise Invalid(f"parameter {name}: {timestamps.too_far_ahead(at)}")
    return at
