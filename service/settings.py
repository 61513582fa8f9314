"""What a process of the service is told. Read once, never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

CONNECTIONS = 22
"""To the database, that a process of the service opens at most; a test counts what app.py makes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting; cli.py fills them from flags and RUNFOLD_… variables."""

    database_url: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 1
    data_dir: Path = Path()
    auth: str = "auto"
    insecure: bool = False
    access_log: bool = False
    queue_capacity: int = 10_000
    max_batch: int = 500
    max_event_bytes: int = 16 * 1024 * 1024
    max_body_bytes: int = 1024 * 1024
    statement_cache_size: int = 100
    log_level: str = "info"
