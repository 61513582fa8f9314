"""Which facets a reader of many runs asks for."""

from __future__ import annotations

from service.domain.registers import OMITTED, StampedFacet
from service.domain.run import RunRegisters

FacetNames = frozenset[str]
"""The names of the facets that a reader asks for; the others are left out."""


def select_facets(run: RunRegisters, names: FacetNames) -> RunRegisters:
    """Return a run with the facets of some names; its other facets count as left out. Those of its job are dropped."""
    facets = {name: _left_out(facet) if name not in names else facet for name, facet in run.run_facets.items()}
    return run._replace(run_facets=facets, job_facets={})


def _left_out(facet: StampedFacet) -> StampedFacet:
    """Return a facet without its value; one that was deleted stays so."""
    return facet._replace(value=OMITTED) if facet.value else facet


def reported_bytes(run: RunRegisters) -> int:
    """Return the bytes of JSON that a run has as callers sent them: facets and arguments."""
    return sum(len(facet.value or b"") for facet in run.run_facets.values()) + (
        len(run.created.args) if run.created else 0
    )
