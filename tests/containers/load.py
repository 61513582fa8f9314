"""Clients that report runs, repeat what was not answered, and remember what was acknowledged.

Some hundred reports a second: enough that one is under way at every moment of what happens meanwhile. As many as the
service can take would only make everything else on the machine wait.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from typing import Self
from uuid import uuid4

import aiohttp

REPEATED = {502, 503, 504}
DEADLINE_S = 180.0
PAUSE_S = 0.2
"""Before a request is repeated."""
THINKING_S = 0.02
"""Between two reports of a client."""
JOB = "/api/v1/namespaces/load/jobs/load"


class Load:
    """Creates, starts and completes runs, in a thread, until the block ends."""

    def __init__(self, url: str, secret: str, clients: int = 8) -> None:
        self._url, self._headers, self._clients = url, {"Authorization": f"Bearer {secret}"}, clients
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run_until_the_end)
        self.acknowledged: list[tuple[str, str]] = []
        """(run, state) of each transition whose report was answered with 2xx."""
        self.failures: list[str] = []
        self.repeated: Counter[str] = Counter()
        """Answers and errors after which a request was repeated."""
        self.longest_s = 0.0
        """The longest time without an acknowledgement."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    @property
    def count(self) -> int:
        return len(self.acknowledged)

    def _run_until_the_end(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:  # noqa: BLE001  what a client did not expect is a failure, and not the end of a thread
            self.failures.append(repr(error))

    async def _run(self) -> None:
        self._last = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(self._url, headers=self._headers, timeout=timeout) as session:
            await self._report(session, "PUT", "/api/v1/namespaces/load", {"ownerName": "load"})
            await self._report(session, "PUT", JOB, {"type": "BATCH", "inputs": [], "outputs": []})
            await asyncio.gather(*(self._client(session) for _ in range(self._clients)))

    async def _client(self, session: aiohttp.ClientSession) -> None:
        while not self._ending.is_set() and not self.failures:
            run = str(uuid4())
            for state, path, body in (
                ("NEW", f"{JOB}/runs", {"id": run}),
                ("RUNNING", f"/api/v1/jobs/runs/{run}/start", None),
                ("COMPLETED", f"/api/v1/jobs/runs/{run}/complete", None),
            ):
                if await self._report(session, "POST", path, body):
                    self.acknowledged.append((run, state))
                await asyncio.sleep(THINKING_S)

    async def _report(self, session: aiohttp.ClientSession, method: str, path: str, body: object) -> bool:
        ends_at = time.monotonic() + DEADLINE_S
        what = ""
        while time.monotonic() < ends_at:
            try:
                async with session.request(method, path, json=body) as answer:
                    what = f"{answer.status}"
                    if answer.status < 300:
                        now = time.monotonic()
                        self.longest_s, self._last = max(self.longest_s, now - self._last), now
                        return True
                    if answer.status not in REPEATED:
                        what += f" {await answer.text()}"
                        break
            except (aiohttp.ClientConnectionError, TimeoutError) as error:
                what = type(error).__name__
            self.repeated[what] += 1
            await asyncio.sleep(PAUSE_S)
        self.failures.append(f"{method} {path}: {what}")
        return False
