"""An export has all that recomputes the chain, as docs/ledger-format.md says; nothing of the program is used here."""

import csv
import json
import struct
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO, StringIO
from uuid import UUID, uuid4

import pyarrow.parquet
import pytest
from building import fact

from service.audit.export import ExportFormat, export_events
from service.audit.filters import EventFilters
from service.ledger.events import append_events

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

TEXT = ("subject", "kind", "state", "namespace", "job", "source", "actor")
BYTES = ("fact", "requestDigest", "payloadDigest")
TIMES = ("transitionedAt", "recordedAt")
IDS = ("id", "parentRun")
ORDER = (
    *("log", "position", "subject", "id", "kind", "state", "transitionedAt", "recordedAt"),
    *("namespace", "job", "parentRun", "source", "actor", "fact", "requestDigest", "payloadDigest"),
)


def field(name, value):
    """Return a field of the form of a row."""
    number = {"log": 23, "position": 20}.get(name) or (1184 if name in TIMES else 2950 if name in IDS else 17)
    if value is None:
        return struct.pack(">ii", number, -1)
    if name in TIMES:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        content = struct.pack(">q", (at - EPOCH) // timedelta(microseconds=1))
    elif name in IDS:
        content = UUID(value).bytes
    elif name in BYTES:
        content = bytes.fromhex(value)
    elif name in TEXT:
        content = value.encode()
    else:
        content = struct.pack(">i" if name == "log" else ">q", int(value))
    return struct.pack(">ii", number, len(content)) + content


def chain(rows):
    """Return the last hash, after comparing each."""
    last = bytes(32)
    for row in rows:
        form = struct.pack(">i", len(ORDER)) + b"".join(field(name, row[name]) for name in ORDER)
        last = sha256(b"\x01" + last + form).digest()
        assert row["hash"] == last.hex()
    return last


def of_csv(content):
    rows = csv.DictReader(StringIO(content.decode(), newline=""))
    return [{name: value or None for name, value in row.items()} for row in rows]


def of_parquet(content):
    return pyarrow.parquet.read_table(BytesIO(content)).to_pylist()


def of_ndjson(content):
    return [json.loads(line) for line in content.splitlines()]


@pytest.mark.parametrize(("form", "read"), [("csv", of_csv), ("parquet", of_parquet), ("ndjson", of_ndjson)])
async def test_an_export_is_sufficient_to_recompute_the_chain_and_the_digests(form, read, dsn, connections):
    event = {"eventTime": "2024-01-01T00:00:00Z", "producer": "é", "job": {"namespace": "etl", "name": "a\nb"}}
    payload = json.dumps(event | {"run": {"runId": str(uuid4())}}, indent=1, ensure_ascii=False)
    drafts = [fact(uuid4(), "RUNNING", job="a\nb", payload=payload), fact(uuid4(), None), fact(uuid4(), "FAILED")]
    await append_events(connections, drafts, [None] * len(drafts))
    file = BytesIO()
    exported = await export_events(dsn, EventFilters(), file, ExportFormat(form), lambda _done, _total: None)
    rows = read(file.getvalue())
    assert [int(row["position"]) for row in rows] == list(range(1, exported.head.position + 1))
    assert chain(rows) == exported.head.hash
    if form != "ndjson":
        assert all(
            sha256(row["payload"].encode()).hexdigest() == row["payloadDigest"] for row in rows if row["payload"]
        )
