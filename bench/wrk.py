"""Runs wrk with a Lua script per measurement, and parses its result."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

# Each thread has its own Lua state; `slice` is its number. `exhausted` counts how often its ids were used up.
# `done` runs in the first state and writes one line that is easy to parse.
COMMON = """
local threads = {}
function setup(thread)
  thread:set("slice", #threads)
  table.insert(threads, thread)
end
exhausted = 0
function done(summary, latency)
  local exhaustions = 0
  for _, thread in ipairs(threads) do exhaustions = exhaustions + (thread:get("exhausted") or 0) end
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"timeouts":%d,' ..
    '"p50_ms":%.3f,"p99_ms":%.3f,"exhausted":%d}\\n',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write, e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, exhaustions))
end
"""

# Builds the requests for the thread's slice of the ids before the measurement, in the order of the file.
BY_ID = """
local requests, at = {}, 0
function init()
  local n = 0
  for id in io.lines(%(file)s) do
    if n %% %(threads)d == slice then
      requests[#requests + 1] = %(head)s .. id .. %(tail)s
    end
    n = n + 1
  end
end
function request()
  at = at + 1
  if at > #requests then
    at = 1
    exhausted = exhausted + 1
  end
  return requests[at]
end
"""

CONSTANT = """
local text = %(text)s
function request()
  return text
end
"""

# Two events per run with the same id; the ids are counted, the text around them is given.
EVENTS = """
local parts, types, at = %(parts)s, {"START", "COMPLETE"}, 0
function request()
  local n = math.floor(at / 2)
  local values = {
    id = string.format("%(salt)s-0000-7000-8%%03x-%%012x", slice, n),
    type = types[at %% 2 + 1],
    job = "task_" .. n %% 50,
    time = string.format("2026-01-%%02dT%%02d:%%02d:%%02d.%%06dZ",
                         1 + n %% 28, at %% 24, n %% 60, at %% 60, n %% 1000000),
  }
  at = at + 1
  local body = {}
  for i, part in ipairs(parts) do body[i] = values[part] or part end
  body = table.concat(body)
  return %(head)s .. #body .. "\\r\\n\\r\\n" .. body
end
"""

# Each thread keeps to a timetable; requests delayed by a stall are sent at once afterwards, up to a second's worth.
PACED = """
local ffi = require("ffi")
ffi.cdef[[ typedef struct { long s; long ns; } bench_time; int clock_gettime(int, bench_time *); ]]
local clock, due = ffi.new("bench_time"), nil
function delay()
  ffi.C.clock_gettime(1, clock)
  local now = tonumber(clock.s) * 1000 + tonumber(clock.ns) / 1e6
  due = math.max((due or now) + %(interval).6f, now - 1000)
  return math.max(0, math.floor(due - now))
end
"""


class WrkError(Exception):
    """wrk ended with an error or without a result."""


@dataclass(frozen=True)
class Result:
    """The result of one run of wrk."""

    requests: int
    seconds: float
    refused: int
    """Answers that were not 2xx or 3xx."""
    broken: int
    timeouts: int
    p50_ms: float
    p99_ms: float
    exhausted: int
    """How often a thread had used all its ids and started over."""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds

    @property
    def clean(self) -> bool:
        """Whether every answer was 2xx or 3xx and none is missing."""
        return not (self.refused or self.broken or self.timeouts)


@dataclass(frozen=True)
class Load:
    """Connections, duration and rate in requests per second; without a rate, as fast as answers come."""

    connections: int
    seconds: float
    rate: float | None = None

    @property
    def threads(self) -> int:
        """The number of threads of wrk."""
        return min(2, self.connections)


class Wrk:
    """Writes scripts into a directory and runs them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    async def by_id(self, port: int, load: Load, method: str, path: str, ids: Sequence[object]) -> Result:
        """Send requests to `path`, in which {} is replaced by an id; each id once, then from the first again."""
        file = self._file("ids", "\n".join(map(str, ids)))
        head, tail = path.split("{}")
        script = BY_ID % {
            "file": _lua(str(file)),
            "threads": load.threads,
            "head": _lua(f"{method} {head}"),
            "tail": _lua(f"{tail} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
        }
        return await self._run(port, load, script)

    async def constant(self, port: int, load: Load, method: str, path: str, body: str = "") -> Result:
        """Send the same request repeatedly."""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        text = f"{head}Content-Length: {len(body)}\r\n\r\n{body}"
        return await self._run(port, load, CONSTANT % {"text": _lua(text)})

    async def events(self, port: int, load: Load, parts: Iterable[str], salt: str) -> Result:
        """Send OpenLineage events that all differ; `parts` has the placeholders id, type, time and job.

        `salt`: eight hexadecimal digits with which the run ids begin.
        """
        head = "POST /api/v1/lineage HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        listed = "{" + ",".join(map(_lua, parts)) + "}"
        return await self._run(port, load, EVENTS % {"parts": listed, "salt": salt, "head": _lua(head)})

    async def _run(self, port: int, load: Load, script: str) -> Result:
        if load.rate:
            script += PACED % {"interval": 1000 * load.threads / load.rate}
        file = self._file("lua", COMMON + script)
        process = await asyncio.create_subprocess_exec(
            "wrk",
            *("--threads", str(load.threads), "--connections", str(load.connections), "--latency"),
            *("--duration", f"{load.seconds:.0f}s", "--timeout", "15s", "--script", str(file)),
            f"http://127.0.0.1:{port}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), load.seconds + 60)
        finally:
            if process.returncode is None:
                process.kill()
        return _result(output.decode())

    def _file(self, kind: str, text: str) -> Path:
        file = self._directory / f"{next(self._numbers)}.{kind}"
        file.write_text(text)
        return file


def _result(output: str) -> Result:
    for line in output.splitlines():
        if line.startswith("RESULT "):
            return Result(**json.loads(line.removeprefix("RESULT ")))
    raise WrkError(output)


def _lua(text: str) -> str:
    """Return a Lua string literal, with escapes for all but plain ASCII characters."""
    plain = {byte: chr(byte) for byte in range(32, 127) if byte not in b'"\\'}
    return '"' + "".join(plain.get(byte, f"\\{byte:03d}") for byte in text.encode()) + '"'


def ensure_installed() -> None:
    """Install wrk with apt-get if it is missing and we are root; otherwise exit with instructions."""
    if shutil.which("wrk"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("wrk is missing: apt-get install wrk", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wrk"], check=False)
    if not shutil.which("wrk"):
        raise SystemExit(
            "bench: the load generator wrk is missing."
            " Install it (Debian, Ubuntu: apt-get install wrk) and run this again."
        )
