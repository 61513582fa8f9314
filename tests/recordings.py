"""Replays what a real Marquez was sent (tests/data/marquez), and finds what Runfold answers differently."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

RECORDINGS = Path(__file__).parent / "data" / "marquez"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
RECORDED_ON = "2026-11-26T1"
"""The beginning of times that Marquez took from its clock."""

ABSENT = "absent"
FIRST_ERROR = 400
UNAVAILABLE = 503
ATTEMPTS = 15
"""How often a request is sent where the answer says to repeat it: on a busy machine, the projection takes seconds."""


class Exchange(NamedTuple):
    """A request, and what Marquez and Runfold answered to it: status and body."""

    name: str
    marquez: tuple[int, Any]
    runfold: tuple[int, Any]


class Difference(NamedTuple):
    """A part of an answer that differs: the name of the exchange, the path of the part, and both values."""

    exchange: str
    path: str
    marquez: Any
    runfold: Any


def recording(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


class Replay:
    """Sends the requests of a recording in order. Ids that Marquez made are replaced by those that Runfold made."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.ids: dict[str, str] = {}

    async def send(self, sent: dict[str, Any]) -> Exchange:
        body = sent["sent"]
        data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = sent["sent_headers"] or ({"Content-Type": "application/json"} if data is not None else {})
        path = UUID.sub(lambda found: self.ids.get(found[0], found[0]), sent["path"])
        url = URL(path, encoded=True)
        for _ in range(ATTEMPTS):
            async with self.session.request(sent["method"], url, data=data, headers=headers) as response:
                text = await response.text()
            if response.status != UNAVAILABLE:
                break
        assert response.status < 500, (sent["name"], text)
        answer = json.loads(text) if text else None
        if response.status >= FIRST_ERROR:
            assert response.content_type == "application/problem+json", sent["name"]
            assert answer["code"] == response.status
        exchange = Exchange(sent["name"], (sent["status"], sent["body"]), (response.status, answer))
        if max(sent["status"], response.status) < FIRST_ERROR:
            self._learn(sent["body"], answer)
        return exchange

    def _learn(self, theirs: Any, ours: Any) -> None:
        for _, one, other in pairs(theirs, ours):
            if all(isinstance(value, str) and UUID.fullmatch(value) for value in (one, other)):
                self.ids.setdefault(one, other)


def differences(exchange: Exchange) -> Iterator[Difference]:
    """Yield what differs in the answers to a request: the status alone where both do not agree on success."""
    (status, theirs), (our_status, ours) = exchange.marquez, exchange.runfold
    if status != our_status:
        yield Difference(exchange.name, "status", status, our_status)
        return
    if status >= FIRST_ERROR:
        return
    by_clock = exchange.name.startswith("stats-")
    for path, one, other in pairs(theirs, ours):
        if not (is_equal(one, other) or (by_clock and is_alike(one, other))):
            yield Difference(exchange.name, path, one, other)


def is_equal(theirs: Any, ours: Any) -> bool:
    """Whether two values are alike, apart from ids and the times of recording."""
    if theirs == ours and type(theirs) is type(ours):
        return True
    if not (isinstance(theirs, str) and isinstance(ours, str)):
        return False
    if TIME.fullmatch(theirs) and theirs.startswith(RECORDED_ON) and TIME.fullmatch(ours):
        return abs(datetime.now(UTC) - datetime.fromisoformat(ours)) < timedelta(minutes=10)
    return UUID.sub("an id", theirs) == UUID.sub("an id", ours) and UUID.search(theirs) is not None


def is_alike(theirs: Any, ours: Any) -> bool:
    """Whether two values are numbers or times, in answers that depend on the clock."""
    values = theirs, ours
    if all(isinstance(value, str) for value in values):
        return all(TIME.fullmatch(value) for value in values)
    return all(type(value) is int for value in values)


def pairs(theirs: Any, ours: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the path of each value, and what the two have there.

    Items of lists are told apart by their names, where they have any, and their order is compared by itself.
    """
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in dict.fromkeys((*theirs, *ours)):
            yield from pairs(theirs.get(key, ABSENT), ours.get(key, ABSENT), f"{path}.{key}".lstrip("."))
    elif isinstance(theirs, list) and isinstance(ours, list):
        yield from _items(theirs, ours, path)
    else:
        yield path, theirs, ours


def _items(theirs: list[Any], ours: list[Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    keys = [_keys(items) for items in (theirs, ours)]
    named = [dict(zip(each, items, strict=True)) for each, items in zip(keys, (theirs, ours), strict=True)]
    for key in dict.fromkeys((*keys[0], *keys[1])):
        yield from pairs(named[0].get(key, ABSENT), named[1].get(key, ABSENT), f"{path}[{key}]")
    common = [[key for key in each if key in named[0] and key in named[1]] for each in keys]
    if not all(isinstance(item, str) for item in theirs):  # tags have no order
        yield f"{path} order", common[0], common[1]


def _keys(items: list[Any]) -> list[str]:
    """Return a text for each item by which it is found in the other list; those that repeat are numbered."""
    seen: Counter[str] = Counter()
    keys = []
    for number, item in enumerate(items):
        key = _key(item, number)
        seen[key] += 1
        keys.append(key if seen[key] == 1 else f"{key} #{seen[key]}")
    return keys


def _key(item: Any, number: int) -> str:
    """Return what tells an item of a list apart from the others: its name, or the place where it has none."""
    if isinstance(item, str):
        return item
    if isinstance(item, dict):
        for name in ("nodeId", "id", "datasetVersionId"):
            if isinstance(item.get(name), dict):
                return f"{item[name].get('namespace')}:{item[name].get('name')}"
            if isinstance(item.get(name), str) and not UUID.fullmatch(item[name]):
                return item[name]
        if "name" in item:
            return str(item["name"])
        if "origin" in item:
            return UUID.sub("id", f"{item['origin']}→{item['destination']}")
    return str(number)


class Entry(NamedTuple):
    """A difference on purpose: patterns of the names of exchanges, and of the path in their answers; and why."""

    exchanges: str
    path: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        return bool(re.fullmatch(self.exchanges, difference.exchange) and re.fullmatch(self.path, difference.path))


def entries(document: Path, heading: str) -> list[Entry]:
    """Return the rows of the table below a heading of a document."""
    section = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert section is not None, heading
    rows = [line for line in section[1].splitlines() if line.startswith("| `")]
    cells = [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    return [Entry(exchanges.strip("`"), path.strip("`"), reason) for exchanges, path, reason in cells]
