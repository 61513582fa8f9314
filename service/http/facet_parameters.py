"""The parameters of lists of runs that say which facets these have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.domain.facet_selection import FacetNames
from service.domain.registers import MAX_FACET_NAME
from service.errors import Malformed
from service.http.parameters import Parameter, boolean, is_recordable
from service.http.route import RequestParameters
from service.payloads.schemas import STORABLE

_MOST = 100

WITHOUT_FACETS = boolean(
    "withoutFacets",
    "`true`: without facets, and without what the runs read and wrote, which have facets, too: `facetsOmitted` counts "
    "those of a run, and a run that names datasets says `datasetsOmitted`.",
)


def _decode_names(texts: Sequence[str]) -> FacetNames:
    if len(texts) > _MOST:
        raise Malformed(f"parameter facet may be given {_MOST} times at most")
    if not all(0 < len(text) <= MAX_FACET_NAME and is_recordable(text) for text in texts):
        raise Malformed(f"parameter facet must be the name of a facet, of 1 to {MAX_FACET_NAME} characters")
    return frozenset(texts)


FACET: Parameter[FacetNames | None] = Parameter(
    name="facet",
    description="Only the facet of this name, or of one of these names; otherwise as with `withoutFacets`.",
    schema={
        "type": "array",
        "maxItems": _MOST,
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_FACET_NAME, **STORABLE},
    },
    decode=_decode_names,
    default=None,
    repeatable=True,
)

FACETS: tuple[Parameter[Any], ...] = (WITHOUT_FACETS, FACET)


def facets_of(parameters: RequestParameters) -> FacetNames | None:
    """Return the names of the facets that are asked for; None: all. Raises Malformed for both parameters at once."""
    without, names = parameters[WITHOUT_FACETS], parameters[FACET]
    if not without:
        return names
    if names is not None:
        raise Malformed(f"{FACET.name} asks for facets that {WITHOUT_FACETS.name} leaves out: give one of both")
    return frozenset()
