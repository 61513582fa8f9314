"""A real Prometheus that scrapes a service often, with the rules and the configuration of deploy/prometheus."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import yaml
from programs import REPOSITORY
from waiting import wait_until

DEPLOYED = REPOSITORY / "deploy/prometheus"
DEADLINE_S = 150.0
AN_HOUR, SOON = "> 3600", "> 30"
"""For how long a transaction may be open, in the expression of RunfoldLongTransaction, and for how long here."""


class Prometheus:
    """Answers which alerts fire."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.seen: set[str] = set()
        """Alerts that were seen firing."""

    async def _get(self, path: str) -> dict:
        async with self._session.get(f"/api/v1/{path}") as response:
            return (await response.json())["data"]

    async def firing(self) -> set[str]:
        alerts = (await self._get("alerts"))["alerts"]
        names = {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}
        self.seen |= names
        return names

    async def scrapes(self) -> int:
        """Return how many samples of the service's own metrics there are."""
        result = (await self._get("query?query=count_over_time(runfold_workers[10m])"))["result"]
        return int(result[0]["value"][1]) if result else 0

    async def expect(self, *names: str, deadline: float = DEADLINE_S) -> None:
        """Wait until some alerts have been seen firing, not necessarily at once."""

        async def seen() -> bool:
            await self.firing()
            return self.seen.issuperset(names)

        await wait_until(seen, f"{names} fire; seen: {self.seen}", deadline)

    async def answers(self) -> bool:
        with suppress(aiohttp.ClientError):
            async with self._session.get("/-/ready") as response:
                return response.status == 200
        return False


def write_configuration(directory: Path, target: str, secret: str) -> None:
    """Write the deployed files, with scrapes every 2 s and alerts that fire as soon as their condition holds.

    A transaction is long after half a minute.
    """
    rules = yaml.safe_load((DEPLOYED / "runfold.rules.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
            rule["expr"] = rule["expr"].replace(AN_HOUR, SOON)
    (directory / "runfold.rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    configuration = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "2s", "evaluation_interval": "1s"}
    configuration["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    configuration["scrape_configs"][0]["scrape_timeout"] = "2s"
    (directory / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    (directory / "runfold.key").write_text(secret, encoding="utf-8")


@asynccontextmanager
async def prometheus(directory: Path, target: str, secret: str) -> AsyncIterator[Prometheus]:
    """Run Prometheus on a free port until the block ends."""
    write_configuration(directory, target, secret)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (directory / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address={address}",
            stdout=log,
            stderr=log,
        )
    try:
        async with aiohttp.ClientSession(f"http://{address}") as session:
            started = Prometheus(session)
            await wait_until(started.answers, "Prometheus answers")
            yield started
    finally:
        process.terminate()
        await process.wait()
