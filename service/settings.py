"""The settings of a process of the service: read at its start, never changed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

CONNECTIONS = 28
"""Upper bound on database connections per serving process, including its child process; a test counts them."""

PROCESS, INLINE = "process", "inline"
"""Where the projector runs: in its own process, or in the serving process."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; `runfold serve` fills them from flags and RUNFOLD_… variables."""

    database_url: str = field(default="", repr=False)
    database_wait: float = 60.0
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    data_dir: Path = Path()
    auth: str = "auto"
    insecure: bool = False
    allowed_hosts: str = ""
    base_path: str = ""
    trusted_proxies: str = ""
    access_log: bool = False
    queue_capacity: int = 10_000
    queue_bytes: int = 64 * 1024 * 1024
    max_batch: int = 500
    max_event_bytes: int = 16 * 1024 * 1024
    max_body_bytes: int = 1024 * 1024
    max_facets: int = 1_000
    max_facets_bytes: int = 4 * 1024 * 1024
    pending_body_bytes: int = 72 * 1024 * 1024
    requests_per_key: int = 0
    statement_cache_size: int = 100
    projector: str = INLINE
    log_level: str = "info"
    log_format: str = "text"
    database_timeout: float = 5.0
    max_clock_lead: float = 3600.0
    silent_after: int = 0
    drain: float = 0.0

    def pack(self) -> bytes:
        """Return a line of JSON for a child's standard input: any user can read arguments, and a URL has a password."""
        return json.dumps(asdict(self), default=str).encode()


def unpack(line: bytes) -> Settings:
    """Return the settings that `pack` has written."""
    fields = json.loads(line)
    return Settings(**fields | {"data_dir": Path(fields["data_dir"])})
