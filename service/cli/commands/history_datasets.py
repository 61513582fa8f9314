"""The datasets of `runfold demo --history`: columns, how these change, what they are made of, and quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from service.cli.commands.history_jobs import LAKE, SHOP, WAREHOUSE, Model

Facets = dict[str, dict[str, Any]]
Columns = tuple[tuple[str, str], ...]

_SPEC = "https://openlineage.io/spec/facets"
_ID = ("id", "bigint")


class Change(NamedTuple):
    """A change of a column: the share of the days after which it happens, and the new type; None removes the column."""

    after: float
    column: str
    type: str | None


_CHANGES: Mapping[str, Sequence[Change]] = {
    "shop.public.orders": (Change(0.3, "channel", "text"), Change(0.6, "amount", "numeric(12,2)")),
    "raw/shop/orders": (Change(0.3, "channel", "string"), Change(0.6, "amount", "decimal(12,2)")),
    "warehouse.analytics.stg_orders": (Change(0.4, "channel", "text"),),
    "warehouse.analytics.fct_orders": (Change(0.5, "channel", "text"), Change(0.75, "segment_id", None)),
    "warehouse.analytics.dim_customers": (
        Change(0.25, "phone", None),
        Change(0.5, "email", "text"),
        Change(0.7, "first_seen", "timestamptz"),
    ),
}

_RAW: Columns = (
    _ID,
    ("created_at", "timestamp"),
    ("amount", "decimal(10,2)"),
    ("customer_id", "bigint"),
    ("name", "string"),
    ("email", "string"),
    ("loaded_at", "timestamp"),
)
_TABLE: Columns = (
    _ID,
    ("created_at", "timestamptz"),
    ("amount", "numeric(10,2)"),
    ("customer_id", "bigint"),
    ("name", "text"),
    ("email", "text"),
)
_FILES: Columns = (("day", "date"), ("key", "string"), ("value", "double"), ("updated_at", "timestamp"))

_DESCRIPTIONS = {
    "id": "Primary key",
    "amount": "Gross, in euros",
    "email": "Personal data: masked outside of dim_customers",
    "segment": "loyal, new or unknown",
    "channel": "web, app or store",
    "day": "In UTC",
    "revenue": "Orders less refunds",
}

_MADE_OF: dict[str, Sequence[tuple[str, str, str]]] = {
    "day": (("created_at", "TRANSFORMATION", "created_at::date"),),
    "amount": (("amount", "AGGREGATION", "sum over customer_id"), ("customer_id", "WINDOW", "partition by")),
    "created_at": (("created_at", "TRANSFORMATION", "at time zone 'UTC'"),),
    "segment": (("segment", "TRANSFORMATION", "coalesce(segment, 'unknown')"),),
    "first_seen": (("created_at", "AGGREGATION", "min(created_at)::date"),),
    "revenue": (("amount", "AGGREGATION", "sum of orders less sum of refunds"),),
    "email": (("email", "TRANSFORMATION", "lower(email)"),),
}
"""What columns are made of where that is not the column of the same name: field, subtype, description."""

_MADE_OF_CUSTOMERS = _MADE_OF | {"segment": (("id", "AGGREGATION", "count of sessions"),)}
_MADE_OF_STAGING = _MADE_OF | {"amount": (("amount", "TRANSFORMATION", "amount::numeric(12, 2)"),)}

_MADE_OF_LAYER = {"stg": _MADE_OF_STAGING, "dim": _MADE_OF_CUSTOMERS}

_FIRST_OF_DAG = {
    "sales_daily": (WAREHOUSE, "warehouse.analytics.fct_orders"),
    "finance_close": (WAREHOUSE, "warehouse.analytics.fct_payments"),
    "customer_360": (WAREHOUSE, "warehouse.analytics.dim_customers"),
    "ml_churn_training": (LAKE, "customer_360/merge_profiles"),
    "stock_levels": (LAKE, "raw/erp/inventory"),
}
"""What the first task of a DAG reads."""


_CHECKS: Mapping[str, Sequence[tuple[str, str | None]]] = {
    "freshness": (("recency", "created_at"),),
    "uniqueness": (("unique", "id"), ("not_null", "id"), ("not_null", "customer_id")),
    "volume": (("row_count_between", None),),
}
"""What the tasks check, and the column."""


class Days(NamedTuple):
    """A day of the history, from 0, and how many there are."""

    day: int
    of: int


def facet(name: str, producer: str, content: Mapping[str, Any], version: str = "1-0-0") -> dict[str, Any]:
    """Return a facet with its producer and the URL of its schema."""
    return {"_producer": producer, "_schemaURL": f"{_SPEC}/{version}/{name}.json#/$defs/{name}", **content}


def dataset(namespace: str, name: str, facets: Facets | None = None) -> dict[str, Any]:
    """Return a dataset of an event."""
    return {"namespace": namespace, "name": name, "facets": facets or {}}


def columns_on(name: str, columns: Columns, days: Days) -> Columns:
    """Return the columns that a dataset has on a day."""
    found = dict(columns)
    if name.endswith("dim_customers"):
        found["phone"] = "text"
    if name.endswith("fct_orders"):
        found["segment_id"] = "bigint"
    for change in _CHANGES.get(name, ()):
        if days.day < change.after * days.of:
            continue
        if change.type is None:
            found.pop(change.column, None)
        else:
            found[change.column] = change.type
    return tuple(found.items())


def schema(producer: str, columns: Columns) -> Facets:
    """Return the facet with the columns of a dataset."""
    fields = [
        {"name": name, "type": kind} | ({"description": _DESCRIPTIONS[name]} if name in _DESCRIPTIONS else {})
        for name, kind in columns
    ]
    return {"schema": facet("SchemaDatasetFacet", producer, {"fields": fields}, "1-1-1")}


def _mapping(
    producer: str, columns: Columns, inputs: Sequence[tuple[str, str, Columns]], own: Mapping[str, Any] = _MADE_OF
) -> Facets:
    """Return the facet with what each column is made of: `inputs` are the datasets that are read, and their columns."""
    fields: dict[str, Any] = {}
    for name, _ in columns:
        origins = own.get(name) or ((name, "IDENTITY", ""),)
        found = [
            {
                "namespace": namespace,
                "name": read,
                "field": field,
                "transformations": [
                    {
                        "type": "INDIRECT" if subtype == "WINDOW" else "DIRECT",
                        "subtype": subtype,
                        "description": description,
                        "masking": False,
                    }
                ],
            }
            for field, subtype, description in origins
            for namespace, read, has in inputs
            if field in dict(has)
        ]
        if found:
            fields[name] = {"inputFields": found if name in own else found[:1]}
    return {"columnLineage": facet("ColumnLineageDatasetFacet", producer, {"fields": fields}, "1-2-0")}


def _about(producer: str, source: str, description: str, owner: str) -> Facets:
    """Return the facets that say where a dataset is, what it holds, and whose it is."""
    return {
        "dataSource": facet("DatasourceDatasetFacet", producer, {"name": source, "uri": source}),
        "documentation": facet("DocumentationDatasetFacet", producer, {"description": description}),
        "ownership": facet("OwnershipDatasetFacet", producer, {"owners": [{"name": owner, "type": "TEAM"}]}),
    }


def copied(source: str, producer: str, days: Days, rows: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what a copy of a table into the lake reads and writes, with what is known of both."""
    system, _, table = source.partition(".")
    read, written = f"{system}.public.{table}", f"raw/{system}/{table}"
    from_columns, to_columns = columns_on(read, _TABLE, days), columns_on(written, _RAW, days)
    inputs = [dataset(SHOP, read, schema(producer, from_columns))]
    outputs = dataset(
        LAKE,
        written,
        schema(producer, to_columns)
        | _mapping(producer, to_columns, [(SHOP, read, from_columns)], {})
        | _about(producer, LAKE, f"Rows of {table} as {system} has them, once or twice a day.", "team:ingest"),
    )
    statistics = facet("OutputStatisticsOutputDatasetFacet", producer, {"rowCount": rows, "size": rows * 118}, "1-0-2")
    return inputs, [outputs | {"outputFacets": {"outputStatistics": statistics}}]


def _columns_of_input(name: str, models: Mapping[str, Model], days: Days) -> tuple[str, str, Columns]:
    if name.startswith("lake."):
        path = f"raw/shop/{name.partition('.')[2]}"
        return LAKE, path, columns_on(path, _RAW, days)
    path = f"warehouse.analytics.{name}"
    return WAREHOUSE, path, columns_on(path, tuple(models[name].columns), days)


def of_model(
    model: Model, models: Mapping[str, Model], producer: str, days: Days
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what a dbt model reads and writes."""
    reads = [_columns_of_input(name, models, days) for name in model.reads]
    name = f"warehouse.analytics.{model.name}"
    columns = columns_on(name, tuple(model.columns), days)
    layer, _, subject = model.name.partition("_")
    words = {
        "stg": "cleaned, one row for each in the lake",
        "fct": "with customers, one row each",
        "dim": "one row each",
    }
    description = f"{subject.capitalize()}: {words.get(layer, 'by day and segment, for the board')}."
    facets = (
        schema(producer, columns)
        | _mapping(producer, columns, reads, _MADE_OF_LAYER.get(layer, _MADE_OF))
        | _about(producer, WAREHOUSE, description, "team:analytics")
    )
    return [dataset(namespace, read) for namespace, read, _ in reads], [dataset(WAREHOUSE, name, facets)]


def of_task(
    dag: str, tasks: Sequence[str], index: int, producer: str, random: Random, *, detail: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what a task of a DAG reads and writes. `detail`: with columns, as Spark reports them."""
    kind, _, topic = dag.partition("_")
    if kind == "quality":
        read = dataset(WAREHOUSE, f"warehouse.analytics.stg_{topic}")
        return [read | {"inputFacets": _checked(tasks[index], producer, random)}], []
    first = _FIRST_OF_DAG.get(dag, (LAKE, f"raw/erp/{topic}"))
    reads = first if index == 0 else (LAKE, f"{dag}/{tasks[index - 1]}")
    written = f"{dag}/{tasks[index]}"
    if not detail:
        return [dataset(*reads)], [dataset(LAKE, written)]
    facets = schema(producer, _FILES) | _mapping(producer, _FILES, [(*reads, _FILES)], {})
    return [dataset(*reads, schema(producer, _FILES))], [dataset(LAKE, written, facets)]


def _checked(check: str, producer: str, random: Random) -> Facets:
    """Return what a task that checks the quality of a table reports of it."""
    rows = random.randrange(80_000, 120_000)
    results = [
        {"assertion": name, "success": random.random() > 0.03, **({"column": column} if column else {})}  # noqa: PLR2004
        for name, column in _CHECKS[check]
    ]
    metrics = {
        "rowCount": rows,
        "bytes": rows * 96,
        "columnMetrics": {
            "id": {"nullCount": 0, "distinctCount": rows},
            "amount": {
                "nullCount": random.randrange(40),
                "distinctCount": rows // 7,
                "sum": rows * 41.7,
                "count": rows,
                "min": 0.01,
                "max": round(random.uniform(900, 4_000), 2),
                "quantiles": {"0.5": 31.9, "0.95": 188.4},
            },
            "customer_id": {"nullCount": random.randrange(3), "distinctCount": rows // 4},
        },
    }
    found: Facets = {
        "dataQualityAssertions": facet("DataQualityAssertionsDatasetFacet", producer, {"assertions": results}, "1-0-1")
    }
    if check == "volume":
        found["dataQualityMetrics"] = facet("DataQualityMetricsInputDatasetFacet", producer, metrics, "1-0-2")
    return found
