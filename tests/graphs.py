"""Reports events to a service, and reads its graphs."""

from urllib.parse import quote

BASE = "/api/v1"


async def report(client, *events, headers=None) -> None:
    """Report OpenLineage events."""
    for event in events:
        async with client.post(f"{BASE}/lineage", json=event, headers=headers) as answer:
            assert answer.status == 201, await answer.text()


async def ask(client, path, node, status=200, headers=None, **parameters):
    """Return the answer about a node."""
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in parameters.items())
    url = f"{BASE}/{path}?{'runId' if 'run' in path else 'nodeId'}={quote(node, safe='')}&{query}"
    async with client.get(url.rstrip("&"), headers=headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def edges(client, node, path="lineage", **parameters):
    """Return the nodes of a graph, by their ids with those that their edges lead to."""
    answer = await ask(client, path, node, **parameters)
    return {each["id"]: sorted(edge["destination"] for edge in each["outEdges"]) for each in answer["graph"]}
