"""Decodes OpenLineage events that the typed decoder refuses, and leaves out the parts that cannot be used.

The transition of a run needs `eventTime`, `run.runId`, `job.namespace`, `job.name` and `eventType`; a JobEvent and a
DatasetEvent need the names of their subject. These are checked in openlineage_errors.py before. Every other part may be
ill-formed: the event's bytes are kept as they were received, and such a part is left out of what is derived from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
from msgspec import Raw

from service.payloads import raw_json
from service.payloads.openlineage_errors import event_type, find_unstorable_characters
from service.payloads.schemas import MAX_NAME, OpenLineageEvent

LeftOut = Counter[str]
"""Parts of events that were left out: `dataset`, `facet`, or `field` for any other, each with its number."""

MAX_DATASETS = 10_000
"""Longest list of inputs or outputs that is decoded here. Each dataset takes about 5 microseconds."""


def is_usable_name(name: object) -> bool:
    """Whether a dataset or a facet of this name can be derived: a text without NUL and lone surrogates, not empty."""
    return isinstance(name, str) and name != "" and not any(find_unstorable_characters("", name))


def event_from_slices(text: str, left_out: LeftOut | None = None) -> OpenLineageEvent:
    """Decode an event with raw_json, which accepts more than msgspec; add the parts left out to `left_out`.

    Raises ValueError for a text that is not a JSON object.
    """
    return _Slices(LeftOut() if left_out is None else left_out).event(raw_json.members(text))


def count_unusable(event: OpenLineageEvent, left_out: LeftOut) -> None:
    """Add the datasets of a decoded event that have no usable name."""
    for datasets in (event.inputs, event.outputs):
        for dataset in datasets or ():
            if not (dataset.namespace and dataset.name):
                left_out["dataset"] += 1


class _Slices:
    """Decodes the members of one event."""

    def __init__(self, left_out: LeftOut) -> None:
        self._left_out = left_out

    def event(self, top: Mapping[str, str]) -> OpenLineageEvent:
        parts: dict[str, object] = {name: self._text(top, name) for name in ("eventTime", "producer", "schemaURL")}
        parts["eventType"] = event_type(self._text(top, "eventType"))
        parts["run"] = self._part(top, "run", {"runId": None})
        parts["job"] = self._part(top, "job", {"namespace": MAX_NAME, "name": MAX_NAME})
        parts["dataset"] = self._part(top, "dataset", {"namespace": None, "name": None})
        for name in ("inputs", "outputs"):
            parts[name] = self._datasets(top.get(name, "null"))
        return msgspec.convert(parts, OpenLineageEvent)

    def _text(self, members: Mapping[str, str], name: str) -> str | None:
        raw = members.get(name, "null")
        if raw == "null":
            return None
        value = raw_json.value(raw) if raw[0] == '"' else None
        if isinstance(value, str):
            return value
        self._left_out["field"] += 1
        return None

    def _part(self, top: Mapping[str, str], name: str, names: Mapping[str, int | None]) -> dict[str, object] | None:
        """Return a part of the event with its names and facets; None where it is missing or a name is not usable.

        `names` has the maximum length of each name, in characters.
        """
        raw = top.get(name, "null")
        if raw == "null":
            return None
        members = raw_json.members(raw) if raw[0] == "{" else {}
        part: dict[str, object] = {}
        for each, max_length in names.items():
            value = self._text(members, each) if each in members else None
            if not is_usable_name(value) or len(value or "") > (max_length or len(raw)):
                self._left_out["field"] += 1
                return None
            part[each] = value
        facets = self._facets(members.get("facets", "null"))
        return part | {"facets": facets} if facets is not None else part

    def _facets(self, raw: str) -> dict[str, Raw] | None:
        if raw == "null":
            return None
        if raw[0] != "{":
            self._left_out["field"] += 1
            return None
        members = raw_json.members(raw)
        facets = {name: Raw(value.encode()) for name, value in members.items() if is_usable_facet(name)}
        if len(facets) < len(members):
            self._left_out["facet"] += len(members) - len(facets)
        return facets

    def _datasets(self, raw: str) -> list[dict[str, str]] | None:
        """Return the datasets of a list that have usable names; None where it is missing, no list, or too long."""
        if raw == "null":
            return None
        if raw[0] != "[":
            self._left_out["field"] += 1
            return None
        datasets: list[dict[str, str]] = []
        for number, element in enumerate(raw_json.each_element(raw), 1):
            if number > MAX_DATASETS:
                self._left_out["field"] += 1
                return None
            members = raw_json.members(element) if element[0] == "{" else {}
            names = {name: self._name(members.get(name, "null")) for name in ("namespace", "name")}
            if "" in names.values():
                self._left_out["dataset"] += 1
            else:
                datasets.append(names)
        return datasets

    @staticmethod
    def _name(raw: str) -> str:
        """Return a usable name; else an empty text."""
        value = raw_json.value(raw) if raw[0] == '"' else None
        return value if isinstance(value, str) and is_usable_name(value) else ""


def is_usable_facet(name: str) -> bool:
    """Whether a facet of this name can be shown: without NUL and lone surrogates."""
    return not any(find_unstorable_characters("", name))
