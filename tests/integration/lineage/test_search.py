"""GET /search: what is found, in which order, and how much of it there is."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.catalog.queries import Slice
from service.database.connections import Connections
from service.domain.binding import parse_binding
from service.domain.ids import namespace_id
from service.domain.search import fold, search_words
from service.lineage.search import FoundKind, Search, SearchOrder, SearchQuery, words_of

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
ALL = Slice(1000, 0)
INSERT = """
insert into runfold.search_entries (id, kind, namespace_id, namespace, name, folded, words, hidden, position,
                                    created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
"""


async def entry(db, name, namespace="ns", kind=1, *, hidden=False, position=10, at=NOON, **texts):
    words = search_words(name, namespace, **texts)
    names = namespace_id(namespace), namespace, name, fold(name), words
    await db.execute(INSERT, uuid4(), kind, *names, hidden, position, at)


def query(text, kind=None, namespace=None, after=None, before=None, order=SearchOrder.RANK):
    return SearchQuery(text, kind, namespace, after, before, order)


async def names(connections, text, *, page=ALL, binding=None, **filters):
    found, total = await Search(connections).find(query(text, **filters), page, binding)
    assert page != ALL or total == len(found)
    return [each.name for each in found]


@pytest.fixture
async def connections(dsn):
    async with Connections(dsn, sequential_scans=True) as opened:
        yield opened


async def test_what_fits_best_is_first(connections, db):
    for name in ("preorders", "orders_daily", "db.orders", "orders", "Orders", "customers", "ordersx", "raw_orders-x"):
        await entry(db, name, columns=["orders"] if name == "customers" else [])
    found = await names(connections, "ORDERS")
    assert sorted(found[:2]) == ["Orders", "orders"]
    assert found[2:] == ["orders_daily", "ordersx", "db.orders", "raw_orders-x", "preorders", "customers"]


async def test_several_words_are_found_in_any_order_and_each_anywhere(connections, db):
    await entry(db, "hub.read")
    await entry(db, "hub.t", "s3://read")
    await entry(db, "hub.write")
    assert await names(connections, "hub read") == ["hub.read", "hub.t"]
    assert await names(connections, " read   HUB ") == ["hub.read", "hub.t"]


@pytest.mark.parametrize("text", ["about", "pii", "customer_id", "s3://lake", "other-name"])
async def test_namespaces_tags_columns_descriptions_and_other_names_are_searched(connections, db, text):
    told = {"description": "All about", "tags": ["PII"], "columns": ["customer_id"], "aliases": ["other-name"]}
    await entry(db, "found", "s3://lake", **told)
    await entry(db, "hidden", "s3://lake", hidden=True, **told)
    await entry(db, "unrelated")
    assert await names(connections, text) == ["found"]


CHARACTERS = r"""ab%_\'".*[({^$?+|#ØøΣςσßİ😀 -"""


@settings(max_examples=40)
@given(
    found=st.lists(st.text(CHARACTERS, min_size=1, max_size=8), min_size=1, max_size=6, unique=True),
    text=st.text(CHARACTERS, min_size=1, max_size=4).filter(words_of),
    order=st.sampled_from(SearchOrder),
)
async def test_every_character_is_taken_as_it_is(connections, db, found, text, order):
    await db.execute("truncate runfold.search_entries")
    for name in found:
        await entry(db, name)
    expected = [name for name in found if all(word in fold(f"{name}\nns") for word in words_of(text))]
    assert sorted(await names(connections, text, order=order)) == sorted(expected)


async def test_the_order_is_the_one_that_is_asked_for(connections, db):
    for minute, name in enumerate(("b.x", "c", "A", "x")):
        await entry(db, name, columns=["x"], at=NOON + timedelta(minutes=minute))
    assert await names(connections, "x", order=SearchOrder.NAME) == ["A", "b.x", "c", "x"]
    assert await names(connections, "x", order=SearchOrder.UPDATE) == ["x", "A", "c", "b.x"]
    assert await names(connections, "x", order=SearchOrder.RANK) == ["x", "b.x", "A", "c"]


@pytest.mark.parametrize("order", SearchOrder)
async def test_pages_make_the_whole_and_each_has_the_number_of_all(connections, db, order):
    for number in range(7):
        await entry(db, f"name {number}", at=NOON)
    pages = [await Search(connections).find(query("name", order=order), Slice(2, 2 * page), None) for page in range(5)]
    assert [total for _, total in pages] == [7] * 5
    found = [each.name for page, _ in pages for each in page]
    assert sorted(found) == [f"name {number}" for number in range(7)]
    assert found == await names(connections, "name", order=order)
    assert (await Search(connections).find(query("name"), Slice(0, 0), None)) == ([], 7)
    assert (await Search(connections).find(query("nothing"), ALL, None)) == ([], 0)


async def test_filters_leave_out_the_others(connections, db):
    await entry(db, "a.job", kind=0)
    await entry(db, "a.set", at=NOON + timedelta(days=1))
    await entry(db, "a.other", "elsewhere")
    assert await names(connections, "a.", kind=FoundKind.JOB) == ["a.job"]
    assert await names(connections, "a.", kind=FoundKind.DATASET) == ["a.other", "a.set"]
    assert await names(connections, "a.", namespace="elsewhere") == ["a.other"]
    assert await names(connections, "a.", namespace="nowhere") == []
    assert await names(connections, "a.", after=NOON) == ["a.set"]
    assert await names(connections, "a.", before=NOON + timedelta(days=1)) == ["a.job", "a.other"]


async def test_what_no_event_named_since_its_namespace_was_deleted_is_not_found(connections, db):
    await entry(db, "a.gone", position=10)
    await entry(db, "a.back", position=11)
    await entry(db, "a.elsewhere", "elsewhere", position=1)
    await db.execute("insert into runfold.namespaces values ($1, 10, 'ns', true, '', 10)", namespace_id("ns"))
    assert await names(connections, "a.") == ["a.back", "a.elsewhere"]


async def test_a_bound_key_finds_what_is_in_its_namespaces(connections, db):
    for namespace in ("team-a", "team-a/x", "team-b"):
        await entry(db, f"of {namespace}", namespace)
    binding = parse_binding(["team-a", "team-a/*"])
    assert await names(connections, "of", binding=binding) == ["of team-a", "of team-a/x"]
    assert await names(connections, "team-b", binding=binding) == []


async def test_the_index_finds_words_and_nothing_is_missing_without_it(connections, db):
    if not await db.fetchval("select count(*) from pg_extension where extname = 'pg_trgm'"):
        pytest.skip("this server has no pg_trgm")
    await db.execute(
        "insert into runfold.search_entries select gen_random_uuid(), 1, gen_random_uuid(), 'ns', n, n, n, false, 1, "
        "now(), now() from (select 'table ' || md5(i::text) as n from generate_series(1, 5000) i) s"
    )
    await db.execute("vacuum analyze runfold.search_entries")
    name = await db.fetchval("select name from runfold.search_entries limit 1")
    before = await db.fetchval("select idx_scan from pg_stat_user_indexes where indexrelname = 'search_entries_words'")
    assert await names(connections, name[:12] + " " + name[12:]) == [name]
    async with connections.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.execute("select")
    after = await db.fetchval("select idx_scan from pg_stat_user_indexes where indexrelname = 'search_entries_words'")
    assert after > before
    await db.execute("drop index runfold.search_entries_words")
    assert await names(connections, name[:12] + " " + name[12:]) == [name]


async def ask(client, query_string):
    async with client.get(f"/api/v1/search?{query_string}") as response:
        return response.status, await response.json()


async def test_the_answer_has_the_form_that_marquez_gives(client, db):
    await entry(db, "2024/x.parquet", "s3://bucket")
    await entry(db, "a:b", "g", kind=0)
    assert await ask(client, "q=x.parq&sort=UPDATE_AT&limit=100") == (
        200,
        {
            "totalCount": 1,
            "results": [
                {
                    "type": "DATASET",
                    "name": "2024/x.parquet",
                    "updatedAt": "2026-11-27T12:00:00Z",
                    "namespace": "s3://bucket",
                    "nodeId": "dataset:s3://bucket:2024/x.parquet",
                }
            ],
        },
    )
    _, answer = await ask(client, "q=a:b&filter=JOB&sort=NAME&after=2026-11-27&before=2026-11-28&namespace=g")
    assert [each["nodeId"] for each in answer["results"]] == ["job:g:a:b"]


@pytest.mark.parametrize(
    "query_string",
    [
        *("", "q=", "q=%20", "q=x&filter=COLUMN", "q=x&sort=updated_at", "q=x&limit=-1", "q=x&limit=x", "q=a%00b"),
        *("q=x&before=2024-13-45", "q=x&after=2024-04-01T00:00:00Z", f"q={'x%20' * 17}", f"q={'x' * 1001}"),
    ],
)
async def test_what_cannot_be_searched_is_refused(client, query_string):
    status, problem = await ask(client, query_string)
    assert (status, problem["type"]) == (400, "/errors/malformed")
