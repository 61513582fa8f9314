"""Reads /metrics as Prometheus does."""

from prometheus_client.parser import text_string_to_metric_families

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""The values of series by name and sorted labels."""


def series(text: str) -> Series:
    """Return the series of a text in Prometheus' format."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(client) -> Series:
    """Return the series that a service serves."""
    async with client.get("/metrics") as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/plain"
        return series(await response.text())


async def value(client, name: str, **labels: str) -> float:
    """Return the value of one series."""
    return (await scrape(client))[name, tuple(sorted(labels.items()))]
