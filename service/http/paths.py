"""Paths of the API, as templates: a name in braces is one segment of the path."""

BASE = "/api/v1"

NAMESPACE = f"{BASE}/namespaces/{{namespace}}"
JOB = f"{NAMESPACE}/jobs/{{job}}"
DATASET = f"{NAMESPACE}/datasets/{{dataset}}"
DATASETS = f"{NAMESPACE}/datasets"
SOURCE = f"{BASE}/sources/{{source}}"
TAG = f"{BASE}/tags/{{tag}}"
RUN = f"{BASE}/jobs/runs/{{id}}"

METRICS = "/metrics"

REST = "/{rest}"
"""Matches every path. It is the last route, and it is not part of the described API."""
