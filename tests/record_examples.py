"""Records the examples of the API: starts the real service, plays a small story, and writes examples.json.

`make examples` runs it. tests/integration/http/test_examples.py records anew and compares, so that no example is stale.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from databases import QUICK, database, execute
from services import serve
from yarl import URL

from service.database import migrations
from service.embedded.postgres import EmbeddedPostgres
from service.http.openapi.examples import EXAMPLES_FILE
from service.http.paths import BASE
from service.http.route import Route
from service.http.routes import ROUTES

SHOWN_SERVER = "http://localhost:5000"
SHOWN_HEADERS = ("Content-Type", "Location", "Retry-After", "Runfold-Recorded")
SHOWN_LINES = 5
JSON, NDJSON = "application/json", "application/x-ndjson"

NAMESPACE, JOB = f"{BASE}/namespaces/etl", f"{BASE}/namespaces/etl/jobs/load"
DATASET, CLEAN = f"{NAMESPACE}/datasets/orders", f"{BASE}/namespaces/s3%3A%2F%2Fwarehouse/datasets/orders"
RUN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"
CHILD = "5bf5d05f-86b6-4d05-8e1d-10ee667e37ba"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
PRODUCER = "https://example.com/scheduler"
SPEC = "https://openlineage.io/spec"


def route_of(method: str, path: str) -> Route:
    """Return the route of a path: of several that match, the one with the fewest parameters."""

    def matches(route: Route) -> bool:
        return route.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", route.path), path) is not None

    return min(filter(matches, ROUTES), key=lambda route: len(route.path_parameters))


class Recorder:
    """Sends requests, and keeps each with its answer."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url
        self.examples: list[dict[str, Any]] = []

    async def send(
        self, method: str, target: str, body: Any = None, *, kind: str = JSON, status: int = 200, **headers: str
    ) -> Any:
        """Send a request and record it; a keyword such as Idempotency_Key is a header. Returns the answer's body."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent["Content-Type"] = kind
        data = None if body is None else body if isinstance(body, str) else json.dumps(body)
        url = URL(self.url + target, encoded=True)
        async with self.session.request(method, url, data=data, headers=sent, allow_redirects=False) as response:
            answer = await self._read(response)
            assert response.status == status, (method, target, response.status, answer)
            shown = {name: response.headers[name] for name in SHOWN_HEADERS if name in response.headers}
        route = route_of(method, urlsplit(target).path)
        self.examples.append(
            {
                "operation": f"{route.method} {route.path}",
                "request": {"target": target, "headers": sent, "body": body},
                "answer": {"status": status, "headers": self._shown(shown), "body": answer},
            }
        )
        return answer

    def _shown(self, headers: dict[str, str]) -> dict[str, str]:
        return {name: value.replace(self.url, SHOWN_SERVER) for name, value in headers.items()}

    async def _read(self, response: aiohttp.ClientResponse) -> Any:
        """Return the body of an answer, shortened where it is long or endless."""
        if response.content_type == "text/event-stream":
            count = 2 if "brief" in response.url.query else 3  # the first one says where the stream begins
            frames = [await response.content.readuntil(b"\n\n") for _ in range(count)]
            response.close()
            return b"".join(frames).decode()
        text = await response.text()
        assert not text or text.endswith("\n"), f"{response.url}: a terminal shows the next prompt on the same line"
        if response.url.path == "/openapi.json":
            document = json.loads(text)
            return {name: document[name] for name in ("openapi", "info", "servers")} | {"paths": {}}
        if response.url.path == "/metrics":
            return "".join(f"{line}\n" for line in text.splitlines() if re.search(r"_queue_|_ledger_|_catalog_", line))
        if response.content_type == "text/html":
            return "\n".join([*text.splitlines()[:SHOWN_LINES], "…"])
        return json.loads(text) if response.content_type.endswith("json") else text or None


def event(run: str, kind: str, minute: int, *, parent: str | None = None) -> dict[str, Any]:
    """Return an OpenLineage event of a run of job etl/clean."""
    facet = {
        "_producer": PRODUCER,
        "_schemaURL": f"{SPEC}/facets/1-1-0/ParentRunFacet.json",
        "run": {"runId": parent},
        "job": {"namespace": "etl", "name": "load"},
    }
    return {
        "eventType": kind,
        "eventTime": f"2024-01-05T00:{minute:02}:00Z",
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run, "facets": {"parent": facet} if parent else {}},
        "job": {"namespace": "etl", "name": "clean"},
        "inputs": [{"namespace": "postgres://shop", "name": "public.orders"}],
        "outputs": [{"namespace": "s3://warehouse", "name": "orders"}],
    }


def with_columns() -> dict[str, Any]:
    """Return an output with its schema, and what its column is made of."""
    columns = {"fields": [{"name": "total", "type": "numeric"}]}
    made_of = {"namespace": "postgres://shop", "name": "public.orders", "field": "amount"}
    how = {"type": "DIRECT", "subtype": "AGGREGATION", "description": "the sum of a day", "masking": False}
    mapping = {"fields": {"total": {"inputFields": [made_of | {"transformations": [how]}]}}}
    facets = {
        name: {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/facets/{version}.json"} | facet
        for name, version, facet in (
            ("schema", "1-1-1/SchemaDatasetFacet", columns),
            ("columnLineage", "1-2-0/ColumnLineageDatasetFacet", mapping),
        )
    }
    return {"namespace": "s3://warehouse", "name": "orders", "facets": facets}


async def define(story: Recorder) -> None:
    await story.send("PUT", NAMESPACE, {"ownerName": "data-platform", "description": "Nightly loads."})
    await story.send("PUT", NAMESPACE, {"description": "Without an owner."}, status=400)
    job = {
        "type": "BATCH",
        "inputs": [{"namespace": "postgres://shop", "name": "public.orders"}],
        "outputs": [{"namespace": "s3://warehouse", "name": "orders"}],
        "location": "https://example.com/jobs/load.py",
        "description": "Loads the orders of a day.",
    }
    await story.send("PUT", JOB, job)
    await story.send("PUT", f"{BASE}/namespaces/unknown/jobs/load", job, status=404)
    await story.send("PUT", JOB, "type: BATCH", kind="application/yaml", status=415)
    source = {"type": "POSTGRESQL", "connectionUrl": "postgresql://loader:s3cret@db.example.com/shop"}
    await story.send("PUT", f"{BASE}/sources/shop", source | {"description": "The shop's database."})
    await story.send("PUT", f"{BASE}/sources/shop", source | {"connectionUrl": "no URI"}, status=422)
    dataset = {
        "type": "DB_TABLE",
        "physicalName": "public.orders",
        "sourceName": "shop",
        "fields": [{"name": "id", "type": "INTEGER"}, {"name": "email", "type": "VARCHAR", "tags": ["PII"]}],
        "description": "All orders.",
    }
    await story.send("PUT", DATASET, dataset)
    await story.send("PUT", DATASET, dataset | {"sourceName": "unknown"}, status=404)
    await story.send("PUT", DATASET, dataset | {"type": "STREAM"}, status=422)
    await story.send("POST", f"{DATASET}/tags/gold")
    await story.send("POST", f"{DATASET}/fields/id/tags/key")
    await story.send("POST", f"{DATASET}/fields/unknown/tags/key", status=404)
    await story.send("DELETE", f"{DATASET}/fields/id/tags/key")
    await story.send("DELETE", f"{DATASET}/tags/gold")
    await story.send("PUT", f"{BASE}/tags/PII", {"description": "Personally identifiable information"})
    await story.send("POST", f"{JOB}/tags/PII")
    await story.send("POST", f"{NAMESPACE}/jobs/unknown/tags/PII", status=404)
    await story.send("DELETE", f"{JOB}/tags/PII")


async def run(story: Recorder) -> None:
    body = {"id": RUN, "args": {"day": "2024-01-05"}, "nominalStartTime": "2024-01-05T00:00:00Z"}
    await story.send("POST", f"{JOB}/runs", body, status=201, Idempotency_Key="load-2024-01-05")
    await story.send("POST", f"{JOB}/runs", body, Idempotency_Key="load-2024-01-05")
    await story.send("POST", f"{JOB}/runs", {"id": RUN, "args": {"day": "2024-01-06"}}, status=409)
    await story.send("POST", f"{JOB}/runs", {"id": RUN, "nominalStartTime": "tomorrow"}, status=422)
    await story.send("POST", f"{NAMESPACE}/jobs/unknown/runs", {}, status=404, Idempotency_Key="unknown")
    path = f"{BASE}/jobs/runs/{RUN}"
    await story.send("POST", f"{path}/start?at=2024-01-05T00:00:30Z", Idempotency_Key="start-1")
    await story.send("POST", f"{path}/start?at=yesterday", status=400)
    await story.send("POST", f"{BASE}/jobs/runs/{UNKNOWN}/start", status=404)
    await story.send("POST", f"{path}/complete?at=2024-01-05T00:12:30Z")
    await story.send("POST", f"{path}/complete?at=2999-01-01T00:00:00Z", status=422)
    await story.send("POST", f"{path}/fail?at=2024-01-05T00:13:00Z", status=409)
    for end, day in (("fail", "06"), ("abort", "07")):
        key = f"load-2024-01-{day}"
        other = await story.send("POST", f"{JOB}/runs", {}, status=201, Idempotency_Key=key)
        path = f"{BASE}/jobs/runs/{other['id']}"
        await story.send("POST", f"{path}/start?at=2024-01-{day}T00:00:30Z")
        await story.send("POST", f"{path}/{end}?at=2024-01-{day}T00:02:00Z")


async def report_lineage(story: Recorder) -> None:
    await story.send("POST", f"{BASE}/lineage", event(CHILD, "START", 1, parent=RUN), status=201)
    await story.send("POST", f"{BASE}/lineage", {"eventTime": "soon"}, status=422)
    await story.send("POST", f"{BASE}/lineage", event(CHILD, "RUNNING", 2) | {"outputs": [with_columns()]}, status=201)
    batch = f"{BASE}/lineage/batch"
    await story.send("POST", batch, [event(CHILD, "RUNNING", 2)], status=204)
    lines = "".join(f"{json.dumps(event(CHILD, kind, minute))}\n" for kind, minute in (("RUNNING", 3), ("COMPLETE", 4)))
    await story.send("POST", batch, lines, kind=NDJSON, status=204)
    await story.send("POST", batch, [event(CHILD, "COMPLETE", 5), {"eventTime": "2024-01-05T00:06:00Z"}])
    await story.send("GET", f"{BASE}/events/lineage?namespace=etl&after=2024-01-05T00:00:00Z&sortDirection=asc&limit=1")


async def read_runs(story: Recorder) -> None:
    path = f"{BASE}/jobs/runs/{RUN}"
    await story.send("GET", path)
    await story.send("GET", f"{path}?validAt=2024-01-05T00:05:00Z")
    history = await story.send("GET", f"{path}/events?limit=2")
    await story.send("GET", f"{path}?knownAt={history['events'][0]['recordedAt']}")
    await story.send("GET", f"{path}?knownAt=2024-01-01T00:00:00Z", status=404)
    await story.send("GET", f"{BASE}/jobs/runs/{CHILD}/facets?type=run")
    await story.send("GET", f"{path}/children?limit=10&offset=0")
    await story.send("GET", f"{path}/tree?depth=2&limit=10")
    await story.send("POST", f"{BASE}/runs/lookup", {"ids": [RUN, UNKNOWN]})
    await story.send("GET", f"{JOB}/runs?state=COMPLETED,FAILED&limit=2&offset=0")
    await story.send("GET", f"{BASE}/runs?namespace=etl&job=load&state=COMPLETED&startedAfter=2024-01-01T00:00:00Z")
    await story.send("GET", f"{BASE}/runs?runningAt=2024-01-05T00:05:00Z&limit=1")
    await story.send("GET", f"{BASE}/runs?sort=start&limit=1&count=100")
    await story.send("GET", f"{BASE}/runs?sort=start&limit=1&withoutFacets=true")
    await story.send("GET", f"{BASE}/runs?sate=FAILED", status=400)


async def read_ledger(story: Recorder) -> None:
    await story.send("GET", f"{BASE}/events?namespace=etl&kind=transition&limit=2")
    await story.send("GET", f"{BASE}/events/count?state=COMPLETED&source=api")
    stream = f"{BASE}/events/stream?cursor=start&kind=transition"
    text = await story.send("GET", stream)
    await story.send("GET", f"{BASE}/events/stream", Last_Event_ID=re.search(r"^id: (\S+)", text, re.MULTILINE)[1])
    await story.send("GET", f"{BASE}/events/stream?cursor=start&brief=true&job=load&state=COMPLETED")
    await story.send("GET", f"{BASE}/access")
    await story.send("GET", f"{BASE}/ledger/head")
    await story.send("GET", f"{BASE}/ledger/verify?from=1&to=5")
    await story.send("GET", f"{BASE}/ledger/verify?from=5&to=1", status=400)


async def read_catalog(story: Recorder) -> None:
    await story.send("GET", JOB)
    await story.send("GET", f"{JOB}?stale=maybe", status=400)
    await story.send("GET", f"{NAMESPACE}/jobs/unknown", status=404)
    await story.send("GET", f"{NAMESPACE}/jobs?lastRunStates=COMPLETED&limit=1")
    await story.send("GET", f"{BASE}/jobs?limit=1")
    await story.send("GET", f"{BASE}/jobs/latest-runs?lastRunStates=COMPLETED&limit=2")
    await story.send("GET", NAMESPACE)
    await story.send("GET", f"{BASE}/namespaces/unknown", status=404)
    await story.send("GET", f"{BASE}/namespaces?limit=10")
    await story.send("GET", f"{BASE}/search?q=orders&filter=DATASET&sort=NAME&limit=2")
    await story.send("GET", f"{BASE}/search?q=", status=400)
    await story.send("GET", f"{BASE}/lineage?nodeId=job:etl:load&depth=1&direction=down&limit=10")
    await story.send("GET", f"{BASE}/lineage?nodeId=job:etl:load&depth=0&validAt=2024-01-05T00:05:00Z")
    await story.send("GET", f"{BASE}/lineage?nodeId=load", status=400)
    await story.send("GET", f"{BASE}/lineage?nodeId=job:etl:unknown", status=404)
    await story.send("GET", f"{BASE}/column-lineage?nodeId=dataset:s3://warehouse:orders&depth=1&withDownstream=true")
    await story.send("GET", f"{BASE}/column-lineage?nodeId=datasetField:s3://warehouse:orders:unknown", status=404)
    for direction in ("upstream", "downstream"):
        await story.send("GET", f"{BASE}/runlineage/{direction}?runId={CHILD}&depth=1")
        await story.send("GET", f"{BASE}/runlineage/{direction}?runId={UNKNOWN}", status=404)
    for counted in ("lineage-events", "jobs", "datasets", "sources"):
        await story.send("GET", f"{BASE}/stats/{counted}?period=WEEK&timezone=Europe/Berlin")
    await story.send("GET", f"{BASE}/stats/jobs?period=WEEK&timezone=Mars/Base", status=400)


async def read_datasets(story: Recorder) -> None:
    await story.send("GET", DATASET)
    await story.send("GET", f"{CLEAN}?validAt=2024-01-05T00:02:30Z")
    await story.send("GET", f"{NAMESPACE}/datasets/unknown", status=404)
    await story.send("GET", f"{NAMESPACE}/datasets?limit=10")
    await story.send("GET", f"{BASE}/datasets?name=ord&limit=1")
    history = await story.send("GET", f"{DATASET}/events?limit=1")
    await story.send("GET", f"{DATASET}/events?limit=1&cursor={history['next']}")
    await story.send("GET", f"{NAMESPACE}/datasets/unknown/events", status=404)
    await story.send("GET", f"{JOB}/events?limit=2")
    found = await story.send("GET", f"{CLEAN}/versions?limit=10")
    await story.send("GET", f"{CLEAN}/versions/{found['versions'][0]['version']}")
    await story.send("GET", f"{CLEAN}/versions/{UNKNOWN}", status=404)
    await story.send("GET", f"{BASE}/sources?limit=10")
    await story.send("GET", f"{BASE}/sources/shop")
    await story.send("GET", f"{BASE}/sources/unknown", status=404)
    await story.send("GET", f"{BASE}/tags?limit=10")
    job = f"{NAMESPACE}/jobs/clean"
    found = await story.send("GET", f"{job}/versions?limit=10")
    await story.send("GET", f"{job}/versions/{found['versions'][0]['version']}")
    await story.send("GET", f"{job}/versions/{UNKNOWN}", status=404)


async def look_after(story: Recorder) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/errors/run-not-found"):
        await story.send("GET", path)
    await story.send("GET", "/errors/unheard-of", status=404)
    await story.send("GET", "/", Accept="text/html")
    await story.send("GET", "/", status=302)


async def delete(story: Recorder) -> None:
    await story.send("DELETE", DATASET)
    await story.send("DELETE", JOB)
    await story.send("DELETE", NAMESPACE)


async def record(url: str) -> list[dict[str, Any]]:
    """Play the story with the service at an address, which has recorded nothing yet. Returns the examples."""
    async with aiohttp.ClientSession() as session:
        story = Recorder(session, url)
        for chapter in (
            define,
            run,
            report_lineage,
            read_runs,
            read_ledger,
            read_catalog,
            read_datasets,
            look_after,
            delete,
        ):
            await chapter(story)
        return story.examples


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPostgres(Path(directory) / "postgres", settings=QUICK) as server,
    ):
        dsn = database(server.dsn, "examples")
        asyncio.run(execute(server.dsn, "create database examples"))
        migrations.upgrade(dsn)
        service = serve(dsn, Path(directory) / "log")
        try:
            examples = asyncio.run(record(service.url))
        finally:
            service.process.send_signal(signal.SIGTERM)
            service.process.wait()
    EXAMPLES_FILE.write_text(json.dumps(examples, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
