"""Paths of the API, and the sets of them that are treated alike."""

BASE = "/api/v1"


REST = "/{rest}"
"""The route for whatever no other one takes: nothing to be described."""


OPEN = frozenset({"/", "/livez", "/readyz", "/docs", "/openapi.json", "/errors/{code}"})
"""Paths that need no API key. /metrics is not among them: what a service is busy with is nobody's business, a
Prometheus can send a key (`authorization: credentials`), and who wants it open can put it so in a proxy."""


LONG = frozenset({f"{BASE}/events", f"{BASE}/events/stream", f"{BASE}/lineage/batch"})
"""Paths whose requests may last as long as the caller likes; they end when their key is revoked."""


READING = frozenset({f"{BASE}/runs/lookup"})
"""Paths whose POST records nothing, so that a key of scope `read` is enough."""
