"""Where the service's CPU time goes at 64 connections: `bench/cpu_profile.py [OPERATION] [SECONDS]`.

OPERATION is start, get, create or event. Samples (see sampler.py) are converted to microseconds per request: by the
outermost function of the service, by function alone, and by function including what it calls.
"""

from __future__ import annotations

import asyncio
import collections
import os
import re
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import report, wrk
from bench.events import templates
from bench.options import read_options
from bench.stage import RUN, RUN_BODY, RUNS, Stage, open_stage
from bench.wrk import Load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.programs import Usage
    from bench.wrk import Result

HERE = Path(__file__).parent
CONNECTIONS = 64
IDS_A_SECOND = 20_000
LINES = 40
# Functions of the service, except those below which everything runs.
SERVICE = re.compile(r"service/(?!server/|cli/|__main__)")


async def profile(operation: str, seconds: int, output: Path) -> tuple[Result, Usage, Usage]:
    """Put load on a service that is sampled; it writes its samples when it gets SIGUSR2."""
    program: list[str | Path] = [sys.executable, HERE / "sampler.py", output, "service"]
    async with open_stage(read_options("", ["--quick"]), program) as stage:
        return await _measure(stage, operation, seconds)


async def _measure(stage: Stage, operation: str, seconds: int) -> tuple[Result, Usage, Usage]:
    load, port = Load(CONNECTIONS, seconds), stage.service.port
    if operation == "create":
        measuring = stage.wrk.constant(port, load, "POST", RUNS, RUN_BODY)
    elif operation == "event":
        measuring = stage.wrk.events(port, load, templates()[0].parts, secrets.token_hex(4))
    else:
        ids = await stage.database.clone(await stage.create(), IDS_A_SECOND * seconds)
        await stage.caught_up()
        method, path = ("GET", RUN) if operation == "get" else ("POST", f"{RUN}/{operation}")
        measuring = stage.wrk.by_id(port, load, method, path, ids)
    os.kill(stage.service.pid, signal.SIGUSR1)
    try:
        return await stage.watch(stage.service, measuring)
    finally:
        os.kill(stage.service.pid, signal.SIGUSR2)


def shares(lines: Iterable[str]) -> dict[str, collections.Counter[str]]:
    """Count samples by the outermost function of the service, by function, and by function including its callees."""
    outermost: collections.Counter[str] = collections.Counter()
    own: collections.Counter[str] = collections.Counter()
    whole: collections.Counter[str] = collections.Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        functions = stack.split(";")
        outermost[next(filter(SERVICE.match, functions), "aiohttp, uvloop")] += int(count)
        own[functions[-1]] += int(count)
        for function in set(functions):
            whole[function] += int(count)
    return {"by outermost function": outermost, "by function": own, "including callees": whole}


def main() -> None:
    """Profile the service and print three tables."""
    operation = sys.argv[1] if len(sys.argv) > 1 else "start"
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    output = Path(f"/tmp/runfold-{operation}.stacks")  # noqa: S108  kept for flame graph tools
    wrk.ensure_installed()
    result, before, after = asyncio.run(profile(operation, seconds, output))
    cpu_us = (after.cpu_s - before.cpu_s) / result.requests * 1e6
    postgres_us = (after.cpu_postgres_s - before.cpu_postgres_s) / result.requests * 1e6
    print(f"{operation}: {result.rate:,.0f}/s, {cpu_us:.0f} µs of the service's CPU and {postgres_us:.0f} µs of")
    print(f"PostgreSQL's per request. The stacks are in {output}.")
    counters = shares(output.read_text().splitlines())
    total = sum(counters["by function"].values())
    for title, counter in counters.items():
        found = {name: f"{cpu_us * count / total:.1f} µs" for name, count in counter.most_common(LINES)}
        report.show(f"\n{title}, of {total} samples", report.facts_table(found))


if __name__ == "__main__":
    main()
