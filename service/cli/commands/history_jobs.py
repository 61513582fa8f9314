"""The jobs of `runfold demo --history`: schedules, tasks, datasets, SQL, and what goes wrong in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

AIRFLOW, DBT, SPARK, INGEST = "airflow-prod", "dbt-warehouse", "spark-cluster", "ingest"
WAREHOUSE, LAKE, SHOP = "postgres://warehouse.example.com:5432", "s3://lake", "postgres://shop.example.com:5432"


class Failure(NamedTuple):
    """Why a run fails: the message, the language of the program, and the end of its stack trace."""

    message: str
    language: str
    stack_trace: str


class Dag(NamedTuple):
    """A DAG: hours between runs, the hour of the day of the first one, and its tasks, each after the one before."""

    name: str
    every_h: int
    hour: int
    tasks: Sequence[str]


class Model(NamedTuple):
    """A dbt model: its name, what it reads, its columns, and its query."""

    name: str
    reads: Sequence[str]
    columns: Sequence[tuple[str, str]]
    sql: str


_TOPICS = (
    "orders",
    "customers",
    "payments",
    "refunds",
    "shipments",
    "inventory",
    "sessions",
    "campaigns",
    "suppliers",
    "returns",
    "prices",
    "tickets",
)
_LOAD = ("check_source", "extract", "validate", "load", "publish")

DAGS: tuple[Dag, ...] = (
    Dag(
        "sales_daily", 24, 2, ("wait_for_orders", "extract_orders", "spark_aggregate", "load_mart", "refresh_dashboard")
    ),
    Dag("finance_close", 24, 3, ("extract_ledger", "reconcile", "spark_fx_rates", "post_entries", "report")),
    Dag("customer_360", 24, 1, ("snapshot_crm", "merge_profiles", "spark_scores", "export_segments")),
    Dag("ml_churn_training", 24, 4, ("features", "spark_train", "evaluate", "register_model")),
    Dag("stock_levels", 6, 0, ("pull_warehouses", "spark_forecast", "write_levels")),
    *(Dag(f"load_{topic}", 24, hour % 6, _LOAD) for hour, topic in enumerate(_TOPICS)),
    *(Dag(f"quality_{topic}", 24, 5, ("freshness", "uniqueness", "volume")) for topic in _TOPICS),
)

SOURCES: tuple[str, ...] = tuple(
    f"{system}.{topic}" for system in ("shop", "crm", "erp", "web", "ads", "pos", "loyalty") for topic in _TOPICS
)
"""Tables that are copied into the lake."""

STREAMS: tuple[str, ...] = tuple(f"changes.{topic}" for topic in _TOPICS[:9])
"""Tables whose changes are copied all day."""

BAD_LAST_NIGHT = (
    "load_orders.load",
    "crm.customers",
    "erp.orders",
    "fct_orders",
    "finance_close.reconcile",
)
"""The jobs that often fail in the last two days, so that there is something to look into."""

_ID = ("id", "bigint")


def _staging(topic: str) -> Model:
    columns: tuple[tuple[str, str], ...] = (
        _ID,
        ("created_at", "timestamptz"),
        ("amount", "numeric(12,2)"),
        ("customer_id", "bigint"),
    )
    if topic == "customers":
        columns = (*columns, ("name", "text"), ("email", "text"))
    sql = (
        f"with source as (\n    select * from {{{{ source('lake', '{topic}') }}}}\n)\n\n"
        "select\n    id,\n    created_at at time zone 'UTC' as created_at,\n    amount::numeric(12, 2) as amount,\n"
        f"    customer_id\nfrom source\nwhere created_at >= date '2024-01-01'  -- {topic} before that are archived"
    )
    return Model(f"stg_{topic}", (f"lake.{topic}",), columns, sql)


def _fact(topic: str) -> Model:
    columns = (_ID, ("day", "date"), ("amount", "numeric(12,2)"), ("customer_id", "bigint"), ("segment", "text"))
    sql = (
        "select\n    s.id,\n    s.created_at::date as day,\n"
        "    sum(s.amount) over (partition by s.customer_id) as amount,\n"
        f"    s.customer_id,\n    coalesce(c.segment, 'unknown') as segment\nfrom {{{{ ref('stg_{topic}') }}}} s\n"
        "left join {{ ref('dim_customers') }} c on c.id = s.customer_id"
    )
    return Model(f"fct_{topic}", (f"stg_{topic}", "dim_customers"), columns, sql)


MODELS: tuple[Model, ...] = (
    *(_staging(topic) for topic in _TOPICS),
    Model(
        "dim_customers",
        ("stg_customers", "stg_sessions"),
        (_ID, ("name", "text"), ("segment", "text"), ("first_seen", "date")),
        "select\n    c.id,\n    c.name,\n    case when count(s.id) > 20 then 'loyal' else 'new' end as segment,\n"
        "    min(s.created_at)::date as first_seen\nfrom {{ ref('stg_customers') }} c\n"
        "left join {{ ref('stg_sessions') }} s on s.customer_id = c.id\ngroup by c.id, c.name",
    ),
    *(_fact(topic) for topic in _TOPICS[:8]),
    Model(
        "mart_revenue",
        ("fct_orders", "fct_refunds", "fct_payments"),
        (("day", "date"), ("segment", "text"), ("revenue", "numeric(14,2)")),
        "select o.day, o.segment, sum(o.amount) - coalesce(sum(r.amount), 0) as revenue\n"
        "from {{ ref('fct_orders') }} o\nleft join {{ ref('fct_refunds') }} r using (id)\ngroup by 1, 2",
    ),
)

FAILURES: tuple[Failure, ...] = (
    Failure(
        'psycopg.errors.UniqueViolation: duplicate key value violates unique constraint "orders_pkey"',
        "PYTHON",
        'Traceback (most recent call last):\n  File "/opt/airflow/dags/common/load.py", line 118, in execute\n'
        "    cursor.copy(statement)\n"
        '  File "/usr/lib/python3.12/site-packages/psycopg/cursor.py", line 97, in execute\n'
        "    raise ex.with_traceback(None)\n"
        'psycopg.errors.UniqueViolation: duplicate key value violates unique constraint "orders_pkey"\n'
        "DETAIL:  Key (id)=(8812341) already exists.",
    ),
    Failure(
        "Job aborted due to stage failure: Task 41 in stage 3.0 failed 4 times: ExecutorLostFailure (OutOfMemory)",
        "JAVA",
        "org.apache.spark.SparkException: Job aborted due to stage failure: Task 41 in stage 3.0 failed 4 times\n"
        "\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2856)\n"
        "\tat org.apache.spark.scheduler.DAGScheduler.handleTaskSetFailed(DAGScheduler.scala:1294)\n"
        "\tat org.apache.spark.sql.execution.datasources.FileFormatWriter$.write(FileFormatWriter.scala:307)\n"
        "Caused by: java.lang.OutOfMemoryError: Java heap space\n"
        "\tat java.base/java.util.Arrays.copyOf(Arrays.java:3537)\n\t... 42 more",
    ),
    Failure(
        "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='api.crm.example.com', port=443): Read timed out.",
        "PYTHON",
        'Traceback (most recent call last):\n  File "/opt/airflow/dags/crm/client.py", line 44, in pages\n'
        "    response = self.session.get(url, timeout=30)\n"
        "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='api.crm.example.com', port=443): Read timed out. "
        "(read timeout=30)",
    ),
    Failure(
        'Database Error in model {job}: column "segment" does not exist',
        "SQL",
        'Database Error in model {job}\n  column "segment" does not exist\n'
        "  LINE 6:     coalesce(c.segment, 'unknown') as segment\n"
        "                       ^\n  compiled code at target/run/warehouse/models/{job}.sql",
    ),
    Failure(
        "Freshness check failed: newest row is 9 h old, the limit is 6 h",
        "PYTHON",
        'Traceback (most recent call last):\n  File "/opt/airflow/dags/quality/freshness.py", line 31, in check\n'
        "    raise AirflowException(message)\n"
        "airflow.exceptions.AirflowException: Freshness check failed: newest row is 9 h old, the limit is 6 h",
    ),
)
