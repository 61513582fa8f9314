"""Measures GET /search over 100,000 jobs and datasets: `bench/search.py [--times N]`.

The names have the form of those of warehouses, with namespaces, tags, descriptions and ten columns of each dataset.
They are written into the table that GET /search reads, with the trigram index and without it. Medians are of requests
one after another; beside them, what a request without any search takes.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp
import asyncpg

from bench.programs import Program, runfold
from bench.stage import ready
from bench.tasks import ask_repeatedly
from service.domain.ids import namespace_id
from service.domain.search import fold, search_words

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES, TIMES = 100_000, 50
_SETTINGS = {"fsync": "off", "synchronous_commit": "off"}
_PLACES = ("postgres://shop:5432", "s3://lake", "snowflake://acme", "kafka://broker:9092", "bigquery", "airflow", "dbt")
_LAYERS = ("raw", "staging", "intermediate", "mart", "report", "public", "finance", "sales", "ops", "web")
_THINGS = ("orders", "customers", "payments", "events", "sessions", "products", "refunds", "stock", "prices", "clicks")
_COLUMNS = (
    "id",
    "customer_id",
    "order_id",
    "created_at",
    "updated_at",
    "amount",
    "currency",
    "state",
    "email",
    "country",
)
_INSERT = """
insert into runfold.search_entries (id, kind, namespace_id, namespace, name, folded, words, hidden, position,
                                    created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now() - $9::bigint * interval '1 s')
"""
_QUERIES = (
    ("one name", "orders_0"),
    ("a word with 10,000 matches", "orders"),
    ("two words", "finance clicks"),
    ("two words, latest first", "clicks finance&sort=UPDATE_AT&limit=100"),
    ("a number", "7777"),
    ("a column that all have", "customer_id"),
    ("nothing", "zebra"),
    ("one letter", "o"),
)


def _rows() -> Iterator[tuple[object, ...]]:
    chance = random.Random(1)
    for number in range(ENTRIES):
        kind, namespace = number % 2, chance.choice(_PLACES)
        name = f"{chance.choice(_LAYERS)}.{chance.choice(_THINGS)}_{number:05}"
        columns = _COLUMNS if kind else ()
        words = search_words(
            name, namespace, f"What the {chance.choice(_LAYERS)} team knows.", tags=["PII"], columns=columns
        )
        yield uuid4(), kind, namespace_id(namespace), namespace, name, fold(name), words, False, number + 1


async def _measure(http: aiohttp.ClientSession, path: str, times: int) -> tuple[float, int]:
    taken, total = [], 0
    for _ in range(5 + times):
        began = time.perf_counter()
        async with http.get(path) as answer:
            answer.raise_for_status()
            total = (await answer.json()).get("totalCount", 0)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken[5:]), total


async def _run(dsn: str, directory: Path, times: int) -> None:
    async with AsyncExitStack() as held:
        service = await Program.start("search", [*runfold(), "serve", "--port", "0", "--database-url", dsn], directory)
        held.push_async_callback(service.stop)
        http = await held.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{service.port}"))
        await ready(http, service)
        connection = await asyncpg.connect(dsn)
        held.push_async_callback(connection.close)
        await connection.executemany(
            _INSERT,
            list(_rows()),
        )
        await connection.execute("vacuum (analyze) runfold.search_entries")
        found = {}
        for index in (True, False):
            if not index:
                await connection.execute("drop index runfold.search_entries_words")
            for _, query in _QUERIES:
                found[query, index] = await _measure(http, f"/api/v1/search?q={query}", times)
        print("| search | text | found | ms | ms without pg_trgm |")
        print("|---|---|---|---|---|")
        for name, query in _QUERIES:
            (with_index, total), (without, _) = found[query, True], found[query, False]
            print(f"| {name} | {query} | {total:,} | {with_index:.1f} | {without:.1f} |")
        other, _ = await _measure(http, "/api/v1/namespaces", times)
        print(f"\nGET /namespaces takes {other:.1f} ms.")


def main() -> None:
    """Parse the command line, measure, and print the table."""
    ask_repeatedly(__doc__, TIMES, _SETTINGS, _run)


if __name__ == "__main__":
    main()
