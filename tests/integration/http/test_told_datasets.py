"""Datasets as events tell of them: what is shown, their versions, aliases and columns, and what runs read and wrote."""

from dataset_client import at, call, facets, named, report, tell
from lineage_client import get

BASE = "/api/v1"
UNKNOWN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"


async def test_what_events_tell_of_a_dataset_is_shown_and_its_versions_are_what_differs(client):
    documentation = {"documentation": {"description": "clean orders"}}
    source = {"dataSource": {"name": "dw", "uri": "postgres://u:hidden@db/dw"}}
    first = await report(client, outputs=[named("orders", **facets(("id", "int"), **documentation, **source))])
    await report(client, minute=1, outputs=[named("orders", **facets(("id", "int"), **source))])
    await report(client, minute=2, outputs=[named("orders")])
    shown = await get(client, f"{BASE}/namespaces/lake/datasets/orders")
    assert (shown["description"], shown["sourceName"]) == ("clean orders", "dw")
    assert shown["fields"] == [{"name": "id", "type": "int", "tags": [], "description": None}]
    versions = await get(client, f"{BASE}/namespaces/lake/datasets/orders/versions")
    assert versions["totalCount"] == 1
    (version,) = versions["versions"]
    assert version["version"] == shown["currentVersion"]
    assert version["createdByRun"] == await get(client, f"{BASE}/jobs/runs/{first}")
    assert (await get(client, f"{BASE}/sources/dw"))["connectionUrl"] == "postgres://u:***@db/dw"
    wider = await report(client, minute=3, outputs=[named("orders", **facets(("id", "int"), ("at",), **source))])
    versions = (await get(client, f"{BASE}/namespaces/lake/datasets/orders/versions"))["versions"]
    assert [each["createdByRun"]["id"] for each in versions] == [str(wider), str(first)]
    late = await report(client, minute=0, outputs=[named("orders", **facets(("old", "int")))], job="late")
    assert (await get(client, f"{BASE}/namespaces/lake/datasets/orders"))["currentVersion"] == versions[0]["version"]
    run = await get(client, f"{BASE}/jobs/runs/{late}")
    (output,) = run["outputDatasetVersions"]
    one = await get(client, f"{BASE}/namespaces/lake/datasets/orders/versions/{output['datasetVersionId']['version']}")
    assert one["fields"][0]["name"] == "old"


async def test_a_password_that_an_event_tells_is_in_no_table_and_in_no_answer_but_the_event_itself(client, db):
    source = {"dataSource": {"name": "dw", "uri": "jdbc:mysql://db/dw?user=u&password=hidden"}}
    await report(client, inputs=[named("read", **source)], outputs=[named("orders", **facets(("id",), **source))])
    await tell(client, named("orders", **source), minute=1)
    dataset, graph = f"{BASE}/namespaces/lake/datasets/orders", f"{BASE}/lineage?nodeId=dataset:lake:orders"
    for path in (dataset, f"{dataset}/versions", f"{BASE}/datasets", f"{BASE}/sources", graph):
        assert "hidden" not in str(await get(client, path)), path
    shown = await get(client, dataset)
    assert shown["facets"]["dataSource"] == {"name": "dw", "uri": "jdbc:mysql://db/dw?user=u&password=***"}
    for path in (f"{dataset}/events", f"{BASE}/events/lineage"):
        assert "hidden" in str(await get(client, path)), "events are shown as they were sent"
    for table in ("datasets", "dataset_versions", "sources", "run_datasets", "jobs", "runs"):
        rows = str(await db.fetch(f"select t::text from runfold.{table} t"))
        assert rows != "[]", table
        assert "hidden" not in rows
        assert b"hidden".hex() not in rows, table


async def test_a_run_shows_what_it_read_and_wrote_and_every_version_is_found(client):
    rows = {"rowCount": 9}
    run = await report(client, "START", inputs=[named("raw", inputs={"quality": rows})])
    view = await get(client, f"{BASE}/jobs/runs/{run}")
    (read,) = view["inputDatasetVersions"]
    assert read["facets"] == {"quality": rows}
    await report(client, "COMPLETE", 1, outputs=[named("clean", outputs={"stats": rows}, **facets(("a",)))], run=run)
    view = await get(client, f"{BASE}/jobs/runs/{run}")
    (wrote,) = view["outputDatasetVersions"]
    assert wrote["facets"] == {"stats": rows}
    assert view["inputDatasetVersions"] == [read]
    for each in (read, wrote):
        version = each["datasetVersionId"]
        path = f"{BASE}/namespaces/lake/datasets/{version['name']}"
        assert (await get(client, f"{path}/versions/{version['version']}"))["version"] == version["version"]
        assert (await get(client, path))["currentVersion"] == version["version"]
    job = await get(client, f"{BASE}/namespaces/etl/jobs/load")
    assert job["currentVersion"] == view["jobVersion"]["version"]
    assert job["latestRun"] == view
    versions = (await get(client, f"{BASE}/namespaces/etl/jobs/load/versions"))["versions"]
    (version,) = versions
    assert version == {
        "id": {"namespace": "etl", "name": "load", "version": job["currentVersion"]},
        "name": "load",
        "createdAt": "2024-02-01T00:00:00Z",
        "version": job["currentVersion"],
        "namespace": "etl",
        "location": None,
        "inputs": [{"namespace": "lake", "name": "raw"}],
        "outputs": [{"namespace": "lake", "name": "clean"}],
        "latestRun": view,
    }
    assert await get(client, f"{BASE}/namespaces/etl/jobs/load/versions/{version['version']}") == version
    status, _, problem = await call(client, "GET", at(f"/namespaces/etl/jobs/load/versions/{UNKNOWN}"))
    assert (status, problem["message"]) == (404, f"Job version '{UNKNOWN}' not found.")
    other = await report(client, minute=2, inputs=[named("raw"), named("more")])
    versions = (await get(client, f"{BASE}/namespaces/etl/jobs/load/versions"))["versions"]
    assert [each["latestRun"]["id"] for each in versions] == [str(other), str(run)]
    as_known = await get(client, f"{BASE}/jobs/runs/{run}?validAt=2024-02-01T00:00:30Z")
    assert (as_known["inputDatasetVersions"], as_known["outputDatasetVersions"]) == ([read], [])


async def test_an_alias_is_the_same_dataset_whenever_the_link_is_told(client):
    await report(client, inputs=[named("db.orders", "hive")], job="reader")
    symlinks = {"symlinks": {"identifiers": [{"namespace": "hive", "name": "db.orders", "type": "TABLE"}]}}
    await report(client, minute=1, outputs=[named("orders", **facets(("a",)), **symlinks)])
    by_path = await get(client, f"{BASE}/namespaces/lake/datasets/orders")
    assert await get(client, f"{BASE}/namespaces/hive/datasets/db.orders") == by_path
    assert (await get(client, f"{BASE}/datasets"))["datasets"] == [by_path]
    for path in ("lake/datasets/orders", "hive/datasets/db.orders"):
        assert (await get(client, f"{BASE}/namespaces/{path}/versions"))["totalCount"] == 1
    tagged = await call(client, "POST", at("/namespaces/hive/datasets/db.orders/tags/PII"))
    assert tagged[2]["tags"] == ["PII"]
    assert (await call(client, "POST", at("/namespaces/lake/datasets/orders/tags/PII")))[1] == "none"
    assert (await call(client, "DELETE", at("/namespaces/hive/datasets/db.orders")))[0] == 200
    assert (await call(client, "GET", at("/namespaces/lake/datasets/orders")))[0] == 404


async def test_a_drop_is_shown_and_a_read_does_not_bring_it_back(client):
    drop = {"lifecycleStateChange": {"lifecycleStateChange": "DROP"}}
    await report(client, outputs=[named("t", **facets(("a",)))])
    await report(client, minute=1, outputs=[named("t", **drop)])
    path = f"{BASE}/namespaces/lake/datasets/t"
    for _ in range(2):
        shown = await get(client, path)
        assert (shown["deleted"], shown["lastLifecycleState"]) == (True, "DROP")
        await report(client, minute=2, inputs=[named("t")])
    assert (await get(client, f"{BASE}/datasets"))["totalCount"] == 1
    await report(client, minute=3, outputs=[named("t")])
    assert (await get(client, path))["deleted"] is False


async def test_columns_are_shown_by_the_latest_mapping(client):
    def mapping(*inputs):
        fields = [{"namespace": "lake", "name": "raw", "field": each} for each in inputs]
        return {"columnLineage": {"fields": {"o": {"inputFields": fields, "transformationType": "IDENTITY"}}}}

    await report(client, outputs=[named("out", **facets(("o",)), **mapping("a", "b"))])
    await report(client, minute=1, outputs=[named("out", **mapping("b"))])
    await report(client, minute=2, outputs=[named("out")])
    (column,) = (await get(client, f"{BASE}/namespaces/lake/datasets/out"))["columnLineage"]
    assert column == {
        "name": "o",
        "inputFields": [
            {
                "namespace": "lake",
                "dataset": "raw",
                "field": "b",
                "transformationDescription": None,
                "transformationType": "IDENTITY",
            }
        ],
        "transformationDescription": None,
        "transformationType": "IDENTITY",
    }


async def test_a_dataset_and_its_versions_are_shown_as_they_stood_and_as_they_were_known(client, db):
    path = f"{BASE}/namespaces/lake/datasets/t"
    shown = []
    for minute, fields in ((1, ("a",)), (3, ("a", "b"))):
        await report(client, minute=minute, outputs=[named("t", **facets(*zip(fields)))])
        shown.append(await get(client, path))
    times = await db.fetch("select recorded_at from runfold.events where subject = 'run' order by position")
    asked = {"validAt": "2024-02-01T00:02:00Z"}, {"knownAt": times[0]["recorded_at"].isoformat()}
    for moment in asked:
        past = await get(client, path, **moment)
        assert past["asOf"]["log"] == 0
        assert (past["fields"], past["currentVersion"]) == (shown[0]["fields"], shown[0]["currentVersion"])
        versions = await get(client, f"{path}/versions", **moment)
        assert [each["version"] for each in versions["versions"]] == [past["currentVersion"]]
        assert versions["totalCount"] == 1
    assert (await call(client, "DELETE", at("/namespaces/lake/datasets/t")))[0] == 200
    assert (await get(client, path, **asked[1]))["fields"] == shown[0]["fields"]
    for moment in ("validAt=2024-02-01T00:00:00Z", "knownAt=2024-02-01T00:00:00Z"):
        assert (await client.get(f"{path}?{moment}")).status == 404


async def test_the_quality_that_readers_report_is_among_the_facets_of_a_dataset(client):
    for minute, success in ((0, False), (1, True)):
        quality = {"dataQualityAssertions": {"assertions": [{"assertion": "not_null", "success": success}]}}
        await report(client, minute=minute, inputs=[named("t", inputs=quality, **facets(("a",)))])
    await report(client, minute=2, inputs=[named("t")])
    shown = await get(client, f"{BASE}/namespaces/lake/datasets/t")
    assert shown["facets"]["dataQualityAssertions"] == quality["dataQualityAssertions"]
